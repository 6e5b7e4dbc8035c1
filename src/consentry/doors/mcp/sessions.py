"""Sessions of the earlier revisions: made by `initialize`, named by us, and good for their own caller only."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Mapping

from consentry.actions import JsonObject
from consentry.doors.errors import UpstreamBroke
from consentry.doors.mcp.client import Caller
from consentry.doors.mcp.errors import INVALID_REQUEST, METHOD_NOT_FOUND, RpcError
from consentry.doors.mcp.links import Links
from consentry.doors.mcp.streams import Streams
from consentry.doors.mcp.visit import Visit
from consentry.doors.mcp.wire import Id, Message, Notification, Request, Response

IDLE_S = 3600.0
SWEEP_S = 60.0
QUEUE = 1000
"""How many messages wait for a client that does not listen; older ones are dropped."""


class Session:
    """One client of an earlier revision, with an upstream link of its own."""

    def __init__(self, visit: Visit) -> None:
        self.id = secrets.token_urlsafe(32)
        self.visit = visit
        self.used_at = asyncio.get_running_loop().time()
        self.outbox: asyncio.Queue[Message | None] = asyncio.Queue(QUEUE)
        self.listening = 0
        self.streams = Streams()
        self.working: dict[Id, asyncio.Task[object]] = {}
        self._asked: dict[Id, asyncio.Future[JsonObject]] = {}
        visit.link.listeners.add(self.put)
        visit.link.unrelated = self
        visit.link.users += 1

    def put(self, message: Message) -> None:
        """Keep a message for the client's stream."""
        if self.outbox.full():
            with contextlib.suppress(asyncio.QueueEmpty):
                self.outbox.get_nowait()
        self.outbox.put_nowait(message)

    async def notify(self, method: str, params: JsonObject) -> None:
        self.put(Notification(method, params))

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        """What the server asks outside of any request goes to the client's stream."""
        part = {"sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots"}
        may = part.get(method) in self.visit.server.ask and method != "sampling/createMessage"
        if not self.listening or not may or not self.visit.client.answers(method):
            raise RpcError(METHOD_NOT_FOUND, "the client does not answer this")
        request = Request(f"ask-{secrets.token_hex(8)}", method, params)
        answer: asyncio.Task[JsonObject] = asyncio.create_task(self.asking(request))
        await asyncio.sleep(0)
        self.put(request)
        found: JsonObject = await answer
        return found

    async def asking(self, request: Request) -> JsonObject:
        """Until the client has answered a question of this id."""
        future: asyncio.Future[JsonObject] = asyncio.get_running_loop().create_future()
        self._asked[request.id] = future
        try:
            return await future
        finally:
            del self._asked[request.id]

    def answered(self, response: Response) -> None:
        """The client's answer; one to nothing asked is ignored."""
        future = self._asked.get(response.id) if response.id is not None else None
        if future is None or future.done():
            return
        if response.error is not None:
            future.set_exception(response.error)
        else:
            future.set_result(response.result or {})

    def told(self, message: Notification) -> None:
        """What a client of an earlier revision tells. Cancelling ends the waiting, never a stored request."""
        if message.method == "notifications/cancelled":
            one_id = message.params.get("requestId")
            task = self.working.get(one_id) if isinstance(one_id, str | int) else None
            if task is not None:
                task.cancel()
        elif message.method == "notifications/roots/list_changed" and not self.visit.link.modern:
            task = asyncio.create_task(self._pass(message))
            self.working[f"told-{id(task)}"] = task
            task.add_done_callback(lambda done: self.working.pop(f"told-{id(done)}", None))

    async def _pass(self, message: Notification) -> None:
        with contextlib.suppress(UpstreamBroke):
            await self.visit.link.notify(message.method, message.params)

    async def close(self) -> None:
        for task in list(self.working.values()):
            task.cancel()
        self.visit.link.users -= 1
        await self.visit.link.close()
        if self.outbox.full():
            self.outbox.get_nowait()
        self.outbox.put_nowait(None)


class Sessions:
    """All of them. They do not outlive the process: clients begin anew, and what waits for people is in the store."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._open: dict[str, Session] = {}
        self._sweeping: asyncio.Task[None] | None = None

    def begin(self, visit: Visit) -> Session:
        """A session around an opened link."""
        session = Session(visit)
        self._open[session.id] = session
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep_for_ever())
        return session

    async def find(self, headers: Mapping[str, str], caller: Caller, resource: str) -> Session:
        """The session that a request names. Raises `RpcError`: 404 for somebody else's as for none (threat B14)."""
        name = headers.get("mcp-session-id")
        if name is None:
            raise RpcError(INVALID_REQUEST, "the `Mcp-Session-Id` header is missing: begin with `initialize`")
        session = self._open.get(name)
        if session is None or session.visit.caller.actor != caller.actor or session.visit.server.resource != resource:
            raise RpcError(INVALID_REQUEST, "there is no such session: begin with `initialize`", http_status=404)
        session.used_at = asyncio.get_running_loop().time()
        if not session.visit.link.alive:
            await self.end(session)
            raise RpcError(INVALID_REQUEST, "the upstream server has ended: begin with `initialize`", http_status=404)
        return session

    async def end(self, session: Session) -> None:
        self._open.pop(session.id, None)
        await session.close()

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        await asyncio.gather(*(one.close() for one in self._open.values()))
        self._open.clear()

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            before = asyncio.get_running_loop().time() - IDLE_S
            for session in list(self._open.values()):
                if session.used_at < before and not session.working and not session.listening:
                    await self.end(session)
