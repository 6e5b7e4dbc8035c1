"""Requests of a listener that ask for a WebSocket: aiohttp's server, without an application around it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from consentry.doors.http.errors import Ambiguous
from consentry.doors.http.exchange import CallerLeft, Exchange
from consentry.errors import traced

log = logging.getLogger("consentry.http")
Handle = Callable[[Exchange], Awaitable[None]]


class _Blind(logging.Logger):
    """Takes what aiohttp's server says of connections that failed, whose errors quote what the caller sent."""

    def exception(self, msg: object, *args: object, exc_info: object = True, **more: object) -> None:
        if isinstance(exc_info, HttpProcessingError):
            log.info("request_not_http", extra=traced(exc_info))
        else:
            log.error("connection_failed", extra=traced(exc_info) if isinstance(exc_info, BaseException) else None)

    def debug(self, msg: object, *args: object, **more: object) -> None:
        """What callers who leave early make of a connection is no event."""


class _Answer(web.StreamResponse):
    """One whose length is known sends its head with the first piece of its body, in one write."""

    def __init__(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        super().__init__(status=status, headers=headers)
        self._send_headers_immediately = "content-length" not in self._headers
        self._headers.setdefault("server", "consentry")


class UpgradableExchange:
    """See `doors.http.exchange.Exchange`. aiohttp cancels the task that serves it when the caller leaves."""

    def __init__(self, request: web.BaseRequest) -> None:
        self.request = request
        message = request._message
        self.method: str = message.method
        self.target: str = message.path
        self.raw_headers: Sequence[tuple[bytes, bytes]] = message.raw_headers
        self.has_body = request.body_exists
        self.started = False
        self.answer: web.StreamResponse | None = None

    @property
    def peer(self) -> str | None:
        return self.request.remote

    @property
    def secure(self) -> bool:
        return self.request.secure

    @property
    def events(self) -> bool:
        return self.answer is not None and self.answer.headers.get("content-type", "").startswith("text/event-stream")

    async def body(self) -> AsyncIterator[bytes]:
        if self.request.transport is not None and self.request.headers.get("expect", "").lower() == "100-continue":
            self.request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        try:
            while piece := await self.request.content.readany():
                yield piece
        except HttpProcessingError:
            raise Ambiguous("the body is not framed as it says") from None

    async def start(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        self.started = True
        answer = self.answer = _Answer(status, headers)
        try:
            await answer.prepare(self.request)
        except ConnectionError:
            raise CallerLeft from None

    async def write(self, data: bytes) -> None:
        assert self.answer is not None
        if not data:
            return
        try:
            await self.answer.write(data)
        except ConnectionError:
            raise CallerLeft from None

    async def end(self) -> None:
        assert self.answer is not None
        try:
            await self.answer.write_eof()
        except ConnectionError:
            raise CallerLeft from None

    def cut(self) -> None:
        if self.request.transport is not None:
            self.request.transport.abort()


class Upgrades:
    """Serves connections on which the caller asked for a WebSocket. `handle` answers everything."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self._server = web.Server(
            self._serve,
            access_log=None,
            logger=_Blind("consentry.http.listener"),
            handler_cancellation=True,
            auto_decompress=False,
            keepalive_timeout=0.0,
            lingering_time=0,
        )

    def take(self, transport: asyncio.Transport, data: bytes) -> None:
        """Take a connection over, with what came on it: the request that is to be upgraded first."""
        protocol = self._server()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)

    def count(self) -> int:
        """How many connections are open."""
        return len(self._server.connections)

    async def close(self, grace_s: float) -> None:
        self._server.pre_shutdown()
        await self._server.shutdown(grace_s)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        exchange = UpgradableExchange(request)
        with suppress(CallerLeft):
            await self._handle(exchange)
        assert exchange.answer is not None
        exchange.answer.force_close()
        return exchange.answer
