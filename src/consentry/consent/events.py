"""The ledger as a stream of events: every change of state is an entry, numbered and without gaps."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import partial

from sqlalchemy import bindparam, select

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


_E = tables.ledger_entries.c
_PAGE = (
    select(_E.seq, _E.entry, _E.action_id, _E.request_id)
    .where(_E.seq > bindparam("after"))
    .order_by(_E.seq)
    .limit(bindparam("most"))
)


def page(tx: Tx, after_seq: int, limit: int = PAGE) -> list[LedgerEvent]:
    """Entries with a place greater than `after_seq`, oldest first."""
    events = []
    for row in tx.execute(_PAGE, {"after": after_seq, "most": limit}):
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
            if len(events) < PAGE:
                await news.wait()
    finally:
        stop()
