"""Rows of tokens: made, found, used up, ended. What a token gives is in `sessions`."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select, update

from consentry.actions import Actor
from consentry.identity.model import SessionRecord, TokenKind
from consentry.identity.rows import AnyRow, dump_actor
from consentry.identity.secret import session_id
from consentry.policy.model import Assurance
from consentry.store import Tx, tables
from consentry.store.record import record

_T, _O = tables.tokens.c, tables.token_origins.c
_SESSIONS = (TokenKind.PERSON.value, TokenKind.AGENT.value, TokenKind.EXCHANGED.value)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a token comes from, where there is something to say.

    `issued_by` is who made the sign-in link, where that was not the person; `provider` and `identity` who vouched for
    whom; `thumbprint` the key that the token is bound to (RFC 9449).
    """

    issued_by: str | None = None
    provider: str | None = None
    identity: str | None = None
    thumbprint: str | None = None


_PLAIN = Origin()


def insert_token(
    tx: Tx,
    hashed: bytes,
    kind: TokenKind,
    subject: str,
    *,
    expires_at_ms: int | None = None,
    actor: Actor | None = None,
    parents: tuple[bytes, ...] = (),
    assurance: Assurance | None = None,
    origin: Origin = _PLAIN,
) -> None:
    """Store a token's hash and what it gives."""
    tx.insert(
        tables.tokens,
        {
            "hash": hashed,
            "kind": kind.value,
            "subject_id": subject,
            "actor": None if actor is None else dump_actor(actor, parents),
            "assurance": None if assurance is None else assurance.value,
            "created_at": tx.now_ms,
            "expires_at": expires_at_ms,
            "ended_at": None,
        },
    )
    if origin != _PLAIN:
        tx.insert(
            tables.token_origins,
            {
                "hash": hashed,
                "issued_by": origin.issued_by,
                "provider": origin.provider,
                "identity_id": origin.identity,
                "thumbprint": origin.thumbprint,
            },
        )


def origin_of(tx: Tx, hashed: bytes) -> Origin:
    """Where a token comes from."""
    row = tx.execute(select(tables.token_origins).where(_O.hash == hashed)).one_or_none()
    return _PLAIN if row is None else Origin(row.issued_by, row.provider, row.identity_id, row.thumbprint)


def find_token(tx: Tx, hashed: bytes) -> AnyRow | None:
    """The row of a token that holds now, by the database's clock."""
    row = tx.execute(select(tables.tokens).where(_T.hash == hashed)).one_or_none()
    if row is None or row.ended_at is not None or (row.expires_at is not None and row.expires_at <= tx.now_ms):
        return None
    return row


def use_up(tx: Tx, hashed: bytes, kind: TokenKind) -> AnyRow | None:
    """End a token that holds and is of this kind, and answer its row; `None` for whoever comes second."""
    ended = tx.execute(
        update(tables.tokens)
        .where(_T.hash == hashed, _T.kind == kind.value, _T.ended_at.is_(None), _T.expires_at > tx.now_ms)
        .values(ended_at=tx.now_ms)
    )
    if ended.rowcount != 1:
        return None
    return tx.execute(select(tables.tokens).where(_T.hash == hashed)).one()


def prolong(tx: Tx, hashed: bytes, expires_at_ms: int) -> None:
    """Let a session that holds hold until then."""
    tx.execute(update(tables.tokens).where(_T.hash == hashed, _T.ended_at.is_(None)).values(expires_at=expires_at_ms))


def end_all(tx: Tx, subject: str, by: str | None) -> None:
    """End every token of a person or agent. What was exchanged from them ends with them (`sessions`)."""
    open_ones = tx.execute(select(tables.tokens).where(_T.subject_id == subject, _T.ended_at.is_(None))).all()
    for row in open_ones:
        end(tx, row, by)


def end_all_of_identity(tx: Tx, identity: str, by: str | None) -> None:
    """End every session that an identity at a provider has opened."""
    theirs = select(_O.hash).where(_O.identity_id == identity)
    for row in tx.execute(select(tables.tokens).where(_T.hash.in_(theirs), _T.ended_at.is_(None))).all():
        end(tx, row, by)


def end_all_by_others(tx: Tx, subject: str) -> None:
    """End every session of a person that a link has opened which somebody else made."""
    theirs = select(_O.hash).where(_O.issued_by.is_not(None))
    query = select(tables.tokens).where(_T.subject_id == subject, _T.hash.in_(theirs), _T.ended_at.is_(None))
    for row in tx.execute(query.where(_T.kind == TokenKind.PERSON.value)).all():
        end(tx, row, None)


def end(tx: Tx, row: AnyRow, by: str | None) -> None:
    """End one token; a session's end is recorded."""
    tx.execute(update(tables.tokens).where(_T.hash == row.hash, _T.ended_at.is_(None)).values(ended_at=tx.now_ms))
    if row.kind in _SESSIONS:
        who = "person" if row.kind == TokenKind.PERSON.value else "agent"
        record(tx, "session.closed", {"session": session_id(row.hash), who: row.subject_id, "by": by})


def open_sessions(tx: Tx, subject: str | None) -> tuple[SessionRecord, ...]:
    """The sessions that hold, of one subject or of all."""
    query = select(tables.tokens).where(_T.kind.in_(_SESSIONS), _T.ended_at.is_(None)).order_by(_T.created_at)
    if subject is not None:
        query = query.where(_T.subject_id == subject)
    query = query.add_columns(_O.issued_by).outerjoin(tables.token_origins, _O.hash == _T.hash)
    return tuple(
        SessionRecord(
            session_id(row.hash), TokenKind(row.kind), row.subject_id, row.created_at, row.expires_at, row.issued_by
        )
        for row in tx.execute(query)
        if row.expires_at is None or row.expires_at > tx.now_ms
    )


def find_session(tx: Tx, name: str) -> AnyRow | None:
    """The token row behind a session's name."""
    try:
        prefix = bytes.fromhex(name.removeprefix("ses_"))
    except ValueError:
        return None
    if len(prefix) != 16:
        return None
    bound = prefix + b"\xff" * 17
    return tx.execute(select(tables.tokens).where(_T.hash >= prefix, _T.hash < bound)).first()
