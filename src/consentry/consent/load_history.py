"""Past requests for `load`, a page at a time. Only reads; who may see which is the server's to decide."""

from __future__ import annotations

from consentry.consent.model import Request
from consentry.consent.rows import request_query, requests_of
from consentry.store import Tx, tables

PAGE = 200


def page(tx: Tx, since_ms: int, before_id: str | None, limit: int = PAGE) -> list[Request]:
    """Requests that were opened since a time, newest first, older than `before_id`."""
    columns = tables.requests.c
    query = request_query().where(columns.opened_at >= since_ms).order_by(columns.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(columns.id < before_id)
    return requests_of(tx, tx.execute(query).all())
