"""What an upstream server says of its tools, kept until it says that this has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from consentry.actions import Json, JsonObject
from consentry.doors.errors import UpstreamBroke
from consentry.doors.mcp.link import Link
from consentry.doors.mcp.pausing import CANCEL, WAIT
from consentry.doors.mcp.wire import Notification

FRESH_S = 60.0
"""How long definitions count as current without a word from the server. Before a claim they are always read anew."""
MAX_PAGES = 100


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. `name` is the server's own; `definition` all that it says of it."""

    name: str
    definition: JsonObject

    @property
    def schema(self) -> JsonObject:
        found = self.definition.get("inputSchema")
        return found if isinstance(found, Mapping) else {}

    @property
    def promises_structure(self) -> bool:
        return "outputSchema" in self.definition


class Catalog:
    """The tools of one link. A list that names a tool twice, or like one of ours, has only the first or none."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._tools: dict[str, Tool] | None = None
        self._read_at = 0.0
        self._reading = asyncio.Lock()
        link.listeners.add(self._hear)

    async def tools(self, *, fresh: bool = False) -> Mapping[str, Tool]:
        """The tools by name. Raises `RpcError`, `UpstreamFailed`."""
        clock = asyncio.get_running_loop().time
        if not fresh and self._tools is not None and clock() - self._read_at < FRESH_S:
            return self._tools
        asked_at = clock()
        async with self._reading:
            if self._tools is None or self._read_at < asked_at:
                self._tools, self._read_at = await self._read(), asked_at
            return self._tools

    async def find(self, name: str, *, fresh: bool = False) -> Tool | None:
        """The tool of that name. One that is not known yet may be new."""
        tool = (await self.tools(fresh=fresh)).get(name)
        return tool if tool is not None or fresh else (await self.tools(fresh=True)).get(name)

    async def _read(self) -> dict[str, Tool]:
        found: dict[str, Tool] = {}
        cursor: Json = None
        if "tools" not in self._link.capabilities:
            return found
        for _ in range(MAX_PAGES):
            page = await self._link.request("tools/list", {} if cursor is None else {"cursor": cursor})
            tools = page.get("tools")
            if not isinstance(tools, list):
                raise UpstreamBroke("the upstream server's list of tools cannot be read")
            for one in tools:
                if isinstance(one, Mapping) and isinstance(one.get("name"), str) and one["name"] not in (WAIT, CANCEL):
                    found.setdefault(one["name"], Tool(one["name"], one))
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str):
                return found
        raise UpstreamBroke("the upstream server's list of tools does not end")

    def _hear(self, message: Notification) -> None:
        if message.method == "notifications/tools/list_changed":
            self._tools = None
