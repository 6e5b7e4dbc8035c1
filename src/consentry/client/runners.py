"""Who runs the SDK's coroutines: a loop of our own for everybody, or the caller's loop."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Coroutine
from typing import TypeVar

from consentry.client.errors import Misused
from consentry.client.portal import Portal
from consentry.client.transport import Transport

T = TypeVar("T")
MakeTransport = Callable[[], Transport]


class OwnLoop:
    """Runs everything on one background loop; made at first use, and made anew after a fork."""

    def __init__(self, make: MakeTransport, *, survives_fork: bool = True) -> None:
        self._make = make
        self._survives_fork = survives_fork
        self._lock = threading.Lock()
        self._portal: Portal | None = None
        self._transport: Transport | None = None
        self._pid = os.getpid()

    def transport(self) -> Transport:
        self._ready()
        assert self._transport is not None
        return self._transport

    def call(self, work: Coroutine[object, object, T]) -> T:
        return self._ready().call(work)

    async def bridge(self, work: Coroutine[object, object, T]) -> T:
        return await self._ready().bridge(work)

    def close(self) -> None:
        """Close connections and stop the loop; the next use opens them again."""
        with self._lock:
            portal, transport = self._portal, self._transport
            self._portal = self._transport = None
        if portal is not None and transport is not None and self._pid == os.getpid():
            portal.finish(transport.close())

    def _ready(self) -> Portal:
        with self._lock:
            if self._pid != os.getpid():
                if not self._survives_fork:
                    raise Misused("an embedded gate cannot be used across a fork: open it after forking")
                self._portal, self._pid = None, os.getpid()
            if self._portal is None:
                self._transport = self._make()
                self._portal = Portal()
            return self._portal


class CallersLoop:
    """Runs everything where it is awaited."""

    def __init__(self, make: MakeTransport) -> None:
        self._make = make
        self._transport: Transport | None = None

    def transport(self) -> Transport:
        if self._transport is None:
            self._transport = self._make()
        return self._transport

    def call(self, work: Coroutine[object, object, T]) -> T:
        work.close()
        raise Misused("`AsyncConsentry` guards async code only: use `Consentry`, or `async with` and `async def`")

    async def bridge(self, work: Coroutine[object, object, T]) -> T:
        return await work

    async def close(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.close()
