"""A store on each database, and short ways to write and look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from sqlalchemy import select

from consentry.store import News, Store, Tx, open_store, tables
from consentry.store.publisher import load_frontier
from consentry.store.record import record


@dataclass
class Bench:
    """Opens stores on one database and closes them."""

    url: str
    opened: list[Store] = field(default_factory=list)

    async def open(self) -> Store:
        store = open_store(self.url)
        await store.start()
        self.opened.append(store)
        return store


@pytest.fixture
async def stores(store_url: str) -> AsyncIterator[Bench]:
    bench = Bench(store_url)
    yield bench
    for store in bench.opened:
        await store.close()


@pytest.fixture
async def store(stores: Bench) -> Store:
    return await stores.open()


class Acts:
    """What operations of these tests do. Rows go to `journal_marks`, the plainest table with a key of its own."""

    @staticmethod
    def insert(tx: Tx, name: str, last: int = 0) -> None:
        tx.insert(tables.journal_marks, {"instance": name, "last": last})

    @staticmethod
    def execute(tx: Tx, name: str, last: int = 0) -> None:
        tx.execute(tables.journal_marks.insert(), {"instance": name, "last": last})

    @staticmethod
    def entry(tx: Tx, name: str, *, action_id: str | None = None, request_id: str | None = None) -> None:
        record(tx, "ledger.gap", {"instance": name, "gap": "missing"}, action_id=action_id, request_id=request_id)

    @staticmethod
    def names(tx: Tx) -> list[str]:
        return sorted(tx.execute(select(tables.journal_marks.c.instance)).scalars())

    @staticmethod
    def entries(tx: Tx) -> int:
        """Every entry, whether or not it has its place."""
        waiting = len(tx.execute(select(tables.ledger_outbox.c.id)).all())
        return load_frontier(tx)[0] + waiting


@pytest.fixture
def acts() -> Acts:
    return Acts()


@pytest.fixture
def heard() -> Callable[[Store], list[News]]:
    """Everything a store tells from now on."""

    def listen(store: Store) -> list[News]:
        news: list[News] = []
        store.listen(news.append)
        return news

    return listen


Eventually = Callable[[Callable[[], Awaitable[bool] | bool]], Awaitable[None]]
