"""Outcomes, written soon after answers are out: those of one moment together, none in the way of the next request."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from consentry.consent.model import Claim, OutcomeStatus
from consentry.consent.settling import Settlement
from consentry.doors.http.keeper import Caller, Keeper
from consentry.errors import ConsentryError, coded, traced

SOON_S = 0.1
MOST = 256
log = logging.getLogger("consentry.http")


class Outcomes:
    """What became of claims. One that nobody knows is not told: it becomes `unknown` when its lease ends."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._waiting: list[Settlement] = []
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def tell(self, claim: Claim, caller: Caller, status: OutcomeStatus, summary: str) -> None:
        self._waiting.append(Settlement(claim.id, caller.actor, status, summary))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_soon())

    async def close(self) -> None:
        self._closing.set()
        if self._writing is not None:
            await self._writing

    async def _write_soon(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SOON_S):
                await self._closing.wait()
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            try:
                await self._keeper.settle(batch)
            except ConsentryError as error:
                log.error("outcomes_not_recorded", extra=coded(error.code))
            except Exception as error:
                log.error("outcomes_not_recorded", extra=traced(error))
