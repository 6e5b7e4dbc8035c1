"""Messages that are wanted, sent: in order within each thread, once as far as the provider lets us know, and slowly.

A message belongs to whichever replica moves its next attempt on first. Before a first sending begins, the row says so:
after a crash or a lost answer the sender looks for the message before it sends it again. How often a place may be
written to is a row too (`channel_lanes`), so the limits hold over all replicas, by the database's clock.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, cast

from sqlalchemy import and_, func, or_, select, update

from consentry.channels import planning
from consentry.channels.card import Card, build, build_glass
from consentry.channels.digests import Digest, Listed, lease_new, lease_sent
from consentry.channels.model import (
    Mask,
    NoteKind,
    Outgoing,
    Posted,
    RateLimited,
    Remark,
    Role,
    Route,
    Sender,
    SendFailed,
)
from consentry.consent.lasting import review_of
from consentry.consent.reading import preview as load_preview
from consentry.consent.roster import Directory
from consentry.consent.rows import AnyRow, load_action, load_request
from consentry.consent.states import RequestState
from consentry.errors import ConsentryError, traced
from consentry.store import Store, Tx, tables
from consentry.store.tx import Row

if TYPE_CHECKING:
    from consentry.store.store import News

LEASE_MS = 60_000
BATCH = 200
MAX_ATTEMPTS = 1_500
"""About a day of a try a minute."""
FIRST_DELAY_MS = 500
MAX_DELAY_MS = 60_000
IDLE_MS = 2_000
WHOLE = "*"
"""The lane that holds a whole provider back."""

_M, _N, _L = tables.channel_messages.c, tables.channel_notes.c, tables.channel_lanes.c
log = logging.getLogger("consentry.channels")


@dataclass(frozen=True, slots=True)
class Job:
    """One step for one message: its first sending, an update, or a note beneath it. `lease` is how it was taken.

    `rows` are those of a message that lists several requests (`digests`), its own first.
    """

    id: str
    request_id: str
    target: str
    role: Role
    posted: Posted | None
    version: int
    attempts: int
    lease: int
    again: bool
    note: tuple[str, NoteKind] | None = None
    rows: tuple[Listed, ...] = ()


@dataclass(frozen=True, slots=True)
class Now:
    """What is true when a message is sent: how to make its card, how much there is to tell, whether it is decided.

    A list has one card for each of the `rows` that are shown.
    """

    card: Callable[[], Card]
    version: int
    over: bool = False
    rows: tuple[Listed, ...] = ()
    cards: tuple[Callable[[], Card], ...] = ()


def delay_ms(attempts: int, chance: float) -> int:
    """How long to wait after so many attempts: doubling, at most a minute, spread by `chance` in 0…1."""
    full = min(MAX_DELAY_MS, FIRST_DELAY_MS << min(attempts, 16))
    return int(full * (0.5 + 0.5 * chance))


class Deliverer:
    """Plans and sends for one channel, for as long as it runs."""

    def __init__(
        self,
        store: Store,
        route: Route,
        sender: Sender,
        mask: Mask,
        origin: str,
        directory: Directory | None = None,
        digests: Sequence[Digest] = (),
    ) -> None:
        self._store = store
        self._route = route
        self._sender = sender
        self._mask = mask
        self._origin = origin
        self._directory = directory or Directory()
        self._digests = digests
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Deliver until cancelled. A provider that is down delays, and loses nothing."""
        stop = self._store.listen(self._hear)
        try:
            async with self._sender:
                while True:
                    self._news.clear()
                    try:
                        done = await self.round()
                        wait = 0 if done else await self._store.read(self._until_due)
                    except ConsentryError as error:
                        log.warning("channel_waiting", extra={"consentry_fields": {"code": error.code}})
                        wait = IDLE_MS
                    if wait:
                        await self._pause(wait)
        finally:
            stop()

    def _hear(self, _news: News) -> None:
        self._news.set()

    async def _pause(self, wait_ms: int) -> None:
        """Until something is committed, or the next message is due."""
        try:
            await asyncio.wait_for(self._news.wait(), wait_ms / 1000)
        except TimeoutError:
            return

    async def round(self) -> int:
        """Plan what is new and do one step for each message that is due; how many things were done."""
        planned = 0
        if await self._store.read(lambda tx: planning.due(tx, self._route.channel)):
            planned = await self._store.write(lambda tx: planning.plan(tx, self._route, self._directory, self._digests))
        if not await self._store.read(lambda tx: bool(self._due(tx))):
            return planned
        jobs = await self._store.write(self._take)
        await asyncio.gather(*(self._do(job) for job in jobs))
        return planned + len(jobs)

    def _due(self, tx: Tx) -> list[tuple[str, str]]:
        """The (message, lane) pairs that may be written now, one a lane, those that wait longest first."""
        if self._held_until(tx) > tx.now_ms:
            return []
        lanes = tables.channel_messages.outerjoin(
            tables.channel_lanes, and_(_L.channel == _M.channel, _L.lane == _M.target)
        )
        query = (
            select(_M.id, _M.target)
            .select_from(lanes)
            .where(
                _M.channel == self._route.channel,
                _M.next_at <= tx.now_ms,
                or_(_L.next_at.is_(None), _L.next_at <= tx.now_ms),
            )
            .order_by(_M.next_at, _M.id)
            .limit(BATCH)
        )
        found = [(str(row.id), str(row.target)) for row in tx.execute(query).all()]
        if not self._sender.gap_ms:
            return found
        by_lane: dict[str, str] = {}
        for message_id, lane in found:
            by_lane.setdefault(lane, message_id)
        return [(message_id, lane) for lane, message_id in by_lane.items()]

    def _held_until(self, tx: Tx) -> int:
        held = select(_L.next_at).where(_L.channel == self._route.channel, _L.lane == WHOLE)
        return cast("int | None", tx.execute(held).scalar_one_or_none()) or 0

    def _until_due(self, tx: Tx) -> int:
        """How long nothing will be due, in milliseconds."""
        lanes = tables.channel_messages.outerjoin(
            tables.channel_lanes, and_(_L.channel == _M.channel, _L.lane == _M.target)
        )
        least = func.min(func.coalesce(_later(tx, _M.next_at, _L.next_at), _M.next_at))
        found = tx.execute(select(least).select_from(lanes).where(
            _M.channel == self._route.channel, _M.next_at.is_not(None)
        )).scalar_one_or_none()  # fmt: skip
        if not isinstance(found, int):
            return IDLE_MS
        return max(5, min(IDLE_MS, max(found, self._held_until(tx)) - tx.now_ms))

    def _take(self, tx: Tx) -> list[Job]:
        jobs = []
        for message_id, lane in self._due(tx):
            if self._sender.gap_ms and not self._enter(tx, lane):
                continue
            job = self._lease(tx, message_id)
            if job is not None:
                jobs.append(job)
        return jobs

    def _enter(self, tx: Tx, lane: str) -> bool:
        """Take the next turn of a lane. INVARIANT: one turn is taken by one replica, whoever else tries."""
        until = tx.now_ms + self._sender.gap_ms
        if tx.insert_missing(tables.channel_lanes, self._lane(lane, until)):
            return True
        mine = _L.channel == self._route.channel, _L.lane == lane, _L.next_at <= tx.now_ms
        return tx.execute(update(tables.channel_lanes).where(*mine).values(next_at=until)).rowcount == 1

    def _lane(self, lane: str, next_at: int) -> Row:
        return {"channel": self._route.channel, "lane": lane, "next_at": next_at}

    def _lease(self, tx: Tx, message_id: str) -> Job | None:
        row = tx.execute(select(tables.channel_messages).where(_M.id == message_id)).one()
        posted = None if row.provider_id is None else Posted(row.address, row.provider_id)
        lease = tx.now_ms + LEASE_MS
        if row.role == Role.LISTED.value:
            return self._lease_list(tx, row, posted, lease)
        values: dict[str, object] = {"next_at": lease, "attempts": row.attempts + 1}
        if posted is None:
            values["tried"] = True
        taken = tx.execute(
            update(tables.channel_messages).where(_M.id == row.id, _M.next_at == row.next_at).values(**values)
        )
        if taken.rowcount != 1:
            return None
        note = None
        again = bool(row.tried)
        if posted is not None and row.sent >= row.wanted:
            note, again = _first_note(tx, row.id)
        return Job(
            row.id, row.request_id, row.target, Role(row.role), posted, row.wanted, row.attempts + 1, lease, again, note
        )

    def _lease_list(self, tx: Tx, row: AnyRow, posted: Posted | None, lease: int) -> Job | None:
        if row.next_at is None or row.next_at > tx.now_ms:
            return None  # it went along with the one before
        new = posted is None
        rows = lease_new(tx, self._route.channel, row.target, lease) if new else lease_sent(tx, row, lease)
        if not rows:
            return None
        first, listed = rows[0], tuple(Listed(one.id, one.request_id, one.wanted) for one in rows)
        again = bool(first.tried)
        return Job(
            first.id, first.request_id, first.target, Role.LISTED, posted, first.wanted, first.attempts + 1, lease,
            again, rows=listed,
        )  # fmt: skip

    async def _do(self, job: Job) -> None:
        """One step and what came of it."""
        posted, provider_note = job.posted, None
        failed: SendFailed | None = None
        try:
            now = await self._store.read(lambda tx: self._now(tx, job))
            job = replace(job, version=now.version, rows=now.rows)
            posted, provider_note = await self._send(job, now)
        except SendFailed as error:
            failed = error
        except ConsentryError as error:
            failed = SendFailed(str(error))
        except Exception as error:  # one message that cannot be made holds no other back
            log.error("channel_message_failed", extra=traced(error))
            failed = SendFailed(f"failed inside: {type(error).__name__}", ambiguous=True)
        await self._store.write(lambda tx: self._settle(tx, job, posted, provider_note, failed))
        if failed is not None and not isinstance(failed, RateLimited):
            log.warning(
                "channel_send_failed",
                extra={"consentry_fields": {"code": failed.code, "id": job.id, "attempts": job.attempts}},
            )

    async def _send(self, job: Job, now: Now) -> tuple[Posted | None, str | None]:
        if job.note is not None and job.note[1] is not NoteKind.UNKNOWN and now.over:
            return job.posted, None  # nobody is reminded of what is decided
        if job.role is Role.LISTED:
            return await self._send_list(job, now), None
        card = await asyncio.to_thread(now.card)
        message = Outgoing(job.id, job.target, job.role, card, job.again)
        if job.posted is None:
            return await self._sender.post(message), None
        if job.note is not None:
            return job.posted, await self._sender.note(job.posted, Remark(*job.note, message, job.again))
        await self._sender.update(job.posted, message)
        return job.posted, None

    async def _send_list(self, job: Job, now: Now) -> Posted | None:
        if not now.cards:
            return job.posted  # all of it was decided meanwhile: nobody is asked
        cards = tuple([await asyncio.to_thread(card) for card in now.cards])
        message = Outgoing(job.id, job.target, job.role, cards[0], job.again, cards)
        if job.posted is None:
            return await self._sender.post(message)
        await self._sender.update(job.posted, message)
        return job.posted

    def _now_list(self, tx: Tx, job: Job) -> Now:
        """Every request of a list; where nothing was sent yet, those that still wait for somebody."""
        roster, rows, cards = self._directory.current(tx), [], []
        every_one = job.posted is not None or job.again
        for one in job.rows:
            wanted = cast(int, tx.execute(select(_M.wanted).where(_M.id == one.id)).scalar_one())
            request = load_request(tx, one.request_id)
            shown = every_one or request.state is RequestState.PENDING
            rows.append(replace(one, version=wanted, shown=shown))
            if shown:
                preview = load_preview(tx, one.request_id)
                cards.append(partial(build, request, preview, roster, self._mask, self._origin))
        return Now(_no_card, rows[0].version, rows=tuple(rows), cards=tuple(cards))

    def _now(self, tx: Tx, job: Job) -> Now:
        if job.role is Role.LISTED:
            return self._now_list(tx, job)
        wanted = cast(int, tx.execute(select(_M.wanted).where(_M.id == job.id)).scalar_one())
        version = job.version if job.note is not None else wanted
        roster = self._directory.current(tx)
        if job.role is Role.GLASS:
            found = tx.execute(select(tables.post_reviews).where(tables.post_reviews.c.id == job.request_id)).one()
            review = review_of(found)
            action = load_action(tx, review.action_id)
            return Now(partial(build_glass, review, action, roster, self._mask, self._origin), version)
        request, preview = load_request(tx, job.request_id), load_preview(tx, job.request_id)
        card = partial(build, request, preview, roster, self._mask, self._origin)
        return Now(card, version, request.state is not RequestState.PENDING)

    def _settle(
        self, tx: Tx, job: Job, posted: Posted | None, provider_note: str | None, failed: SendFailed | None
    ) -> None:
        if failed is None and job.role is Role.LISTED:
            self._sent_list(tx, job, posted)
        elif failed is None:
            self._sent(tx, job, posted, provider_note)
        else:
            self._failed(tx, job, failed)

    def _sent(self, tx: Tx, job: Job, posted: Posted | None, provider_note: str | None) -> None:
        if job.note is not None:
            done = {"done_at": tx.now_ms, "provider_id": provider_note}
            tx.execute(update(tables.channel_notes).where(_N.id == job.note[0]).values(**done))
        row = tx.execute(select(_M.wanted, _M.next_at).where(_M.id == job.id).with_for_update()).one()
        more = row.wanted > job.version or _first_note(tx, job.id, mark=False)[0] is not None
        values: dict[str, object] = {"sent": job.version, "tried": False, "attempts": 0, "last_error": None}
        if posted is not None:
            values |= {"address": posted.address, "provider_id": posted.provider_id}
        if row.next_at == job.lease:  # else the lease ran out, and somebody else has the message by now
            values["next_at"] = tx.now_ms if more else None
        tx.execute(update(tables.channel_messages).where(_M.id == job.id).values(**values))

    def _sent_list(self, tx: Tx, job: Job, posted: Posted | None) -> None:
        """Every row of a list knows where it stands. A list that was found again may be an old one: it is told anew."""
        for one in job.rows:
            row = tx.execute(select(_M.wanted, _M.next_at).where(_M.id == one.id).with_for_update()).one()
            values: dict[str, object] = {"sent": one.version, "tried": False, "attempts": 0, "last_error": None}
            if posted is not None and one.shown:
                values |= {"address": posted.address, "provider_id": posted.provider_id}
            more = one.shown and (row.wanted > one.version or (job.again and job.posted is None and one is job.rows[0]))
            if row.next_at is not None and (row.next_at == job.lease or row.next_at <= tx.now_ms):
                values["next_at"] = tx.now_ms if more else None
            tx.execute(update(tables.channel_messages).where(_M.id == one.id).values(**values))

    def _failed(self, tx: Tx, job: Job, failed: SendFailed) -> None:
        values: dict[str, object] = {"last_error": str(failed)[:500]}
        if isinstance(failed, RateLimited):
            wait = failed.wait_ms
            values["attempts"] = job.attempts - 1
            self._hold(tx, wait)
        else:
            wait = delay_ms(job.attempts, random.random())  # noqa: S311 (spreads load)
        values["next_at"] = tx.now_ms + wait if job.attempts < MAX_ATTEMPTS else None
        if job.posted is None:
            values["tried"] = job.again or failed.ambiguous
        elif job.note is not None:
            tried = job.again or failed.ambiguous
            tx.execute(update(tables.channel_notes).where(_N.id == job.note[0]).values(tried=tried))
        others = update(tables.channel_messages).where(_M.id.in_([one.id for one in job.rows[1:]]))
        tx.execute(others.where(_M.next_at == job.lease).values(next_at=values["next_at"]))
        mine = _M.id == job.id, _M.next_at == job.lease
        tx.execute(update(tables.channel_messages).where(*mine).values(**values))

    def _hold(self, tx: Tx, wait_ms: int) -> None:
        """Nobody writes to the provider for a while."""
        until = tx.now_ms + wait_ms
        tx.insert_missing(tables.channel_lanes, self._lane(WHOLE, until))
        mine = _L.channel == self._route.channel, _L.lane == WHOLE, _L.next_at < until
        tx.execute(update(tables.channel_lanes).where(*mine).values(next_at=until))


def _no_card() -> Card:
    raise AssertionError("a list has a card for each of its requests")


def _first_note(tx: Tx, message_id: str, *, mark: bool = True) -> tuple[tuple[str, NoteKind] | None, bool]:
    """The oldest note that is not written yet, and whether it was tried before. With `mark`, it is tried now."""
    query = select(_N.id, _N.kind, _N.tried).where(_N.message_id == message_id, _N.done_at.is_(None))
    row = tx.execute(query.order_by(_N.at, _N.id).limit(1)).one_or_none()
    if row is None:
        return None, False
    if mark:
        tx.execute(update(tables.channel_notes).where(_N.id == row.id).values(tried=True))
    return (str(row.id), NoteKind(row.kind)), bool(row.tried)


def _later(tx: Tx, one: object, other: object) -> object:
    """The later of two times in SQL, null where either is."""
    name = "max" if tx.dialect == "sqlite" else "greatest"
    return getattr(func, name)(one, other)
