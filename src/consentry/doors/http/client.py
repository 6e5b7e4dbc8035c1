"""The way to an upstream: connections that are kept, and requests written exactly as they were judged.

The request line and headers are written here rather than by a library: nothing may be requoted, reordered or added
between the action and the wire. Redirects are not followed, and nothing is sent twice but reads.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import aiohttp

from consentry.doors.errors import UpstreamBroke, UpstreamDown, UpstreamFailed, UpstreamSlow
from consentry.doors.http.body import PIECE
from consentry.doors.http.config import Upstream
from consentry.doors.http.connecting import Address
from consentry.doors.http.connection import READ_SIZE, AnswerHead, Connection, Ended, NotHttp

KEPT_S = 15.0
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BARE = SAFE | {"DELETE"}
_NO_BODY = frozenset({204, 304})


class Outgoing(Protocol):
    """A body to be sent."""

    @property
    def size(self) -> int: ...

    def pieces(self) -> AsyncIterator[bytes]: ...


class Answer:
    """An upstream's answer. Read it to its end or close it."""

    def __init__(
        self,
        connection: Connection,
        head: AnswerHead,
        *,
        empty: bool,
        sending: asyncio.Task[None] | None,
        keep: Callable[[Connection], None],
    ) -> None:
        self.status = head.status
        self.headers: Sequence[tuple[bytes, bytes]] = head.headers
        self.empty = empty
        self._connection = connection
        self._sending = sending
        self._keep = keep

    def header(self, name: str) -> str | None:
        wanted = name.encode("ascii")
        return next((value.decode("latin-1") for one, value in self.headers if one.lower() == wanted), None)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises `UpstreamBroke`, `UpstreamSlow` in its middle."""
        while piece := await self.piece():
            yield piece

    async def piece(self) -> bytes:
        """What has come of the body, or nothing at its end: `pieces` without the cost of a generator."""
        try:
            return await self._connection.piece()
        except TimeoutError:
            raise UpstreamSlow("the upstream stopped in the middle of its answer") from None
        except (Ended, NotHttp):
            raise UpstreamBroke("the upstream closed in the middle of its answer") from None

    def close(self) -> None:
        """Give the connection back where both sides have ended; else end it: half a request must not be another's."""
        if self._sending is not None and not self._sending.done():
            self._sending.cancel()
            self._connection.close()
        elif self._connection.at_end and _went_out(self._sending):
            self._keep(self._connection)
        else:
            self._connection.close()


class Client:
    """Connections to one upstream. Open it inside the event loop that uses it."""

    def __init__(self, upstream: Upstream, tls: ssl.SSLContext | None = None) -> None:
        self.upstream = upstream
        self._loop = asyncio.get_running_loop()
        self._idle: deque[tuple[Connection, float]] = deque()
        self._sweeping: asyncio.TimerHandle | None = None
        self._address = Address.of(upstream.origin, tls)
        self._buffer = bytearray(READ_SIZE)
        self._tls = tls
        self._session: aiohttp.ClientSession | None = None
        self.host = self._address.shown

    @property
    def session(self) -> aiohttp.ClientSession:
        """For what is upgraded to a WebSocket."""
        if self._session is None:
            stay = aiohttp.TraceConfig()
            stay.on_request_redirect.append(_not_elsewhere)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, ssl=self._tls or True),
                trace_configs=[stay],
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(sock_connect=self.upstream.connect_s, total=None),
            )
        return self._session

    async def close(self) -> None:
        self._end_idle(0.0)
        if self._sweeping is not None:
            self._sweeping.cancel()
        if self._session is not None:
            await self._session.close()

    def _keep(self, connection: Connection) -> None:
        """Have a connection ready for the next request."""
        if not connection.usable:
            connection.close()
            return
        self._idle.append((connection, self._loop.time()))
        if self._sweeping is None:
            self._sweeping = self._loop.call_later(KEPT_S, self._sweep)

    def _sweep(self) -> None:
        self._end_idle(KEPT_S)
        self._sweeping = self._loop.call_later(KEPT_S, self._sweep) if self._idle else None

    def _end_idle(self, longer_s: float) -> None:
        before = self._loop.time() - longer_s
        while self._idle and self._idle[0][1] <= before:
            self._idle.popleft()[0].close()

    def _ready(self) -> Connection | None:
        """The connection that was used last, as long as it is not closed and nothing came on it since.

        What came and nobody asked for must not become somebody's answer.
        """
        while self._idle:
            connection, since = self._idle.pop()
            if connection.usable and self._loop.time() - since <= KEPT_S and connection.quiet:
                return connection
            connection.close()
        return None

    async def send(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], body: Outgoing | None, *, chunked: bool
    ) -> Answer:
        """Send one request and read the head of its answer. Raises `UpstreamFailed`."""
        head = self._head(method, target, headers, body, chunked)
        for last in (False, True):
            connection = self._ready() or await self._connect()
            try:
                return await self._exchange(connection, head, method, body, chunked)
            except _Unanswered as error:
                connection.close()
                if last or method not in SAFE or body is not None:
                    raise error.failure from None
            except BaseException:
                connection.close()
                raise
        raise AssertionError("a request is tried twice at most")

    async def _connect(self) -> Connection:
        try:
            async with asyncio.timeout(self.upstream.connect_s):
                return await self._address.connect(lambda: Connection(self._buffer, self.upstream.timeout_s))
        except (OSError, ssl.SSLError, TimeoutError, UnicodeError):
            raise UpstreamDown("the upstream cannot be reached: nothing was sent") from None

    async def _exchange(
        self, connection: Connection, head: bytes, method: str, body: Outgoing | None, chunked: bool
    ) -> Answer:
        sending: asyncio.Task[None] | None = None
        bodiless = method == "HEAD"
        try:
            connection.begin(bodiless=bodiless)
            if body is None:
                await connection.write(head)
            else:
                sending = asyncio.create_task(_write(connection, head, body, chunked))
            found = await _first(connection, sending)
        except BaseException as error:
            if sending is not None:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            if isinstance(error, Ended):
                raise _Unanswered(UpstreamBroke("the upstream closed before it answered")) from None
            raise
        if sending is not None:
            sending.add_done_callback(_ended)
        empty = bodiless or found.status in _NO_BODY
        return Answer(connection, found, empty=empty, sending=sending, keep=self._keep)

    def _head(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], body: Outgoing | None, chunked: bool
    ) -> bytes:
        lines = [f"{method} {target} HTTP/1.1\r\nhost: {self.host}\r\n"]
        lines += [f"{name}: {value}\r\n" for name, value in headers]
        if body is not None:
            lines.append("transfer-encoding: chunked\r\n" if chunked else f"content-length: {body.size}\r\n")
        elif method not in _BARE:
            lines.append("content-length: 0\r\n")
        lines.append("\r\n")
        return "".join(lines).encode("latin-1")


async def _not_elsewhere(*_: object) -> None:
    """Stops the session, which upgrades to WebSocket, at a redirect: credentials would go along to another server."""
    raise aiohttp.ClientError


def _went_out(sending: asyncio.Task[None] | None) -> bool:
    """Whether all of a request was written: the rest of one whose body broke off would be taken from the next."""
    return sending is None or not (sending.cancelled() or sending.exception())


def _ended(sending: asyncio.Task[None]) -> None:
    """What becomes of a body after its answer has begun shows in the answer."""
    if not sending.cancelled():
        sending.exception()


class _Unanswered(Exception):
    """The connection ended before an answer began. Never leaves this file."""

    def __init__(self, failure: UpstreamFailed) -> None:
        super().__init__()
        self.failure = failure


async def _write(connection: Connection, head: bytes, body: Outgoing, chunked: bool) -> None:
    """The request, no faster than the upstream takes it."""
    first = head
    async for piece in body.pieces():
        for start in range(0, len(piece), PIECE):
            part = piece[start : start + PIECE] if len(piece) > PIECE else piece
            framed = b"%x\r\n%b\r\n" % (len(part), part) if chunked else part
            await connection.write(first + framed if first else framed)
            first = b""
    ending = b"0\r\n\r\n" if chunked else b""
    if first or ending:
        await connection.write(first + ending)


async def _first(connection: Connection, sending: asyncio.Task[None] | None) -> AnswerHead:
    """The final head of the answer. Upstreams may answer before they have read all. Raises `Ended`."""
    try:
        while True:
            if sending is not None and not sending.done():
                reading = asyncio.ensure_future(connection.head())
                try:
                    await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
                    if not reading.done() and (failure := sending.exception()) is not None:
                        raise failure
                    head = await reading
                finally:
                    reading.cancel()
            else:
                head = await connection.head()
            if head.status >= 200:
                return head
            if head.status == 101:
                raise UpstreamBroke("the upstream switches to another protocol that nobody asked for")
    except TimeoutError:
        raise UpstreamSlow("the upstream did not answer in time; whether it did what it was asked is unknown") from None
    except NotHttp:
        raise UpstreamBroke("the upstream sent something that is not HTTP") from None
