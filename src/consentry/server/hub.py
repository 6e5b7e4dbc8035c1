"""Live events: one reader of the ledger for all streams of this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator
from itertools import islice
from typing import TYPE_CHECKING

from consentry.errors import ConsentryError

if TYPE_CHECKING:
    from consentry.consent.events import LedgerEvent
    from consentry.consent.gate import Gate

KEPT = 4_096
"""How many events are kept for streams that are a little behind; whoever is further behind reads the store."""


class Hub:
    """Follows the ledger for as long as there is a stream: reading along for nobody would cost every action."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._kept: deque[LedgerEvent] = deque(maxlen=KEPT)
        self._news = asyncio.Event()
        self._next = 0
        self._streams = 0
        self._task: asyncio.Task[None] | None = None

    async def close(self) -> None:
        task = self._stop()
        if task is not None:
            await asyncio.gather(task, return_exceptions=True)

    async def last(self) -> int:
        """The place of the newest event, `-1` in an empty ledger: what a new stream begins after."""
        return await self._gate.ledger_size() - 1

    async def after(self, seq: int) -> AsyncGenerator[LedgerEvent, None]:
        """Events after a place, live and without gaps."""
        self._start(await self._gate.ledger_size())
        try:
            while True:
                oldest = self._next - len(self._kept)
                if seq + 1 < oldest:
                    async with contextlib.aclosing(self._from_store(seq, oldest)) as missed:
                        async for event in missed:
                            seq = event.seq
                            yield event
                    continue
                news = self._news
                for event in list(islice(self._kept, seq + 1 - oldest, None)):
                    seq = event.seq
                    yield event
                if seq + 1 >= self._next:
                    await news.wait()
        finally:
            self._streams -= 1
            if not self._streams:
                self._stop()

    def _start(self, size: int) -> None:
        """One stream more. The first one's reader begins at the end; what is older, the stream reads from the store."""
        self._streams += 1
        if self._task is None:
            self._kept.clear()
            self._next = size
            self._task = asyncio.create_task(self._follow(), name="events")

    def _stop(self) -> asyncio.Task[None] | None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        return task

    async def _from_store(self, seq: int, until: int) -> AsyncGenerator[LedgerEvent, None]:
        events = self._gate.events(seq)
        try:
            async for event in events:
                yield event
                if event.seq + 1 >= until:
                    return
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    async def _follow(self) -> None:
        while True:
            try:
                async for event in self._gate.events(self._next - 1):
                    self._kept.append(event)
                    self._next = event.seq + 1
                    news, self._news = self._news, asyncio.Event()
                    news.set()
            except ConsentryError:  # the store is away: go on from the same place when it is back
                await asyncio.sleep(1)
