"""Links to upstream servers: who gets which, and when an idle one is closed."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from consentry.actions import Json, canonical
from consentry.doors.errors import UpstreamFailed
from consentry.doors.mcp.bundle import Bundle
from consentry.doors.mcp.catalog import Catalog
from consentry.doors.mcp.client import Caller, Client
from consentry.doors.mcp.config import Server
from consentry.doors.mcp.errors import RpcError
from consentry.doors.mcp.http_pipe import HttpPipe
from consentry.doors.mcp.link import Link, Pipe
from consentry.doors.mcp.stdio_pipe import StdioPipe
from consentry.doors.mcp.visit import Visit

IDLE_S = 600.0
SWEEP_S = 30.0


@dataclass(slots=True)
class _Slot:
    """One kept link, and the lock under which it is opened again."""

    opening: asyncio.Lock = field(default_factory=asyncio.Lock)
    link: Link | None = None
    catalog: Catalog | None = None
    used_at: float = 0.0


class Links:
    """Opens links. A client of the present revision has no session: it shares a link with its own other requests.

    INVARIANT: no two callers share a link, so that what a server remembers of one cannot reach another.
    """

    def __init__(self) -> None:
        self._slots: dict[str, _Slot] = {}
        self._http: aiohttp.ClientSession | None = None
        self._sweeping: asyncio.Task[None] | None = None

    async def visit(self, server: Server, caller: Caller, client: Client) -> Visit:
        """The caller's shared link to a server, opened where it is not. Raises `UpstreamFailed`, `RpcError`."""
        if server.members:
            return await _together(server, caller, client, self.visit)
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep_for_ever())
        slot = self._slots.setdefault(_key(server, caller, client), _Slot())
        slot.used_at = asyncio.get_running_loop().time()
        if slot.link is None or not slot.link.alive:
            async with slot.opening:
                if slot.link is None or not slot.link.alive:
                    if slot.link is not None:
                        await slot.link.close()
                    slot.link = await Link.open(self._pipe(server), server, client)
                    slot.catalog = Catalog(slot.link)
        assert slot.catalog is not None
        return Visit(server, caller, client, slot.link, slot.catalog)

    async def own(self, server: Server, caller: Caller, client: Client) -> Visit:
        """A link for one session alone; whoever opens it closes it."""
        if server.members:
            return await _together(server, caller, client, self.own)
        link = await Link.open(self._pipe(server), server, client)
        return Visit(server, caller, client, link, Catalog(link))

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        await asyncio.gather(*(one.link.close() for one in self._slots.values() if one.link is not None))
        self._slots.clear()
        if self._http is not None:
            await self._http.close()

    def _pipe(self, server: Server) -> Pipe:
        if server.url is None:
            return StdioPipe(server)
        if self._http is None:
            self._http = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=10),
                read_bufsize=1 << 18,
                trust_env=False,
            )
        return HttpPipe(server, self._http)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            before = asyncio.get_running_loop().time() - IDLE_S
            for key, slot in list(self._slots.items()):
                if slot.used_at < before and not slot.opening.locked() and (slot.link is None or not slot.link.busy):
                    del self._slots[key]
                    if slot.link is not None:
                        await slot.link.close()


async def _together(
    server: Server, caller: Caller, client: Client, open_one: Callable[[Server, Caller, Client], Awaitable[Visit]]
) -> Visit:
    """A visit to several servers. One that is away is left out for now; raises what the last one did if all are."""
    found = await asyncio.gather(
        *(open_one(member, caller, client) for member in server.members), return_exceptions=True
    )
    members = tuple(one for one in found if isinstance(one, Visit))
    for error in found:
        if isinstance(error, BaseException) and (not members or not isinstance(error, UpstreamFailed | RpcError)):
            raise error
    return Visit(server, caller, client, Bundle(members), members[0].catalog, members)


def _key(server: Server, caller: Caller, client: Client) -> str:
    """A link's server, caller and what the client declared of itself."""
    known = {name: item for name, item in client.capabilities.items() if name in server.ask}
    level = client.capabilities.get("extensions")
    parts: dict[str, Json] = {
        "server": server.resource,
        "actor": caller.actor.to_json(),
        "version": client.version,
        "capabilities": known,
        "extensions": sorted(level) if isinstance(level, Mapping) else [],
    }
    return hashlib.sha256(canonical(parts, what="capabilities")).hexdigest()
