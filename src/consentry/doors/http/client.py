"""The way to an upstream: aiohttp's connections and parser, with requests written exactly as they were judged.

The request line and headers are written here rather than by aiohttp's session: nothing may be requoted, reordered or
added between the action and the wire. Redirects are not followed, and nothing is sent twice but reads.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http import HttpProcessingError, RawResponseMessage
from aiohttp.streams import StreamReader
from yarl import URL

from consentry.doors.errors import UpstreamBroke, UpstreamDown, UpstreamFailed, UpstreamSlow
from consentry.doors.http.body import PIECE
from consentry.doors.http.config import Upstream

READ_SIZE = 1 << 16
LONGEST_FIELD = 1 << 16
KEPT_S = 15.0
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BARE = SAFE | {"DELETE"}
_NO_BODY = frozenset({204, 304})
_FAILED = (aiohttp.ClientError, HttpProcessingError, OSError, ssl.SSLError, asyncio.IncompleteReadError)


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
        message: RawResponseMessage,
        content: StreamReader,
        *,
        empty: bool,
        sending: asyncio.Task[None] | None,
        keep: Callable[[Connection], None],
    ) -> None:
        self.status = message.code
        self.headers: Sequence[tuple[bytes, bytes]] = message.raw_headers
        self.empty = empty
        self._connection = connection
        self._content = content
        self._sending = sending
        self._keep = keep

    def header(self, name: str) -> str | None:
        wanted = name.encode("ascii")
        return next((value.decode("latin-1") for one, value in self.headers if one.lower() == wanted), None)

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body as it comes. Raises `UpstreamBroke`, `UpstreamSlow` in its middle."""
        if self.empty:
            return
        try:
            while piece := await self._content.readany():
                yield piece
        except TimeoutError:
            raise UpstreamSlow("the upstream stopped in the middle of its answer") from None
        except _FAILED:
            raise UpstreamBroke("the upstream closed in the middle of its answer") from None

    def close(self) -> None:
        """Give the connection back where both sides have ended; else end it: half a request must not be another's."""
        if self._sending is not None and not self._sending.done():
            self._sending.cancel()
            self._connection.close()
        elif self.empty or self._content.is_eof():
            self._keep(self._connection)
        else:
            self._connection.close()


class Client:
    """Connections to one upstream. Open it inside the event loop that uses it."""

    def __init__(self, upstream: Upstream, tls: ssl.SSLContext | None = None) -> None:
        self.upstream = upstream
        loop = self._loop = asyncio.get_running_loop()
        self._idle: deque[tuple[Connection, float]] = deque()
        self._sweeping: asyncio.TimerHandle | None = None
        self._connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S, ssl=tls or True)
        stay = aiohttp.TraceConfig()
        stay.on_request_redirect.append(_not_elsewhere)
        self.session = aiohttp.ClientSession(
            connector=self._connector,
            trace_configs=[stay],
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(sock_connect=upstream.connect_s, total=None),
        )
        self._timeout = aiohttp.ClientTimeout(total=None, connect=upstream.connect_s)
        url = URL(upstream.origin)
        self._key = ClientRequest("GET", url, loop=loop, session=self.session, ssl=tls or True)
        default = 443 if url.scheme == "https" else 80
        name = f"[{url.raw_host}]" if ":" in (url.raw_host or "") else url.raw_host or ""
        self.host = name if url.port in (None, default) else f"{name}:{url.port}"

    async def close(self) -> None:
        self._end_idle(0.0)
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self.session.close()

    def _keep(self, connection: Connection) -> None:
        """Have a connection ready for the next request: the connector's own way to do so costs more than a lookup."""
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
        """The connection that was used last, as long as nothing came on it since and it is not closed."""
        while self._idle:
            connection, since = self._idle.pop()
            protocol = connection.protocol
            if (
                protocol is not None
                and protocol.is_connected()
                and not protocol.should_close
                and self._loop.time() - since <= KEPT_S
            ):
                return connection
            connection.close()
        return None

    async def send(
        self, method: str, target: str, headers: Sequence[tuple[str, str]], body: Outgoing | None, *, chunked: bool
    ) -> Answer:
        """Send one request and read the head of its answer. Raises `UpstreamFailed`."""
        head = self._head(method, target, headers, body, chunked)
        for last in (False, True):
            connection = await self._connect()
            protocol = connection.protocol
            assert protocol is not None
            try:
                return await self._exchange(connection, protocol, head, method, body, chunked)
            except _Unanswered as error:
                connection.close()
                if last or method not in SAFE or body is not None:
                    raise error.failure from None
            except BaseException:
                connection.close()
                raise
        raise AssertionError("a request is tried twice at most")

    async def _connect(self) -> Connection:
        """A connection on which nothing came that nobody asked for: it must not become somebody's answer."""
        if (ready := self._ready()) is not None:
            return ready
        try:
            return await self._connector.connect(self._key, [], self._timeout)
        except (aiohttp.ClientError, OSError, ssl.SSLError, TimeoutError):
            raise UpstreamDown("the upstream cannot be reached: nothing was sent") from None

    async def _exchange(
        self,
        connection: Connection,
        protocol: ResponseHandler,
        head: bytes,
        method: str,
        body: Outgoing | None,
        chunked: bool,
    ) -> Answer:
        protocol.set_response_params(
            skip_payload=method == "HEAD",
            read_until_eof=True,
            auto_decompress=False,
            read_timeout=self.upstream.timeout_s,
            read_bufsize=READ_SIZE,
            max_line_size=LONGEST_FIELD,
            max_field_size=LONGEST_FIELD,
        )
        transport = protocol.transport
        if transport is None:
            raise _Unanswered(UpstreamBroke("the upstream closed before it answered"))
        sending: asyncio.Task[None] | None = None
        if body is None:
            transport.write(head)
        else:
            sending = asyncio.create_task(_write(protocol, head, body, chunked))
        protocol.start_timeout()
        try:
            message, content = await _first(protocol, sending)
        except BaseException:
            if sending is not None:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
            raise
        if sending is not None:
            sending.add_done_callback(_ended)
        empty = method == "HEAD" or message.code in _NO_BODY
        return Answer(connection, message, content, empty=empty, sending=sending, keep=self._keep)

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


def _ended(sending: asyncio.Task[None]) -> None:
    """What becomes of a body after its answer has begun shows in the answer."""
    if not sending.cancelled():
        sending.exception()


class _Unanswered(Exception):
    """The connection ended before an answer began. Never leaves this file."""

    def __init__(self, failure: UpstreamFailed) -> None:
        super().__init__()
        self.failure = failure


async def _write(protocol: ResponseHandler, head: bytes, body: Outgoing, chunked: bool) -> None:
    """The request, no faster than the upstream takes it."""
    transport = protocol.transport
    if transport is None:
        return
    first = head
    async for piece in body.pieces():
        for start in range(0, len(piece), PIECE):
            part = piece[start : start + PIECE] if len(piece) > PIECE else piece
            framed = b"%x\r\n%b\r\n" % (len(part), part) if chunked else part
            transport.write(first + framed if first else framed)
            first = b""
            await protocol._drain_helper()
    ending = b"0\r\n\r\n" if chunked else b""
    if first or ending:
        transport.write(first + ending)


async def _first(
    protocol: ResponseHandler, sending: asyncio.Task[None] | None
) -> tuple[RawResponseMessage, StreamReader]:
    """The final head of the answer. Upstreams may answer before they have read all."""
    try:
        while True:
            if sending is not None and not sending.done():
                reading = asyncio.ensure_future(protocol.read())
                try:
                    await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
                    if not reading.done() and sending.exception() is not None:
                        raise _of_body(sending.exception())
                    message, content = await reading
                finally:
                    reading.cancel()
            else:
                message, content = await protocol.read()
            if message.code >= 200:
                return message, content
            if message.code == 101:
                raise UpstreamBroke("the upstream switches to another protocol that nobody asked for")
    except TimeoutError:
        raise UpstreamSlow("the upstream did not answer in time; whether it did what it was asked is unknown") from None
    except (aiohttp.ServerDisconnectedError, ConnectionError):
        raise _Unanswered(UpstreamBroke("the upstream closed before it answered")) from None
    except _FAILED:
        raise UpstreamBroke("the upstream sent something that is not HTTP") from None


def _of_body(error: BaseException | None) -> BaseException:
    if error is None or isinstance(error, ConnectionError | aiohttp.ClientError):
        return aiohttp.ServerDisconnectedError()
    return error
