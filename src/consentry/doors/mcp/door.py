"""The MCP endpoint over Streamable HTTP, in the shape of either era: all I/O towards clients is here and in `reply`."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from consentry.actions import Json, JsonObject
from consentry.doors.errors import UpstreamFailed
from consentry.doors.mcp.bundle import by_name
from consentry.doors.mcp.calls import Calls
from consentry.doors.mcp.client import Caller, Client, of_initialize, of_request, unsupported
from consentry.doors.mcp.config import Server
from consentry.doors.mcp.conversation import Conversation, initialized
from consentry.doors.mcp.errors import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    UPSTREAM_FAILED,
    RpcError,
)
from consentry.doors.mcp.keeper import Keeper
from consentry.doors.mcp.lens import Types
from consentry.doors.mcp.links import Links
from consentry.doors.mcp.listening import listen
from consentry.doors.mcp.masking import Clean
from consentry.doors.mcp.performing import Performer
from consentry.doors.mcp.reply import Reply, send_empty, send_json
from consentry.doors.mcp.runs import Runs
from consentry.doors.mcp.sealing import Seals
from consentry.doors.mcp.sessions import Session, Sessions
from consentry.doors.mcp.state import Sealer
from consentry.doors.mcp.streams import LINGER_S, Stream
from consentry.doors.mcp.tasks import Tasks
from consentry.doors.mcp.visit import Visit
from consentry.doors.mcp.wire import (
    META_VERSION,
    MODERN,
    SUPPORTED,
    Message,
    Notification,
    Request,
    Response,
    check_headers,
    check_parameters,
    dump,
    encode,
    read,
)
from consentry.doors.outcomes import Outcomes
from consentry.errors import traced

log = logging.getLogger("consentry.mcp")
PRIMED = "2025-11-25"
"""The revision whose clients expect an event without data at the beginning of a stream."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What looks into texts: `types` finds, `cleaner` masks. Without `types`, nobody looks, and facts say so."""

    types: Types | None
    cleaner: Callable[[tuple[str, ...]], Clean]


class Door:
    """One door for all MCP resources.

    `limit` is the largest message of a caller, in bytes; `key` seals states. Once `stopping` is set, whoever waits for
    people is told how to go on later, and streams end.
    """

    def __init__(
        self, keeper: Keeper, *, key: bytes, tools: Tools, limit: int, stopping: asyncio.Event | None = None
    ) -> None:
        self._limit = limit
        self._stopping = stopping or asyncio.Event()
        self.links = Links()
        self.runs = Runs()
        self.outcomes = Outcomes(keeper.settle, keeper.settle_along, log)
        performer = Performer(keeper, self.runs, self.outcomes, types=tools.types, cleaner=tools.cleaner)
        seals = Seals(Sealer(key), keeper)
        calls = Calls(keeper, seals, performer, self.runs, types=tools.types, stopping=self._stopping)
        self.conversation = Conversation(calls, Tasks(calls, keeper), keeper)
        self.sessions = Sessions(self.links)

    async def close(self) -> None:
        """Let go of everybody; what waits for people goes on waiting in the store."""
        await self.runs.close()
        await self.outcomes.close()
        await self.sessions.close()
        await self.links.close()

    async def serve(self, server: Server, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request of a caller who was let in."""
        try:
            if scope["method"] == "POST":
                await self._post(server, caller, scope, receive, send)
            elif scope["method"] == "GET":
                await self._get(server, caller, scope, receive, send)
            elif scope["method"] == "DELETE":
                session = await self.sessions.find(_headers(scope), caller, server.resource)
                await self.sessions.end(session)
                await send_empty(send, 200)
            else:
                await send_empty(send, 405, [(b"allow", b"POST, GET, DELETE")])
        except RpcError as error:
            await send_json(send, encode(Response(None, error=error)), error.http_status, [])

    # What clients send.

    async def _post(self, server: Server, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        messages = read(await _body(receive, self._limit), limit=self._limit)
        headers = _headers(scope)
        if len(messages) > 1:
            await self._batch(server, caller, messages, scope, send)
            return
        message = messages[0]
        if not isinstance(message, Request):
            await self._heard(server, caller, message, headers, send)
            return
        reply = Reply(send, headers=[], asking=None, streams=True)
        try:
            await self._request(server, caller, message, scope, receive, send, headers)
        except RpcError as error:
            await reply.end(message.id, None, error)

    async def _request(
        self,
        server: Server,
        caller: Caller,
        request: Request,
        scope: Scope,
        receive: Receive,
        send: Send,
        headers: dict[str, str],
    ) -> None:
        modern = _is_modern(request, headers)
        if modern:
            await self._modern(server, caller, request, scope, receive, send)
        elif request.method == "initialize":
            check_headers(scope["headers"], request, modern=False)
            await self._initialize(server, caller, request, send)
        else:
            check_headers(scope["headers"], request, modern=False)
            _check_version(headers)
            session = await self.sessions.find(headers, caller, server.resource)
            await self._earlier(session, request, receive, send, headers)

    async def _modern(
        self, server: Server, caller: Caller, request: Request, scope: Scope, receive: Receive, send: Send
    ) -> None:
        if META_VERSION in request.meta:
            _agree(request, _headers(scope))
        client = of_request(request)
        check_headers(scope["headers"], request, modern=True)
        visit = await self._visit(server, caller, client)
        if request.method == "tools/call":
            await self._check_parameters(visit, request, scope)
        reply = Reply(send, headers=[], asking=None, streams=True)
        if request.method == "subscriptions/listen":
            work = listen(visit, request, reply, self._stopping)
        else:
            work = self.conversation.answer(visit, request, reply)
        await self._answer(work, request, reply, receive)

    async def _visit(self, server: Server, caller: Caller, client: Client) -> Visit:
        try:
            return await self.links.visit(server, caller, client)
        except UpstreamFailed as error:
            raise RpcError(UPSTREAM_FAILED, str(error), {"code": error.code}) from None

    async def _check_parameters(self, visit: Visit, request: Request, scope: Scope) -> None:
        arguments = request.params.get("arguments")
        full = str(request.params.get("name"))
        visit = by_name(visit.members, full) or visit
        name = full.removeprefix(visit.server.prefix)
        try:
            tool = await visit.catalog.find(name)
        except UpstreamFailed as error:
            raise RpcError(UPSTREAM_FAILED, str(error), {"code": error.code}) from None
        if tool is not None and isinstance(arguments, dict):
            check_parameters(scope["headers"], tool.schema, arguments)

    async def _initialize(self, server: Server, caller: Caller, request: Request, send: Send) -> None:
        client = of_initialize(request)
        try:
            visit = await self.links.own(server, caller, client)
        except UpstreamFailed as error:
            raise RpcError(UPSTREAM_FAILED, str(error), {"code": error.code}) from None
        session = self.sessions.begin(visit)
        name = [(b"mcp-session-id", session.id.encode("ascii"))]
        await send_json(send, encode(Response(request.id, initialized(visit))), 200, name)

    async def _earlier(
        self, session: Session, request: Request, receive: Receive, send: Send, headers: dict[str, str]
    ) -> None:
        streams = "text/event-stream" in headers.get("accept", "")
        kept = session.streams.begin() if streams else None
        primes = session.visit.client.version == PRIMED
        reply = Reply(send, headers=[], asking=session.asking, streams=streams, kept=kept, primes=primes)
        task = asyncio.current_task()
        assert task is not None
        session.working[request.id] = task
        left = None
        try:
            work = self.conversation.answer(session.visit, request, reply)
            left = await self._answer(work, request, reply, receive, stays=kept is not None)
        finally:
            session.working.pop(request.id, None)
            if kept is not None and left is None:
                kept.close()
        if left is not None and kept is not None:
            session.working[request.id] = going = asyncio.create_task(_linger(left, request, reply, kept))
            going.add_done_callback(lambda _: session.working.pop(request.id, None))

    async def _answer(
        self, work: object, request: Request, reply: Reply, receive: Receive, *, stays: bool = False
    ) -> asyncio.Task[JsonObject] | None:
        """Do the work and answer, unless the client leaves first: that ends the waiting, and no stored request.

        Answers the work that goes on, where it `stays` for a client that may take up its stream again.
        """
        assert asyncio.iscoroutine(work)
        doing: asyncio.Task[JsonObject] = asyncio.create_task(work)
        leaving = asyncio.create_task(_left(receive))
        goes_on = False
        try:
            await asyncio.wait({doing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                await _finish(doing, request, reply)
                return None
            reply.drop()
            goes_on = stays and reply.resumable
            return doing if goes_on else None
        finally:
            await _end(leaving, *(() if goes_on else (doing,)))

    async def _heard(
        self, server: Server, caller: Caller, message: Message, headers: dict[str, str], send: Send
    ) -> None:
        """Notifications and answers: sessions of earlier revisions have them, the present one has none over HTTP."""
        if headers.get("mcp-protocol-version") == MODERN:
            if isinstance(message, Response):
                raise RpcError(INVALID_REQUEST, "clients send no responses in this revision")
            await send_empty(send, 202)
            return
        session = await self.sessions.find(headers, caller, server.resource)
        self._take(session, message)
        await send_empty(send, 202)

    def _take(self, session: Session, message: Message) -> None:
        if isinstance(message, Response):
            session.answered(message)
        elif isinstance(message, Notification):
            session.told(message)

    async def _batch(
        self, server: Server, caller: Caller, messages: tuple[Message, ...], scope: Scope, send: Send
    ) -> None:
        """Several messages at once, as only revision 2025-03-26 has it; each is judged by itself."""
        session = await self.sessions.find(_headers(scope), caller, server.resource)
        if session.visit.client.version != "2025-03-26":
            raise RpcError(INVALID_REQUEST, "this revision of the protocol has no batches: send messages one by one")
        answers: list[Json] = []
        for message in messages:
            if not isinstance(message, Request):
                self._take(session, message)
                continue
            quiet = Reply(send, headers=[], asking=None, streams=False)
            try:
                result = await self.conversation.answer(session.visit, message, quiet)
                answers.append({"jsonrpc": "2.0", "id": message.id, "result": result})
            except RpcError as error:
                answers.append({"jsonrpc": "2.0", "id": message.id, "error": error.to_json()})
        if answers:
            await send_json(send, dump(answers), 200, [])
        else:
            await send_empty(send, 202)

    async def _get(self, server: Server, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        """The stream of what an earlier server says unasked."""
        headers = _headers(scope)
        if "mcp-session-id" not in headers or headers.get("mcp-protocol-version") == MODERN:
            await send_empty(send, 405, [(b"allow", b"POST")])
            return
        session = await self.sessions.find(headers, caller, server.resource)
        reply = Reply(send, headers=[], asking=None, streams=True)
        unasked = session.streams.unasked
        found = session.streams.find(headers.get("last-event-id", ""))
        await reply.open()
        if found is not None and found[0] is not unasked:
            await self._again(*found, reply, receive, send)
            return
        for _, data in unasked.kept(found[1]) if found is not None else ():
            await reply.again(data)
        ending = [asyncio.create_task(one) for one in (_left(receive), _forever(self._stopping))]
        taking: asyncio.Task[Message | None] | None = None
        session.listening += 1
        try:
            while True:
                taking = asyncio.create_task(session.outbox.get())
                await asyncio.wait({taking, *ending}, return_when=asyncio.FIRST_COMPLETED)
                message = taking.result() if taking.done() else None
                if message is None:
                    break
                await reply.again(unasked.add(message))
        finally:
            session.listening -= 1
            reply.drop()
            await _end(*ending, *(() if taking is None else (taking,)))
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _again(self, stream: Stream, number: int, reply: Reply, receive: Receive, send: Send) -> None:
        """The rest of a stream that was cut off, while it lasts."""

        async def pump() -> None:
            async for data in stream.after(number):
                await reply.again(data)

        tasks = [asyncio.create_task(one) for one in (pump(), _left(receive), _forever(self._stopping))]
        stream.readers += 1
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stream.readers -= 1
            reply.drop()
            await _end(*tasks)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_modern(request: Request, headers: dict[str, str]) -> bool:
    """Which era a request is of: that of its body where it says so, else that of its header."""
    if META_VERSION in request.meta:
        return True
    version = headers.get("mcp-protocol-version")
    return request.method != "initialize" and (version == MODERN or request.method == "server/discover")


def _agree(request: Request, headers: dict[str, str]) -> None:
    """A revision that is not spoken is said to be so before anything else is found wrong with the request."""
    version = request.meta[META_VERSION]
    if headers.get("mcp-protocol-version", version) != version:
        raise RpcError(HEADER_MISMATCH, "the `mcp-protocol-version` header is not what the body says")
    if isinstance(version, str) and version != MODERN:
        raise unsupported(version)


def _check_version(headers: dict[str, str]) -> None:
    version = headers.get("mcp-protocol-version")
    if version is not None and version not in SUPPORTED:
        raise RpcError(INVALID_PARAMS, "the `MCP-Protocol-Version` header names no known revision", http_status=400)


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def _body(receive: Receive, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message: AsgiMessage = await receive()
        if message["type"] == "http.disconnect":
            raise RpcError(INVALID_REQUEST, "the body ended early")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise RpcError(INVALID_REQUEST, f"the message is larger than {limit} bytes", http_status=413)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def _finish(doing: asyncio.Task[JsonObject], request: Request, reply: Reply) -> None:
    """Answer what came of the work."""
    result, error = None, None
    try:
        result = doing.result()
    except RpcError as found:
        error = found
    except asyncio.CancelledError:
        error = RpcError(-32800, "the request was cancelled")
    except Exception as found:
        log.error("request_failed", extra=traced(found))
        error = RpcError(INTERNAL_ERROR, "the request failed inside the door; see the log")
    await reply.end(request.id, result, error)


async def _linger(doing: asyncio.Task[JsonObject], request: Request, reply: Reply, kept: Stream) -> None:
    """Work whose client was cut off goes on for as long as it may come back, and is kept for it."""
    try:
        while not doing.done():
            await asyncio.wait({doing}, timeout=LINGER_S)
            if not doing.done() and kept.readers == 0:
                break
        if doing.done():
            await _finish(doing, request, reply)
    finally:
        kept.close()
        await _end(doing)


async def _left(receive: Receive) -> None:
    """Until the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and see them end."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _forever(stopping: asyncio.Event) -> None:
    await stopping.wait()
