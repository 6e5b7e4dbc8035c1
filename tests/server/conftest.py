"""A real server for each test: uvicorn on a free port in the test's own event loop, on a store of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from consentry.identity.model import ADMINISTRATORS
from consentry.server.run import Options, serve
from consentry.server.services import Services
from consentry.server.settings import Settings

ADMIN = "admin@localhost"


@dataclass
class Clock:
    """Moves the store's time."""

    ahead_ms: int = 0

    def __call__(self) -> int:
        return self.ahead_ms


@dataclass
class Somebody:
    """Whoever holds a token."""

    id: str
    token: str

    @property
    def headers(self) -> Mapping[str, str]:
        return {"authorization": f"Bearer {self.token}"}


@dataclass
class World:
    """A running server, with people and agents to act in it."""

    services: Services
    http: httpx2.AsyncClient
    clock: Clock
    admin: Somebody
    members: dict[str, Somebody] = field(default_factory=dict)

    async def person(self, email: str, *groups: str) -> Somebody:
        """A person who is signed in."""
        invitation = await self.services.directory.invite(None, email, groups=groups)
        signed = await self.services.directory.sign_in(invitation.token)
        return Somebody(invitation.person, signed.token)

    async def agent(self, name: str, owner: Somebody | None = None, kind: str = "agent") -> Somebody:
        """An agent with its token."""
        body = {"name": name, "owner": (owner or self.admin).id, "kind": kind}
        made = await self.post("/v1/agents", self.admin, body, status=201)
        return Somebody(made["id"], made["token"])

    async def acting(self, agent: Somebody, subject: Somebody) -> Somebody:
        """The agent acting for somebody."""
        body = {"actor_token": agent.token, "subject_token": subject.token}
        made = await self.post("/v1/tokens/exchange", None, body)
        return Somebody(agent.id, made["access_token"])

    async def get(self, path: str, who: Somebody | None, *, status: int = 200) -> dict:
        return self._read(await self.http.get(path, headers=who.headers if who else {}), status)

    async def post(self, path: str, who: Somebody | None, body: object = None, *, status: int = 200) -> dict:
        return self._read(await self.http.post(path, json=body or {}, headers=who.headers if who else {}), status)

    async def delete(self, path: str, who: Somebody, *, status: int = 200) -> dict:
        return self._read(await self.http.delete(path, headers=who.headers), status)

    def _read(self, answer: httpx2.Response, status: int) -> dict:
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else {}

    async def submit(self, who: Somebody, operation: str = "secret.read", resource: str = "vault", **more) -> dict:
        """Submit an action; the starter policy sends `secret.read` to the administrators."""
        body = {"operation": operation, "resource": resource, **more}
        return await self.post("/v1/actions", who, body, status=201)

    async def vote(self, who: Somebody, request_id: str, verdict: str = "approve", *, status: int = 200) -> dict:
        """Vote on what the request shows now; whoever may not see it guesses the digest of the one who may."""
        shown = (await self.services.gate.preview(request_id)).digest
        body = {"verdict": verdict, "shown_digest": shown, "reason": "looked at it"}
        return await self.post(f"/v1/requests/{request_id}/votes", who, body, status=status)


@asynccontextmanager
async def running(settings: Settings, clock: Clock) -> AsyncIterator[World]:
    """A server on a free port until the end of the block."""
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[Services] = loop.create_future()
    options = Options(no_browser=True, clock_offset_ms=clock)
    task = asyncio.create_task(serve(settings, options, ready=ready.set_result))
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    services = ready.result()
    try:
        async with httpx2.AsyncClient(base_url=services.origin, timeout=30, trust_env=False, verify=False) as http:
            invitation = await services.directory.invite(None, ADMIN, groups=(ADMINISTRATORS,))
            signed = await services.directory.sign_in(invitation.token)
            yield World(services, http, clock, Somebody(invitation.person, signed.token))
    finally:
        services.stop()
        await task


def settings_for(tmp_path: Path, **sections: Mapping[str, object]) -> Settings:
    """Settings of a test server: the loopback, a free port, data in the test's folder."""
    values: dict[str, object] = {"log": {"level": "error", "format": "text"}, **sections}
    values["server"] = {"port": 0, **sections.get("server", {})}
    return Settings.model_validate({**values, "data_dir": tmp_path / "data"})


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def server(tmp_path: Path, clock: Clock) -> AsyncIterator[World]:
    """A running server on SQLite."""
    async with running(settings_for(tmp_path), clock) as world:
        yield world


@pytest.fixture
async def any_server(tmp_path: Path, clock: Clock, store_url: str, monkeypatch) -> AsyncIterator[World]:
    """A running server on SQLite, then on PostgreSQL."""
    monkeypatch.setenv("TEST_STORE_URL", store_url)
    async with running(settings_for(tmp_path, store={"url": "env:TEST_STORE_URL"}), clock) as world:
        yield world


@pytest.fixture
def start(tmp_path: Path, clock: Clock):
    """Starts a server with settings of the test's own: `async with start(limits={…}) as world`."""

    def begin(**sections: Mapping[str, object]):
        return running(settings_for(tmp_path, **sections), clock)

    return begin
