"""Agents and people at servers that are killed around them. Run as a program, never imported by the package.

The first line on standard input says where the servers are and who is who; the second, that it is enough: nobody asks
anything new, and the program ends with 0 once whoever waits was told. The SDK's transport does the reconnecting.

What the servers acknowledged is noted in a file, one `write` a line; what was allowed is performed by appending a line
to the file of effects.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import uuid4

import orjson

from consentry.client.http import HttpTransport, Repeat
from consentry.client.model import Decision
from consentry.client.retry import Backoff
from consentry.client.transport import Ask
from consentry.errors import ConsentryError

OPERATIONS = ("dataset.export", "secret.rotate")
TASKS = 5
Step = Callable[[], Awaitable[None]]


@dataclass
class Clients:
    agent: list[HttpTransport]
    persons: dict[str, list[HttpTransport]]
    """The same caller at each server."""
    random: random.Random
    notes: int
    effects: int
    enough: asyncio.Event = field(default_factory=asyncio.Event)
    seen: list[str] = field(default_factory=list)

    def note(self, what: str, **fields: object) -> None:
        os.write(self.notes, json.dumps({"what": what, **fields}).encode() + b"\n")

    @property
    def anywhere(self) -> HttpTransport:
        return self.random.choice(self.agent)

    async def work(self, *also: Step) -> None:
        steps = (self.vote, self.vote, self.take, self.take, self.read, self.routine, self.publish, *also)
        while not self.enough.is_set():
            with contextlib.suppress(ConsentryError):
                await self.random.choice(steps)()

    async def ask(self) -> None:
        """A question to people, often one that was asked before, repeated under its key until it is answered."""
        key = uuid4().hex
        operation, arguments = self.random.choice(OPERATIONS), {"rows": self.random.randrange(3)}
        decision = await self.anywhere.submit(
            Ask(operation, "customers", arguments, reason="because", idempotency_key=key)
        )
        self.note("asked", action=decision.id, digest=decision.digest, request=decision.request_id, key=key)
        self.seen = [*self.seen[-30:], decision.id]
        if self.random.random() < 0.5:
            self.note("waiting", action=decision.id)
            decided = await self.wait(decision.id)
            self.note("waited", action=decision.id, state=decided.state)

    async def wait(self, action_id: str) -> Decision:
        """Hold on until it is decided, at whichever server is there."""
        while True:
            with contextlib.suppress(ConsentryError):
                decision = await self.anywhere.decision(action_id, 30.0)
                if not decision.waiting:
                    return decision

    async def vote(self) -> None:
        name = self.random.choice(sorted(self.persons))
        person = self.random.choice(self.persons[name])
        reply = await person.send("GET", "/v1/requests?state=pending&limit=5", repeat=Repeat.SAFE)
        pending = orjson.loads(reply.content)["items"]
        if not pending:
            return
        request = self.random.choice(pending)
        verdict = "deny" if self.random.random() < 0.15 else "approve"
        body = {"verdict": verdict, "shown_digest": request["shown_digest"], "reason": "fine"}
        await person.send("POST", f"/v1/requests/{request['id']}/votes", body=body, repeat=Repeat.IF_NOT_SENT)
        self.note("voted", request=request["id"], action=request["action"]["id"], person=name, verdict=verdict)

    async def take(self) -> None:
        """Claim what may be claimed, perform it, and say so. A claim whose answer is lost is not performed."""
        if not self.seen:
            return
        action_id = self.random.choice(self.seen)
        taken = await self.anywhere.claim(action_id, ())
        await self.perform(action_id, taken.claim_id)

    async def read(self) -> None:
        """Policy allows it outright: claimed as it is submitted."""
        action_id, claim_id = await self.submit_claiming("dataset.read")
        await self.perform(action_id, claim_id)

    async def routine(self) -> None:
        """Level L0: journaled first."""
        action_id, claim_id = await self.submit_claiming("s3.get")
        self.note("journaled", action=action_id, claim=claim_id)
        os.write(self.effects, f"{claim_id} {action_id}\n".encode())

    async def submit_claiming(self, operation: str) -> tuple[str, str]:
        body = {"operation": operation, "resource": "customers", "claim": True}
        reply = await self.anywhere.send("POST", "/v1/actions", body=body, repeat=Repeat.IF_NOT_SENT)
        decision = orjson.loads(reply.content)
        return decision["id"], decision["outcome"]["claim_id"]

    async def publish(self) -> None:
        reply = await self.anywhere.send("GET", "/ledger/checkpoint", repeat=Repeat.SAFE)
        self.note("published", checkpoint=reply.content.decode())

    async def perform(self, action_id: str, claim_id: str) -> None:
        self.note("claimed", action=action_id, claim=claim_id)
        os.write(self.effects, f"{claim_id} {action_id}\n".encode())
        await self.anywhere.settle(claim_id, "succeeded", None)
        self.note("settled", action=action_id, claim=claim_id)


async def live(order: dict) -> None:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    notes, effects = os.open(order["notes"], flags, 0o600), os.open(order["effects"], flags, 0o600)

    def at_each(token: str) -> list[HttpTransport]:
        return [HttpTransport(url, token, backoff=Backoff(cap_s=0.5)) for url in order["urls"]]

    people = {one["id"]: at_each(one["token"]) for one in order["persons"]}
    clients = Clients(at_each(order["agent"]), people, random.Random(order["seed"]), notes, effects)
    clients.note("ready")
    told = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    told.add_done_callback(lambda _: clients.enough.set())
    asking = [clients.work(clients.ask, clients.ask) for _ in range(TASKS)]
    await asyncio.gather(*asking, clients.work(), clients.work())  # or all could wait, and nobody would vote
    for one in (*clients.agent, *(each for every in people.values() for each in every)):
        await one.close()


if __name__ == "__main__":
    asyncio.run(live(json.loads(sys.stdin.readline())))
