"""The pipe to a server over Streamable HTTP, in the shape of either era. Credentials are the settings' own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import aiohttp

from consentry.actions import JsonObject
from consentry.doors.errors import UpstreamBroke, UpstreamDown, UpstreamFailed
from consentry.doors.mcp.config import Server
from consentry.doors.mcp.errors import RpcError
from consentry.doors.mcp.wire import (
    MODERN,
    EventReader,
    Id,
    Message,
    Request,
    Response,
    encode,
    headers_for,
    read_upstream,
)

ACCEPT = "application/json, text/event-stream"
RESUMES = 20
"""How often a stream that was cut is taken up again before the call counts as broken."""

Incoming = Callable[[Message, "Id | None"], None]


class HttpPipe:
    """See `link.Pipe`. Each request is a POST of its own. Redirects are not followed: they would carry secrets."""

    def __init__(self, server: Server, http: aiohttp.ClientSession) -> None:
        self.alive = True
        self._server = server
        self._http = http
        self.version = ""
        self._session: str | None = None
        self._incoming: Incoming = lambda message, about: None
        self._listening: asyncio.Task[None] | None = None

    async def start(self, incoming: Incoming, broken: Callable[[Exception], None]) -> None:
        self._incoming = incoming

    def settle_era(self, version: str) -> None:
        self.version = version
        if version in ("", MODERN):
            self._session = None

    async def send(self, message: Message, *, schema: JsonObject | None = None) -> None:
        headers = self._headers()
        if self.version == MODERN:
            if not isinstance(message, Request):
                return  # the present revision has no such messages over HTTP: hanging up is the sign
            headers |= headers_for(message, schema)
        about = message.id if isinstance(message, Request) else None
        try:
            async with self._http.post(
                self._url, data=encode(message), headers=headers, allow_redirects=False
            ) as response:
                await self._answered(response, about)
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL):
            raise UpstreamDown("the upstream server cannot be reached") from None
        except (aiohttp.ClientError, OSError):
            raise UpstreamBroke("the upstream server closed in the middle of the call") from None

    async def _answered(self, response: aiohttp.ClientResponse, about: Id | None) -> None:
        kind = response.content_type
        if response.status == 202 or (about is None and response.status < 400):
            if about is not None:
                raise UpstreamBroke("the upstream server accepted the call and gave no answer")
            return
        if self.version != MODERN and (session := response.headers.get("Mcp-Session-Id")):
            self._session = session
        if kind == "text/event-stream" and response.status == 200:
            await self._stream(response, about)
        elif kind == "application/json":
            self._take(await self._body(response), about)
        else:
            self._refused(response.status, about)

    def _refused(self, status: int, about: Id | None) -> None:
        if status == 404 and self._session is not None:
            self.alive = False  # the server has forgotten the session: the next call opens another
            raise UpstreamDown("the upstream server has ended the session: make the call again")
        if status in (401, 403):
            raise UpstreamDown("the upstream server does not take the credentials of the settings")
        if about is not None or status >= 500:
            raise UpstreamBroke(f"the upstream server answered with HTTP status {status}")

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        parts, size = [], 0
        async for part in response.content.iter_any():
            size += len(part)
            if size > self._server.max_message:
                raise UpstreamBroke("the upstream server sent a message that is too large")
            parts.append(part)
        return b"".join(parts)

    def _take(self, body: bytes, about: Id | None) -> None:
        message = read_upstream(self._server.echo.cover(body))
        if isinstance(message, Response) and message.id is None and about is not None:
            message = Response(about, message.result, message.error)
        if not isinstance(message, Response) or message.id != about:
            raise UpstreamBroke("the upstream server answered something that was not asked")
        self._incoming(message, about)

    async def _stream(self, response: aiohttp.ClientResponse, about: Id | None) -> None:
        """Read events until the answer; an earlier server may cut the stream and give the rest on another."""
        last, retry_ms, done = await self._events(response, about)
        tries = 0
        while not done:
            tries += 1
            if last is None or self.version == MODERN or tries > RESUMES:
                raise UpstreamBroke("the upstream server closed in the middle of the call")
            await asyncio.sleep(retry_ms / 1000)
            async with self._http.get(
                self._url, headers=self._headers() | {"Last-Event-ID": last}, allow_redirects=False
            ) as again:
                if again.status != 200 or again.content_type != "text/event-stream":
                    raise UpstreamBroke("the upstream server closed in the middle of the call")
                newer, retry_ms, done = await self._events(again, about)
                last = newer or last

    async def _events(self, response: aiohttp.ClientResponse, about: Id | None) -> tuple[str | None, int, bool]:
        """Tell every message. Answers the last event's id, the time to wait, and whether the answer was among them."""
        reader, last, retry_ms = EventReader(self._server.max_message), None, 1000
        with contextlib.suppress(aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError):
            async for piece in response.content.iter_any():
                for one in reader.feed(piece):
                    last, retry_ms = one.id or last, retry_ms if one.retry_ms is None else one.retry_ms
                    if not one.data:
                        continue
                    message = read_upstream(self._server.echo.text(one.data))
                    self._incoming(message, about)
                    if isinstance(message, Response) and message.id == about and about is not None:
                        return last, retry_ms, True
        return last, retry_ms, False

    async def listen(self) -> None:
        if self.version != MODERN:
            self._listening = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        """What an earlier server says unasked comes on a GET; one that has none says 405."""
        pause = 1.0
        while self.alive:
            with contextlib.suppress(aiohttp.ClientError, OSError, UpstreamFailed, RpcError):
                headers = self._headers() | {"Accept": "text/event-stream"}
                async with self._http.get(self._url, headers=headers, allow_redirects=False) as response:
                    if response.status != 200:
                        return
                    pause = 1.0
                    await self._events(response, None)
            await asyncio.sleep(pause)
            pause = min(30.0, pause * 2)

    async def close(self) -> None:
        self.alive = False
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        if self._session is not None:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                async with asyncio.timeout(2), self._http.delete(self._url, headers=self._headers()):
                    pass

    @property
    def _url(self) -> str:
        assert self._server.url is not None
        return self._server.url

    def _headers(self) -> dict[str, str]:
        headers = {**self._server.headers, "Accept": ACCEPT, "Content-Type": "application/json"}
        if self._session is not None:
            headers["Mcp-Session-Id"] = self._session
        if self.version not in ("", "2025-03-26"):
            headers["MCP-Protocol-Version"] = self.version
        return headers
