"""Grants, and standing grants before they are made. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from consentry.actions import Action, Json, canonical, parse_object
from consentry.consent.model import Grant
from consentry.consent.standing import Signed, StandingPattern
from consentry.consent.states import GrantState
from consentry.policy.model import Roster
from consentry.server.pages.forms import Form
from consentry.server.pages.states import Look, look
from consentry.server.pages.views.names import Party, person


@dataclass(frozen=True, slots=True)
class GrantRow:
    """One grant. `bounds` are the arguments that a standing grant lets through."""

    id: str
    kind: str
    operation: str
    resource: str
    holder: str
    bounds: tuple[tuple[str, str], ...]
    signer: Party | None
    state: Look
    open: bool
    uses: int
    uses_left: int
    opened_at_ms: int
    expires_at_ms: int
    action_id: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A standing grant as it is being written: the form's fields, kept as typed."""

    actor: str = ""
    operation: str = ""
    resource: str = ""
    arguments: str = "{}"
    operands: str = "{}"
    context: str = "{}"
    uses: str = "10"
    hours: str = "24"
    reason: str = ""

    @classmethod
    def of(cls, form: Form) -> Draft:
        return cls(**{name: value for name, value in form.fields.items() if name in cls.__slots__})

    @classmethod
    def around(cls, pattern: StandingPattern, weekly: int) -> Draft:
        """The form for a pattern, for one week of `weekly` uses."""
        told = pattern.to_json()
        return cls(
            actor=pattern.actor,
            operation=pattern.operation,
            resource=pattern.resource,
            **{name: canonical(told.get(name, {})).decode("utf-8") for name in ("arguments", "operands", "context")},
            uses=str(weekly),
            hours=str(7 * 24),
        )

    def pattern(self) -> StandingPattern:
        """The pattern. Raises `InvalidPattern` or `InvalidInput`."""
        return StandingPattern.from_json(
            {
                "actor": self.actor,
                "operation": self.operation,
                "resource": self.resource,
                "arguments": parse_object(self.arguments or "{}", what="arguments"),
                "operands": parse_object(self.operands or "{}", what="operands"),
                "context": parse_object(self.context or "{}", what="context"),
            }
        )


def grant_row(grant: Grant, action: Action | None, roster: Roster) -> GrantRow:
    """A grant with what it is for: its action's, or its pattern's."""
    pattern = None if grant.pattern is None else Signed.decode(grant.pattern).pattern
    if pattern is not None:
        operation, resource, holder = pattern.operation, pattern.resource, pattern.actor
    elif action is not None:
        operation, resource, holder = action.operation, action.resource, action.actor.id
    else:
        operation = resource = holder = ""
    return GrantRow(
        id=grant.id,
        kind=grant.kind,
        operation=operation,
        resource=resource,
        holder=_holder(holder, roster),
        bounds=() if pattern is None else bounds(pattern),
        signer=None if grant.signer is None else person(grant.signer, roster),
        state=look("used" if grant.state is GrantState.CLAIMED else grant.state.value),
        open=grant.state.value == "open",
        uses=grant.uses,
        uses_left=grant.uses_left,
        opened_at_ms=grant.opened_at_ms,
        expires_at_ms=grant.expires_at_ms,
        action_id=grant.action_id,
        request_id=grant.request_id,
    )


def bounds(pattern: StandingPattern) -> tuple[tuple[str, str], ...]:
    """Each argument with its bound, in words: `rows`, `at most 100`; what is pinned, and the context."""
    told = pattern.to_json()
    return (
        *_bounds(told["arguments"]),
        *((operand.name, f"pinned to {operand.sha256}") for operand in pattern.operands),
        *((f"context: {name}", bound) for name, bound in _bounds(told.get("context", {}))),
    )


def _bounds(given: Json) -> tuple[tuple[str, str], ...]:
    assert isinstance(given, Mapping)
    return tuple((name, _bound(bound)) for name, bound in sorted(given.items()))


def _bound(bound: Json) -> str:
    assert isinstance(bound, Mapping)
    ((kind, value),) = bound.items()
    return f"{kind.replace('_', ' ')} {canonical(value).decode()}"


def _holder(identifier: str, roster: Roster) -> str:
    agent = roster.agents.get(identifier)
    return agent.name if agent is not None else person(identifier, roster).name if identifier else ""
