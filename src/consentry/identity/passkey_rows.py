"""Rows of passkeys and of the challenges that they answer. Functions of a `Tx`."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, select, update

from consentry.identity import rows
from consentry.identity.passkey import Passkey
from consentry.store import Tx, tables
from consentry.store.record import record

KEPT_MS = 3_600_000
"""How long a challenge stays after it has expired."""

_P, _C, _O = tables.passkeys.c, tables.passkey_challenges.c, tables.passkey_origins.c


def of_person(tx: Tx, person: str) -> list[rows.AnyRow]:
    """A person's passkeys that count, oldest first."""
    query = select(tables.passkeys).where(_P.person_id == person, _P.removed_at.is_(None)).order_by(_P.id)
    return list(tx.execute(query).all())


@dataclass(frozen=True, slots=True)
class Ended:
    """A passkey that counts no more: what its person called it, and who made the link of the session that it is of."""

    id: str
    name: str
    issued_by: str | None


def end_those_of_others(tx: Tx, person: str, cause: str) -> tuple[Ended, ...]:
    """Let a person's passkeys count no more that are of a session whose sign-in link somebody else made.

    Those of which nothing is known count as such.
    """
    own = select(_O.passkey_id).where(_O.issued_by.is_(None))
    query = (
        select(_P.id, _P.name, _O.issued_by)
        .outerjoin(tables.passkey_origins, _O.passkey_id == _P.id)
        .where(_P.person_id == person, _P.removed_at.is_(None), _P.id.not_in(own))
        .order_by(_P.id)
    )
    ended = tuple(Ended(row.id, row.name, row.issued_by) for row in tx.execute(query).all())
    for one in ended:
        remove(tx, one.id, person, cause=cause)
    return ended


def remove(
    tx: Tx, passkey: str, person: str, *, by: str | None = None, cause: str | None = None, reason: str | None = None
) -> None:
    """Let a passkey count no more. Its name is forgotten; its key stays, so that it is not registered again."""
    tx.execute(update(tables.passkeys).where(_P.id == passkey).values(removed_at=tx.now_ms, name=""))
    record(
        tx,
        "passkey.removed",
        {"passkey": passkey, "person": person, "by": by, "cause": cause},
        sealed={"reason": reason},
        request_id=passkey,
    )


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
