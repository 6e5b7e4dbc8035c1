"""`subscriptions/listen` of the present revision: changes that a client wants to hear of, while its stream is open."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping

from consentry.actions import Json, JsonObject
from consentry.doors.errors import UpstreamFailed
from consentry.doors.mcp.errors import INVALID_PARAMS, RpcError
from consentry.doors.mcp.reply import Reply
from consentry.doors.mcp.visit import Visit
from consentry.doors.mcp.wire import META_SUBSCRIPTION, Notification, Request

QUEUE = 1000
LISTS = {
    "toolsListChanged": ("tools", "notifications/tools/list_changed"),
    "promptsListChanged": ("prompts", "notifications/prompts/list_changed"),
    "resourcesListChanged": ("resources", "notifications/resources/list_changed"),
}


async def listen(visit: Visit, request: Request, reply: Reply, stopping: asyncio.Event) -> JsonObject:
    """Tell of changes until the server stops; a client that leaves cancels this. Raises `RpcError`."""
    wanted = request.params.get("notifications")
    if not isinstance(wanted, Mapping):
        raise RpcError(INVALID_PARAMS, "`notifications` must say what to listen to", http_status=400)
    honoured, uris = _honoured(visit, wanted)
    methods = {LISTS[name][1] for name in honoured if name in LISTS}
    outbox: asyncio.Queue[Notification] = asyncio.Queue(QUEUE)

    def hear(message: Notification) -> None:
        updated = message.method == "notifications/resources/updated" and message.params.get("uri") in uris
        if (message.method in methods or updated) and not outbox.full():
            outbox.put_nowait(message)

    visit.link.listeners.add(hear)
    visit.link.users += 1
    subscribed: list[str] = []
    stopped = asyncio.create_task(stopping.wait())
    taking: asyncio.Task[Notification] | None = None
    try:
        for uri in uris:
            with contextlib.suppress(RpcError, UpstreamFailed):
                await visit.link.subscribe(uri)
                subscribed.append(uri)
        await reply.stream(
            _marked(Notification("notifications/subscriptions/acknowledged", {"notifications": honoured}), request)
        )
        while True:
            taking = asyncio.create_task(outbox.get())
            await asyncio.wait({taking, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not taking.done():
                break
            await reply.stream(_marked(taking.result(), request))
        return {"resultType": "complete", "_meta": {META_SUBSCRIPTION: request.id}}
    finally:
        for task in (stopped, taking):
            if task is not None:
                task.cancel()
        visit.link.listeners.discard(hear)
        visit.link.users -= 1
        for uri in subscribed:
            await visit.link.unsubscribe(uri)


def _honoured(visit: Visit, wanted: JsonObject) -> tuple[dict[str, Json], frozenset[str]]:
    """What of the wish the server can tell of."""
    found: dict[str, Json] = {}
    for name, (part, _) in LISTS.items():
        able = visit.link.capabilities.get(part)
        if wanted.get(name) is True and isinstance(able, Mapping) and able.get("listChanged"):
            found[name] = True
    uris = wanted.get("resourceSubscriptions")
    able = visit.link.capabilities.get("resources")
    if isinstance(uris, list | tuple) and isinstance(able, Mapping) and able.get("subscribe"):
        texts = [one for one in uris if isinstance(one, str)]
        found["resourceSubscriptions"] = texts
        return found, frozenset(texts)
    return found, frozenset()


def _marked(message: Notification, request: Request) -> Notification:
    meta = message.params.get("_meta")
    own = {**(meta if isinstance(meta, Mapping) else {}), META_SUBSCRIPTION: request.id}
    return Notification(message.method, {**message.params, "_meta": own})
