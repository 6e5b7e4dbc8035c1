"""PostgreSQL: several processes on one database, told of each other's commits by LISTEN and NOTIFY.

Entries go to an outbox inside the transaction and are given their place in the tree by one sequencer
(`consent.publisher`), which takes only rows below the snapshot's horizon: ids alone are not in
commit order (threat G7).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

import asyncpg
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from consentry.store import tables
from consentry.store.migrate import bring_up_to_date
from consentry.store.store import Listener, News, Operation, StoreUnavailable, UnfitText
from consentry.store.tx import NeedsExclusive, Tx, Versions

T = TypeVar("T")

CHANNEL = "consentry_wake"
EVERYTHING = "*"
MAX_PAYLOAD = 7_000
"""PostgreSQL refuses notifications of 8,000 bytes and more; longer lists become `EVERYTHING`."""
RETRIES = 8
MIGRATION_LOCK = 0x636F6E73
VERSIONS_LOCK = 0x636F6E75


class PostgresStore:
    """The store in one PostgreSQL database. See `store.Store` for what it promises."""

    def __init__(self, url: str, *, pool: int = 10, offset_ms: Callable[[], int] | None = None) -> None:
        self._url = make_url(url).set(drivername="postgresql+asyncpg")
        self._pool = pool
        self._offset_ms = offset_ms or (lambda: 0)
        self._engine: AsyncEngine | None = None
        self._listeners: list[Listener] = []
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()

    async def start(self, *, upgrade: bool = True) -> None:
        self._engine = create_async_engine(self._url, pool_size=self._pool, max_overflow=0, pool_pre_ping=True)
        try:
            async with self._engine.begin() as connection:
                await connection.run_sync(_migrate, upgrade)
        except (SQLAlchemyError, OSError, asyncpg.PostgresError) as error:
            raise _unavailable(error) from None
        self._task = asyncio.create_task(self._hear())
        await self._connected.wait()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.dispose()

    async def write(self, operation: Operation[T]) -> T:
        exclusive = False
        for attempt in range(RETRIES):
            try:
                return await self._transact(operation, exclusive=exclusive)
            except NeedsExclusive:
                exclusive = True
            except DBAPIError as error:
                if attempt == RETRIES - 1 or not _is_conflict(error):
                    raise _unavailable(error) from None
            except (SQLAlchemyError, OSError, TimeoutError, asyncpg.PostgresError) as error:
                raise _unavailable(error) from None
        raise AssertionError("the last attempt returns or raises")

    async def read(self, operation: Operation[T]) -> T:
        try:
            async with self._open().connect() as connection:
                return await connection.run_sync(lambda c: operation(self._tx(c, reading=True)))
        except (SQLAlchemyError, OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise _unavailable(error) from None

    def listen(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def _transact(self, operation: Operation[T], *, exclusive: bool) -> T:
        changed: list[News] = []

        def run(connection: Connection) -> T:
            tx = self._tx(connection, exclusive=exclusive)
            result = operation(tx)
            tx.flush()
            _append(connection, tx)
            if tx.entries or tx.wakes or tx.grew:
                changed.append(News(set(tx.wakes)))
            return result

        async with self._open().begin() as connection:
            result = await connection.run_sync(run)
        for news in changed:
            self._tell(news)
        return result

    def clock_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._offset_ms()

    def _tx(self, connection: Connection, *, reading: bool = False, exclusive: bool = False) -> Tx:
        # Held until the commit: policy and people cannot change between a check and what rests on it.
        held = _VERSIONS_ALONE if exclusive else _VERSIONS_HELD
        row = connection.execute(_VERSIONS if reading else held).one()
        return Tx(
            connection,
            now_ms=int(row.now_ms) + self._offset_ms(),
            versions=Versions(row.policy, row.roster),
            reading=reading,
            exclusive=exclusive,
        )

    async def _hear(self) -> None:
        """Hold one connection that listens; where it is lost, connect again and tell everybody to look again."""
        dsn = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        delay = 0.1
        while True:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                connection = await asyncpg.connect(dsn)
                try:
                    lost = asyncio.Event()
                    connection.add_termination_listener(lambda _connection: lost.set())  # noqa: B023
                    await connection.add_listener(CHANNEL, self._on_notify)
                    self._connected.set()
                    self._tell(News(everything=True))
                    delay = 0.1
                    await lost.wait()
                finally:
                    connection.terminate()
            await asyncio.sleep(delay)
            delay = min(delay * 2, 5.0)

    def _on_notify(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        words = str(payload).split()
        self._tell(News(everything=True) if words == [EVERYTHING] else News(set(words)))

    def _tell(self, news: News) -> None:
        for listener in list(self._listeners):
            listener(news)

    def _open(self) -> AsyncEngine:
        if self._engine is None:
            raise StoreUnavailable("the store is closed")
        return self._engine


_VERSIONS = text(
    "SELECT policy, roster, (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now_ms FROM versions"
)
# Locks on a row alone would let an endless stream of readers starve the one who changes policy or people: those who
# wait for an advisory lock are served in turn. The row's own lock gives its newest version after that wait.
_VERSIONS_HELD = text(f"{_VERSIONS.text} WHERE pg_advisory_xact_lock_shared({VERSIONS_LOCK}) IS NOT NULL FOR SHARE")
_VERSIONS_ALONE = text(f"{_VERSIONS.text} WHERE pg_advisory_xact_lock({VERSIONS_LOCK}) IS NOT NULL FOR UPDATE")
_NOTIFY = text("SELECT pg_notify(:channel, :payload)")


def _append(connection: Connection, tx: Tx) -> None:
    if tx.entries:
        xid = connection.execute(text("SELECT pg_current_xact_id()::text")).scalar_one()
        rows = [
            {"xid": xid, "entry": one.entry, "action_id": one.action_id, "request_id": one.request_id}
            for one in tx.entries
        ]
        connection.execute(tables.ledger_outbox.insert(), rows)
    if tx.entries or tx.wakes or tx.grew:
        payload = " ".join(sorted(set(tx.wakes)))
        payload = payload if len(payload) <= MAX_PAYLOAD else EVERYTHING
        connection.execute(_NOTIFY, {"channel": CHANNEL, "payload": payload})


def _migrate(connection: Connection, upgrade: bool) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
    bring_up_to_date(connection, upgrade=upgrade)


_NOT_IN_REPERTOIRE = "22021"


def _is_conflict(error: DBAPIError) -> bool:
    """Whether another transaction was in the way, so that the same operation may succeed now."""
    state = getattr(error.orig, "sqlstate", None)
    return isinstance(error, IntegrityError) or state in ("40001", "40P01")


def _unavailable(error: BaseException) -> StoreUnavailable | UnfitText:
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    name = getattr(cause, "sqlstate", None) or type(cause).__name__
    if name == _NOT_IN_REPERTOIRE:
        return UnfitText("a text holds the character NUL, which cannot be kept: leave it out")
    return StoreUnavailable(
        f"the database refused the transaction (`{name}`): nothing was done; see `consentry doctor`"
    )
