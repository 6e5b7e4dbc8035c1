"""What a person must hear of themselves: shown on every page until they have said that they did. Functions of a `Tx`.

Whoever was talked into linking an account that is not theirs learns of it here, with the way out beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import delete, select, update

from consentry.actions import new_id
from consentry.errors import NotFound
from consentry.identity import rows
from consentry.identity.model import Identity
from consentry.store import Tx, tables

_N = tables.notices.c


class NoticeKind(StrEnum):
    """What a notice is about. `label` of the notice is the account, or what the person called their passkey."""

    LINKED = "linked"
    UNLINKED = "unlinked"
    PASSKEY_ENDED = "passkey_ended"


class UnknownNotice(NotFound):
    """There is no such notice of the asker's."""

    code = "unknown_notice"


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice. `about` is the id of the identity or passkey, `by` who else had a hand in it."""

    id: str
    kind: NoticeKind
    about: str
    label: str
    by: str | None
    at_ms: int


def tell(tx: Tx, person: str, kind: NoticeKind, about: str, label: str, by: str | None = None) -> None:
    """Let a person know."""
    tx.insert(
        tables.notices,
        {
            "id": new_id("ntc"),
            "person_id": rows.canonical_person(tx, person).id,
            "kind": kind.value,
            "about": about,
            "label": label,
            "by": by,
            "at": tx.now_ms,
        },
    )


def tell_linked(tx: Tx, identity: Identity, by: str | None = None) -> None:
    """Let a person know of an account that was linked to them just now."""
    if identity.linked_at_ms == tx.now_ms:
        tell(tx, identity.person, NoticeKind.LINKED, identity.id, spelled(identity), by)


def tell_unlinked(tx: Tx, identity: Identity, by: str | None = None) -> None:
    """Let a person know of an account that is theirs no more."""
    tell(tx, identity.person, NoticeKind.UNLINKED, identity.id, spelled(identity), by)


def spelled(identity: Identity) -> str:
    """An account, by what never changes of it."""
    return f"{identity.kind} {identity.issuer} {identity.subject}"


def of(tx: Tx, person: str) -> tuple[Notice, ...]:
    """What a person has not confirmed yet, the oldest first."""
    query = select(tables.notices).where(_N.person_id == person).order_by(_N.id)
    return tuple(
        Notice(row.id, NoticeKind(row.kind), row.about, row.label, row.by, row.at) for row in tx.execute(query).all()
    )


def dismiss(tx: Tx, person: str, notice_id: str) -> None:
    """The person has read it. Raises `UnknownNotice`."""
    if tx.execute(delete(tables.notices).where(_N.id == notice_id, _N.person_id == person)).rowcount != 1:
        raise UnknownNotice("there is no such notice of yours: it was read before")


def forget(tx: Tx, about: str) -> None:
    """What a notice of a link is about is no more."""
    tx.execute(delete(tables.notices).where(_N.about == about, _N.kind == NoticeKind.LINKED.value))


def move(tx: Tx, person: str, into: str) -> None:
    """Two records are one human."""
    tx.execute(update(tables.notices).where(_N.person_id == person).values(person_id=into))
