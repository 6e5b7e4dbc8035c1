"""A process around a bare gate, made to be killed at any point. Run as a program, never imported by the package.

It imports everything once and forks a child for each order on standard input, so that a restart costs a fork:

```
→ {"start": {...}}     a child: open the gate on the store, do random things, note each answer; answers its pid
→ {"kill": PID}        SIGKILL, and wait for its end
```

A child notes what the gate acknowledged in its own file, one `write` a line, which outlives it. What it is allowed to
do it performs by appending a line to the one file of effects.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

import alembic.command
import asyncpg
import sqlalchemy.ext.asyncio

from consentry.actions import Action, Actor, Kind
from consentry.consent.gate import Gate
from consentry.consent.model import (
    ActionState,
    Ballot,
    BallotVerdict,
    Decision,
    OutcomeStatus,
    RequestQuery,
    Submission,
    Voter,
)
from consentry.consent.settings import GateSettings
from consentry.consent.states import RequestState
from consentry.errors import ConsentryError, Unavailable
from consentry.policy.model import Assurance, Facts
from consentry.store import postgres, sqlite

WARM = (alembic.command, asyncpg, sqlalchemy.ext.asyncio, postgres, sqlite)
"""Imported so that a child does not have to."""

AGENT = Actor(Kind.AGENT, "agt_etl")
PERSONS = ("ada", "bob", "cyd")
OPERATIONS = ("dataset.export", "secret.rotate")
TASKS = 6


@dataclass
class Worker:
    gate: Gate
    random: random.Random
    notes: int
    effects: int
    seen: list[str]

    def note(self, what: str, **fields: object) -> None:
        os.write(self.notes, json.dumps({"what": what, **fields}).encode() + b"\n")

    async def work(self) -> None:
        steps = (self.ask, self.ask, self.vote, self.vote, self.take, self.take, self.routine, self.read, self.publish)
        while True:
            with contextlib.suppress(ConsentryError):
                await self.random.choice(steps)()

    async def ask(self) -> None:
        """A question to people, often one that was asked before."""
        action = Action(AGENT, self.random.choice(OPERATIONS), "customers", {"rows": self.random.randrange(3)})
        decision = await self.gate.submit(Submission(action, Facts(), reason="because"))
        self.note("asked", action=decision.action_id, digest=decision.digest, request=decision.request_id)
        self.remember(decision)
        if self.random.random() < 0.5:
            self.note("waiting", action=decision.action_id)
            decided = await self.gate.wait(decision.action_id, timeout_s=600)
            self.note("waited", action=decision.action_id, state=decided.state.value)

    async def vote(self) -> None:
        pending = await self.gate.requests(RequestQuery(state=RequestState.PENDING, limit=5))
        if not pending:
            return
        request = self.random.choice(pending)
        person = f"per_{self.random.choice(PERSONS)}"
        verdict = BallotVerdict.DENY if self.random.random() < 0.15 else BallotVerdict.APPROVE
        await self.gate.vote(
            request.id,
            Voter(person, Assurance.SESSION, "api", "ses_x"),
            Ballot(verdict, request.shown_digest, "fine"),
        )
        self.note("voted", request=request.id, action=request.action_id, person=person, verdict=verdict.value)

    async def take(self) -> None:
        """Claim what may be claimed, perform it, and say so."""
        if not self.seen:
            return
        action_id = self.random.choice(self.seen)
        taken = await self.gate.claim(action_id, AGENT)
        await self.perform(action_id, taken.id)

    async def read(self) -> None:
        """Policy allows it outright: claimed as it is submitted."""
        decision = await self.gate.submit(Submission(Action(AGENT, "dataset.read", "customers"), Facts()), claim=True)
        assert decision.claim is not None
        await self.perform(decision.action_id, decision.claim.id)

    async def routine(self) -> None:
        """Level L0: journaled first."""
        decision = await self.gate.submit(Submission(Action(AGENT, "s3.get", "customers"), Facts()), claim=True)
        assert decision.claim is not None
        self.note("journaled", action=decision.action_id, claim=decision.claim.id)
        os.write(self.effects, f"{decision.claim.id} {decision.action_id}\n".encode())

    async def publish(self) -> None:
        note = await self.gate.checkpoint_now()
        self.note("published", checkpoint=note.decode())

    async def perform(self, action_id: str, claim_id: str) -> None:
        self.note("claimed", action=action_id, claim=claim_id)
        os.write(self.effects, f"{claim_id} {action_id}\n".encode())
        await self.gate.settle(claim_id, AGENT, OutcomeStatus.SUCCEEDED)
        self.note("settled", action=action_id, claim=claim_id)

    def remember(self, decision: Decision) -> None:
        if decision.state in (ActionState.PENDING, ActionState.APPROVED):
            self.seen.append(decision.action_id)


async def live(order: dict[str, str]) -> None:
    settings = GateSettings(
        data_dir=Path(order["data"]), store_url=order["url"], policy_dir=Path(order["policies"]), sweep_seconds=0.05,
        checkpoint_seconds=0.02, ledger_origin=order["origin"],
    )  # fmt: skip
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    notes, effects = os.open(order["notes"], flags, 0o600), os.open(order["effects"], flags, 0o600)
    gate = await Gate.open(settings)
    worker = Worker(gate, random.Random(order["seed"]), notes, effects, order["seen"].split())
    worker.note("ready")
    await asyncio.gather(*(worker.work() for _ in range(TASKS)))


def child(order: dict[str, str]) -> None:
    try:
        asyncio.run(live(order))
    except Unavailable as error:
        Path(order["notes"]).with_suffix(".refused").write_text(f"{error.code}: {error}")
    except BaseException:
        Path(order["notes"]).with_suffix(".broken").write_text(traceback.format_exc())
    finally:
        os._exit(1)


def main() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        if "start" in order:
            pid = os.fork()
            if pid == 0:
                child(order["start"])
            print(pid, flush=True)
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(order["kill"], signal.SIGKILL)
            os.waitpid(order["kill"], 0)
            print(0, flush=True)


if __name__ == "__main__":
    main()
