"""People, groups and agents as an administrator sees them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from consentry.identity.model import AgentRecord, Identity
from consentry.policy.model import Person, Roster
from consentry.server.pages.states import Look, look
from consentry.server.pages.views.names import Party, person


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person. Records that were merged into another are left out."""

    party: Party
    email: str
    active: bool
    state: Look
    groups: tuple[str, ...]
    identities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """One group and who is in it."""

    name: str
    members: tuple[Party, ...]


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent or service."""

    id: str
    name: str
    kind: str
    owner: Party
    active: bool
    state: Look
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class Secret:
    """Something that is shown once, right after it was made."""

    title: str
    text: str
    value: str


def people(records: Iterable[Person], identities: Iterable[Identity], roster: Roster) -> tuple[PersonRow, ...]:
    """Everybody, the active first, by name."""
    linked: dict[str, list[str]] = {}
    for one in identities:
        linked.setdefault(roster.canonical(one.person), []).append(one.kind)
    rows = [
        PersonRow(
            person(one.id, roster),
            one.email,
            one.active,
            look("active" if one.active else "disabled"),
            tuple(sorted(roster.groups_of(one.id))),
            tuple(sorted(linked.get(one.id, []))),
        )
        for one in records
        if one.merged_into is None
    ]
    return tuple(sorted(rows, key=lambda row: (not row.active, row.party.name.casefold())))


def groups(roster: Roster) -> tuple[GroupRow, ...]:
    """Every group that has members, by name."""
    return tuple(
        GroupRow(name, tuple(person(one, roster) for one in sorted(roster.members(f"group:{name}"))))
        for name in sorted(roster.groups())
    )


def agents(records: Iterable[AgentRecord], roster: Roster) -> tuple[AgentRow, ...]:
    """Every agent, the active first, by name."""
    rows = [
        AgentRow(
            one.id,
            one.name,
            one.kind.value,
            person(one.owner, roster),
            one.active,
            look("active" if one.active else "revoked"),
            one.created_at_ms,
        )
        for one in records
    ]
    return tuple(sorted(rows, key=lambda row: (not row.active, row.name.casefold())))
