"""Write to the ledger inside a transaction, keeping what may have to be erased out of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from consentry.ledger.commit import commit
from consentry.ledger.entry import FieldValue, encode_entry, format_time
from consentry.store import tables
from consentry.store.tx import Tx


def record(
    tx: Tx,
    entry_type: str,
    fields: Mapping[str, FieldValue | None],
    *,
    sealed: Mapping[str, str | None] | None = None,
    action_id: str | None = None,
    request_id: str | None = None,
) -> None:
    """Append one entry. `None` fields are left out.

    Each value in `sealed` goes into the erasable table with a salt of its own, and only its commitment into the entry.
    `action_id` and `request_id` say whose history the entry belongs to.
    """
    full: dict[str, FieldValue] = {name: value for name, value in fields.items() if value is not None}
    if sealed:
        for name, text in sealed.items():
            if text is not None:
                full[name] = _seal(tx, name, text.encode("utf-8"), action_id, request_id)
    tx.append(encode_entry(entry_type, tx.time, full), action_id=action_id, request_id=request_id)


def spell_time(at_ms: int) -> str:
    """Milliseconds since the epoch as ledger entries spell a time."""
    second, left = divmod(at_ms, 1000)
    return f"{_spell_second(second)}{left:03d}Z"


@lru_cache(maxsize=64)
def _spell_second(second: int) -> str:
    """All but the milliseconds, which hundreds of times in a row have in common."""
    return format_time(datetime.fromtimestamp(second, UTC))[:-4]


def derived_salt(seal: bytes, name: str) -> bytes:
    """The salt of one of an action's own commitments; an action keeps one random `seal` for all of them."""
    return hashlib.sha256(b"consentry salt v1\n" + seal + name.encode("ascii")).digest()


def _seal(tx: Tx, name: str, value: bytes, action_id: str | None, request_id: str | None) -> str:
    salt = os.urandom(32)
    commitment = commit(value, salt)
    tx.insert(
        tables.sealed,
        {
            "commitment": commitment,
            "action_id": action_id,
            "request_id": request_id,
            "name": name,
            "salt": salt,
            "value": value,
            "erased_at": None,
        },
    )
    return commitment
