"""Rows of passkeys and of the challenges that they answer. Functions of a `Tx`."""

from __future__ import annotations

from sqlalchemy import delete, select, update

from consentry.identity import rows
from consentry.identity.passkey import Passkey
from consentry.store import Tx, tables

KEPT_MS = 3_600_000
"""How long a challenge stays after it has expired."""

_P, _C = tables.passkeys.c, tables.passkey_challenges.c


def of_person(tx: Tx, person: str) -> list[rows.AnyRow]:
    """A person's passkeys that count, oldest first."""
    query = select(tables.passkeys).where(_P.person_id == person, _P.removed_at.is_(None)).order_by(_P.id)
    return list(tx.execute(query).all())


def passkey_of(row: rows.AnyRow) -> Passkey:
    return Passkey(row.id, row.person_id, row.name, row.rp, bool(row.synced), row.created_at, row.used_at)


def put_challenge(
    tx: Tx, challenge: bytes, purpose: str, person: str, session: str, *, nonce: str, lasts_ms: int
) -> None:
    """Ask for a signature over `challenge`, once and for a while. Old challenges are swept away with it."""
    tx.execute(delete(tables.passkey_challenges).where(_C.expires_at < tx.now_ms - KEPT_MS))
    tx.insert(
        tables.passkey_challenges,
        {
            "challenge": challenge,
            "purpose": purpose,
            "person_id": person,
            "session_id": session,
            "nonce": nonce,
            "expires_at": tx.now_ms + lasts_ms,
            "used_at": None,
        },
    )


def use_up_challenge(tx: Tx, challenge: bytes, purpose: str, person: str, session: str) -> bool:
    """Whether the challenge was open for this person in this session; it no longer is."""
    taken = tx.execute(
        update(tables.passkey_challenges)
        .where(
            _C.challenge == challenge,
            _C.purpose == purpose,
            _C.person_id == person,
            _C.session_id == session,
            _C.used_at.is_(None),
            _C.expires_at > tx.now_ms,
        )
        .values(used_at=tx.now_ms)
    )
    return taken.rowcount == 1
