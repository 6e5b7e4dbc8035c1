"""The ledger as a stream of events: every change of state is an entry, numbered and without gaps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial

from sqlalchemy import select

from consentry.ledger.entry import FieldValue, decode_entry
from consentry.store import Store, Tx, tables

PAGE = 256


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """One entry. `seq` is its place in the log, which a client gives back to go on from there."""

    seq: int
    type: str
    time: str
    action_id: str | None
    request_id: str | None
    fields: Mapping[str, FieldValue]


def page(tx: Tx, after_seq: int, limit: int = PAGE) -> list[LedgerEvent]:
    """Entries with a place greater than `after_seq`, oldest first."""
    entries = tables.ledger_entries.c
    rows = tx.execute(
        select(entries.seq, entries.entry, entries.action_id, entries.request_id)
        .where(entries.seq > after_seq)
        .order_by(entries.seq)
        .limit(limit)
    ).all()
    events = []
    for row in rows:
        entry = decode_entry(bytes(row.entry))
        events.append(LedgerEvent(row.seq, entry.type, entry.time, row.action_id, row.request_id, entry.fields))
    return events


async def follow(store: Store, after_seq: int) -> AsyncIterator[LedgerEvent]:
    """Entries after a place, then each new one as it comes."""
    news = asyncio.Event()
    stop = store.listen(lambda _news: news.set())
    try:
        while True:
            news.clear()
            events = await store.read(partial(page, after_seq=after_seq))
            for event in events:
                after_seq = event.seq
                yield event
            if not events:
                await news.wait()
    finally:
        stop()
