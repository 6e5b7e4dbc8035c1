"""`kill -9` at random points of two whole servers on one store, with agents and people at them (threats C2, C3, C6)."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from consentry.actions import Actor, Kind
from consentry.consent.gate import Gate
from consentry.demo.people import Someone, sign_in
from consentry.store import tables

CLIENTS = Path(__file__).with_name("clients.py")
CONFIG = """
[store]
url = "env:KILL_STORE_URL"
[policy]
dir = "policies"
[ledger]
origin = "example.com/killed"
[log]
level = "error"
"""
Judge = Any  # of conftest.py
Notes = Any


@dataclass
class Server:
    """`consentry up`, always at the same address once it has one."""

    folder: Path
    store_url: str
    url: str = ""
    link: str = ""
    child: subprocess.Popen[str] | None = None
    _ready: threading.Event = field(default_factory=threading.Event)

    def launch(self) -> None:
        """Start it, and do not wait until it answers."""
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-W", "error", "-m", "consentry", "up", "--no-browser", "--port", port]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTRY_")}
        with (self.folder / "server.log").open("ab") as log:
            self.child = subprocess.Popen(
                [*command, "--data", str(self.folder / "data"), "--config", str(self.folder / "consentry.toml")],
                stdout=subprocess.PIPE, stderr=log, text=True, cwd=self.folder,
                env={**environment, "KILL_STORE_URL": self.store_url},
            )  # fmt: skip
        self._ready = threading.Event()
        threading.Thread(target=self._listen, args=(self.child, self._ready), daemon=True).start()

    def _listen(self, child: subprocess.Popen[str], ready: threading.Event) -> None:
        assert child.stdout is not None
        with child.stdout as lines:
            for line in lines:
                if found := re.search(r"Consentry is at\s+(http://\S+)", line):
                    self.url = found.group(1)
                if found := re.search(r"#token=(\S+)", line):
                    self.link = found.group(1)
                if self.url and self.link:
                    ready.set()

    def wait_ready(self) -> None:
        until = time.monotonic() + 60
        while not self._ready.wait(0.05):
            assert self.child is not None
            alive = self.child.poll() is None and time.monotonic() < until
            assert alive, "a server did not start:\n" + (self.folder / "server.log").read_text()

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child.wait()


@dataclass
class Scene:
    """Two servers, who is at them, and who judges."""

    judge: Judge
    servers: tuple[Server, Server]
    notes: Notes
    crowd: subprocess.Popen[str] | None = None

    def open(self) -> None:
        """Start both, sign everybody in, and let the clients begin."""
        (self.judge.folder / "consentry.toml").write_text(CONFIG)
        first, second = self.servers
        first.launch()
        first.wait_ready()
        second.link = first.link
        second.launch()
        order = self.people()
        second.wait_ready()
        folder = self.judge.folder
        order |= {"urls": [one.url for one in self.servers], "seed": f"{self.judge.seed}",
                  "notes": str(self.notes.path), "effects": str(folder / "effects")}  # fmt: skip
        self.judge.lives.append(self.notes)
        self.crowd = subprocess.Popen([sys.executable, str(CLIENTS)], stdin=subprocess.PIPE, text=True)
        assert self.crowd.stdin is not None
        self.crowd.stdin.write(json.dumps(order) + "\n")
        self.crowd.stdin.flush()
        self.wait_for_answers(1)

    def people(self) -> dict[str, Any]:
        url, persons, tokens = self.servers[0].url, [], {}
        with Someone(url, sign_in(url, self.servers[0].link)) as admin:
            for name in ("ada", "bob", "cyd", "fay"):
                invited = admin.invite(f"{name}@example.com", name.title(), () if name == "fay" else ("stewards",))
                tokens[name] = sign_in(url, invited.token)
                if name != "fay":
                    persons.append({"id": invited.id, "token": tokens[name]})
            made = admin.post("/v1/agents", {"name": "etl", "owner": "fay@example.com"})
        with Someone(url, tokens["fay"]) as fay:
            agent = fay.post(f"/v1/agents/{made['id']}/rotate", {})["token"]
        self.judge.agent = Actor(Kind.AGENT, str(made["id"]))
        return {"persons": persons, "agent": agent}

    def wait_for_answers(self, more: int) -> None:
        wanted, until = self.notes.count() + more, time.monotonic() + 60
        while self.notes.count() < wanted:
            assert self.crowd is not None
            assert self.crowd.poll() is None, "the clients ended early"
            assert time.monotonic() < until, "nobody is answered any more"
            time.sleep(0.005)

    def run(self, kills: int) -> None:
        """Kill one of the servers at a random point, start it again, and so on."""
        chance = self.judge.random
        for _ in range(kills):
            server = chance.choice(self.servers)
            if chance.random() < 0.8:  # else while it starts
                server.wait_ready()
                self.wait_for_answers(chance.randrange(1, 40))
            time.sleep(chance.random() * 0.05)
            self.judge.keep_checkpoint()
            server.kill()
            server.launch()
        for server in self.servers:
            server.wait_ready()
        self.wait_for_answers(20)

    async def verdict(self) -> Counter[str]:
        """Everybody who waits is told; then both servers are killed once more, and everything must hold."""
        assert self.crowd is not None
        assert self.crowd.stdin is not None
        self.crowd.stdin.write("enough\n")
        self.crowd.stdin.close()
        gate = await Gate.open(self.judge.settings)
        try:
            while self.crowd.poll() is None:
                await self.judge.end_waiting(gate, self.notes)
                await asyncio.sleep(0.1)
        finally:
            await gate.close()
        assert self.crowd.returncode == 0
        assert not self.judge.waiting(self.notes)
        self.close()
        gate = await Gate.open(self.judge.settings)  # a start brings in what the dead had journaled
        try:
            await self.check_keys(gate)
            return await self.judge.check(gate)
        finally:
            await gate.close()

    async def check_keys(self, gate: Gate) -> None:
        """A question that was repeated, since its answer was lost, was asked once."""
        columns = tables.actions.c
        rows = await gate.store.read(lambda tx: tx.execute(select(columns.id, columns.idempotency_key)).all())
        by_key = {row.idempotency_key: row.id for row in rows if row.idempotency_key is not None}
        asked = {note["key"]: note["action"] for note in self.notes.read() if note["what"] == "asked"}
        assert asked.items() <= by_key.items()

    def close(self) -> None:
        for server in self.servers:
            server.kill()
        if self.crowd is not None and self.crowd.poll() is None:
            self.crowd.kill()
            self.crowd.wait()


@pytest.fixture
def scene(judge: Judge, notes: Notes) -> Iterator[Scene]:
    scene = Scene(judge, (Server(judge.folder, judge.url), Server(judge.folder, judge.url)), notes)
    try:
        yield scene
    finally:
        scene.close()


async def play(scene: Scene, kills: int) -> Counter[str]:
    await asyncio.to_thread(scene.open)
    await asyncio.to_thread(scene.run, kills)
    return await scene.verdict()


@pytest.mark.slow  # a start takes seconds, and there are a dozen
@pytest.mark.timeout(600)
async def test_c6_killed_servers_lose_fork_and_repeat_nothing_and_leave_nobody_waiting(scene):
    told = await play(scene, 3)
    assert {"asked", "voted", "waited"} <= set(told)


@pytest.mark.slow
@pytest.mark.timeout(1800)
async def test_fifty_kills_of_whole_servers(scene):
    told = await play(scene, 50)
    assert {"asked", "voted", "waited", "claimed", "settled", "journaled", "published"} <= set(told)
    print(dict(told))
