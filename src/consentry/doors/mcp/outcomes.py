"""What really happened, reported while the answer is on its way; outcomes of one moment are written together."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from consentry.consent.model import Claim, OutcomeStatus
from consentry.doors.mcp.client import Caller
from consentry.doors.mcp.keeper import Keeper
from consentry.errors import ConsentryError, coded, traced

log = logging.getLogger("consentry.mcp")
SETTLE_S = 0.05
"""How long outcomes are gathered before they are written: one disk write for many, none in the way of the next call."""


class Outcomes:
    """Of all calls at one door."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._outcomes: list[tuple[str, Caller, OutcomeStatus, str | None]] = []
        self._settling: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def close(self) -> None:
        """Write what is still to be written."""
        self._closing.set()
        if self._settling is not None:
            await self._settling

    def settle(self, caller: Caller, claim: Claim, status: OutcomeStatus, summary: str | None) -> None:
        """Report the outcome, soon."""
        self._outcomes.append((claim.id, caller, status, summary))
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle_soon())

    async def _settle_soon(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                await self._closing.wait()
        while self._outcomes:
            outcomes, self._outcomes = self._outcomes, []
            found = await asyncio.gather(*(self._keeper.settle(*one) for one in outcomes), return_exceptions=True)
            for error in found:
                if isinstance(error, ConsentryError):
                    log.error("outcome_not_recorded", extra=coded(error.code))
                elif error is not None:
                    log.error("outcome_not_recorded", extra=traced(error))
