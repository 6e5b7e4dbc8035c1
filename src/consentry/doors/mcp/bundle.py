"""Several upstream servers as one: the link of a visit to all of them, and the names by which each is found."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from consentry.actions import Json, JsonObject
from consentry.doors.errors import UpstreamFailed
from consentry.doors.mcp.client import Channel
from consentry.doors.mcp.errors import INVALID_PARAMS, RpcError
from consentry.doors.mcp.visit import Listener, Visit
from consentry.doors.mcp.wire import Notification

UPDATED = "notifications/resources/updated"


def by_name(members: tuple[Visit, ...], name: str) -> Visit | None:
    """Whose tool or prompt this is: the one with the longest prefix that fits."""
    fitting = [one for one in members if name.startswith(one.server.prefix)]
    return max(fitting, key=lambda one: len(one.server.prefix), default=None)


def by_uri(members: tuple[Visit, ...], uri: str) -> tuple[Visit, str]:
    """Whose resource this is, and its address there. Raises `RpcError`."""
    owner, _, rest = uri.partition("+")
    for one in members:
        if one.server.resource == owner:
            return one, rest
    raise RpcError(INVALID_PARAMS, "no server here has this resource: its address must be one that a list gave")


def outer(member: Visit, uri: str) -> str:
    """A resource's address at the common door. `NAME+SCHEME:…` is still an address (RFC 3986, section 3.1)."""
    return f"{member.server.resource}+{uri}"


class _All:
    """Adds and removes listeners at every server; what they hear names resources as they are called here."""

    def __init__(self, members: tuple[Visit, ...]) -> None:
        self._members = members
        self._own: dict[Listener, list[tuple[Visit, Listener]]] = {}

    def add(self, listener: Listener, /) -> None:
        self._own[listener] = own = [(one, _renaming(one, listener)) for one in self._members]
        for one, mine in own:
            one.link.listeners.add(mine)

    def discard(self, listener: Listener, /) -> None:
        for one, mine in self._own.pop(listener, ()):
            one.link.listeners.discard(mine)


def _renaming(member: Visit, listener: Listener) -> Listener:
    def hear(message: Notification) -> None:
        if message.method == UPDATED:
            uri = outer(member, str(message.params.get("uri")))
            message = Notification(message.method, {**message.params, "uri": uri})
        listener(message)

    return hear


class Bundle:
    """See `visit.Upstream`."""

    def __init__(self, members: tuple[Visit, ...]) -> None:
        self._members = members
        self._users = 0
        self.listeners = _All(members)
        self.modern = all(one.link.modern for one in members)
        self.info: JsonObject = {}

    @property
    def capabilities(self) -> JsonObject:
        """What any of them can do."""
        found: dict[str, Json] = {}
        for one in self._members:
            for name, item in one.link.capabilities.items():
                before = found.get(name)
                both = isinstance(before, Mapping) and isinstance(item, Mapping)
                found[name] = {**before, **item} if both else item  # type: ignore[dict-item]
        return found

    @property
    def instructions(self) -> Json:
        texts = [f"{one.server.resource}: {one.link.instructions}" for one in self._members if one.link.instructions]
        return "\n\n".join(texts) or None

    @property
    def alive(self) -> bool:
        return all(one.link.alive for one in self._members)

    @property
    def users(self) -> int:
        return self._users

    @users.setter
    def users(self, count: int) -> None:
        for one in self._members:
            one.link.users += count - self._users
        self._users = count

    @property
    def unrelated(self) -> Channel | None:
        return self._members[0].link.unrelated

    @unrelated.setter
    def unrelated(self, channel: Channel | None) -> None:
        for one in self._members:
            one.link.unrelated = channel

    async def request(
        self, method: str, params: JsonObject, *, channel: Channel | None = None, schema: JsonObject | None = None
    ) -> JsonObject:
        """Of all at once, for what has no answer worth keeping."""
        for one in self._members:
            if not one.link.modern:
                with contextlib.suppress(RpcError, UpstreamFailed):
                    await one.link.request(method, params, channel=channel, schema=schema)
        return {}

    async def notify(self, method: str, params: JsonObject) -> None:
        for one in self._members:
            await one.link.notify(method, params)

    async def log_level(self, level: Json) -> None:
        for one in self._members:
            await one.link.log_level(level)

    async def subscribe(self, uri: str) -> None:
        member, inner = by_uri(self._members, uri)
        await member.link.subscribe(inner)

    async def unsubscribe(self, uri: str) -> None:
        member, inner = by_uri(self._members, uri)
        await member.link.unsubscribe(inner)

    async def close(self) -> None:
        await asyncio.gather(*(one.link.close() for one in self._members))
