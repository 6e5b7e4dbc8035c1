"""Tell outside parties: rows in the outbox, committed with the change that they tell of. Ids and counts only."""

from __future__ import annotations

from collections.abc import Sequence

from consentry.actions import Json, new_id
from consentry.consent.rows import dump
from consentry.store import Tx, tables


def announce(tx: Tx, targets: Sequence[str], kind: str, fields: dict[str, Json]) -> None:
    """One row for each target. `fields` hold no sensitive value: they leave the house (invariant 10)."""
    for target in targets:
        payload: dict[str, Json] = {"type": kind, "time": tx.time, "data": fields}
        tx.insert(
            tables.outbox,
            {
                "id": new_id("out"),
                "target": target,
                "kind": kind,
                "payload": dump(payload),
                "attempts": 0,
                "next_at": tx.now_ms,
                "done_at": None,
                "last_error": None,
            },
        )
