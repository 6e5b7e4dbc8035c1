"""Small things that several operations on channel tables need. Functions of a `Tx`."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from consentry.store import Tx, tables


def chat_users(tx: Tx, kind: str, persons: frozenset[str], issuer: str | None = None) -> Sequence[tuple[str, str]]:
    """The (person, user) pairs of linked chat identities, in order of linking."""
    columns = tables.identities.c
    query = select(columns.person_id, columns.subject).where(columns.kind == kind, columns.person_id.in_(persons))
    if issuer is not None:
        query = query.where(columns.issuer == issuer)
    return [(str(row.person_id), str(row.subject)) for row in tx.execute(query.order_by(columns.id)).all()]
