"""Two processes on one store that are killed and started again, and what must be true afterwards."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import func, select

from consentry.actions import Actor, Kind
from consentry.consent.gate import Gate
from consentry.consent.model import RequestQuery
from consentry.consent.settings import GateSettings
from consentry.consent.states import RequestState
from consentry.ledger.entry import decode_entry
from consentry.ledger.keys import parse_keys
from consentry.ledger.receipt import Receipt
from consentry.ledger.verify import verify_path, verify_receipt
from consentry.store import Tx, tables

WORKER = Path(__file__).with_name("worker.py")
POLICIES = """
@id("reads") permit (principal, action == Action::"dataset.read", resource);
@id("routine") @level("L0") permit (principal, action == Action::"s3.get", resource);
@id("exports") @review("group:stewards") permit (principal, action == Action::"dataset.export", resource);
@id("two") @level("L2") @review("group:stewards") @quorum("2")
permit (principal, action == Action::"secret.rotate", resource);
"""
AGENT = Actor(Kind.AGENT, "agt_etl")


def populate(tx: Tx) -> None:
    for name in ("ada", "bob", "cyd", "fay"):
        email = f"{name}@example.com"
        tx.insert(
            tables.persons,
            {"id": f"per_{name}", "email": email, "email_key": email, "name": name, "active": True,
             "merged_into": None, "created_at": 1},
        )  # fmt: skip
        if name != "fay":
            tx.execute(tables.memberships.insert(), {"group_name": "stewards", "person_id": f"per_{name}", "since": 1})
    tx.insert(
        tables.agents,
        {"id": "agt_etl", "name": "etl", "owner_id": "per_fay", "holder_id": None, "kind": "agent",
         "active": True, "created_at": 1},
    )  # fmt: skip
    tx.roster_changed()


@dataclass
class Notes:
    """What one life of a worker was told by the gate."""

    path: Path

    def read(self) -> list[dict[str, str]]:
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def count(self) -> int:
        """How many answers; the first says that the worker is ready."""
        return self.path.read_bytes().count(b"\n") if self.path.exists() else 0

    def check(self) -> None:
        broken = self.path.with_suffix(".broken")
        assert not broken.exists(), broken.read_text()


@dataclass
class Judge:
    """A store that was written to by processes that were killed, and what they were told before."""

    url: str
    folder: Path
    seed: int = 0
    random: random.Random = field(default_factory=lambda: random.Random(0))
    lives: list[Notes] = field(default_factory=list)
    checkpoints: set[bytes] = field(default_factory=set)
    agent: Actor = AGENT
    origin: str = "example.com/killed"

    @property
    def settings(self) -> GateSettings:
        return GateSettings(
            data_dir=self.folder / "data", store_url=self.url, policy_dir=self.folder / "policies", background=False,
            ledger_origin=self.origin,
        )  # fmt: skip

    def lay_out(self) -> None:
        (self.folder / "policies").mkdir()
        (self.folder / "data").mkdir()
        (self.folder / "policies" / "a.cedar").write_text(POLICIES)

    def keep_checkpoint(self) -> None:
        kept = self.folder / "data" / "ledger.checkpoint"
        if kept.exists():
            self.checkpoints.add(kept.read_bytes())

    @staticmethod
    def waiting(notes: Notes) -> set[str]:
        """The actions that somebody waits for and was told nothing about."""
        told = notes.read()
        left = Counter(note["action"] for note in told if note["what"] == "waiting")
        left.subtract(note["action"] for note in told if note["what"] == "waited")
        return {action for action, count in left.items() if count > 0}

    async def end_waiting(self, gate: Gate, notes: Notes) -> None:
        """Whoever still waits elsewhere must be told of what this process decides (threat C6)."""

        def nobody_waits_in_vain() -> bool:
            return not (self.waiting(notes) & decided)

        pending = await gate.requests(RequestQuery(state=RequestState.PENDING, limit=200))
        decided: set[str] = set()
        for request in pending:
            try:
                ended = await gate.withdraw(request.id, self.agent)
            except Exception:
                ended = await gate.request(request.id)
            decided |= set(ended.action_ids)
        await wait_until(nobody_waits_in_vain)

    async def check(self, gate: Gate) -> Counter[str]:
        told = [note for life in self.lives for note in life.read()]
        self.checkpoints |= {note["checkpoint"].encode() for note in told if note["what"] == "published"}
        await self.check_log(gate)
        await self.check_effects(gate)
        await self.check_acknowledged(gate, told)
        return Counter(note["what"] for note in told)

    async def check_log(self, gate: Gate) -> None:
        """No fork: every checkpoint that anybody ever saw is a prefix of the log as it stands now."""
        await gate.checkpoint_now()
        bundle, keys = self.folder / f"bundle-{len(self.lives)}", self.folder / "keys"
        keys.write_bytes(await gate.ledger_keys())
        await gate.export_bundle(bundle)
        report = verify_path(bundle, keys, tuple(self.checkpoints))
        assert report.outcome.value == "valid", report.findings

    async def check_effects(self, gate: Gate) -> None:
        """Nothing was performed twice, and nothing without a claim."""
        path = self.folder / "effects"
        done = [tuple(line.split()) for line in path.read_text().splitlines()] if path.exists() else []

        def look(tx: Tx) -> tuple[dict[tuple[str, str], str], dict[str, int]]:
            claims = tables.claims.c
            rows = tx.execute(select(claims.id, claims.action_id, claims.grant_id)).all()
            each = select(claims.grant_id, func.count().label("n")).group_by(claims.grant_id)
            return {(row.id, row.action_id): row.grant_id for row in rows}, {
                row.grant_id: row.n for row in tx.execute(each)
            }

        grants, uses = await gate.store.read(look)
        assert set(uses.values()) <= {1}
        assert not set(done) - grants.keys()
        used = Counter(grants[effect] for effect in done)
        assert not [grant for grant, count in used.items() if count > 1]

    async def check_acknowledged(self, gate: Gate, told: list[dict[str, str]]) -> None:
        """Whatever was acknowledged is in the log, and its receipt verifies."""
        keys = parse_keys((await gate.ledger_keys()).decode())
        wanted: dict[str, list[dict[str, str]]] = {}
        for note in told:
            if "action" in note and note["what"] != "waiting":
                wanted.setdefault(note["action"], []).append(note)
        for action_id, notes in self.some(wanted):
            data = await gate.receipt(action_id)
            report = verify_receipt(data, keys, tuple(self.checkpoints))
            assert report.outcome.value == "valid", (action_id, report.findings)
            entries = [decode_entry(each.entry) for each in Receipt.decode(data).entries]
            for note in notes:
                assert self.is_recorded(note, action_id, entries), (note, [(e.type, e.fields) for e in entries])

    def some(self, wanted: dict[str, list[dict[str, str]]]) -> list[tuple[str, list[dict[str, str]]]]:
        """All of them, or where there are very many, what the newest lives and a sample of the others noted."""
        everything = list(wanted.items())
        if len(everything) <= 1500:
            return everything
        return everything[-1000:] + self.random.sample(everything[:-1000], 500)

    @staticmethod
    def is_recorded(note: dict[str, str], action_id: str, entries: list) -> bool:  # type: ignore[type-arg]
        def there(kind: str, **fields: str) -> bool:
            return any(e.type == kind and all(e.fields.get(k) == v for k, v in fields.items()) for e in entries)

        match note["what"]:
            case "asked":
                return there("request.opened", request=note["request"]) or there("request.joined", action=action_id)
            case "voted":
                return there("request.vote", person=note["person"], verdict=note["verdict"])
            case "claimed":
                return there("grant.claimed", claim=note["claim"])
            case "settled":
                return there("grant.settled", claim=note["claim"], status="succeeded")
            case "journaled":
                return there("action.journaled", action=action_id) and there("grant.claimed", claim=note["claim"])
            case "waited":
                return any(e.type.startswith("request.") for e in entries)
        raise AssertionError(note)


@dataclass
class Arena(Judge):
    """A store, a fork server, and the lives it gave."""

    forker: subprocess.Popen[str] = field(kw_only=True)
    last: tuple[int, Notes] = field(init=False)
    """The worker that is left alive, with what it was told."""

    async def prepare(self) -> None:
        self.lay_out()
        gate = await Gate.open(self.settings)
        await gate.store.write(populate)
        await gate.close()

    def order(self, order: dict[str, object]) -> int:
        assert self.forker.stdin is not None
        assert self.forker.stdout is not None
        self.forker.stdin.write(json.dumps(order) + "\n")
        self.forker.stdin.flush()
        return int(self.forker.stdout.readline())

    def start(self, seen: str) -> tuple[int, Notes]:
        notes = Notes(self.folder / f"life-{len(self.lives)}.notes")
        self.lives.append(notes)
        life = {
            "url": self.url, "data": str(self.folder / "data"), "policies": str(self.folder / "policies"),
            "notes": str(notes.path), "effects": str(self.folder / "effects"),
            "seed": f"{self.seed}-{len(self.lives)}", "seen": seen, "origin": self.origin,
        }  # fmt: skip
        return self.order({"start": life}), notes

    def kill(self, pid: int) -> None:
        self.order({"kill": pid})

    def run(self, kills: int) -> None:
        """Kill one of two workers at a random point, start it again, and so on."""
        alive = [self.start("") for _ in range(2)]
        for _ in range(kills):
            at = self.random.randrange(2)
            pid, notes = alive[at]
            if self.random.random() < 0.8:  # else while it starts
                answers = self.random.randrange(1, 25)
                wait_for(lambda notes=notes, answers=answers: notes.count() > answers, notes)
            time.sleep(self.random.random() * 0.02)
            self.keep_checkpoint()
            self.kill(pid)
            notes.check()
            alive[at] = self.start(" ".join(self.claimable()))
        for _, notes in alive:
            wait_for(lambda notes=notes: notes.count() > 0, notes)
        self.kill(alive[0][0])
        self.last = alive[1]

    def claimable(self) -> list[str]:
        """Some actions that the workers asked about lately: whoever starts may try to claim them."""
        found = [note["action"] for life in self.lives[-6:] for note in life.read() if note["what"] == "asked"]
        return found[-30:]

    async def judge(self) -> Counter[str]:
        """Everything that must hold. Answers how often what was acknowledged."""
        gate = await Gate.open(self.settings)
        try:
            await self.end_waiting(gate, self.last[1])
        finally:
            await gate.close()
        self.kill(self.last[0])
        gate = await Gate.open(self.settings)  # a start brings in what the dead had journaled
        try:
            return await self.check(gate)
        finally:
            await gate.close()


def wait_for(condition, notes: Notes, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not condition():
        notes.check()
        if notes.path.with_suffix(".refused").exists():
            raise AssertionError(notes.path.with_suffix(".refused").read_text())
        assert time.monotonic() < until, "the worker did not start"
        time.sleep(0.005)


async def wait_until(condition, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def forker() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", str(WORKER)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, start_new_session=True) as process:
        yield process
        os.killpg(process.pid, signal.SIGKILL)  # a failed test leaves workers behind; they are of its group


@pytest.fixture
def judge(store_url: str, tmp_path: Path) -> Judge:
    judge = Judge(store_url, tmp_path)
    judge.lay_out()
    return judge


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / "clients.notes")


@pytest.fixture
async def arena(store_url: str, tmp_path: Path, forker: subprocess.Popen[str]) -> Arena:
    arena = Arena(store_url, tmp_path, forker=forker)
    await arena.prepare()
    return arena
