"""Every method of the protocol, for clients of either era in front of servers of either era."""

from __future__ import annotations

from collections.abc import Mapping

from consentry.actions import Action, Json, JsonObject
from consentry.consent.errors import UnknownAction
from consentry.doors.errors import UpstreamFailed
from consentry.doors.mcp import lens, pausing
from consentry.doors.mcp.calls import Calls
from consentry.doors.mcp.client import Channel
from consentry.doors.mcp.errors import METHOD_NOT_FOUND, UPSTREAM_FAILED, RpcError
from consentry.doors.mcp.gathering import gather, is_shared
from consentry.doors.mcp.keeper import Keeper
from consentry.doors.mcp.tasks import Tasks
from consentry.doors.mcp.visit import Visit
from consentry.doors.mcp.wire import (
    META_LOG_LEVEL,
    META_SERVER,
    SUPPORTED,
    TASKS,
    Request,
)
from consentry.errors import ConsentryError

PASSED = frozenset(
    {"resources/list", "resources/templates/list", "prompts/list", "prompts/get", "completion/complete"},
)
EARLIER = frozenset({"logging/setLevel", "resources/subscribe", "resources/unsubscribe", "ping"})
"""Methods that the present revision no longer has."""
TASK_METHODS = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})
CACHED = frozenset(
    {
        "server/discover",
        "tools/list",
        "prompts/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
    },
)
"""Results that say how long they may be kept. Ours depend on who asks and on policy of this moment: not at all."""


class Conversation:
    """Answers requests; the channel of each is its way back meanwhile."""

    def __init__(self, calls: Calls, tasks: Tasks, keeper: Keeper) -> None:
        self._calls = calls
        self._tasks = tasks
        self._keeper = keeper

    async def answer(self, visit: Visit, request: Request, channel: Channel) -> JsonObject:
        """The result. Raises `RpcError`, and nothing else that a caller could mend."""
        own = _Tokened(channel, request.meta.get("progressToken"))
        try:
            if visit.members and is_shared(request):
                result = await gather(visit, request, lambda one, asked: self._answer(one, asked, own), self._owner)
            else:
                result = await self._answer(visit, request, own)
        except UpstreamFailed as error:
            raise RpcError(UPSTREAM_FAILED, str(error), {"code": error.code}) from None
        except RpcError:
            raise
        except ConsentryError as error:
            if request.method != "tools/call":
                raise RpcError(-32603, f"{error} [{error.code}]", {"code": error.code}) from None
            result = pausing.failure(f"{error} [{error.code}]")
        return dressed(visit, request.method, result)

    async def _answer(self, visit: Visit, request: Request, channel: Channel) -> JsonObject:
        method, params = request.method, request.params
        if visit.client.modern:
            await visit.link.log_level(request.meta.get(META_LOG_LEVEL))
        if method == "tools/call":
            return await self._calls.call(visit, params, channel)
        if method == "tools/list":
            return await self._tools(visit)
        if method == "resources/read":
            return await self._calls.read(visit, params, channel)
        if method in PASSED:
            return await self._calls.plain(visit, method, _forwarded(params), channel)
        if method in TASK_METHODS and visit.client.modern:
            return await self._tasks.answer(visit, method, params)
        if visit.client.modern:
            if method == "server/discover":
                return self._discovered(visit)
        elif method in EARLIER:
            return await self._earlier(visit, method, params)
        raise RpcError(METHOD_NOT_FOUND, f"`{method[:100]}` is not a method of this server")

    async def _owner(self, action_id: str) -> str | None:
        try:
            return (await self._keeper.action(action_id)).resource
        except UnknownAction:
            return None

    async def _earlier(self, visit: Visit, method: str, params: JsonObject) -> JsonObject:
        if method == "resources/subscribe":
            await visit.link.subscribe(str(params.get("uri")))
        elif method == "resources/unsubscribe":
            await visit.link.unsubscribe(str(params.get("uri")))
        elif method == "logging/setLevel" and not visit.link.modern:
            return await visit.link.request(method, _forwarded(params))
        return {}

    async def _tools(self, visit: Visit) -> JsonObject:
        """The tools that policy would not deny to this caller, under their names here, and the door's own."""
        shown: list[Json] = []
        for tool in (await visit.catalog.tools()).values():
            action = Action(
                visit.caller.actor,
                lens.OPERATION,
                visit.server.resource,
                {"tool": tool.name, "arguments": {}},
                (lens.operand(visit.server, tool.name, tool.definition),),
            )
            if await self._keeper.could_be(action, lens.listed_facts(visit.server, tool.name, tool.definition)):
                shown.append({**tool.definition, "name": visit.server.prefix + tool.name})
        return {"tools": [*shown, *pausing.own_tools()] if shown and not visit.client.takes_tasks else shown}

    def _discovered(self, visit: Visit) -> JsonObject:
        found: dict[str, Json] = {"supportedVersions": list(SUPPORTED), "capabilities": capabilities(visit)}
        if visit.link.instructions is not None:
            found["instructions"] = visit.link.instructions
        return found


def initialized(visit: Visit) -> JsonObject:
    """The answer to an `initialize` handshake."""
    found: dict[str, Json] = {
        "protocolVersion": visit.client.version,
        "capabilities": capabilities(visit),
        "serverInfo": server_info(visit),
    }
    if visit.link.instructions is not None:
        found["instructions"] = visit.link.instructions
    return found


def capabilities(visit: Visit) -> dict[str, Json]:
    """What the server behind can do, with tasks as the door's own way to wait."""
    known = ("logging", "completions", "prompts", "resources", "tools", "experimental")
    found = {name: visit.link.capabilities[name] for name in known if name in visit.link.capabilities}
    if visit.client.modern:
        theirs = visit.link.capabilities.get("extensions")
        found["extensions"] = {**(theirs if isinstance(theirs, Mapping) else {}), TASKS: {}}
        found.pop("experimental", None)
    return found


def server_info(visit: Visit) -> dict[str, Json]:
    """The server behind, as it names itself: what clients show their users."""
    return {"name": visit.server.resource, "version": "0", **visit.link.info}


def dressed(visit: Visit, method: str, result: JsonObject) -> JsonObject:
    """A result as the client's revision writes it."""
    if not visit.client.modern:
        return {name: item for name, item in result.items() if name not in ("resultType", "ttlMs", "cacheScope")}
    meta = result.get("_meta")
    full: dict[str, Json] = {"resultType": "complete", **result}
    full["_meta"] = {**(meta if isinstance(meta, Mapping) else {}), META_SERVER: server_info(visit)}
    if method in CACHED and full["resultType"] == "complete":
        full |= {"ttlMs": 0, "cacheScope": "private"}
    return full


def _forwarded(params: JsonObject) -> JsonObject:
    """Parameters without what the protocol itself put there: the link writes that anew."""
    meta = params.get("_meta")
    if not isinstance(meta, Mapping):
        return params
    own = {name: item for name, item in meta.items() if not name.startswith("io.modelcontextprotocol/")}
    return {**params, "_meta": own}


class _Tokened:
    """A channel that reports progress under the client's own token, and none where it asked for none."""

    def __init__(self, channel: Channel, token: Json) -> None:
        self._channel = channel
        self._token = token

    async def notify(self, method: str, params: JsonObject) -> None:
        if method == "notifications/progress":
            if self._token is None:
                return
            params = {**params, "progressToken": self._token}
        await self._channel.notify(method, params)

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        return await self._channel.ask(method, params)
