"""One transaction: what an operation may do to the store, the same on SQLite and PostgreSQL.

An operation is a function of a `Tx`. It may be run more than once (a batch that fails is retried one by one, a
serialization conflict is retried), so it touches nothing outside the `Tx`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple, TypeAlias

from sqlalchemy import Connection, CursorResult, Executable, Table, update
from sqlalchemy.sql.dml import Insert

from consentry.ledger.entry import format_time
from consentry.store import tables

Value: TypeAlias = "str | int | bytes | bool | None"
Row: TypeAlias = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Versions:
    """Which policy set and which roster hold inside this transaction."""

    policy: str
    roster: int


class PendingEntry(NamedTuple):
    """A ledger entry that gets its place in the tree when the transaction commits."""

    entry: bytes
    action_id: str | None
    request_id: str | None


class Mark(NamedTuple):
    """Where a transaction stood before an operation, so that a failing one leaves nothing behind."""

    rows: int
    entries: int
    wakes: int


class NeedsExclusive(Exception):
    """The operation changes policy or people: the store runs it again, alone. Never leaves the store."""


class Tx:
    """A transaction in progress. `now_ms` is the database's clock, the same for the whole transaction.

    Rows given to `insert` and entries given to `append` are written together before the commit; `execute` writes
    what is waiting first, so that a statement sees everything before it.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        now_ms: int,
        versions: Versions,
        reading: bool = False,
        exclusive: bool = True,
    ) -> None:
        self._connection = connection
        self._reading = reading
        self._exclusive = exclusive
        self._began = versions
        self._versions = versions
        self._rows: list[tuple[str, Row]] = []
        self._mark: Mark | None = None
        self._touched = False
        self.now_ms = now_ms
        self.entries: list[PendingEntry] = []
        self.wakes: list[str] = []
        self.grew = False

    @property
    def versions(self) -> Versions:
        return self._versions

    @property
    def roster_committed(self) -> bool:
        """Whether the roster of this transaction is one that will stand, even if the transaction does not."""
        return self._versions.roster == self._began.roster

    @cached_property
    def time(self) -> str:
        """`now_ms` as ledger entries spell it."""
        return format_time(datetime.fromtimestamp(self.now_ms / 1000, UTC))

    @property
    def dialect(self) -> str:
        return self._connection.dialect.name

    def insert(self, table: Table, row: Row) -> None:
        """Write a new row of its own id; where it may collide with another row, use `execute`."""
        self._rows.append((table.name, row))

    def execute(self, statement: Executable, parameters: Row | Sequence[Row] | None = None) -> CursorResult[object]:
        """Run a statement now. Reads see every row inserted before."""
        if not self._reading:
            self._touch()
        return self._connection.execute(statement, parameters)

    def insert_missing(self, table: Table, row: Row) -> bool:
        """Write a row unless there is one with its key, also where another replica does the same at this moment."""
        if self.dialect == "sqlite":
            from sqlalchemy.dialects.sqlite import insert

            statement: Executable = insert(table).values(dict(row)).on_conflict_do_nothing()
        else:
            from sqlalchemy.dialects.postgresql import insert as insert_there

            statement = insert_there(table).values(dict(row)).on_conflict_do_nothing()
        return self.execute(statement).rowcount == 1

    def append(self, entry: bytes, *, action_id: str | None = None, request_id: str | None = None) -> None:
        """Append an encoded entry to the ledger, in this same transaction."""
        self.entries.append(PendingEntry(entry, action_id, request_id))

    def wake(self, action_id: str) -> None:
        """Tell whoever waits for this action, once the transaction is committed."""
        self.wakes.append(action_id)

    def ledger_grew(self) -> None:
        """Entries got their place without being appended here: tell who follows the ledger."""
        self.grew = True

    def set_policy(self, version: str) -> None:
        self._require_exclusive()
        self.execute(update(tables.versions).values(policy=version))
        self._versions = Versions(version, self._versions.roster)

    def roster_changed(self) -> None:
        """Must follow every change to people, identities, groups or agents."""
        self._require_exclusive()
        version = self._versions.roster + 1
        self.execute(update(tables.versions).values(roster=version))
        self._versions = Versions(self._versions.policy, version)

    # What the stores do with a transaction, and operations do not.

    def begin_operation(self) -> Mark:
        if self._touched:
            self._connection.exec_driver_sql("RELEASE operation")
            self._touched = False
        self._mark = Mark(len(self._rows), len(self.entries), len(self.wakes))
        return self._mark

    def fail_operation(self, mark: Mark, versions: Versions) -> None:
        """Undo everything since `mark`; the transaction goes on with the operations before it."""
        if self._touched:
            self._connection.exec_driver_sql("ROLLBACK TO operation")
            self._rows.clear()  # those of the operations before were written ahead of its savepoint
        else:
            del self._rows[mark.rows :]
        del self.entries[mark.entries :]
        del self.wakes[mark.wakes :]
        self._versions = versions

    def flush(self) -> None:
        """Write the waiting rows, one statement a table."""
        by_table: dict[str, list[Row]] = {}
        for name, row in self._rows:
            by_table.setdefault(name, []).append(row)
        for name, rows in by_table.items():
            self._write(name, rows)
        self._rows.clear()

    def insert_many(self, table: Table, rows: Sequence[Row]) -> None:
        """Write new rows now."""
        if rows:
            self._write(table.name, rows)

    def _write(self, name: str, rows: Sequence[Row]) -> None:
        """SQLite takes tuples as they are, which halves the cost of the hottest path."""
        if self.dialect == "sqlite":
            statement, values = _SQLITE_INSERTS[name]
            self._connection.exec_driver_sql(statement, [values(row) for row in rows])
        else:
            self._connection.execute(_INSERTS[name], rows)

    def _require_exclusive(self) -> None:
        if not self._exclusive:
            raise NeedsExclusive

    def _touch(self) -> None:
        """Write what waits; in a batch, a savepoint comes between the rows of earlier operations and this one's."""
        if self._mark is not None and not self._touched:
            mine, self._rows[self._mark.rows :] = self._rows[self._mark.rows :], []
            try:
                self.flush()
                self._connection.exec_driver_sql("SAVEPOINT operation")
                self._touched = True
            finally:
                self._rows.extend(mine)
        self.flush()


_INSERTS: dict[str, Insert] = {name: table.insert() for name, table in tables.metadata.tables.items()}


def _sqlite_insert(table: Table) -> tuple[str, Callable[[Row], tuple[Value, ...]]]:
    """The statement, and what takes its values out of a row in their order."""
    names = [column.name for column in table.c]
    statement = f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
    return statement, itemgetter(*names)


_SQLITE_INSERTS = {name: _sqlite_insert(table) for name, table in tables.metadata.tables.items()}
