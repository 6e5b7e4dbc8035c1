"""Where state lives: SQLite for one machine, PostgreSQL for several replicas, the same operations on both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from consentry.errors import InvalidInput
from consentry.store.store import News, Operation, OtherSchema, Store, StoreUnavailable, UnfitText
from consentry.store.tx import Row, Tx, Versions

__all__ = [
    "News", "Operation", "OtherSchema", "Row", "Store", "StoreUnavailable", "Tx", "UnfitText", "Versions", "open_store",
]  # fmt: skip


def open_store(url: str, *, offset_ms: Callable[[], int] | None = None) -> Store:
    """The store that `store.url` names: `sqlite:///PATH` or `postgresql://…`. `start` it before use.

    `offset_ms` moves the store's clock, for rehearsals and tests of what waits.
    """
    if url.startswith("sqlite:///"):
        import time

        from consentry.store.sqlite import SqliteStore

        offset = offset_ms or (lambda: 0)
        return SqliteStore(
            Path(url.removeprefix("sqlite:///")), clock_ms=lambda: time.time_ns() // 1_000_000 + offset()
        )
    if url.startswith(("postgresql://", "postgres://")):
        from consentry.store.postgres import PostgresStore

        return PostgresStore(url.replace("postgres://", "postgresql://", 1), offset_ms=offset_ms)
    raise InvalidInput("`store.url` must begin with `sqlite:///` or `postgresql://`")
