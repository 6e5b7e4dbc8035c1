"""Ids turned into names that people know. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from consentry.actions import Actor, Kind
from consentry.policy.model import Roster


@dataclass(frozen=True, slots=True)
class Party:
    """A person, agent or service as shown: `name` and `note` (an e-mail, an owner) come from people's input."""

    kind: str
    id: str
    name: str
    note: str = ""


def person(identifier: str, roster: Roster) -> Party:
    """A person; one that the roster does not know is shown by id."""
    record = roster.persons.get(roster.canonical(identifier))
    if record is None:
        return Party("person", identifier, identifier)
    return Party("person", record.id, record.name or record.email, record.email)


def party(link: Actor, roster: Roster) -> Party:
    """One link of a chain."""
    if link.kind is Kind.PERSON:
        return person(link.id, roster)
    record = roster.agents.get(link.id)
    if record is None:
        return Party(link.kind.value, link.id, link.id)
    return Party(link.kind.value, link.id, record.name, f"owned by {person(record.owner, roster).name}")


def party_of(identifier: str, roster: Roster) -> Party:
    """Whoever has this id: an agent, a service or a person."""
    if identifier not in roster.agents:
        return person(identifier, roster)
    return party(Actor(Kind.AGENT, identifier), roster)


def chain(actor: Actor, roster: Roster) -> tuple[Party, ...]:
    """Who acts through whom, from the one it started with to the one that presents the credential."""
    return tuple(party(link, roster) for link in reversed(list(actor.links())))


def reviewers(name: str, roster: Roster) -> str:
    """A reviewer set in words."""
    kind, _, rest = name.partition(":")
    if kind == "group":
        return rest
    if kind == "person":
        found = roster.by_email(rest)
        return rest if found is None else found.name
    return "anyone who is active"
