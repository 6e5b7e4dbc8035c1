"""The gate in this process: the server's own application without its sockets.

The same code judges, authenticates and records as behind a port, so no invariant depends on which way a caller came.
This is the one file of the client that knows the server (tests/test_imports.py).
"""

from __future__ import annotations

import asyncio
import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2

from consentry.actions import Kind, Operand
from consentry.client.http import HttpTransport
from consentry.client.model import ClaimGiven, Decision, Status
from consentry.client.transport import Ask
from consentry.errors import ConsentryError

if TYPE_CHECKING:
    from consentry.server.services import Services

NAME = "embedded"
TOKEN_FILE = "embedded.token"  # noqa: S105 (the file's name)
URL = "http://127.0.0.1"


class EmbeddedTransport:
    """See `transport.Transport`. Opened by its first call, on the loop of that call."""

    def __init__(self, path: Path, token: str | None, config: Path | None = None) -> None:
        self._path = path
        self._token = token
        self._config = config
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._http: HttpTransport | None = None

    async def submit(self, ask: Ask) -> Decision:
        return await (await self._ready()).submit(ask)

    async def decision(self, action_id: str, wait_s: float) -> Decision:
        return await (await self._ready()).decision(action_id, wait_s)

    async def claim(self, action_id: str, operands: tuple[Operand, ...]) -> ClaimGiven:
        return await (await self._ready()).claim(action_id, operands)

    async def settle(self, claim_id: str, status: Status, summary: str | None) -> None:
        await (await self._ready()).settle(claim_id, status, summary)

    async def withdraw(self, request_id: str, reason: str | None) -> None:
        await (await self._ready()).withdraw(request_id, reason)

    async def receipt(self, action_id: str) -> bytes:
        return await (await self._ready()).receipt(action_id)

    async def close(self) -> None:
        self._http = None
        await self._stack.aclose()

    async def _ready(self) -> HttpTransport:
        if self._http is None:
            async with self._opening:
                if self._http is None:
                    self._http = await self._open()
        return self._http

    async def _open(self) -> HttpTransport:
        from consentry.server.app import create_app
        from consentry.server.build import open_services
        from consentry.server.settings import load

        settings = load(self._config, data_dir=self._path)
        try:
            services = await self._stack.enter_async_context(open_services(settings))
            self._stack.callback(services.stop)
            token = self._token or await own_token(services)
            wire = httpx2.ASGITransport(create_app(services), raise_app_exceptions=False)
            http = HttpTransport(URL, token, wire=wire)
            self._stack.push_async_callback(http.close)
        except BaseException:
            await self._stack.aclose()
            raise
        return http


async def own_token(services: Services) -> str:
    """The token of the service `embedded`, kept beside the data for whoever may read that."""
    file = services.settings.data_dir / TOKEN_FILE
    if file.exists():
        return file.read_text("ascii").strip()
    directory = services.directory
    await directory.first_administrator(services.settings.identity.administrator)
    owner = await directory.person(services.settings.identity.administrator)
    try:
        made = await directory.create_agent(None, NAME, owner.id, Kind.SERVICE)
    except ConsentryError as error:  # the file was lost, or another process is making it: its token ends
        if error.code != "name_taken":
            raise
        made = await directory.rotate_agent(None, (await directory.agent(NAME)).id)
    fresh = file.with_suffix(f".{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as target:
        target.write(made.token)
    fresh.replace(file)
    return made.token
