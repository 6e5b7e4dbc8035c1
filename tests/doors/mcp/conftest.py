"""A Consentry server with an MCP upstream behind it, and the SDK's own client in either era in front."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from aiohttp import web

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
        async with (
            httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
            Client(streamable_http_client(self.url(resource), http_client=http), mode=mode, **more) as one,
        ):
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

    async def send(
        method: str, params: dict | None = None, *, token: str | None = None, headers=None, resource="shop", **more
    ) -> dict:
        given, body = modern(method, params, **more)
        async with gateway.raw(token) as http:
            answer = await http.post(gateway.url(resource), json=body, headers={**given, **(headers or {})})
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


@pytest.fixture(scope="session")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture
def counts(shop_folder: Path) -> Path:
    file = shop_folder / "counts"
    file.write_text("")
    return file


@pytest.fixture(scope="session")
def shop_server(shop_folder: Path) -> Iterator[str]:
    """The upstream as a server of its own, for all tests: it takes seconds to start."""
    port, environment = shop_folder / "port", {**os.environ, "COUNTS": str(shop_folder / "counts")}
    child = subprocess.Popen([sys.executable, str(UPSTREAM), "http", str(port)], env=environment)
    try:
        while not port.exists() or not port.read_text():
            assert child.poll() is None
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port.read_text()}/mcp"
    finally:
        child.terminate()
        child.wait(10)


@pytest.fixture
def http_upstream(shop_server: str, counts: Path) -> str:
    return shop_server


@pytest.fixture
def shop(http_upstream: str) -> dict:
    """The upstream over HTTP."""
    return {"kind": "mcp", "upstream": http_upstream, "mcp": {"gentle": GENTLE, "hold": "1s", "beat": "1s"}}


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
    token = _kept(kept) or _keep(kept, (await directory.create_agent(None, "bot", owner.person)).token)
    voter = Voter(admin.person, Assurance.SESSION, "api", "ses_test")
    return Gateway(services, clock, counts, token, voter, owner.person)


def _kept(file: Path) -> str | None:
    return file.read_text() if file.exists() else None


def _keep(file: Path, token: str) -> str:
    file.write_text(token)
    return token


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
async def gateway(start, shop) -> AsyncIterator[Gateway]:
    async with start({"shop": shop}) as one:
        yield one


@pytest.fixture
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("node is not installed")
    return found


class Recorder:
    """An HTTP server of the present revision, by hand: keeps what it was sent, and answers as `behave` says."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.bodies: list[dict] = []
        self.behave = "well"
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.headers.append(dict(request.headers))
        self.bodies.append(body)
        result = {"resultType": "complete"}
        if body["method"] == "server/discover":
            result |= {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
        elif body["method"] == "tools/list":
            result |= {"tools": [{"name": "look", "inputSchema": {"type": "object"}}]}
        elif body["method"] == "tools/call":
            if self.behave != "well":
                return await self._badly(request, body)
            result |= {"content": [{"type": "text", "text": "seen"}]}
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], "result": result})

    async def _badly(self, request: web.Request, body: dict) -> web.StreamResponse:
        if self.behave == "nonsense":
            return web.Response(text="<html>", content_type="application/json")
        if self.behave == "another id":
            return web.json_response({"jsonrpc": "2.0", "id": 99999, "result": {}})
        if self.behave == "status":
            return web.Response(status=503, text="busy")
        if self.behave == "redirect":
            return web.Response(status=307, headers={"Location": "http://127.0.0.1:9/elsewhere"})
        if self.behave == "error":
            error = {"code": -32000, "message": "no order for ada@example.org"}
            return web.json_response({"jsonrpc": "2.0", "id": body["id"], "error": error})
        if self.behave == "slow":
            await asyncio.sleep(30)
        stream = web.StreamResponse(headers={"content-type": "text/event-stream"})
        if self.behave == "lying":
            stream.content_length = 10_000
            stream.content_type = "application/json"
        await stream.prepare(request)
        await stream.write(b'{"jsonrpc"' if self.behave == "lying" else b": nothing more\n\n")
        request.transport.close()
        return stream


@pytest.fixture
async def recorder() -> AsyncIterator[Recorder]:
    one = Recorder()
    app = web.Application()
    app.router.add_post("/mcp", one.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/mcp"
    yield one
    await runner.cleanup()
