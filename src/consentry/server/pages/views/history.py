"""What was done and tried, as rows. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from consentry.actions import Action
from consentry.consent.model import ActionState, Decision, HistoryQuery
from consentry.policy.model import Roster, Verdict
from consentry.server.pages.forms import InvalidForm
from consentry.server.pages.states import Look, look
from consentry.server.pages.views.names import Party, chain

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Row:
    """One action."""

    action_id: str
    request_id: str | None
    operation: str
    resource: str
    first: Party
    through: int
    verdict: Look
    state: Look
    at_ms: int


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address asks for, as typed. `since` and `until` are dates, both included, in UTC."""

    operation: str = ""
    resource: str = ""
    actor: str = ""
    state: str = ""
    verdict: str = ""
    since: str = ""
    until: str = ""
    before: str = ""

    @property
    def active(self) -> bool:
        return any((self.operation, self.resource, self.actor, self.state, self.verdict, self.since, self.until))

    def query(self, limit: int, before_id: str | None) -> HistoryQuery:
        """For the gate. Raises `InvalidForm`."""
        until = _day(self.until, "until")
        return HistoryQuery(
            operation=self.operation or None,
            resource=self.resource or None,
            actor=self.actor or None,
            state=_state(self.state),
            verdict=_verdict(self.verdict),
            since_ms=_day(self.since, "since"),
            until_ms=None if until is None else until + DAY_MS,
            before_id=before_id,
            limit=limit,
        )


def row(action: Action, decision: Decision, roster: Roster) -> Row:
    """An action with where it stands."""
    links = chain(action.actor, roster)
    return Row(
        action_id=decision.action_id,
        request_id=decision.request_id,
        operation=action.operation,
        resource=action.resource,
        first=links[0],
        through=len(links) - 1,
        verdict=look(decision.verdict.value),
        state=look(decision.state.value),
        at_ms=decision.submitted_at_ms,
    )


def _state(text: str) -> ActionState | None:
    try:
        return ActionState(text) if text else None
    except ValueError:
        raise InvalidForm("`state` is not one that an action can have: choose from the list") from None


def _verdict(text: str) -> Verdict | None:
    try:
        return Verdict(text) if text else None
    except ValueError:
        raise InvalidForm("`verdict` must be `allow`, `review` or `deny`") from None


def _day(text: str, name: str) -> int | None:
    if not text:
        return None
    try:
        return int(datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()) * 1000
    except (ValueError, OverflowError):
        raise InvalidForm(f"`{name}` must be a date like `2026-01-31`") from None
