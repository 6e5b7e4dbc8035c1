"""One connection of a caller: bytes to requests by llhttp, strictly; one is served after the other, in their order."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast

import httptools

from consentry.doors.http.answering import ListenerExchange
from consentry.doors.http.ending import end
from consentry.doors.http.exchange import CallerLeft, Exchange
from consentry.doors.http.limits import Limits
from consentry.doors.http.wire import check_version
from consentry.errors import traced

READ_SIZE = 1 << 16
LONGEST_HEAD = 1 << 17
"""Bytes that may come without any of a body among them: heads, trailers, extensions of chunks."""
IDLE_S = 75.0
"""How long a connection may be open between requests."""
LINGER_S = 5.0
"""How long a caller who was answered early may go on sending before the connection ends under it."""
Handle = Callable[[Exchange], Awaitable[None]]
HandOver = Callable[[asyncio.Transport, bytes], None]
"""Takes over a connection whose caller asks for a WebSocket, and what came on it."""
log = logging.getLogger("consentry.http")


def _answer(status: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nserver: consentry\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".encode()


_NOT_HTTP = _answer("400 Bad Request")
_TOO_SLOW = _answer("408 Request Timeout")
_TOO_MANY = _answer("503 Service Unavailable")


class CallerConnection(asyncio.BufferedProtocol):
    """What came on a connection, request by request. `every` holds the open ones of a listener.

    `others` says how many more it has, which were handed over.
    """

    def __init__(
        self,
        buffer: memoryview,
        handle: Handle,
        hand_over: HandOver,
        every: set[CallerConnection],
        others: Callable[[], int],
        limits: Limits,
    ) -> None:
        self._buffer = buffer
        self._handle = handle
        self._hand_over = hand_over
        self._every = every
        self._others = others
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._parser = httptools.HttpRequestParser(self)
        self._reading: ListenerExchange | None = None
        self._waiting: deque[ListenerExchange] = deque()
        self._serving: asyncio.Task[None] | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._target = b""
        self._in_head = self._head_watched = False
        self._bodiless_bytes = 0
        self._broken = self._paused = False
        self._idle_since = self._loop.time()

    # What the loop does with it.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        name = self.transport.get_extra_info("peername")
        self.peer = str(name[0]) if name else None
        self.secure = self.transport.get_extra_info("sslcontext") is not None
        self.can_write = asyncio.Event()
        self.can_write.set()
        self._every.add(self)
        self._allowed_s = self._limits.head_s
        self._timer = self._loop.call_later(self._allowed_s, self._look_at_clock)
        if (over := len(self._every) + self._others() - self._limits.connections) > 0:
            if over == 1:  # the first; a flood must not fill the log as well
                log.warning("too_many_connections")
            self._broken = True
            self.transport.write(_TOO_MANY)
            end(self.transport, LINGER_S)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._broken:
            return
        self._bodiless_bytes += nbytes
        if self._bodiless_bytes > LONGEST_HEAD:
            self._break()
            return
        try:
            self._parser.feed_data(self._buffer[:nbytes])
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrade(bytes(self._buffer[upgrade.args[0] : nbytes]))
        except httptools.HttpParserError as error:
            log.info("request_not_http", extra=traced(error))
            self._break()
        if self._in_head and not self._head_watched:  # most heads come whole
            self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        self.can_write.set()
        if self._reading is not None:
            self._reading.feed_error()
        if self._serving is not None:
            self._serving.cancel()

    def pause_writing(self) -> None:
        self.can_write.clear()

    def resume_writing(self) -> None:
        self.can_write.set()

    # What the parser does with it.

    def on_message_begin(self) -> None:
        self._headers, self._target, self._in_head, self._head_watched = [], b"", True, False

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # trailers are not passed on
            self._headers.append((name, value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        self._in_head, self._bodiless_bytes = False, 0
        parser = self._parser
        version = parser.get_http_version()
        check_version(version, self._headers)
        self._reading = exchange = ListenerExchange(
            self,
            parser.get_method().decode("ascii"),
            self._target.decode("latin-1"),
            tuple(self._headers),
            modern=version == "1.1",
            keeps=parser.should_keep_alive(),
            limits=self._limits,
        )
        if not parser.should_upgrade():
            self._take(exchange)

    def on_body(self, body: bytes) -> None:
        assert self._reading is not None
        self._bodiless_bytes = 0
        self._reading.feed(body)

    def on_message_complete(self) -> None:
        if self._reading is not None:
            self._reading.feed_end()

    # One after the other.

    def _take(self, exchange: ListenerExchange) -> None:
        if self._serving is None:
            self._serving = self._loop.create_task(self._serve(exchange))
        else:
            self._waiting.append(exchange)
            self.pause()

    async def _serve(self, exchange: ListenerExchange) -> None:
        keeps = False
        try:
            with suppress(CallerLeft):
                await self._handle(exchange)
            keeps = exchange.may_go_on
            if not exchange.ended:
                self.transport.abort()
        except Exception as error:
            log.error("connection_failed", extra=traced(error))
            if not exchange.started:
                self.transport.write(_answer("500 Internal Server Error"))
        finally:
            self._serving = None
            self._idle_since = self._loop.time()
            self._allowed_s = self._limits.head_s if self._in_head else IDLE_S
            if not keeps or (self._broken and not self._waiting):
                self._end(exchange)
            elif self._waiting:
                self._serving = self._loop.create_task(self._serve(self._waiting.popleft()))
            self.resume()

    def _end(self, exchange: ListenerExchange) -> None:
        if self._broken and exchange.may_go_on and not self.transport.is_closing():
            self.transport.write(_NOT_HTTP)
        self._leave()

    def _leave(self) -> None:
        """End the connection once the caller has: closed under one who still sends, it would take the answer along.

        RFC 9112, section 9.6. What still comes is dropped.
        """
        self._broken = True
        self._waiting.clear()
        self._timer.cancel()
        if self.transport.is_closing() or not self.transport.can_write_eof():
            end(self.transport, self._limits.reader_s)
            return
        self.transport.write_eof()
        self.resume()
        self._left_at = self._loop.time()
        self._timer = self._loop.call_later(LINGER_S, self._linger)

    def _linger(self) -> None:
        """Go, once what was answered is taken, or nobody takes it."""
        taken = not self.transport.get_write_buffer_size()
        if taken or self._loop.time() - self._left_at >= self._limits.reader_s:
            self.transport.abort()
        else:
            self._timer = self._loop.call_later(LINGER_S, self._linger)

    def pause(self) -> None:
        """Read no more for now: somebody has to take what came first."""
        if not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        if self._paused and not self._waiting and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    def _break(self) -> None:
        """What came is no HTTP. Requests before it are answered first."""
        self._broken = True
        if self._reading is not None:
            self._reading.feed_error()
        if self._serving is None:
            self.transport.write(_NOT_HTTP)
            self._leave()

    def _upgrade(self, rest: bytes) -> None:
        """A request after which the connection is to speak something else: only a WebSocket may, and comes first."""
        exchange = self._reading
        assert exchange is not None
        self._broken = True
        asks = [value.lower() for name, value in exchange.raw_headers if name.lower() == b"upgrade"]
        if asks != [b"websocket"] or self._serving is not None:
            exchange.keeps = False
            self._take(exchange)
            return
        self._forget()
        lines = [b"%s %s HTTP/1.1" % (exchange.method.encode(), self._target)]
        lines += [b"%s: %s" % pair for pair in exchange.raw_headers]
        self._hand_over(self.transport, b"\r\n".join([*lines, b"", b""]) + rest)

    # The end.

    async def close(self, grace_s: float) -> None:
        """Let what is being served come to its end, for a while."""
        if self._serving is not None:
            await asyncio.wait({self._serving}, timeout=grace_s)
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.wait({self._serving})
        self.transport.abort()

    def _forget(self) -> None:
        self._timer.cancel()
        self._every.discard(self)

    def _watch_head(self) -> None:
        """A head that does not come at once has so long from now."""
        self._head_watched = True
        self._idle_since, self._allowed_s = self._loop.time(), self._limits.head_s
        self._timer.cancel()
        self._timer = self._loop.call_later(self._allowed_s, self._look_at_clock)

    def _look_at_clock(self) -> None:
        left = self._idle_since + self._allowed_s - self._loop.time()
        if self._serving is not None or left > 0:
            self._timer = self._loop.call_later(left if left > 0 else self._allowed_s, self._look_at_clock)
        elif self._in_head:
            self.transport.write(_TOO_SLOW)
            self._leave()
        elif self.transport.get_write_buffer_size():
            self.transport.abort()  # it is idle for so long, and did not take what it asked for
        else:
            self.transport.close()
