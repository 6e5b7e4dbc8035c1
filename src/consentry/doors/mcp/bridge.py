"""A client on standard input and output, carried to an MCP endpoint over HTTP: for desktop clients.

The bridge judges nothing and keeps nothing: it adds the token, and what the transport asks for in headers.
"""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import Callable, Mapping
from typing import BinaryIO

import aiohttp

from consentry.actions import JsonObject
from consentry.doors.errors import UpstreamFailed
from consentry.doors.mcp.config import Server
from consentry.doors.mcp.errors import UPSTREAM_FAILED, RpcError
from consentry.doors.mcp.http_pipe import HttpPipe
from consentry.doors.mcp.wire import META_VERSION, MODERN, Id, Message, Notification, Request, Response, encode, read

LIMIT = 64 << 20


async def bridge(url: str, token: str, *, source: BinaryIO | None = None, sink: BinaryIO | None = None) -> None:
    """Serve one client until it closes its end. Messages are one a line."""
    server = Server("bridge", url=url, headers={"Authorization": f"Bearer {token}"})
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(
        timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), connector=aiohttp.TCPConnector(limit=0)
    ) as http:
        carrying = Bridge(HttpPipe(server, http), sink or sys.stdout.buffer)
        await carrying.run(source or sys.stdin.buffer)


async def _feed(reader: asyncio.StreamReader, source: BinaryIO) -> Callable[[], None]:
    """Let `reader` have what comes from `source`; what is answered lets go of it.

    An event loop can watch pipes, sockets and terminals. Files and `/dev/null` never make anybody wait: they are read.
    """
    loop = asyncio.get_running_loop()
    mode = os.fstat(source.fileno()).st_mode
    if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(source.fileno()):
        transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
        return transport.close
    with source:
        reader.feed_data(await asyncio.to_thread(source.read))
    reader.feed_eof()
    return source.close


class Bridge:
    """One client and one endpoint."""

    def __init__(self, pipe: HttpPipe, sink: BinaryIO) -> None:
        self._pipe = pipe
        self._sink = sink
        self._working: dict[Id, asyncio.Task[None]] = {}
        self._others: set[asyncio.Task[None]] = set()
        self._methods: dict[Id, str] = {}
        self._schemas: dict[str, JsonObject] = {}
        self._greeted = asyncio.Event()
        self._greeted.set()

    async def run(self, source: BinaryIO) -> None:
        """Carry messages both ways until the client's end of file."""
        await self._pipe.start(self._came, lambda error: None)
        reader = asyncio.StreamReader(limit=LIMIT)
        close = await _feed(reader, os.fdopen(os.dup(source.fileno()), "rb", 0))
        try:
            while line := await reader.readline():
                if line.strip():
                    await self._line(line)
        finally:
            close()
            for task in (*self._working.values(), *self._others):
                task.cancel()
            await asyncio.gather(*self._working.values(), *self._others, return_exceptions=True)
            await self._pipe.close()

    async def _line(self, line: bytes) -> None:
        try:
            messages = read(line, limit=LIMIT)
        except RpcError as error:
            self._write(Response(None, error=error))
            return
        for message in messages:
            await self._greeted.wait()  # what follows a handshake needs its session
            if isinstance(message, Request):
                self._begin(message)
            elif isinstance(message, Notification) and self._cancelled(message):
                continue
            else:
                self._start(self._send(message, None))

    def _begin(self, request: Request) -> None:
        self._methods[request.id] = request.method
        if META_VERSION in request.meta:
            self._pipe.settle_era(MODERN)
        elif request.method == "initialize":
            self._pipe.settle_era("")
            self._greeted.clear()
        task = asyncio.create_task(self._send(request, request.id))
        self._working[request.id] = task
        task.add_done_callback(lambda _: self._working.pop(request.id, None))

    def _cancelled(self, message: Notification) -> bool:
        """In the present revision, hanging up is how a request is cancelled over HTTP."""
        one_id = message.params.get("requestId")
        if message.method != "notifications/cancelled" or not isinstance(one_id, str | int):
            return False
        task = self._working.get(one_id)
        if task is not None and self._pipe.version == MODERN:
            task.cancel()
            return True
        return False

    async def _send(self, message: Message, one_id: Id | None) -> None:
        try:
            schema = self._schemas.get(str(message.params.get("name"))) if isinstance(message, Request) else None
            await self._pipe.send(message, schema=schema)
        except RpcError as error:
            self._fail(one_id, error)
        except UpstreamFailed as error:
            text = str(error).replace("the upstream server", "the Consentry server")
            self._fail(one_id, RpcError(UPSTREAM_FAILED, text, {"code": error.code}))
        finally:
            if one_id is not None and self._methods.pop(one_id, None) == "initialize":
                self._greeted.set()

    def _fail(self, one_id: Id | None, error: RpcError) -> None:
        if one_id is not None:
            self._write(Response(one_id, error=error))

    def _came(self, message: Message, about: Id | None) -> None:
        """Something for the client. A handshake and a list of tools also tell the bridge what it needs."""
        if isinstance(message, Response) and message.id is not None and message.result is not None:
            method = self._methods.get(message.id)
            if method == "initialize":
                self._pipe.settle_era(str(message.result.get("protocolVersion")))
                self._start(self._pipe.listen())
            elif method == "tools/list":
                self._learn(message.result)
        self._write(message)

    def _learn(self, result: JsonObject) -> None:
        tools = result.get("tools")
        for tool in tools if isinstance(tools, list) else ():
            schema = tool.get("inputSchema") if isinstance(tool, Mapping) else None
            if isinstance(schema, Mapping):
                self._schemas[str(tool["name"])] = schema

    def _write(self, message: Message) -> None:
        self._sink.write(encode(message) + b"\n")
        self._sink.flush()

    def _start(self, work: object) -> None:
        assert asyncio.iscoroutine(work)
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._others.add(task)
        task.add_done_callback(self._others.discard)
