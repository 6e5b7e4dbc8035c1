"""One connection to an upstream: its answers as they come, by llhttp, and no faster than they are read."""

from __future__ import annotations

import asyncio
import select
from collections import deque
from typing import NamedTuple, cast

import httptools

READ_SIZE = 1 << 16
"""Bytes that are read at once, and that are held before reading stops until somebody takes them."""
LONGEST_HEAD = 1 << 18
"""Bytes that may come without any of a body among them: heads, trailers, extensions of chunks."""


class Ended(Exception):
    """The upstream closed before its answer was whole. Never leaves this room."""


class NotHttp(Exception):
    """The upstream sent something else. Never leaves this room."""


class AnswerHead(NamedTuple):
    """The head of an answer; `status` 101 means that nothing after it is HTTP."""

    status: int
    headers: list[tuple[bytes, bytes]]


class Connection(asyncio.BufferedProtocol):
    """A connection on which one request after the other is answered. Made inside the loop that uses it.

    `buffer` is what is read into; connections of one loop share it, since nothing stays in there. `timeout_s` is how
    long an answer that is waited for may be silent.
    """

    _paused: bool
    _whole: bool

    def __init__(self, buffer: bytearray, timeout_s: float) -> None:
        self._view = memoryview(buffer)
        self._timeout_s = timeout_s
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._looking: select.poll | None = None
        self._may_write: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._begin(bodiless=False)
        self._whole = True

    # What a client does with it.

    @property
    def usable(self) -> bool:
        """Whether another request may be sent: the last answer is whole, and nothing that nobody asked for came."""
        return self._whole and self._keeps and self._failure is None and self._transport is not None

    @property
    def quiet(self) -> bool:
        """Whether the kernel holds nothing either: bytes or an end that came but that the loop has not read yet."""
        if self._transport is None or self._transport.is_closing():  # then its descriptor may be another's already
            return False
        if self._looking is None:
            self._looking = select.poll()
            self._looking.register(self._transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._looking.poll(0)

    def begin(self, *, bodiless: bool) -> None:
        """Expect an answer, to what is written next; what comes before that is nobody's.

        `bodiless`: it has no body, whatever its head says.
        """
        if self._transport is not None:
            self._begin(bodiless=bodiless)

    async def write(self, data: bytes) -> None:
        """A part of the request; returns once there is room for more. Raises `Ended`."""
        if self._transport is None:
            raise Ended
        self._asked = True
        self._transport.write(data)
        if self._may_write is not None:
            await self._may_write
        self._silent_since = self._loop.time()  # nobody expects an answer before the request is there

    async def head(self) -> AnswerHead:
        """The next head, that of an interim answer included. Raises `Ended`, `NotHttp`, `TimeoutError`."""
        while not self._heads:
            await self._more()
        return self._heads.popleft()

    async def piece(self) -> bytes:
        """What has come of the body, or nothing at its end. Raises `Ended`, `NotHttp`, `TimeoutError`."""
        while not self._pieces:
            if self._whole:
                return b""
            await self._more()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    @property
    def at_end(self) -> bool:
        """Whether the answer is whole, and all of it was taken."""
        return self._whole and not self._pieces

    def close(self) -> None:
        """At once: the other side could leave what was written to it unread for ever."""
        if self._transport is not None:
            self._transport.abort()

    # What the loop does with it.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        self._silent_since = self._loop.time()
        if self._whole or not self._asked:  # it must not become the answer to somebody's request
            self._fail(NotHttp())
            self.close()
            return
        self._bodiless_bytes += nbytes
        try:
            self._parser.feed_data(self._view[:nbytes])
            if self._bodiless_bytes > LONGEST_HEAD:
                self._fail(NotHttp())
        except httptools.HttpParserUpgrade:
            self._keeps = False
        except httptools.HttpParserError:
            self._fail(NotHttp())
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._timer is not None:
            self._timer.cancel()
        if self._until_closed and exc is None:
            self._whole = True
        elif not self._whole:
            self._fail(Ended())
        self.resume_writing()
        self._wake()

    def pause_writing(self) -> None:
        self._may_write = self._loop.create_future()

    def resume_writing(self) -> None:
        waiting, self._may_write = self._may_write, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    # What the parser does with it.

    def on_message_begin(self) -> None:
        if self._whole:  # a second answer to one request: the parser gives up, and nothing of it counts
            raise NotHttp
        self._headers: list[tuple[bytes, bytes]] = []
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # trailers are not passed on
            self._headers.append((name.rstrip(b" \t"), value.strip(b" \t")))
            if b"\n" in value or b"\r" in value or b"\0" in value:
                self._fail(NotHttp())

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self._in_head = False
        self._interim = status < 200
        self._heads.append(AnswerHead(status, self._headers))
        if self._interim:
            return
        self._bodiless_bytes = 0
        self._keeps = self._parser.should_keep_alive() and not (status == 204 and _says_more(self._headers))
        self._whole = self._bodiless or status in (204, 304)
        self._until_closed = not self._whole and not _says_its_end(self._headers)

    def on_body(self, body: bytes) -> None:
        if self._bodiless:
            self._keeps = False
            return
        self._bodiless_bytes = 0
        self._pieces.append(body)
        self._held += len(body)
        if self._held >= READ_SIZE and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if not self._interim:
            self._whole = True

    # Inside.

    def _begin(self, *, bodiless: bool) -> None:
        self._bodiless = bodiless
        self._parser = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self._heads: deque[AnswerHead] = deque()
        self._pieces: deque[bytes] = deque()
        self._held = self._bodiless_bytes = 0
        self._paused = self._whole = self._asked = self._interim = self._in_head = self._until_closed = False
        self._keeps = True
        self._failure: Exception | None = None
        self._waiting: asyncio.Future[None] | None = None
        self._silent_since = self._loop.time()

    async def _more(self) -> None:
        """Until something came. What came before a failure is taken first."""
        if self._failure is not None:
            raise self._failure
        self._waiting = self._loop.create_future()
        self._silent_since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_later(self._timeout_s, self._look_at_clock)
        try:
            await self._waiting
        finally:
            self._waiting = None

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
        self._wake()

    def _look_at_clock(self) -> None:
        """One timer serves all requests of a connection: it looks now and then whether somebody waits too long."""
        self._timer = None
        if self._waiting is None:
            return
        left = self._silent_since + self._timeout_s - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look_at_clock)
        else:
            self._fail(TimeoutError())


def _says_its_end(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a body has a length or is chunked; else it lasts until the connection is closed (RFC 9112, 6.3)."""
    framing = {name.lower(): value.lower() for name, value in headers if name.lower() in _FRAMING}
    return b"content-length" in framing or framing.get(b"transfer-encoding", b"").endswith(b"chunked")


def _says_more(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether a body is announced: one that comes although the status has none must not come to the next request."""
    return any(name.lower() in _FRAMING and value != b"0" for name, value in headers)


_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
