"""Outcomes, written soon after answers are out: those of one moment together, none in the way of the next request."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from consentry.actions import Actor
from consentry.consent.model import Claim, OutcomeStatus
from consentry.consent.settling import Settlement
from consentry.errors import ConsentryError, coded, traced

SOON_S = 0.1
MOST = 256
Settle = Callable[[Sequence[Settlement]], Awaitable[Sequence[ConsentryError | None]]]
"""Says of many claims what really happened; for each, why that could not be written, or `None`."""
Along = Callable[[Settlement], bool]
"""Says what really happened of a claim that is about to be written itself; false where it is written already."""


class Outcomes:
    """What became of claims. One that nobody knows is not told: it becomes `unknown` when its lease ends."""

    def __init__(self, settle: Settle, along: Along, log: logging.Logger) -> None:
        self._settle = settle
        self._along = along
        self._log = log
        self._waiting: list[Settlement] = []
        self._writing: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    def tell(self, claim: Claim, actor: Actor, status: OutcomeStatus, summary: str | None) -> None:
        """Report the outcome, soon."""
        settlement = Settlement(claim.id, actor, status, summary)
        if self._along(settlement):
            return
        self._waiting.append(settlement)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_soon())

    async def close(self) -> None:
        """Write what is still to be written."""
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
                for problem in await self._settle(batch):
                    if problem is not None:
                        self._log.error("outcome_not_recorded", extra=coded(problem.code))
            except ConsentryError as error:
                self._log.error("outcome_not_recorded", extra=coded(error.code))
            except Exception as error:
                self._log.error("outcome_not_recorded", extra=traced(error))
