"""Streams that a client of an earlier revision takes up again where its connection was cut (`Last-Event-ID`)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator

from consentry.doors.mcp.wire import Message, event

KEPT_BYTES = 1 << 22
"""How much of what was said is kept for one session; the oldest goes first."""
KEPT_STREAMS = 64
LINGER_S = 60.0
"""How long a request whose client was cut off goes on before it counts as left."""


class Stream:
    """What was said on one stream, numbered. `readers` counts those who took it up again."""

    def __init__(self, name: int) -> None:
        self.name = name
        self.readers = 0
        self.closed = False
        self.size = 0
        self._events: deque[tuple[int, bytes]] = deque()
        self._count = 0
        self._changed = asyncio.Event()

    def prime(self) -> bytes:
        """An event without data, from which the stream can be taken up before anything was said."""
        return b"id: %d-0\ndata: \n\n" % self.name

    def add(self, message: Message) -> bytes:
        """Keep a message; the event that carries it."""
        self._count += 1
        data = event(message, f"{self.name}-{self._count}")
        self._events.append((self._count, data))
        self.size += len(data)
        self._wake()
        return data

    def close(self) -> None:
        """Nothing comes any more."""
        self.closed = True
        self._wake()

    def forget(self) -> None:
        """Let go of the oldest event."""
        if self._events:
            self.size -= len(self._events.popleft()[1])

    def kept(self, number: int) -> list[tuple[int, bytes]]:
        """The events after a number, as far as they are kept."""
        return [one for one in self._events if one[0] > number]

    async def after(self, number: int) -> AsyncIterator[bytes]:
        """The events after a number, and then each new one until the stream is closed."""
        while True:
            changed = self._changed
            for last, data in self.kept(number):
                number = last
                yield data
            if self.closed:
                return
            await changed.wait()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Streams:
    """Those of one session. The first is the one of what the server says unasked."""

    def __init__(self) -> None:
        self._streams: OrderedDict[int, Stream] = OrderedDict()
        self._count = 0
        self.unasked = self.begin()

    def begin(self) -> Stream:
        """A new stream; the oldest ones that are over make room."""
        one = self._streams[self._count] = Stream(self._count)
        self._count += 1
        over = [name for name, old in self._streams.items() if old.closed]
        for name in over[: max(0, len(self._streams) - KEPT_STREAMS)]:
            del self._streams[name]
        while sum(old.size for old in self._streams.values()) > KEPT_BYTES:
            next(old for old in self._streams.values() if old.size).forget()
        return one

    def find(self, event_id: str) -> tuple[Stream, int] | None:
        """The stream of an event and the event's number, where it is still known."""
        name, _, number = event_id.partition("-")
        if not (name.isdecimal() and number.isdecimal() and len(event_id) < 32):
            return None
        stream = self._streams.get(int(name))
        return None if stream is None else (stream, int(number))
