"""Standing grants: one person's consent given beforehand to a bounded family of actions. Pure.

Bounded three ways: by this pattern, by count and by time. A pattern names one actor, one operation, one resource, and
says of *every* argument what it may be; an action with an argument that the pattern does not name is outside
(threat B12). At each use the signer is checked like any voter.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from consentry.actions import Action, Json, canonical, parse_object
from consentry.consent.model import BallotVerdict, Vote
from consentry.errors import InvalidInput
from consentry.policy.model import Assurance

_BOUNDS = ("equals", "one_of", "at_most", "prefix")


class InvalidPattern(InvalidInput):
    """The pattern of a standing grant cannot be read, or is not bounded."""

    code = "invalid_pattern"


@dataclass(frozen=True, slots=True)
class Bound:
    """What one argument may be: `equals` a value, `one_of` a list, a number `at_most`, or a text with a `prefix`."""

    kind: str
    value: Json

    def __post_init__(self) -> None:
        if self.kind not in _BOUNDS:
            raise InvalidPattern(f"`{self.kind}` is no bound: use one of `{'`, `'.join(_BOUNDS)}`")
        if self.kind == "one_of" and not isinstance(self.value, list | tuple):
            raise InvalidPattern("`one_of` takes a list")
        if self.kind == "at_most" and not _is_number(self.value):
            raise InvalidPattern("`at_most` takes a finite number")
        if self.kind == "prefix" and (not isinstance(self.value, str) or not self.value):
            raise InvalidPattern("`prefix` takes a text that is not empty")

    def admits(self, value: Json) -> bool:
        """Exact comparison: of canonical JSON for values, so `1` and `"1"` and `true` differ."""
        if self.kind == "equals":
            return canonical(value) == canonical(self.value)
        if self.kind == "one_of":
            assert isinstance(self.value, list | tuple)
            return any(canonical(value) == canonical(one) for one in self.value)
        if self.kind == "at_most":
            return _is_number(value) and 0 <= value <= self.value  # type: ignore[operator]
        return isinstance(value, str) and value.startswith(str(self.value)) and ".." not in value


@dataclass(frozen=True, slots=True)
class StandingPattern:
    """Which actions: one actor (the id that presents the credential), one operation, one resource, all arguments."""

    actor: str
    operation: str
    resource: str
    arguments: Mapping[str, Bound] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not (self.actor and self.operation and self.resource):
            raise InvalidPattern("a standing grant names an `actor`, an `operation` and a `resource`")
        if any("*" in part for part in (self.actor, self.operation, self.resource)):
            raise InvalidPattern("a standing grant takes no wildcards: name the actor, operation and resource")

    def admits(self, action: Action) -> bool:
        """Whether the action is inside: operands and context must be empty, since they cannot be bounded yet."""
        return (
            action.actor.id == self.actor
            and action.operation == self.operation
            and action.resource == self.resource
            and not action.operands
            and not action.context
            and action.arguments.keys() == self.arguments.keys()
            and all(bound.admits(action.arguments[name]) for name, bound in self.arguments.items())
        )

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical pattern, as the ledger names it."""
        return hashlib.sha256(b"consentry pattern v1\n" + canonical(self.to_json())).hexdigest()

    def to_json(self) -> dict[str, Json]:
        return {
            "actor": self.actor,
            "operation": self.operation,
            "resource": self.resource,
            "arguments": {name: {bound.kind: bound.value} for name, bound in self.arguments.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Self:
        """Read a pattern from the outside. Raises `InvalidPattern`."""
        if not value.keys() <= {"actor", "operation", "resource", "arguments"}:
            raise InvalidPattern("`pattern` takes `actor`, `operation`, `resource` and `arguments`")
        arguments = value.get("arguments", {})
        if not isinstance(arguments, Mapping):
            raise InvalidPattern("`pattern.arguments` must be an object")
        bounds: dict[str, Bound] = {}
        for name, bound in arguments.items():
            if not isinstance(bound, Mapping) or len(bound) != 1:
                raise InvalidPattern("each of `pattern.arguments` must be an object with exactly one bound")
            ((kind, limit),) = bound.items()
            bounds[name] = Bound(kind, limit)
        actor, operation, resource = (value.get(name) for name in ("actor", "operation", "resource"))
        if not (isinstance(actor, str) and isinstance(operation, str) and isinstance(resource, str)):
            raise InvalidPattern("`pattern` must name `actor`, `operation` and `resource`")
        return cls(actor, operation, resource, bounds)


@dataclass(frozen=True, slots=True)
class Signed:
    """A pattern with how strongly its signer was signed in, as the store keeps it."""

    pattern: StandingPattern
    assurance: Assurance

    def encode(self) -> str:
        return canonical({"pattern": self.pattern.to_json(), "assurance": self.assurance.value}).decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        value = parse_object(text, what="stored pattern")
        pattern, assurance = value["pattern"], value["assurance"]
        assert isinstance(pattern, Mapping)
        assert isinstance(assurance, str)
        return cls(StandingPattern.from_json(pattern), Assurance(assurance))


def signers_vote(signed: Signed, signer: str, at_ms: int) -> Vote:
    """A standing grant is its signer's approval, given beforehand: it is weighed like any vote (threat A1)."""
    return Vote(
        id="",
        person=signer,
        counts_for=signer,
        stage=0,
        verdict=BallotVerdict.APPROVE,
        reason=None,
        assurance=signed.assurance,
        channel="standing",
        shown_digest="",
        at_ms=at_ms,
    )


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
