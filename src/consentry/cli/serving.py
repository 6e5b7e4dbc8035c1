"""A log as static files over HTTP, read only: from a store, or from an exported bundle."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from consentry.cli.output import say
from consentry.server.serving import CleanExit, bound

Read = Callable[[str], Awaitable[bytes | None]]
"""The bytes at a path of tlog-tiles (`checkpoint`, `tile/…`) or `key`; `None` where there is nothing."""


def serve_store(url: str, host: str, port: int) -> None:
    """Serve the log that is in a store, as a running server publishes it."""
    asyncio.run(_from_store(url, host, port))


def serve_bundle(path: Path, host: str, port: int) -> None:
    """Serve an exported bundle."""
    from consentry.ledger.bundle import open_files
    from consentry.ledger.errors import LedgerError

    with open_files(path) as files:

        async def read(name: str) -> bytes | None:
            with suppress(LedgerError):
                return files.read("keys" if name == "key" else name)
            return None

        asyncio.run(_serve(read, host, port))


async def _from_store(url: str, host: str, port: int) -> None:
    from consentry.consent.reading import ledger_file
    from consentry.store import open_store
    from consentry.store.publisher import keys_text

    store = open_store(url)
    await store.start()

    async def read(name: str) -> bytes | None:
        if name == "key":
            return await store.read(keys_text)
        return await store.read(lambda tx: ledger_file(tx, name))

    try:
        await _serve(read, host, port)
    finally:
        await store.close()


async def _serve(read: Read, host: str, port: int) -> None:
    async def answer(request: Request) -> Response:
        path = request.url.path.removeprefix("/ledger/").removeprefix("/")
        data = await read(path) if path in ("checkpoint", "key") or path.startswith("tile/") else None
        if data is None:
            return PlainTextResponse("there is no such file in the log\n", 404)
        tile = path.startswith("tile/")
        age = "public, max-age=31536000, immutable" if tile else "no-cache"
        kind = "application/octet-stream" if tile else "text/plain; charset=utf-8"
        return Response(data, 200, {"cache-control": age, "x-content-type-options": "nosniff"}, kind)

    listening = bound(host, port)
    app = Starlette(routes=[Route("/{path:path}", answer)])
    server = CleanExit(uvicorn.Config(app, log_config=None, access_log=False, server_header=False))
    say(f"the log is at http://{host}:{listening.getsockname()[1]}/checkpoint")
    try:
        await server.serve(sockets=[listening])
    finally:
        listening.close()
