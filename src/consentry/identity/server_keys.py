"""Keys that all replicas share, made when they are first needed. Functions of a `Tx`."""

from __future__ import annotations

import secrets
from typing import cast

from sqlalchemy import select

from consentry.store import Tx, tables

LENGTH = 32
_K = tables.server_keys.c


def find(tx: Tx, name: str) -> bytes | None:
    """The key of this name, where it was made."""
    found = tx.execute(select(_K.key).where(_K.name == name)).scalar_one_or_none()
    return None if found is None else bytes(cast(bytes, found))


def make(tx: Tx, name: str) -> bytes:
    """The key of this name: the one that was made first, whoever made it."""
    tx.insert_missing(tables.server_keys, {"name": name, "key": secrets.token_bytes(LENGTH)})
    return bytes(cast(bytes, tx.execute(select(_K.key).where(_K.name == name)).scalar_one()))
