"""A conversation with one upstream server, in whichever era it lives, over whichever pipe reaches it.

The link numbers requests, ties what comes back to what was asked, and speaks either the handshake of the earlier
revisions or the metadata on every request of the present one. Callers' tokens never come here: a link knows only the
credentials of its settings.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from consentry.actions import Json, JsonObject
from consentry.doors.errors import UpstreamBroke, UpstreamFailed, UpstreamSlow
from consentry.doors.mcp.client import Channel, Client
from consentry.doors.mcp.config import Server
from consentry.doors.mcp.errors import INTERNAL_ERROR, METHOD_NOT_FOUND, UNSUPPORTED_VERSION, RpcError
from consentry.doors.mcp.wire import (
    LEGACY,
    META_CAPABILITIES,
    META_CLIENT,
    META_VERSION,
    MODERN,
    Id,
    Message,
    Notification,
    Request,
    Response,
)

PROBE_S = 10.0
INFO: JsonObject = {"name": "consentry", "version": "1"}
Listener = Callable[[Notification], None]


class Pipe(Protocol):
    """How bytes reach an upstream server. Each failure is an `UpstreamFailed`."""

    alive: bool

    async def start(self, incoming: Callable[[Message, Id | None], None], broken: Callable[[Exception], None]) -> None:
        """Connect. `incoming` is told of every message and, where the pipe knows, to which request it belongs."""

    async def send(self, message: Message, *, schema: JsonObject | None = None) -> None:
        """Deliver one message. A pipe that gets answers on the same connection returns once they were told."""

    def settle_era(self, version: str) -> None:
        """Which revision is spoken from now on."""

    async def listen(self) -> None:
        """Begin to hear what the server says unasked, where that takes a connection of its own."""

    async def close(self) -> None:
        """Hang up; end what was started."""


@dataclass(slots=True)
class Flight:
    """A request on its way."""

    answer: asyncio.Future[JsonObject]
    channel: Channel | None
    token: Json


class Link:
    """See the module. Open with `Link.open`; used by one caller and one kind of client."""

    def __init__(self, pipe: Pipe, server: Server, client: Client) -> None:
        self.server = server
        self.modern = False
        self.capabilities: JsonObject = {}
        self.info: JsonObject = {}
        self.instructions: Json = None
        self.listeners: set[Listener] = set()
        self.users = 0
        """How many streams and sessions listen; one that nobody uses may be closed."""
        self.unrelated: Channel | None = None
        """Who is asked what belongs to no request: the session's own stream, where there is one."""
        self._pipe = pipe
        self._client = client
        self._ids = itertools.count(1)
        self._flights: dict[Id, Flight] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._level: Json = None
        self._subscribed: Counter[str] = Counter()
        self._watches: dict[str, asyncio.Task[None]] = {}

    @classmethod
    async def open(cls, pipe: Pipe, server: Server, client: Client) -> Link:
        """Connect and agree on a revision. Raises `UpstreamFailed` or `RpcError`."""
        link = cls(pipe, server, client)
        try:
            async with asyncio.timeout(server.timeout_s):
                await pipe.start(link._incoming, link._broken)
                await link._agree()
        except TimeoutError:
            await link.close()
            raise UpstreamSlow("the upstream server did not answer the greeting in time") from None
        except BaseException:
            await link.close()
            raise
        return link

    @property
    def alive(self) -> bool:
        return self._pipe.alive

    @property
    def busy(self) -> bool:
        return self.users > 0 or len(self._flights) > len(self._watches)

    async def close(self) -> None:
        """Hang up. Requests on their way fail."""
        for task in list(self._tasks):
            task.cancel()
        self._broken(UpstreamBroke("the connection to the upstream server was closed"))
        await self._pipe.close()

    async def request(
        self,
        method: str,
        params: JsonObject,
        *,
        channel: Channel | None = None,
        schema: JsonObject | None = None,
        for_ever: bool = False,
    ) -> JsonObject:
        """Ask, and wait for the answer. Raises `RpcError` for the server's own error, else `UpstreamFailed`."""
        number = next(self._ids)
        meta = params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, Mapping) else None
        flight = Flight(asyncio.get_running_loop().create_future(), channel, token)
        self._flights[number] = flight
        request = Request(number, method, self._dressed(params, None if token is None else number))
        try:
            async with asyncio.timeout(None if for_ever else self.server.timeout_s):
                await self._pipe.send(request, schema=schema)
                return await flight.answer
        except TimeoutError:
            self._give_up(number)
            raise UpstreamSlow("the upstream server took too long to answer") from None
        except asyncio.CancelledError:
            self._give_up(number)
            raise
        finally:
            del self._flights[number]
            if flight.answer.done() and not flight.answer.cancelled():
                flight.answer.exception()  # looked at, whether or not somebody still waited

    async def notify(self, method: str, params: JsonObject) -> None:
        """Tell the server something."""
        await self._pipe.send(Notification(method, params))

    async def log_level(self, level: Json) -> None:
        """How much an earlier server logs: clients of the present revision say it with each request."""
        if level is None or level == self._level or self.modern or "logging" not in self.capabilities:
            return
        self._level = level
        with contextlib.suppress(RpcError):
            await self.request("logging/setLevel", {"level": level})

    async def subscribe(self, uri: str) -> None:
        """Have the server tell of changes of a resource, for one more listener. Raises like `request`."""
        self._subscribed[uri] += 1
        if self._subscribed[uri] > 1:
            return
        if self.modern:
            self._watch(uri, {"resourceSubscriptions": [uri]})
        else:
            await self.request("resources/subscribe", {"uri": uri})

    async def unsubscribe(self, uri: str) -> None:
        """One listener less."""
        self._subscribed[uri] -= 1
        if self._subscribed[uri] > 0:
            return
        del self._subscribed[uri]
        if (watch := self._watches.pop(uri, None)) is not None:
            watch.cancel()
        elif self.alive and not self.modern:
            with contextlib.suppress(RpcError, UpstreamFailed):
                await self.request("resources/unsubscribe", {"uri": uri})

    def _watch(self, key: str, wanted: JsonObject) -> None:
        """Keep a subscription of the present revision open; taken up again where the server drops it."""

        async def watch() -> None:
            pause = 1.0
            while self.alive:
                with contextlib.suppress(UpstreamFailed):
                    try:
                        await self.request("subscriptions/listen", {"notifications": wanted}, for_ever=True)
                    except RpcError:
                        return  # the server has no such thing
                await asyncio.sleep(pause)
                pause = min(30.0, pause * 2)

        task = asyncio.create_task(watch())
        self._watches[key] = task
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Agreeing on a revision.

    async def _agree(self) -> None:
        first, second = (
            (self._discover, self._initialize) if self._client.modern else (self._initialize, self._discover)
        )
        try:
            await first()
        except (RpcError, UpstreamSlow, UpstreamBroke) as error:
            if isinstance(error, UpstreamBroke) and not self._pipe.alive:
                raise
            await second()
        await self._pipe.listen()
        if self.modern and (wanted := self._changes()):
            self._watch("", wanted)

    def _changes(self) -> dict[str, Json]:
        """The changes of lists that the server can tell of."""
        return {
            f"{part}ListChanged": True
            for part in ("tools", "prompts", "resources")
            if isinstance(one := self.capabilities.get(part), Mapping) and one.get("listChanged")
        }

    async def _discover(self) -> None:
        self.modern = True
        self._pipe.settle_era(MODERN)
        try:
            async with asyncio.timeout(PROBE_S):
                found = await self.request("server/discover", {})
        except TimeoutError:
            self.modern = False
            raise UpstreamSlow("the upstream server did not answer `server/discover`") from None
        except (RpcError, UpstreamFailed):
            self.modern = False
            raise
        versions = found.get("supportedVersions")
        if not isinstance(versions, list) or MODERN not in versions:
            self.modern = False
            raise RpcError(UNSUPPORTED_VERSION, "the upstream server speaks another revision")
        self._learn(found, found.get("_meta"))

    async def _initialize(self) -> None:
        self.modern = False
        version = LEGACY[0] if self._client.modern else self._client.version
        self._pipe.settle_era("")
        found = await self.request(
            "initialize",
            {"protocolVersion": version, "capabilities": self._capabilities(), "clientInfo": INFO},
        )
        self._pipe.settle_era(str(found.get("protocolVersion", version)))
        self._learn(found, found)
        await self.notify("notifications/initialized", {})

    def _learn(self, found: JsonObject, about: Json) -> None:
        capabilities = found.get("capabilities")
        self.capabilities = capabilities if isinstance(capabilities, Mapping) else {}
        self.instructions = found.get("instructions")
        info = about if isinstance(about, Mapping) else {}
        named = info.get("serverInfo", info.get("io.modelcontextprotocol/serverInfo"))
        self.info = named if isinstance(named, Mapping) else {}

    def _capabilities(self) -> dict[str, Json]:
        """What the client can do, as far as the settings let the server ask for it."""
        return {name: item for name, item in self._client.capabilities.items() if name in self.server.ask}

    def _dressed(self, params: JsonObject, token: int | None) -> JsonObject:
        """The parameters with our own metadata: our progress token, and what the present revision asks for."""
        given = params.get("_meta")
        meta: dict[str, Json] = dict(given) if isinstance(given, Mapping) else {}
        meta.pop("progressToken", None)
        if token is not None:
            meta["progressToken"] = token
        if self.modern:
            meta |= {META_VERSION: MODERN, META_CLIENT: INFO, META_CAPABILITIES: self._capabilities()}
        rest = {name: item for name, item in params.items() if name != "_meta"}
        return {**rest, "_meta": meta} if meta else rest

    # What comes back.

    def _incoming(self, message: Message, about: Id | None) -> None:
        if isinstance(message, Response):
            flight = self._flights.get(message.id) if message.id is not None else None
            if flight is not None and not flight.answer.done():
                if message.error is not None:
                    flight.answer.set_exception(message.error)
                else:
                    flight.answer.set_result(message.result or {})
        elif isinstance(message, Notification):
            self._heard(message, about)
        else:
            self._start(self._asked(message, about))

    def _heard(self, message: Notification, about: Id | None) -> None:
        if message.method == "notifications/progress":
            token = message.params.get("progressToken")
            flight = self._flights.get(token) if isinstance(token, int) else None
            if flight is not None and flight.channel is not None:
                self._start(flight.channel.notify(message.method, {**message.params, "progressToken": flight.token}))
            return
        channel = self._related(about)
        if message.method == "notifications/message" and channel is not None:
            self._start(channel.notify(message.method, message.params))
            return
        for listener in list(self.listeners):
            listener(message)

    async def _asked(self, request: Request, about: Id | None) -> None:
        """The server asks the client something: answered by the client, never by us."""
        answer: Response
        try:
            if request.method == "ping":
                answer = Response(request.id, {})
            else:
                channel = self._related(about) or self.unrelated
                if channel is None:
                    raise RpcError(METHOD_NOT_FOUND, "nobody is there to ask")
                answer = Response(request.id, await channel.ask(request.method, request.params))
        except RpcError as error:
            answer = Response(request.id, error=error)
        except Exception:
            answer = Response(request.id, error=RpcError(INTERNAL_ERROR, "the question could not be answered"))
        with contextlib.suppress(UpstreamFailed):
            await self._pipe.send(answer)

    def _related(self, about: Id | None) -> Channel | None:
        """The channel of the request that a message belongs to: the one the pipe knows, else the latest."""
        flight = self._flights.get(about) if about is not None else None
        if flight is not None and flight.channel is not None:
            return flight.channel
        open_ones = [one.channel for one in self._flights.values() if one.channel is not None]
        return open_ones[-1] if open_ones else None

    def _broken(self, error: Exception) -> None:
        for flight in self._flights.values():
            if not flight.answer.done():
                flight.answer.set_exception(error)

    def _give_up(self, number: int) -> None:
        """Tell the server that nobody waits for this answer any more."""
        if self._pipe.alive:
            self._start(self._say_cancelled(number))

    async def _say_cancelled(self, number: int) -> None:
        with contextlib.suppress(UpstreamFailed):
            await self.notify("notifications/cancelled", {"requestId": number, "reason": "nobody waits any more"})

    def _start(self, work: object) -> None:
        assert asyncio.iscoroutine(work)
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
