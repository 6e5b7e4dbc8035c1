"""The entities of one decision: the acting principal, everybody in its chain, and the resource. Pure.

Only these are handed to Cedar, never the whole roster: Cedar copies the entity set for every decision.
"""

from __future__ import annotations

import orjson

from consentry.actions import Action, Actor, Json, Kind
from consentry.policy.context import uid
from consentry.policy.model import Resource, Roster

TYPE = {Kind.PERSON: "Person", Kind.AGENT: "Agent", Kind.SERVICE: "Service"}


def principal_id(actor: Actor, roster: Roster) -> str:
    """The entity id of the principal: the one person behind linked identities, or the agent or service itself."""
    return roster.canonical(actor.id) if actor.kind is Kind.PERSON else actor.id


def entities(action: Action, resource: Resource, roster: Roster) -> str:
    """Cedar's JSON entity document for a decision on `action`."""
    found: dict[tuple[str, str], dict[str, Json]] = {}
    for link in action.actor.links():
        if link.kind is Kind.PERSON:
            _person(link.id, roster, found)
        else:
            _machine(link, roster, found)
    document = [*found.values(), _resource(action, resource)]
    return orjson.dumps(document).decode("utf-8")


def _person(person: str, roster: Roster, found: dict[tuple[str, str], dict[str, Json]]) -> None:
    person = roster.canonical(person)
    record = roster.persons.get(person)
    found["Person", person] = {
        "uid": {"type": "Person", "id": person},
        "attrs": {"email": record.email if record else "", "active": roster.is_active(person)},
        "parents": _groups(person, roster),
    }


def _machine(link: Actor, roster: Roster, found: dict[tuple[str, str], dict[str, Json]]) -> None:
    record = roster.agents.get(link.id)
    attributes: dict[str, Json] = {
        "name": record.name if record else "",
        "active": record is not None and record.active,
    }
    owner = roster.owner_of(link.id)
    if owner is not None and roster.is_active(owner):
        attributes["owner"] = uid("Person", owner)
        _person(owner, roster, found)
    kind = TYPE[link.kind]
    found[kind, link.id] = {
        "uid": {"type": kind, "id": link.id},
        "attrs": attributes,
        "parents": _groups(link.id, roster),
    }


def _groups(member: str, roster: Roster) -> list[Json]:
    return [{"type": "Group", "id": group} for group in sorted(roster.groups_of(member))]


def _resource(action: Action, resource: Resource) -> dict[str, Json]:
    return {
        "uid": {"type": "Resource", "id": resource.name},
        "attrs": {"name": resource.name, "kind": resource.kind, "target": action.resource},
        "parents": [],
        "tags": dict(resource.labels),
    }
