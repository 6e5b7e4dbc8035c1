"""How reviews go, as far as somebody may see: the requests of a period, measured, with what could be saved."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from consentry.consent import load_history
from consentry.consent.load import Asked, Load, measure
from consentry.consent.load_advice import Shape, key, shapes
from consentry.consent.model import Request

if TYPE_CHECKING:
    from consentry.identity.model import Session
    from consentry.server.services import Services

DAY_MS = 86_400_000
PERIODS = (7, 30, 90)
MOST = 5_000
"""How many requests of a period are measured, the newest: an answer says where there were more."""
SHAPES = 10


@dataclass(frozen=True, slots=True)
class Saving:
    """A shape that is asked again and again. `saved` is how many of its requests the proposal would have let through.

    `uses` is how often it is asked in a week.
    """

    shape: Shape
    saved: int
    uses: int


@dataclass(frozen=True, slots=True)
class Report:
    """The load of `days`, and the shapes that are asked most. `cut`: there were more requests than are measured."""

    days: int
    load: Load
    savings: tuple[Saving, ...]
    cut: bool


async def report(services: Services, session: Session, days: int) -> Report:
    """Measure what this person may see: auditors and administrators see all of it."""
    now_ms = services.gate.store.clock_ms()
    since_ms = now_ms - days * DAY_MS
    asked, cut = await _asked(services, session, since_ms)
    found = shapes(asked)[:SHAPES]
    savings = tuple([await _saving(services, one, since_ms, days) for one in found])
    return Report(days, measure(asked, since_ms=since_ms, until_ms=now_ms), savings, cut)


async def shape_of(services: Services, session: Session, action_id: str, days: int) -> Saving | None:
    """The shape that an action belongs to, among what this person may see."""
    since_ms = services.gate.store.clock_ms() - days * DAY_MS
    asked, _ = await _asked(services, session, since_ms)
    like = next((key(one) for one in asked if action_id in one.action_ids), None)
    found = shapes(one for one in asked if key(one) == like)
    return await _saving(services, found[0], since_ms, days) if found else None


async def _saving(services: Services, shape: Shape, since_ms: int, days: int) -> Saving:
    """Which of the shape's requests the gate says that the proposal would have let through."""
    uses = max(1, -(-shape.tally.asked * 7 // days))
    if shape.pattern is None:
        return Saving(shape, 0, uses)
    through = await services.gate.simulate_standing(shape.pattern, since_ms=since_ms)
    return Saving(shape, len(shape.action_ids & set(through)), uses)


async def _asked(services: Services, session: Session, since_ms: int) -> tuple[list[Asked], bool]:
    """What was asked and this person may see, newest first, and whether there was more."""
    roster = await services.gate.roster()
    found: list[Asked] = []
    before: str | None = None
    looked_at = 0
    while looked_at < MOST:
        page = await services.gate.store.read(partial(load_history.page, since_ms=since_ms, before_id=before))
        seen = await _seen(services, session, page)
        found += [Asked.of(one, roster) for one in seen]
        looked_at += len(page)
        if len(page) < load_history.PAGE:
            return found, False
        before = page[-1].id
        await asyncio.sleep(0)  # a long past leaves room for callers
    return found, True


async def _seen(services: Services, session: Session, page: Iterable[Request]) -> list[Request]:
    if await services.visibility.sees_all(session):
        return list(page)
    return [one for one in page if await services.visibility.request(session, one)]
