"""SQLite: one file, group commit, and no thread that fights for the interpreter.

Statements run on the event loop, in batches; only what waits (the write lock of another process, the disk's flush)
runs in a thread. A statement costs microseconds, while handing each one to a thread would cost the switch interval of
the interpreter under load. While one batch is being flushed, the next one gathers: that is the group commit.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from consentry.ledger.merkle import Frontier, leaf_hash
from consentry.store.migrate import migrate
from consentry.store.store import Listener, News, Operation, StoreUnavailable
from consentry.store.tx import Tx, Versions

T = TypeVar("T")

MAX_BATCH = 512
POLL_SECONDS = 0.05
"""How soon a change by another process is noticed; a look costs one read of shared memory."""


class _Job(NamedTuple, Generic[T]):
    operation: Operation[T]
    future: asyncio.Future[T]


class SqliteStore:
    """The store in one SQLite file. See `store.Store` for what it promises."""

    def __init__(self, path: Path, *, clock_ms: Callable[[], int] | None = None) -> None:
        self.path = path
        self._clock_ms = clock_ms or (lambda: time.time_ns() // 1_000_000)
        self._engine: Engine | None = None
        self._writer: Connection | None = None
        self._reader: Connection | None = None
        self._waiter = ThreadPoolExecutor(1, thread_name_prefix="consentry-sqlite")
        self._jobs: list[_Job[object]] = []
        self._work = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._listeners: list[Listener] = []
        self._closing = False
        self._seen = 0

    async def start(self, *, upgrade: bool = True) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._waiter, self._connect, upgrade)
        self._tasks = [loop.create_task(self._run()), loop.create_task(self._watch())]

    async def close(self) -> None:
        self._closing = True
        self._work.set()
        for task in self._tasks[1:]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in (self._writer, self._reader):
            if connection is not None:
                connection.close()
        self._writer = self._reader = None
        if self._engine is not None:
            self._engine.dispose()
        self._waiter.shutdown(wait=True)

    def write(self, operation: Operation[T]) -> asyncio.Future[T]:
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        if self._closing or not self._tasks or self._tasks[0].done():
            future.set_exception(StoreUnavailable("the store is closed"))
            return future
        self._jobs.append(_Job(operation, future))  # type: ignore[arg-type]
        self._work.set()
        return future

    async def read(self, operation: Operation[T]) -> T:
        """Runs on the event loop: meant for reads by key and short pages."""
        reader = self._open(self._reader)
        driver = _driver(reader)
        try:
            driver.execute("BEGIN")
            return operation(self._tx(reader, reading=True))
        except (DBAPIError, sqlite3.Error) as error:
            raise _unavailable(error) from None
        finally:
            _roll_back(driver)

    def listen(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def clock_ms(self) -> int:
        return self._clock_ms()

    # The writer.

    async def _run(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._jobs:
                batch, self._jobs = self._jobs[:MAX_BATCH], self._jobs[MAX_BATCH:]
                await self._commit(batch)
            if self._closing:
                return

    async def _commit(self, batch: list[_Job[object]]) -> None:
        """One transaction for the whole batch; where a row of it cannot be written, each job in one of its own."""
        try:
            await self._transact(batch)
        except (OperationalError, sqlite3.OperationalError) as error:
            _fail(batch, _unavailable(error))
        except Exception as error:  # a defect must neither leave callers waiting for ever nor fail their neighbours
            if len(batch) > 1:
                for job in batch:
                    await self._commit([job])
            else:
                _fail(batch, _unavailable(error) if isinstance(error, DBAPIError | sqlite3.Error) else error)

    async def _transact(self, batch: list[_Job[object]]) -> None:
        loop = asyncio.get_running_loop()
        writer = self._open(self._writer)
        driver = _driver(writer)
        await self._begin(driver)
        try:
            results: list[tuple[_Job[object], object, BaseException | None]] = []
            tx = self._tx(writer)
            for job in batch:
                mark, versions = tx.begin_operation(), tx.versions
                try:
                    results.append((job, job.operation(tx), None))
                except DBAPIError:
                    raise
                except Exception as error:
                    tx.fail_operation(mark, versions)
                    results.append((job, None, error))
            tx.flush()
            before, size = self._append(writer, tx)
            await loop.run_in_executor(self._waiter, driver.execute, "COMMIT")
        except BaseException:
            _roll_back(driver)
            raise
        if before == self._seen:  # else entries of other processes lie between, and `_watch` tells of all of them
            self._seen = size
        _deliver(results)
        if tx.wakes or tx.entries:
            self._tell(News(set(tx.wakes)))

    async def _begin(self, driver: sqlite3.Connection) -> None:
        try:
            driver.execute("PRAGMA busy_timeout = 0")
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            driver.execute("PRAGMA busy_timeout = 30000")
            await asyncio.get_running_loop().run_in_executor(self._waiter, driver.execute, "BEGIN IMMEDIATE")

    def _append(self, writer: Connection, tx: Tx) -> tuple[int, int]:
        """Give the transaction's entries their places in the tree: leaves and frontier in the same commit.

        Answers the size of the log before and after.
        """
        if not tx.entries:
            return self._seen, self._seen
        driver = _driver(writer)
        frontier = Frontier.decode(driver.execute(_STATE).fetchone()[1])
        leaves = [leaf_hash(pending.entry) for pending in tx.entries]
        before, frontier = frontier.size, frontier.extend(leaves)
        rows = [
            (seq, pending.entry, leaf, pending.action_id, pending.request_id)
            for seq, pending, leaf in zip(count(before), tx.entries, leaves)
        ]
        driver.executemany(_ENTRY, rows)
        driver.execute("UPDATE ledger_state SET size = ?, frontier = ?", (frontier.size, frontier.encode()))
        return before, frontier.size

    # Other processes on the same file.

    async def _watch(self) -> None:
        """Notice commits of other processes and wake whoever waits for what they changed."""
        reader = _driver(self._open(self._reader))
        version = reader.execute("PRAGMA data_version").fetchone()[0]
        while True:
            await asyncio.sleep(POLL_SECONDS)
            with contextlib.suppress(sqlite3.Error, StoreUnavailable):  # looked at again at the next turn
                now = reader.execute("PRAGMA data_version").fetchone()[0]
                if now != version:
                    await self._wake_for_news()
                    version = now

    async def _wake_for_news(self) -> None:
        """Tell of the entries that this process did not write; most commits are its own, and were told of."""
        if _driver(self._open(self._reader)).execute(_STATE).fetchone()[0] == self._seen:
            return

        def news(tx: Tx) -> tuple[int, set[str]]:
            rows = tx.execute(_NEWS, {"seen": self._seen}).all()
            size = max((row.seq + 1 for row in rows), default=self._seen)
            return size, {row.action_id for row in rows if row.action_id is not None}

        size, woken = await self.read(news)
        if size > self._seen:
            self._seen = size
            self._tell(News(woken))

    def _tell(self, news: News) -> None:
        for listener in list(self._listeners):
            listener(news)

    # Connections.

    def _connect(self, upgrade: bool) -> None:
        url = f"sqlite:///{self.path}"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its other files the same mode
            turn = os.open(self.path.with_name(f"{self.path.name}-start"), os.O_RDWR | os.O_CREAT, 0o600)
            try:
                # SQLite answers "busy" at once, whatever the timeout, while another process turns its log on.
                fcntl.flock(turn, fcntl.LOCK_EX)
                migrate(url, upgrade=upgrade)
            finally:
                os.close(turn)
            arguments = {"check_same_thread": False, "timeout": 30}
            engine = create_engine(url, poolclass=NullPool, connect_args=arguments, isolation_level="AUTOCOMMIT")
            event.listen(engine, "connect", _configure)
            self._engine = engine
            self._writer = engine.connect()
            self._reader = engine.connect()
            self._seen = _driver(self._reader).execute(_STATE).fetchone()[0]
        except (OSError, DBAPIError, sqlite3.Error) as error:
            raise _unavailable(error) from None

    def _tx(self, connection: Connection, *, reading: bool = False) -> Tx:
        versions = Versions(*_driver(connection).execute(_VERSIONS).fetchone())
        return Tx(connection, now_ms=self._clock_ms(), versions=versions, reading=reading)

    def _open(self, connection: Connection | None) -> Connection:
        if connection is None:
            raise StoreUnavailable("the store is closed")
        return connection


# Statements of every batch go to the driver as they are.
_STATE = "SELECT size, frontier FROM ledger_state"
_VERSIONS = "SELECT policy, roster FROM versions"
_ENTRY = "INSERT INTO ledger_entries (seq, entry, leaf, action_id, request_id) VALUES (?, ?, ?, ?, ?)"
_NEWS = text(
    "SELECT e.seq, coalesce(a.id, e.action_id) AS action_id FROM ledger_entries e"
    " LEFT JOIN actions a ON a.request_id = e.request_id WHERE e.seq >= :seen"
)


def _configure(driver: sqlite3.Connection, _record: object) -> None:
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "busy_timeout = 30000",
        "cache_size = -65536",
        "wal_autocheckpoint = 4000",
    ):
        driver.execute(f"PRAGMA {pragma}")


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


def _roll_back(driver: sqlite3.Connection) -> None:
    if driver.in_transaction:
        driver.execute("ROLLBACK")


def _deliver(results: list[tuple[_Job[object], object, BaseException | None]]) -> None:
    for job, value, error in results:
        if job.future.done():
            continue
        if error is None:
            job.future.set_result(value)
        else:
            job.future.set_exception(error)


def _fail(batch: list[_Job[object]], error: BaseException) -> None:
    for job in batch:
        if not job.future.done():
            job.future.set_exception(error)


def _unavailable(error: BaseException) -> StoreUnavailable:
    """The database's complaint without the statement or its values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", type(cause).__name__)
    return StoreUnavailable(
        f"the database refused the transaction (`{name}`): nothing was done; see `consentry doctor`"
    )
