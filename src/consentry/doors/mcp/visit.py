"""Who is where: what every part of the door needs to know of a request. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from consentry.actions import Json, JsonObject
from consentry.doors.mcp.catalog import Catalog
from consentry.doors.mcp.client import Caller, Channel, Client
from consentry.doors.mcp.config import Server
from consentry.doors.mcp.wire import Notification

Listener = Callable[[Notification], None]


class Listeners(Protocol):
    """Who hears what a server says unasked."""

    def add(self, listener: Listener, /) -> None: ...

    def discard(self, listener: Listener, /) -> None: ...


class Upstream(Protocol):
    """A link to one server, or to several at once."""

    users: int
    unrelated: Channel | None

    @property
    def modern(self) -> bool: ...

    @property
    def capabilities(self) -> JsonObject: ...

    @property
    def info(self) -> JsonObject: ...

    @property
    def instructions(self) -> Json: ...

    @property
    def listeners(self) -> Listeners: ...

    @property
    def alive(self) -> bool: ...

    async def request(
        self, method: str, params: JsonObject, *, channel: Channel | None = None, schema: JsonObject | None = None
    ) -> JsonObject: ...

    async def notify(self, method: str, params: JsonObject) -> None: ...

    async def log_level(self, level: Json) -> None: ...

    async def subscribe(self, uri: str) -> None: ...

    async def unsubscribe(self, uri: str) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Visit:
    """One caller with one kind of client at one upstream server, or at several: then `members` are the visits there."""

    server: Server
    caller: Caller
    client: Client
    link: Upstream
    catalog: Catalog
    members: tuple[Visit, ...] = ()
