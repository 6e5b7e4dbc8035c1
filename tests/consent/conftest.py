"""A gate with a small company around it, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from consentry.actions import Action, Actor, Json, Kind
from consentry.consent.gate import Gate
from consentry.consent.model import (
    Ballot,
    BallotVerdict,
    Claim,
    Decision,
    Request,
    Submission,
    Voter,
)
from consentry.consent.settings import GateSettings
from consentry.policy.model import Assurance, Facts
from consentry.store import Tx, tables

POLICIES = {
    "test.cedar": """
@id("reads") permit (principal, action == Action::"dataset.read", resource);
@id("routine") @level("L0") permit (principal, action == Action::"s3.get", resource);
@id("covered") @level("L2") permit (principal, action == Action::"s3.put", resource);
@id("exports") @reason("Exports need a steward") @review("group:stewards") @expires("30m") @break_glass("group:oncall")
permit (principal, action == Action::"dataset.export", resource);
@id("two") @review("group:stewards") @quorum("2") permit (principal, action == Action::"secret.rotate", resource);
@id("both") @review("group:stewards, group:security") permit (principal, action == Action::"iam.role.assign", resource);
@id("first") @review("group:stewards") @stage("1") permit (principal, action == Action::"terraform.apply", resource);
@id("second") @review("group:security") @stage("2") permit (principal, action == Action::"terraform.apply", resource);
@id("strong") @review("group:stewards") @assurance("passkey")
permit (principal, action == Action::"secret.read", resource);
@id("slow") @review("group:stewards") @remind("5m") @escalate("10m group:security")
permit (principal, action == Action::"s3.delete", resource);
@id("nobody") @review("group:ghosts") permit (principal, action == Action::"k8s.write", resource);
@id("never") forbid (principal, action == Action::"terraform.destroy", resource);
@id("change") @review("group:admins") permit (principal, action == Action::"policy.change", resource);
@id("quick") @review("group:stewards") @grant_expires("1m") permit (principal, action == Action::"s3.policy", resource);
"""
}
PEOPLE = {
    "ada": ("stewards",),
    "bob": ("stewards", "security"),
    "cyd": ("stewards",),
    "dan": ("security", "oncall"),
    "eve": ("admins",),
    "fay": (),
    "gus": ("admins",),
}
SINCE = 1_000


@dataclass
class Clock:
    """The offset of the store's clock from real time."""

    offset_ms: int = 0

    def advance(self, *, minutes: float = 0, seconds: float = 0) -> None:
        self.offset_ms += int((minutes * 60 + seconds) * 1000)


@dataclass
class World:
    """A gate, its people, and short ways to say what they do."""

    gate: Gate
    clock: Clock
    settings: GateSettings
    opened: list[Gate] = field(default_factory=list)

    agent = Actor(Kind.AGENT, "agt_etl")

    def person(self, name: str) -> Actor:
        return Actor(Kind.PERSON, f"per_{name}")

    def voter(self, name: str, assurance: Assurance = Assurance.SESSION, channel: str = "api") -> Voter:
        return Voter(f"per_{name}", assurance, channel, f"ses_{name}")

    def submission(
        self,
        operation: str = "dataset.export",
        *,
        by: Actor | None = None,
        key: str | None = None,
        reason: str | None = None,
        **arguments: Json,
    ) -> Submission:
        return Submission(
            Action(by or self.agent, operation, "customers", arguments), Facts(), reason=reason, idempotency_key=key
        )

    async def submit(self, operation: str = "dataset.export", *, claim: bool = False, **rest: object) -> Decision:
        return await self.gate.submit(self.submission(operation, **rest), claim=claim)  # type: ignore[arg-type]

    async def vote(
        self, decision: Decision, name: str, verdict: str = "approve", *, assurance: Assurance = Assurance.SESSION
    ) -> Request:
        assert decision.request_id is not None
        preview = await self.gate.preview(decision.request_id)
        ballot = Ballot(BallotVerdict(verdict), preview.digest, "because")
        return await self.gate.vote(decision.request_id, self.voter(name, assurance), ballot)

    async def approved(self, operation: str = "dataset.export", **rest: object) -> Decision:
        decision = await self.submit(operation, **rest)
        await self.vote(decision, "ada")
        return await self.gate.decision(decision.action_id)

    async def claim(self, decision: Decision, by: Actor | None = None) -> Claim:
        return await self.gate.claim(decision.action_id, by or self.agent)

    async def change(self, operation: Callable[[Tx], None]) -> None:
        """Change people behind the gate's back, as the identity room does."""

        def run(tx: Tx) -> None:
            operation(tx)
            tx.roster_changed()

        await self.gate.store.write(run)

    async def entries(self, action_id: str) -> list[str]:
        """The types of an action's ledger entries, in order."""
        await self.gate.checkpoint_now()
        found: list[str] = []
        size = await self.gate.ledger_size()
        async for event in self.gate.events(-1):
            if event.action_id == action_id:
                found.append(event.type)
            if event.seq == size - 1:
                break
        return found

    async def reopen(self) -> Gate:
        """Another replica on the same store."""
        gate = await Gate.open(self.settings)
        self.opened.append(gate)
        return gate


def populate(tx: Tx) -> None:
    for name, groups in PEOPLE.items():
        email = f"{name}@example.com"
        tx.insert(
            tables.persons,
            {
                "id": f"per_{name}",
                "email": email,
                "email_key": email,
                "name": name.title(),
                "active": True,
                "merged_into": None,
                "created_at": SINCE,
            },
        )
        for group in groups:
            tx.execute(tables.memberships.insert(), {"group_name": group, "person_id": f"per_{name}", "since": SINCE})
    tx.insert(
        tables.agents,
        {
            "id": "agt_etl",
            "name": "etl",
            "owner_id": "per_fay",
            "holder_id": None,
            "kind": "agent",
            "active": True,
            "created_at": SINCE,
        },
    )
    tx.roster_changed()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def policy_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    for name, text in POLICIES.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture
async def world(store_url: str, tmp_path: Path, policy_dir: Path, clock: Clock) -> AsyncIterator[World]:
    settings = GateSettings(
        data_dir=tmp_path,
        store_url=store_url,
        policy_dir=policy_dir,
        clock_offset_ms=lambda: clock.offset_ms,
        targets=("hook",),
        background=False,
    )
    gate = await Gate.open(settings)
    await gate.store.write(populate)
    world = World(gate, clock, settings)
    try:
        yield world
    finally:
        for other in world.opened:
            await other.close()
        await world.gate.close()
