"""What policy answers with, and what it may look at. Frozen and pure; Cedar itself is in `cedar.py`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Self

from consentry.actions import Json, JsonObject
from consentry.errors import InvalidInput
from consentry.policy.emails import InvalidEmail, email_key


class Verdict(StrEnum):
    """What policy says of an action."""

    ALLOW = "allow"
    REVIEW = "review"
    DENY = "deny"


class Level(StrEnum):
    """How durable the record must be before the effect (design.md section 6)."""

    L0 = "L0"
    L1 = "L1"
    L2 = "L2"
    L3 = "L3"


class Assurance(StrEnum):
    """How strongly a voter is signed in, weakest first."""

    CHAT = "chat"
    SESSION = "session"
    PASSKEY = "passkey"

    @property
    def rank(self) -> int:
        """1 linked chat identity, 2 signed-in session, 3 passkey over the action digest."""
        return list(Assurance).index(self) + 1


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: the `@id` of a policy (or a built-in rule such as `default-deny`) and its text for people."""

    policy: str
    text: str


@dataclass(frozen=True, slots=True)
class Escalation:
    """After `after_ms` without a decision, the members of `widen_to` may decide as well."""

    after_ms: int
    widen_to: str


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a review. Every reviewer set must be satisfied by `quorum` distinct persons of its own.

    A reviewer set is `group:NAME`, `person:EMAIL` or `anyone` (any active person); one person counts for one set.
    """

    reviewers: tuple[str, ...]
    quorum: int = 1
    assurance: Assurance = Assurance.SESSION
    remind_after_ms: int | None = None
    escalation: Escalation | None = None

    def __post_init__(self) -> None:
        if not self.reviewers or self.quorum < 1:
            raise InvalidInput("a review stage needs a reviewer set and a `quorum` of at least 1")

    def to_json(self) -> dict[str, Json]:
        result: dict[str, Json] = {
            "reviewers": list(self.reviewers),
            "quorum": self.quorum,
            "assurance": self.assurance.value,
        }
        if self.remind_after_ms is not None:
            result["remind_after_ms"] = self.remind_after_ms
        if self.escalation is not None:
            result["escalation"] = {"after_ms": self.escalation.after_ms, "widen_to": self.escalation.widen_to}
        return result

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Self:
        """Read back what `to_json` wrote to the store."""
        escalation = value.get("escalation")
        return cls(
            reviewers=tuple(value["reviewers"]),  # type: ignore[arg-type]
            quorum=int(value["quorum"]),  # type: ignore[arg-type]
            assurance=Assurance(str(value["assurance"])),
            remind_after_ms=value.get("remind_after_ms"),  # type: ignore[arg-type]
            escalation=None if escalation is None else Escalation(**escalation),  # type: ignore[arg-type]
        )


@dataclass(frozen=True, slots=True)
class Obligations:
    """What an allow or a review comes with; the strictest of all determining permits.

    `expires_ms` is how long a request waits for people. `grant_ms` is how long a grant may stay unclaimed.
    `break_glass` names the reviewer sets of which a person must be in every one to break glass; `None` means that
    nobody may.
    """

    stages: tuple[Stage, ...] = ()
    expires_ms: int = 3_600_000
    grant_ms: int = 900_000
    masks: tuple[str, ...] = ()
    level: Level = Level.L1
    break_glass: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, Json]:
        return {
            "stages": [stage.to_json() for stage in self.stages],
            "expires_ms": self.expires_ms,
            "grant_ms": self.grant_ms,
            "masks": list(self.masks),
            "level": self.level.value,
            "break_glass": None if self.break_glass is None else list(self.break_glass),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> Self:
        """Read back what `to_json` wrote to the store."""
        glass = value["break_glass"]
        return cls(
            stages=tuple(Stage.from_json(stage) for stage in value["stages"]),  # type: ignore
            expires_ms=int(value["expires_ms"]),  # type: ignore[arg-type]
            grant_ms=int(value["grant_ms"]),  # type: ignore[arg-type]
            masks=tuple(value["masks"]),  # type: ignore[arg-type]
            level=Level(str(value["level"])),
            break_glass=None if glass is None else tuple(glass),  # type: ignore[arg-type]
        )


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one action under one policy version, with its explanation by construction."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    obligations: Obligations
    policy_version: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What lenses read from the payload. The keys and types are those of the schema's `Facts` record."""

    values: JsonObject = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", MappingProxyType(dict(self.values)))


@dataclass(frozen=True, slots=True)
class Resource:
    """What the settings say of a resource. An undeclared resource has kind `unknown` and no labels."""

    name: str
    kind: str = "unknown"
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Membership:
    """One person in one group, since when (milliseconds since the epoch, the database's clock)."""

    group: str
    person: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent or service as policy sees it. `holder` was shown the token that it has now."""

    id: str
    name: str
    owner: str
    active: bool = True
    holder: str | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """One human. `merged_into` names the person that this record was found to be."""

    id: str
    email: str
    name: str
    active: bool = True
    merged_into: str | None = None


class Roster:
    """Who there is: a snapshot of people, groups and agents at one `version`. Immutable."""

    def __init__(
        self,
        *,
        version: int,
        persons: Iterable[Person] = (),
        memberships: Iterable[Membership] = (),
        agents: Iterable[Agent] = (),
    ) -> None:
        self.version = version
        self.persons: Mapping[str, Person] = {person.id: person for person in persons}
        self.agents: Mapping[str, Agent] = {agent.id: agent for agent in agents}
        self._by_email = {_key(person.email): person for person in self.persons.values() if not person.merged_into}
        self._since: dict[str, dict[str, int]] = {}
        self._groups_of: dict[str, set[str]] = {}
        for one in memberships:
            person = self.canonical(one.person)
            group = self._since.setdefault(one.group, {})
            group[person] = min(one.since_ms, group.get(person, one.since_ms))
            self._groups_of.setdefault(person, set()).add(one.group)

    def canonical(self, person: str) -> str:
        """The id of the one person behind `person`, following merges."""
        seen: set[str] = set()
        while (record := self.persons.get(person)) is not None and record.merged_into and person not in seen:
            seen.add(person)
            person = record.merged_into
        return person

    def is_active(self, person: str) -> bool:
        record = self.persons.get(self.canonical(person))
        return record is not None and record.active

    def by_email(self, email: str) -> Person | None:
        """The person with this address, in whatever spelling it is written."""
        return self._by_email.get(_key(email))

    def owner_of(self, agent: str) -> str | None:
        """The person who owns an agent or service, or `None` where there is no such agent."""
        record = self.agents.get(agent)
        return None if record is None else self.canonical(record.owner)

    def answerable(self, agent: str) -> frozenset[str]:
        """The persons behind an agent or service: its owner, and who was shown the token that it has now.

        Either can act as the agent, so neither may consent to what it does (threat A2).
        """
        record = self.agents.get(agent)
        if record is None:
            return frozenset()
        return frozenset(self.canonical(person) for person in (record.owner, record.holder) if person is not None)

    def groups_of(self, person: str) -> frozenset[str]:
        return frozenset(self._groups_of.get(self.canonical(person), ()))

    def groups(self) -> frozenset[str]:
        return frozenset(self._since)

    def members(self, reviewers: str, *, until_ms: int | None = None) -> frozenset[str]:
        """The active persons of one reviewer set; with `until_ms`, only those who were in it by then (threat A12).

        A set that nobody is in, or that is not written as one, has no members.
        """
        kind, _, name = reviewers.partition(":")
        if kind == "group":
            since = self._since.get(name, {})
            return frozenset(
                person
                for person, at in since.items()
                if self.is_active(person) and (until_ms is None or at <= until_ms)
            )
        if kind == "person":
            person = self.by_email(name)
            return frozenset((person.id,)) if person is not None and person.active else frozenset()
        if reviewers == "anyone":
            return frozenset(p.id for p in self.persons.values() if p.active and not p.merged_into)
        return frozenset()


def _key(email: str) -> str:
    try:
        return email_key(email)
    except InvalidEmail:
        return email.casefold()
