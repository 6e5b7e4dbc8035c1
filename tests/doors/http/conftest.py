"""A Consentry server with an HTTP upstream behind it, on the main server and on a listener of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web

from consentry.consent.model import Ballot, BallotVerdict, HistoryQuery, RequestQuery, Voter
from consentry.identity.model import ADMINISTRATORS
from consentry.policy.model import Assurance
from consentry.server.run import Options, serve
from consentry.server.services import Services
from consentry.server.settings import Settings

EMAIL = "ada.lovelace@example.org"


class Clock:
    """Moves the store's time."""

    ahead_ms = 0

    def __call__(self) -> int:
        return self.ahead_ms


@dataclass
class Upstream:
    """An HTTP API that keeps what it was sent and answers as `behave` and the path say."""

    url: str = ""
    requests: list[tuple[str, str, dict[str, list[str]], bytes]] = field(default_factory=list)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    answers: dict = field(default_factory=dict)
    duplex: object = None
    """What answers `/duplex` without its body having been read first."""

    @property
    def lines(self) -> list[str]:
        return [f"{method} {target}" for method, target, _, _ in self.requests]

    def header(self, name: str, at: int = -1) -> list[str]:
        return self.requests[at][2].get(name.lower(), [])

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        if self.duplex is not None and request.path == "/duplex":
            return await self.duplex(request)
        body = await request.read()
        headers: dict[str, list[str]] = {}
        for name, value in request.raw_headers:
            headers.setdefault(name.decode().lower(), []).append(value.decode("latin-1"))
        self.requests.append((request.method, request.raw_path, headers, body))
        name = request.path.strip("/").split("/")[0]
        if name in self.answers:
            return await self.answers[name](request, body)
        method = getattr(self, f"_{name}", None)
        if method is not None:
            return await method(request, body)
        return web.json_response({"method": request.method, "path": request.raw_path, "bytes": len(body)})

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        headers = {name.decode().lower(): [value.decode()] for name, value in request.raw_headers}
        self.requests.append(("WEBSOCKET", request.raw_path, headers, b""))
        answer = web.WebSocketResponse(protocols=("chat",))
        await answer.prepare(request)
        async for message in answer:
            if message.type is aiohttp.WSMsgType.TEXT:
                if message.data == "bye":
                    await answer.close(code=4001)
                    break
                await answer.send_str(f"echo {message.data}")
            elif message.type is aiohttp.WSMsgType.BINARY:
                await answer.send_bytes(message.data)
        return answer

    async def _customers(self, request: web.Request, body: bytes) -> web.StreamResponse:
        return web.json_response({"name": "A", "email": EMAIL, "card": 4111111111111111, "ids": [1, 2, 3], "ok": True})

    async def _events(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Three events, each once the test says so."""
        answer = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await answer.prepare(request)
        try:
            for number in range(3):
                await answer.write(f'id: {number}\ndata: {{"number": {number}, "mail": "{EMAIL}"}}\n\n'.encode())
                if request.query.get("step"):
                    await self.gate.wait()
                    self.gate.clear()
        except (ConnectionResetError, asyncio.CancelledError):
            self.left.set()
            raise
        return answer

    async def _slow(self, request: web.Request, body: bytes) -> web.StreamResponse:
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.left.set()
            raise
        return web.Response(text="at last")

    async def _lying(self, request: web.Request, body: bytes) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "text/plain"})
        answer.content_length = 10_000
        await answer.prepare(request)
        await answer.write(b"only this")
        request.transport.close()
        return answer

    async def _status(self, request: web.Request, body: bytes) -> web.StreamResponse:
        return web.Response(status=int(request.path.split("/")[2]), text="said so")

    async def _close(self, request: web.Request, body: bytes) -> web.StreamResponse:
        request.transport.close()
        return web.Response()


@dataclass
class Gateway:
    """A running server, its people, and an agent's token."""

    services: Services
    token: str
    admin: Voter
    owner: str
    http: aiohttp.ClientSession

    def url(self, path: str = "/", *, resource: str = "shop", main: bool = False) -> str:
        base = f"{self.services.origin}/http/{resource}" if main else self.services.addresses[resource]
        return base + path

    def address(self, resource: str = "shop", *, main: bool = False) -> tuple[str, int]:
        parts = urlsplit(self.url(resource=resource, main=main))
        return str(parts.hostname), int(parts.port or 0)

    def call(self, method: str, path: str, *, resource="shop", main=False, token=None, headers=None, **more):
        given = {"authorization": f"Bearer {token or self.token}", **(headers or {})}
        return self.http.request(method, self.url(path, resource=resource, main=main), headers=given, **more)

    async def fetch(self, method: str, path: str, **more) -> tuple[int, bytes, dict]:
        async with self.call(method, path, **more) as answer:
            return answer.status, await answer.read(), {k.lower(): v for k, v in answer.headers.items()}

    async def agent(self, name: str) -> str:
        return (await self.services.directory.create_agent(None, name, self.owner)).token

    async def pending(self) -> list:
        found = await self.services.gate.requests(RequestQuery())
        return [one for one in found if one.state.value == "pending"]

    async def asked(self):
        while not (found := await self.pending()):
            await asyncio.sleep(0.01)
        assert len(found) == 1
        return found[0]

    async def vote(self, verdict: str = "approve") -> None:
        request = await self.asked()
        ballot = Ballot(BallotVerdict(verdict), request.shown_digest, "looked at it")
        await self.services.gate.vote(request.id, self.admin, ballot)

    async def history(self) -> list:
        """Actions with their decisions, oldest first."""
        return list(await self.services.gate.history(HistoryQuery()))[::-1]

    async def settled(self, count: int = 1) -> list:
        """The history, once `count` actions are there and none is under way."""
        while True:
            found = await self.history()
            if len(found) >= count and all(one.state.value != "claimed" for _, one in found):
                return found
            await asyncio.sleep(0.01)

    async def outcome(self, count: int = 1) -> tuple[str, str | None]:
        """State and summary of the newest action."""
        _, decision = (await self.settled(count))[-1]
        return decision.state.value, None if decision.claim is None else decision.claim.summary

    async def raw(self, data: bytes, *, resource: str = "shop", main: bool = False) -> tuple[int, bytes]:
        """Bytes as they are to a socket; the status and what came back until the server closed or paused."""
        reader, writer = await asyncio.open_connection(*self.address(resource, main=main))
        try:
            writer.write(data)
            await writer.drain()
            found = b""
            try:
                while piece := await asyncio.wait_for(reader.read(65536), 1.0 if found else 5.0):
                    found += piece
                    if b"\r\n\r\n" in found and b"content-length: " in found.lower():
                        head, _, rest = found.partition(b"\r\n\r\n")
                        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                        if len(rest) >= length:
                            break
            except TimeoutError:
                pass
            return (int(found.split(b" ", 2)[1]) if found.startswith(b"HTTP/") else 0), found
        finally:
            writer.close()


@asynccontextmanager
async def running(
    tmp_path: Path, clock: Clock, resources: dict, policy: str | None, **sections
) -> AsyncIterator[Gateway]:
    values = {
        "server": {"port": 0},
        "log": {"level": "error", "format": "text"},
        "resources": resources,
        "data_dir": tmp_path / "data",
        **sections,
    }
    if policy is not None:
        folder = tmp_path / "policies"
        folder.mkdir(exist_ok=True)
        (folder / "rules.cedar").write_text(policy)
        values["policy"] = {"dir": folder}
    ready: asyncio.Future[Services] = asyncio.get_running_loop().create_future()
    options = Options(no_browser=True, clock_offset_ms=clock)
    task = asyncio.create_task(serve(Settings.model_validate(values), options, ready=ready.set_result))
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    services = ready.result()
    try:
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as http:
            yield await _people(services, http, tmp_path / "agent.token")
    finally:
        services.stop()
        await task


async def _people(services: Services, http: aiohttp.ClientSession, kept: Path) -> Gateway:
    directory = services.directory
    admin = await directory.invite(None, "admin@localhost", groups=(ADMINISTRATORS,))
    owner = await directory.invite(None, "mara@example.org")
    if not kept.exists():
        kept.write_text((await directory.create_agent(None, "bot", owner.person)).token)
    voter = Voter(admin.person, Assurance.SESSION, "api", "ses_test")
    return Gateway(services, kept.read_text(), voter, owner.person, http)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    one = Upstream()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", one.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield one
    one.gate.set()
    await runner.cleanup()


@pytest.fixture
def start(tmp_path: Path, clock: Clock, upstream: Upstream):
    """Starts a server: `async with start(http={…}, policy="…") as gateway`; the resource is called `shop`."""

    def begin(*, http: dict | None = None, policy: str | None = None, more: dict | None = None, **sections):
        shop = {
            "kind": "http",
            "upstream": upstream.url,
            "listen": "127.0.0.1:0",
            "http": {"hold": "1s", "beat": "1s", **(http or {})},
        }
        return running(tmp_path, clock, {"shop": shop, **(more or {})}, policy, **sections)

    return begin


ALLOW = """
@id("all") @reason("Allowed") {more}
permit (principal, action in [Action::"http.request", Action::"llm.prompt", Action::"pii.reveal"], resource);
"""


@pytest.fixture
def allow():
    """A policy that allows everything at this door, with these annotations."""
    return lambda more="": ALLOW.format(more=more)


@pytest.fixture
async def gateway(start) -> AsyncIterator[Gateway]:
    async with start() as one:
        yield one


@pytest.fixture
def problem():
    return lambda body: json.loads(body)["code"]
