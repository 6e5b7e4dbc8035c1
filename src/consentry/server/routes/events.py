"""Live events: what happens to the actions and requests that the caller may see (server-sent events)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import orjson
from starlette.responses import Response

from consentry.errors import ConsentryError, InvalidInput
from consentry.identity.errors import NotSignedIn
from consentry.server.access import ANY_SESSION
from consentry.server.endpoint import Call, Endpoint
from consentry.server.held import HeldStream, ShareUsedUp, TooManyStreams

if TYPE_CHECKING:
    from consentry.consent.events import LedgerEvent

HEARTBEAT_S = 15.0


async def stream(call: Call) -> Response:
    services = call.services
    after = _last_event_id(call)
    last = await services.hub.last()
    start = last if after is None else min(after, last)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return HeldStream(services.streams, call.session.subject, _frames(call, start), headers)


def _last_event_id(call: Call) -> int | None:
    text = call.headers.get("last-event-id")
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise InvalidInput("the `Last-Event-ID` header must be the `id` of an event")
    return int(text)


async def _frames(call: Call, after: int) -> AsyncGenerator[bytes, None]:
    """Events as they come; a comment now and then keeps proxies awake. A session that ends ends its stream."""
    services, task = call.services, asyncio.current_task()
    if task is not None:
        services.held.add(task)
    events = services.hub.after(after)
    pending: asyncio.Future[LedgerEvent] | None = None
    try:
        yield b"retry: 2000\n\n"
        while not services.stopping.is_set():
            pending = pending or asyncio.ensure_future(anext(events))
            done, _ = await asyncio.wait({pending}, timeout=HEARTBEAT_S)
            await services.directory.check(call.session)
            if not done:
                yield b": still here\n\n"
                continue
            event, pending = pending.result(), None
            if await services.visibility.event(call.session, event):
                yield frame(event)
    except NotSignedIn:
        yield b"event: session.ended\ndata: {}\n\n"
    except (ConsentryError, StopAsyncIteration):
        return
    finally:
        if task is not None:
            services.held.discard(task)
        if pending is not None:
            pending.cancel()
            with contextlib.suppress(BaseException):
                await pending
        await events.aclose()


def frame(event: LedgerEvent) -> bytes:
    """One event: its place as `id`, its type, and its entry's fields, which are ids, digests and times."""
    data = {
        **event.fields,
        "seq": event.seq,
        "type": event.type,
        "time": event.time,
        "action_id": event.action_id,
        "request_id": event.request_id,
    }
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (event.seq, event.type.encode(), orjson.dumps(data))


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/events", ANY_SESSION, stream,
        "Events of what the caller may see, live; `Last-Event-ID` goes on where a stream ended", "events",
        media="text/event-stream", errors=(TooManyStreams, ShareUsedUp, InvalidInput),
    ),
)  # fmt: skip
