"""One request of a listener and its answer: see `doors.http.exchange.Exchange`."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol

from consentry.doors.http.errors import Ambiguous, TooSlow
from consentry.doors.http.exchange import CallerLeft
from consentry.doors.http.limits import SLOWEST, Limits

HELD = 1 << 16
"""Bytes of a body that are held before reading stops until they are taken."""


class Wire(Protocol):
    """The connection that a request came on."""

    transport: asyncio.Transport
    can_write: asyncio.Event
    peer: str | None
    secure: bool

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class ListenerExchange:
    """The task that serves it is cancelled when the caller leaves. `keeps`: another request may follow."""

    def __init__(
        self,
        wire: Wire,
        method: str,
        target: str,
        raw_headers: Sequence[tuple[bytes, bytes]],
        *,
        modern: bool,
        keeps: bool,
        limits: Limits,
    ) -> None:
        self.method = method
        self.target = target
        self.raw_headers = raw_headers
        self.keeps = keeps
        self.started = self.events = self.ended = False
        self._wire = wire
        self._modern = modern
        self._limits = limits
        self._patience_s = limits.body_s
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._whole = self._failed = False
        self._came: asyncio.Event | None = None
        self._head = b""
        self._chunked = self._bodiless = False
        framing = {name.lower(): value for name, value in raw_headers if name.lower() in _FRAMING}
        self.has_body = b"transfer-encoding" in framing or framing.get(b"content-length", b"0") != b"0"
        self._expects = framing.get(b"expect", b"").lower() == b"100-continue"

    @property
    def peer(self) -> str | None:
        return self._wire.peer

    @property
    def secure(self) -> bool:
        return self._wire.secure

    @property
    def may_go_on(self) -> bool:
        """Whether both sides have ended, so that the next request can be answered on the same connection."""
        return self.keeps and self.ended and self._whole and not self._failed

    # The body, as it comes.

    def feed(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held += len(data)
        self._patience_s += len(data) / SLOWEST
        if self._held >= HELD:
            self._wire.pause()
        self._wake()

    def feed_end(self) -> None:
        self._whole = True
        self._wake()

    def feed_error(self) -> None:
        """The body is not framed as it says, or ended early."""
        self._failed = not self._whole
        self._wake()

    def _wake(self) -> None:
        if self._came is not None:
            self._came.set()

    async def body(self) -> AsyncIterator[bytes]:
        self._came = came = asyncio.Event()
        if self._expects and not self._whole and not self._pieces:
            self._wire.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._held -= len(piece)
                yield piece
            if self._whole:
                return
            if self._failed:
                raise Ambiguous("the body is not framed as it says")
            self._wire.resume()
            came.clear()
            await self._wait(came)

    async def _wait(self, came: asyncio.Event) -> None:
        """Until more of the body came. Time does not count while nobody waits for it."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(min(self._patience_s, self._limits.body_s)):
                await came.wait()
        except TimeoutError:
            raise TooSlow("the body came too slowly: send it faster, or raise `limits.body_time`") from None
        self._patience_s -= time.monotonic() - began

    # The answer.

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self.events = False
        lines, names = [_status_line(status)], set()
        for name, value in headers:
            names.add(name)
            lines.append(f"{name}: {value}")
            if name == "content-type" and value.startswith("text/event-stream"):
                self.events = True
        measured = "content-length" in names
        self._bodiless = self.method == "HEAD" or status in (204, 304)
        self._chunked = not (measured or self._bodiless) and self._modern
        self.keeps = self.keeps and (measured or self._bodiless or self._chunked)
        lines += self._own(names)
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1 or "\0" in text:
            raise ValueError("a header of the answer holds a line's end")
        self.started = True
        self._head = f"{text}\r\n\r\n".encode("latin-1")
        if not measured and not self._bodiless:
            await self._send(b"")

    def _own(self, names: set[str]) -> list[str]:
        """What the door itself says of the answer and the connection."""
        lines = []
        if "server" not in names:
            lines.append("server: consentry")
        if "date" not in names:
            lines.append(_date(int(time.time())))
        if self._chunked:
            lines.append("transfer-encoding: chunked")
        if not self.keeps:
            lines.append("connection: close")
        elif not self._modern:
            lines.append("connection: keep-alive")
        return lines

    async def write(self, data: bytes) -> None:
        if data and not self._bodiless:
            await self._send(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)

    async def end(self) -> None:
        self.ended = True
        ending = b"0\r\n\r\n" if self._chunked else b""
        if ending or self._head:
            await self._send(ending)

    def cut(self) -> None:
        self._wire.transport.abort()

    async def _send(self, data: bytes) -> None:
        """With the head before it, where that has to go yet. Returns once there is room for more."""
        wire = self._wire
        if wire.transport.is_closing():
            raise CallerLeft
        head, self._head = self._head, b""
        wire.transport.write(head + data if head else data)
        if not wire.can_write.is_set():
            try:
                async with asyncio.timeout(self._limits.reader_s):
                    await wire.can_write.wait()
            except TimeoutError:
                wire.transport.abort()
            if wire.transport.is_closing():
                raise CallerLeft


_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"expect"})


@lru_cache(maxsize=256)
def _status_line(status: int) -> str:
    try:
        return f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP/1.1 {status} "


@lru_cache(maxsize=2)
def _date(second: int) -> str:
    return f"date: {formatdate(second, usegmt=True)}"
