"""Small things that several operations on channel tables need. Functions of a `Tx`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Table, select
from sqlalchemy.dialects import postgresql, sqlite

from consentry.store import Tx, tables
from consentry.store.tx import Row


def insert_missing(tx: Tx, table: Table, row: Row) -> bool:
    """Write a row unless there is one with its key, also where another replica does the same at this moment."""
    make = sqlite.insert if tx.dialect == "sqlite" else postgresql.insert
    return tx.execute(make(table).values(dict(row)).on_conflict_do_nothing()).rowcount == 1


def chat_users(tx: Tx, kind: str, persons: frozenset[str], issuer: str | None = None) -> Sequence[tuple[str, str]]:
    """The (person, user) pairs of linked chat identities, in order of linking."""
    columns = tables.identities.c
    query = select(columns.person_id, columns.subject).where(columns.kind == kind, columns.person_id.in_(persons))
    if issuer is not None:
        query = query.where(columns.issuer == issuer)
    return [(str(row.person_id), str(row.subject)) for row in tx.execute(query.order_by(columns.id)).all()]
