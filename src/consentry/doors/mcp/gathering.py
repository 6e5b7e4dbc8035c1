"""One request to several servers: routed to the one whose name it bears, or asked of all and put together."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from consentry.actions import Json, JsonObject
from consentry.doors.errors import UpstreamFailed
from consentry.doors.mcp import pausing
from consentry.doors.mcp.bundle import by_name, by_uri, outer
from consentry.doors.mcp.catalog import MAX_PAGES
from consentry.doors.mcp.errors import INVALID_PARAMS, RpcError
from consentry.doors.mcp.visit import Visit
from consentry.doors.mcp.wire import Request
from consentry.errors import coded

log = logging.getLogger("consentry.mcp")
LISTS = {
    "tools/list": ("tools", "tools"),
    "prompts/list": ("prompts", "prompts"),
    "resources/list": ("resources", "resources"),
    "resources/templates/list": ("resources", "resourceTemplates"),
}
"""Methods that list: the capability that they need, and what they list."""
NAMED = frozenset({"tools/call", "prompts/get"})
ADDRESSED = frozenset({"resources/read", "resources/subscribe", "resources/unsubscribe"})
OWN = frozenset({pausing.WAIT, pausing.CANCEL})
Ask = Callable[[Visit, Request], Awaitable[JsonObject]]
Owner = Callable[[str], Awaitable[str | None]]
"""The resource that an action is about, by the action's id."""


def is_shared(request: Request) -> bool:
    """Whether servers answer it, and not the door itself."""
    return request.method in LISTS.keys() | NAMED | ADDRESSED | {"completion/complete"} or request.method.startswith(
        "tasks/"
    )


async def gather(visit: Visit, request: Request, ask: Ask, owner: Owner) -> JsonObject:
    """The answer of those whom it concerns. Raises `RpcError`, `UpstreamFailed`, and what `ask` raises."""
    if request.method in LISTS:
        return await _listed(visit, request, ask)
    member, params = await _addressee(visit, request, owner)
    return _outwards(member, await ask(member, replace(request, params=params)))


async def _addressee(visit: Visit, request: Request, owner: Owner) -> tuple[Visit, JsonObject]:
    """Who is meant, and the parameters as they are written there."""
    params = request.params
    if request.method.startswith("tasks/"):
        return await _of_action(visit, params.get("taskId"), owner), params
    if request.method in ADDRESSED:
        member, uri = by_uri(visit.members, str(params.get("uri")))
        return member, {**params, "uri": uri}
    if request.method == "completion/complete":
        return _reference(visit, params)
    name = str(params.get("name"))
    if name in OWN:
        given = params.get("arguments")
        return await _of_action(visit, given.get("id") if isinstance(given, Mapping) else None, owner), params
    member = _named(visit, name)
    if request.method == "tools/call":
        return member, params  # the door takes its prefix off by itself
    return member, {**params, "name": name.removeprefix(member.server.prefix)}


async def _of_action(visit: Visit, action_id: Json, owner: Owner) -> Visit:
    resource = await owner(str(action_id))
    return next((one for one in visit.members if one.server.resource == resource), visit.members[0])


def _named(visit: Visit, name: str) -> Visit:
    member = by_name(visit.members, name)
    if member is None:
        known = ", ".join(f"`{one.server.prefix}`" for one in visit.members)
        raise RpcError(INVALID_PARAMS, f"there is no `{name[:128]}` here: names begin with {known}")
    return member


def _reference(visit: Visit, params: JsonObject) -> tuple[Visit, JsonObject]:
    ref = params.get("ref")
    if not isinstance(ref, Mapping):
        raise RpcError(INVALID_PARAMS, "`ref` must say what is to be completed")
    if "uri" in ref:
        member, uri = by_uri(visit.members, str(ref["uri"]))
        return member, {**params, "ref": {**ref, "uri": uri}}
    member = _named(visit, str(ref.get("name")))
    return member, {**params, "ref": {**ref, "name": str(ref.get("name")).removeprefix(member.server.prefix)}}


async def _listed(visit: Visit, request: Request, ask: Ask) -> JsonObject:
    """Everybody's list in one, without pages; a server that is away has nothing on it."""
    capability, part = LISTS[request.method]
    found: list[Json] = []
    own: list[Json] = []
    for member in visit.members:
        if capability not in member.link.capabilities:
            continue
        try:
            items = await _pages(member, request, part, ask)
        except (RpcError, UpstreamFailed) as error:
            log.warning("member_not_listed", extra=coded(error.code, server=member.server.resource))
            continue
        for one in items:
            if isinstance(one, Mapping) and one.get("name") in OWN and part == "tools":
                own = own if one in own else [*own, one]
            elif isinstance(one, Mapping) and (shown := _shown(visit, member, part, one)) is not None:
                found.append(shown)
    return {part: [*found, *own]}


async def _pages(member: Visit, request: Request, part: str, ask: Ask) -> list[Json]:
    found: list[Json] = []
    params = {name: item for name, item in request.params.items() if name != "cursor"}
    for _ in range(MAX_PAGES):
        page = await ask(member, replace(request, params=params))
        items = page.get(part)
        found += items if isinstance(items, list | tuple) else []
        if not isinstance(page.get("nextCursor"), str):
            break
        params = {**params, "cursor": page["nextCursor"]}
    return found


def _shown(visit: Visit, member: Visit, part: str, one: JsonObject) -> JsonObject | None:
    """One item as it is called here; `None` for one that could not be reached under that name."""
    if part in ("resources", "resourceTemplates"):
        key = "uri" if part == "resources" else "uriTemplate"
        return {**one, key: outer(member, str(one.get(key)))}
    name = str(one.get("name")) if part == "tools" else member.server.prefix + str(one.get("name"))
    return {**one, "name": name} if by_name(visit.members, name) is member else None


def _outwards(member: Visit, result: JsonObject) -> JsonObject:
    """A result whose resources are called as they are here: a client may want to read them."""
    found = dict(result)
    for key in ("content", "contents", "messages"):
        items = result.get(key)
        if isinstance(items, list | tuple):
            found[key] = [_item(member, one) for one in items]
    return found


def _item(member: Visit, one: Json) -> Json:
    if not isinstance(one, Mapping):
        return one
    if isinstance(one.get("content"), Mapping):  # a prompt's message
        return {**one, "content": _item(member, one["content"])}
    resource = one.get("resource")
    if one.get("type") == "resource" and isinstance(resource, Mapping):
        return {**one, "resource": _item(member, resource)}
    if isinstance(one.get("uri"), str) and one.get("type") in (None, "resource_link"):
        return {**one, "uri": outer(member, str(one["uri"]))}
    return one
