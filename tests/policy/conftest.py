"""People, agents and a way to ask one question, shared by the tests of policy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from consentry.actions import Action, Actor, Kind
from consentry.policy.cedar import PolicySet
from consentry.policy.model import Agent, Facts, Judgement, Membership, Person, Resource, Roster

Ask = Callable[..., Judgement]

CLEAN = {"findings": {"total": 0, "types": [], "scanned": True}}


@pytest.fixture
def roster() -> Roster:
    """Ana asks; Sam and Sol are stewards; Kim administers and is a steward; Old has left. One agent of Ana's."""
    names = ["ana", "sam", "sol", "kim", "old"]
    groups = {"data-stewards": ["sam", "sol", "kim", "old"], "admins": ["kim"]}
    return Roster(
        version=1,
        persons=[Person(f"per_{name}", f"{name}@example.com", name.title(), active=name != "old") for name in names],
        memberships=[Membership(group, f"per_{name}", 0) for group, people in groups.items() for name in people],
        agents=[Agent("agt_exporter", "exporter", "per_ana"), Agent("agt_orphan", "orphan", "per_old")],
    )


@pytest.fixture
def actor() -> Actor:
    return Actor(Kind.AGENT, "agt_exporter", Actor(Kind.PERSON, "per_ana"))


@pytest.fixture
def ask(roster: Roster, actor: Actor) -> Ask:
    """Judge one action by policies given as Cedar text."""

    def one(
        policies: str | PolicySet,
        operation: str = "dataset.export",
        facts: dict[str, object] | None = None,
        *,
        actor: Actor = actor,
        resource: Resource | None = None,
        now_ms: int = 1_767_607_200_000,  # Monday 2026-01-05, 10:00 UTC
        **fields: object,
    ) -> Judgement:
        loaded = policies if isinstance(policies, PolicySet) else PolicySet.load({"a.cedar": policies})
        resource = resource or Resource("s3://x")
        action = Action(actor=actor, operation=operation, resource=resource.name, **fields)
        return loaded.judge(
            action,
            Facts(CLEAN if facts is None else facts),
            resource=resource,
            roster=roster,
            now_ms=now_ms,
        )

    return one
