"""Requests of the main server, as the door takes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Sequence

from starlette.types import Receive, Scope, Send

from consentry.doors.http.errors import Ambiguous

_SANDBOX = [
    ("content-security-policy", "default-src 'none'; sandbox"),
    ("cross-origin-resource-policy", "same-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
]
"""What the upstream says must never run as a page of Consentry itself, whose address it has here."""
_REPLACED = frozenset(name for name, _ in _SANDBOX) | {"set-cookie", "date"}


class AsgiExchange:
    """See `doors.http.exchange.Exchange`. `target` is the part of the path behind the resource's name."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, prefix: str) -> None:
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.raw_headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
        self.target = _target(scope, prefix)
        self.peer: str | None = scope["client"][0] if scope.get("client") else None
        self.secure: bool = scope["scheme"] == "https"
        names = {name for name, _ in self.raw_headers}
        self.has_body = b"transfer-encoding" in names or any(
            name == b"content-length" and value != b"0" for name, value in self.raw_headers
        )
        self.started = False
        self.events = False
        self._ended = False
        self._read = asyncio.Event()
        if not self.has_body:
            self._read.set()

    async def body(self) -> AsyncIterator[bytes]:
        while not self._read.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Ambiguous("the body ended early")
            if not message.get("more_body"):
                self._read.set()
            if data := message.get("body"):
                yield data

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self.started = True
        self.events = any(name == "content-type" and value.startswith("text/event-stream") for name, value in headers)
        kept = [*(one for one in headers if one[0] not in _REPLACED), *_SANDBOX]
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})

    async def write(self, data: bytes) -> None:
        if data:
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        self._ended = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def cut(self) -> None:
        """Nothing to do: an answer that is not ended is cut by the server, see `serve`."""

    async def serve(self, work: Awaitable[None]) -> None:
        """Do the work, unless the caller leaves first. Raises `Cut` where an answer was begun and not ended."""
        doing = asyncio.ensure_future(work)
        leaving = asyncio.create_task(self._left())
        try:
            await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                return
            doing.result()
        finally:
            for task in (doing, leaving):
                task.cancel()
            await asyncio.gather(doing, leaving, return_exceptions=True)
        if self.started and not self._ended:
            raise Cut("the answer was not whole")

    async def _left(self) -> None:
        """Until the caller has hung up; while a body is still on its way, whoever reads it learns of that."""
        await self._read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Cut(Exception):
    """Makes the server close a connection in the middle of an answer."""


def _target(scope: Scope, prefix: str) -> str:
    """The target behind the resource, from the bytes as they came rather than from what was decoded of them."""
    raw: bytes = scope.get("raw_path") or b""
    query: bytes = scope.get("query_string") or b""
    path = raw.partition(b"?")[0].decode("latin-1")
    if not path.startswith(prefix):
        raise Ambiguous("the path escapes the name of the resource")
    rest = path[len(prefix) :] or "/"
    return f"{rest}?{query.decode('latin-1')}" if query else rest
