"""The action: one attempt by an actor to do one operation on one resource with exact arguments.

An action is frozen and named by its digest. Everything that judges, shows, consents to or performs an action goes by
that digest, so what was consented to is what runs (design.md, invariant 1).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from consentry.actions.json import Json, JsonObject, canonical, parse_object
from consentry.errors import InvalidInput

DOMAIN = b"consentry action v1\n"
"""Separates an action's digest from every other SHA-256 that this system takes."""

MAX_CANONICAL = 1 << 20
"""The default limit of an action's canonical form, in bytes."""

MAX_CHAIN = 8

_OPERATION = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+){1,7}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class InvalidAction(InvalidInput):
    """The action cannot be stated exactly; nothing was done."""

    code = "invalid_action"


class Kind(StrEnum):
    """What an actor is. Only a person can vote."""

    PERSON = "person"
    AGENT = "agent"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: the link that presents the credential, and for whom it acts (RFC 8693, section 4.1).

    `id` is Consentry's own, stable id of the person, agent or service.
    """

    kind: Kind
    id: str
    acting_for: Actor | None = None
    canonical: bytes = field(init=False, repr=False, compare=False, default=b"")
    """The RFC 8785 bytes, as they stand in each of its actions."""

    def __post_init__(self) -> None:
        if not self.id or len(self.id) > 200:
            raise InvalidAction("`actor.id` must have 1 to 200 characters")
        if self.acting_for is not None and sum(1 for _ in self.acting_for.links()) >= MAX_CHAIN:
            raise InvalidAction(f"`actor` has a chain of more than {MAX_CHAIN} links")
        object.__setattr__(self, "canonical", canonical(self.to_json(), what="actor"))

    def links(self) -> Iterator[Actor]:
        """The chain from the link that presents the credential to the one it all started with."""
        link: Actor | None = self
        while link is not None:
            yield link
            link = link.acting_for

    def persons(self) -> frozenset[str]:
        """The ids of all persons in the chain."""
        return frozenset(link.id for link in self.links() if link.kind is Kind.PERSON)

    def to_json(self) -> dict[str, Json]:
        result: dict[str, Json] = {"id": self.id, "kind": self.kind.value}
        if self.acting_for is not None:
            result["acting_for"] = self.acting_for.to_json()
        return result

    @classmethod
    def from_json(cls, value: Json) -> Self:
        if not isinstance(value, Mapping) or not value.keys() <= {"id", "kind", "acting_for"}:
            raise InvalidAction("`actor` must be an object of `kind`, `id` and perhaps `acting_for`")
        inner = value.get("acting_for")
        return cls(
            kind=_kind(value.get("kind")),
            id=_text(value.get("id"), "actor.id"),
            acting_for=None if inner is None else cls.from_json(inner),
        )


@dataclass(frozen=True, slots=True, order=True)
class Operand:
    """Something mutable that the action refers to, pinned by the SHA-256 of its bytes (lower-case hex)."""

    name: str
    sha256: str

    def __post_init__(self) -> None:
        if not self.name or len(self.name) > 4096:
            raise InvalidAction("`operands` has a name that is not 1 to 4096 characters long")
        if not _SHA256.fullmatch(self.sha256):
            raise InvalidAction("`operands` has a `sha256` that is not 64 lower-case hex digits")


@dataclass(frozen=True, slots=True)
class Action:
    """One attempt, exactly. Two spellings are two actions: nothing is normalised.

    `arguments` and `context` are opaque to the gate: no field in them carries a decision. `context` is what the caller
    says about the attempt (a run id, a ticket); it is bound like the rest, since policy may read it.
    """

    actor: Actor
    operation: str
    resource: str
    arguments: JsonObject = field(default_factory=dict)
    operands: tuple[Operand, ...] = ()
    context: JsonObject = field(default_factory=dict)
    canonical: bytes = field(init=False, repr=False, compare=False, default=b"")
    """The RFC 8785 bytes; stored, hashed, shown and performed."""
    digest: str = field(init=False, default="")
    """SHA-256 in lower-case hex over `DOMAIN` and the canonical bytes."""

    def __post_init__(self) -> None:
        if not _OPERATION.fullmatch(self.operation) or len(self.operation) > 100:
            raise InvalidAction("`operation` must be lower case like `noun.verb`")
        if not self.resource or len(self.resource) > 1024:
            raise InvalidAction("`resource` must have 1 to 1024 characters")
        if self.operands:
            if len({operand.name for operand in self.operands}) != len(self.operands):
                raise InvalidAction("`operands` names the same thing twice")
            object.__setattr__(self, "operands", tuple(sorted(self.operands)))
        arguments, context = dict(self.arguments), dict(self.context)
        rest = canonical(
            {
                "arguments": arguments,
                "context": context,
                "operands": [{"name": operand.name, "sha256": operand.sha256} for operand in self.operands],
                "operation": self.operation,
                "resource": self.resource,
            },
            what="action",
        )
        data = b'{"actor":' + self.actor.canonical + b"," + rest[1:]  # its key comes first in their order
        object.__setattr__(self, "arguments", MappingProxyType(arguments))
        object.__setattr__(self, "context", MappingProxyType(context))
        object.__setattr__(self, "canonical", data)
        object.__setattr__(self, "digest", hashlib.sha256(DOMAIN + data).hexdigest())

    @classmethod
    def from_canonical(cls, data: bytes) -> Self:
        """The action whose canonical bytes these are. Raises `InvalidAction` if they are not canonical."""
        value = parse_object(data, what="stored action", limit=max(len(data), 1))
        if value.keys() != {"actor", "arguments", "context", "operands", "operation", "resource"}:
            raise InvalidAction("`stored action` has other fields than an action")
        action = cls(
            actor=Actor.from_json(value["actor"]),
            operation=_text(value["operation"], "operation"),
            resource=_text(value["resource"], "resource"),
            arguments=_object(value["arguments"], "arguments"),
            operands=parse_operands(value["operands"]),
            context=_object(value["context"], "context"),
        )
        if action.canonical != data:
            raise InvalidAction("`stored action` is not in canonical form")
        return action


def parse_operands(value: Json) -> tuple[Operand, ...]:
    """Operands from a JSON list of `{name, sha256}`. Raises `InvalidAction`."""
    if not isinstance(value, list | tuple):
        raise InvalidAction("`operands` must be a list of `{name, sha256}`")
    result = []
    for item in value:
        if not isinstance(item, Mapping) or item.keys() != {"name", "sha256"}:
            raise InvalidAction("`operands` must be a list of `{name, sha256}`")
        result.append(Operand(_text(item["name"], "operands.name"), _text(item["sha256"], "operands.sha256")))
    return tuple(result)


def _kind(value: Json) -> Kind:
    try:
        return Kind(_text(value, "actor.kind"))
    except ValueError:
        raise InvalidAction("`actor.kind` must be `person`, `agent` or `service`") from None


def _text(value: Json, what: str) -> str:
    if not isinstance(value, str):
        raise InvalidAction(f"`{what}` must be a string")
    return value


def _object(value: Json, what: str) -> JsonObject:
    if not isinstance(value, Mapping):
        raise InvalidAction(f"`{what}` must be an object")
    return value
