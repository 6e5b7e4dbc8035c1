"""Standing grants: one person's consent given beforehand to a bounded family of actions. Pure.

Bounded three ways: by this pattern, by count and by time. A pattern names one actor, one operation, one resource, and
says of *every* argument what it may be; an action with an argument that the pattern does not name is outside
(threat B12). What an action pins by hash, the pattern pins by the same hash, or it is outside. At each use the signer
is checked like any voter.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from consentry.actions import Action, Json, Operand, canonical, parse_object
from consentry.consent.bounds import Bound, InvalidPattern, Place, covers, name_of, parse_bounds, places
from consentry.consent.model import BallotVerdict, Vote
from consentry.errors import InvalidInput
from consentry.policy.model import Assurance

_PARTS = frozenset({"actor", "operation", "resource", "arguments", "operands", "context"})


@dataclass(frozen=True, slots=True)
class StandingPattern:
    """Which actions: one actor (the id that presents the credential), one operation, one resource, and what they hold.

    `arguments` and `context` bound every value that an action holds there, by name or, inside of objects, by JSON
    pointer. `operands` are exactly those that an action pins.
    """

    actor: str
    operation: str
    resource: str
    arguments: Mapping[str, Bound] = field(default_factory=dict)
    operands: tuple[Operand, ...] = ()
    context: Mapping[str, Bound] = field(default_factory=dict)
    _arguments: Mapping[Place, Bound] = field(init=False, repr=False, compare=False)
    _context: Mapping[Place, Bound] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not (self.actor and self.operation and self.resource):
            raise InvalidPattern("a standing grant names an `actor`, an `operation` and a `resource`")
        if any("*" in part for part in (self.actor, self.operation, self.resource)):
            raise InvalidPattern("a standing grant takes no wildcards: name the actor, operation and resource")
        object.__setattr__(self, "_arguments", places(self.arguments))
        object.__setattr__(self, "_context", places(self.context))
        object.__setattr__(self, "operands", tuple(sorted(self.operands)))

    def admits(self, action: Action) -> bool:
        """Whether the action is inside."""
        return (
            action.actor.id == self.actor
            and action.operation == self.operation
            and action.resource == self.resource
            and tuple(sorted(action.operands)) == self.operands
            and covers(self._arguments, action.arguments)
            and covers(self._context, action.context)
        )

    def limits(self) -> tuple[tuple[str, str], ...]:
        """Each argument, operand and value of the context with the kind of its bound."""
        return (
            *((name, bound.kind) for name, bound in sorted(self.arguments.items())),
            *((operand.name, "sha256") for operand in self.operands),
            *((f"context: {name}", bound.kind) for name, bound in sorted(self.context.items())),
        )

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical pattern, as the ledger names it."""
        return hashlib.sha256(b"consentry pattern v1\n" + canonical(self.to_json())).hexdigest()

    def to_json(self) -> dict[str, Json]:
        """`operands` and `context` are left out where there are none."""
        found: dict[str, Json] = {
            "actor": self.actor,
            "operation": self.operation,
            "resource": self.resource,
            "arguments": {name: bound.to_json() for name, bound in self.arguments.items()},
        }
        if self.operands:
            found["operands"] = {operand.name: operand.sha256 for operand in self.operands}
        if self.context:
            found["context"] = {name: bound.to_json() for name, bound in self.context.items()}
        return found

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Self:
        """Read a pattern from the outside. Raises `InvalidPattern`."""
        if not value.keys() <= _PARTS:
            raise InvalidPattern(f"`pattern` takes `{'`, `'.join(sorted(_PARTS))}`")
        actor, operation, resource = (value.get(name) for name in ("actor", "operation", "resource"))
        if not (isinstance(actor, str) and isinstance(operation, str) and isinstance(resource, str)):
            raise InvalidPattern("`pattern` must name `actor`, `operation` and `resource`")
        return cls(
            actor,
            operation,
            resource,
            parse_bounds(value.get("arguments", {}), "pattern.arguments"),
            _operands(value.get("operands", {})),
            parse_bounds(value.get("context", {}), "pattern.context"),
        )


def _operands(given: Json) -> tuple[Operand, ...]:
    if not isinstance(given, Mapping) or not all(isinstance(one, str) for one in given.values()):
        raise InvalidPattern("`pattern.operands` must be an object of names and their SHA-256")
    try:
        return tuple(Operand(name, str(sha256)) for name, sha256 in given.items())
    except InvalidInput as error:
        raise InvalidPattern(f"`pattern.operands`: {error}") from None


@dataclass(frozen=True, slots=True)
class Signed:
    """A pattern with how strongly its signer was signed in, as the store keeps it."""

    pattern: StandingPattern
    assurance: Assurance

    def encode(self) -> str:
        told = {"pattern": self.pattern.to_json(), "assurance": self.assurance.value, "version": 2}
        return canonical(told).decode()

    @classmethod
    def decode(cls, text: str) -> Self:
        value = parse_object(text, what="stored pattern")
        pattern, assurance = value["pattern"], value["assurance"]
        assert isinstance(pattern, Mapping)
        if "version" not in value:  # names were names then, whatever they began with
            arguments = pattern["arguments"]
            assert isinstance(arguments, Mapping)
            pattern = {**pattern, "arguments": {name_of((name,)): bound for name, bound in arguments.items()}}
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
