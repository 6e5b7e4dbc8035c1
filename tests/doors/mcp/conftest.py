"""A Consentry server with an MCP upstream behind it, and the SDK's own client in either era in front."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from consentry.consent.model import Ballot, BallotVerdict, RequestQuery, Voter
from consentry.identity.model import ADMINISTRATORS
from consentry.policy.model import Assurance
from consentry.server.run import Options, serve
from consentry.server.services import Services
from consentry.server.settings import Settings

UPSTREAM = Path(__file__).parent / "upstream.py"
GENTLE = ["add", "customer", "environment", "slow", "fail", "end"]


class Clock:
    """Moves the store's time."""

    ahead_ms = 0

    def __call__(self) -> int:
        return self.ahead_ms


@dataclass
class Gateway:
    """A running server, its people, and an agent's token."""

    services: Services
    clock: Clock
    counts: Path
    token: str
    admin: Voter
    owner: str
    tokens: dict[str, str] = field(default_factory=dict)

    def url(self, resource: str = "shop") -> str:
        return f"{self.services.origin}/mcp/{resource}"

    @property
    def ran(self) -> list[str]:
        """What really ran behind the door, in order."""
        return self.counts.read_text().splitlines() if self.counts.exists() else []

    async def agent(self, name: str) -> str:
        made = await self.services.directory.create_agent(None, name, self.owner)
        return made.token

    async def pending(self) -> list:
        found = await self.services.gate.requests(RequestQuery())
        return [one for one in found if one.state.value == "pending"]

    async def asked(self):
        """The one pending request, once there is one."""
        while not (found := await self.pending()):
            await asyncio.sleep(0.01)
        assert len(found) == 1
        return found[0]

    async def vote(self, verdict: str = "approve") -> None:
        """The administrator decides the one pending request."""
        request = await self.asked()
        ballot = Ballot(BallotVerdict(verdict), request.shown_digest, "looked at it")
        await self.services.gate.vote(request.id, self.admin, ballot)

    async def outcomes(self) -> list[tuple[str, str]]:
        """Operation and state of every action, oldest first."""
        from consentry.consent.model import HistoryQuery

        found = await self.services.gate.history(HistoryQuery())
        return [(str(action.arguments.get("tool", action.operation)), one.state.value) for action, one in found][::-1]

    async def settled(self, count: int = 1) -> list[tuple[str, str]]:
        """The outcomes, once none of them is under way."""
        while True:
            found = await self.outcomes()
            if len(found) >= count and all(state != "claimed" for _, state in found):
                return found
            await asyncio.sleep(0.01)

    @asynccontextmanager
    async def client(self, mode: str = "auto", *, resource: str = "shop", token: str | None = None, **more):
        """The SDK's client: `legacy` shakes hands, `auto` speaks the present revision."""
        from mcp.client.client import Client
        from mcp.client.streamable_http import streamable_http_client

        headers = {"authorization": f"Bearer {token or self.token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http:
            async with Client(streamable_http_client(self.url(resource), http_client=http), mode=mode, **more) as one:
                yield one

    @asynccontextmanager
    async def raw(self, token: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        headers = {
            "authorization": f"Bearer {token or self.token}",
            "accept": "application/json, text/event-stream",
            "content-type": "application/json",
        }
        async with httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http:
            yield http


def modern(method: str, params: dict | None = None, *, one_id: int = 1, capabilities: dict | None = None) -> tuple:
    """Headers and body of a request in the present revision."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": capabilities or {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }
    params = dict(params or {})
    params["_meta"] = {**meta, **params.get("_meta", {})}
    headers = {"mcp-protocol-version": "2026-07-28", "mcp-method": method}
    for key in ("name", "uri", "taskId"):
        if key in params and method not in ("completion/complete",):
            headers["mcp-name"] = params[key]
    return headers, {"jsonrpc": "2.0", "id": one_id, "method": method, "params": params}


@pytest.fixture
def modern_request():
    return modern


@pytest.fixture
def ask(gateway):
    """Sends one request of the present revision and answers its result or error, streams read to their end."""

    async def send(method: str, params: dict | None = None, *, token: str | None = None, headers=None, **more) -> dict:
        given, body = modern(method, params, **more)
        async with gateway.raw(token) as http:
            answer = await http.post(gateway.url(), json=body, headers={**given, **(headers or {})})
        return read(answer)

    return send


def read(answer: httpx2.Response) -> dict:
    """The last message of an answer, and under `events` those before it."""
    if answer.headers["content-type"].startswith("text/event-stream"):
        events = [json.loads(line[5:]) for line in answer.text.splitlines() if line.startswith("data:")]
        return {**events[-1], "events": events[:-1], "status": answer.status_code}
    return {**answer.json(), "status": answer.status_code}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def counts(tmp_path: Path) -> Path:
    return tmp_path / "counts"


@pytest.fixture
def http_upstream(tmp_path: Path, counts: Path) -> Iterator[str]:
    """The upstream as a server of its own."""
    port = tmp_path / "port"
    child = subprocess.Popen(
        [sys.executable, str(UPSTREAM), "http", str(port)], env={**os.environ, "COUNTS": str(counts)}
    )
    try:
        while not port.exists() or not port.read_text():
            assert child.poll() is None
            os.sched_yield()
        yield f"http://127.0.0.1:{port.read_text()}/mcp"
    finally:
        child.terminate()
        child.wait(10)


@asynccontextmanager
async def running(tmp_path: Path, clock: Clock, counts: Path, resources: dict, **sections) -> AsyncIterator[Gateway]:
    """A server with these resources until the end of the block; at the same data folder, the same installation."""
    values = {
        "server": {"port": sections.pop("port", 0)},
        "log": {"level": "error", "format": "text"},
        "resources": resources,
        "data_dir": tmp_path / "data",
        **sections,
    }
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[Services] = loop.create_future()
    options = Options(no_browser=True, clock_offset_ms=clock)
    task = asyncio.create_task(serve(Settings.model_validate(values), options, ready=ready.set_result))
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    services = ready.result()
    try:
        yield await _people(services, clock, counts, tmp_path / "agent.token")
    finally:
        services.stop()
        await task


async def _people(services: Services, clock: Clock, counts: Path, kept: Path) -> Gateway:
    directory = services.directory
    admin = await directory.invite(None, "admin@localhost", groups=(ADMINISTRATORS,))
    owner = await directory.invite(None, "mara@example.org")
    if not kept.exists():
        kept.write_text((await directory.create_agent(None, "bot", owner.person)).token)
    voter = Voter(admin.person, Assurance.SESSION, "api", "ses_test")
    return Gateway(services, clock, counts, kept.read_text(), voter, owner.person)


@pytest.fixture
def start(tmp_path: Path, clock: Clock, counts: Path, monkeypatch: pytest.MonkeyPatch):
    """Starts a server: `async with start({"shop": {…}}) as gateway`."""
    monkeypatch.setenv("COUNTS_FILE", str(counts))

    def begin(resources: dict, **sections):
        return running(tmp_path, clock, counts, resources, **sections)

    return begin


@pytest.fixture
def stdio_shop() -> dict:
    """The upstream as a child process of the door."""
    return {
        "kind": "mcp",
        "mcp": {
            "command": [sys.executable, str(UPSTREAM), "stdio"],
            "env": {"COUNTS": "env:COUNTS_FILE"},
            "gentle": GENTLE,
            "hold": "1s",
            "beat": "1s",
        },
    }


@pytest.fixture
async def gateway(start, stdio_shop) -> AsyncIterator[Gateway]:
    async with start({"shop": stdio_shop}) as one:
        yield one


@pytest.fixture
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    return found
