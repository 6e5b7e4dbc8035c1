"""Who a chat user is: a person links them to themselves by signing in on both sides, once (threats D2, D3).

The chat side is a callback that the provider signed; it names the user by an immutable pair (`issuer`, `subject`).
The web side is a session, and an explicit press of a button. The one-time link joins the two; looking at it does
nothing (threat D5). Display names and addresses that the provider tells are never believed.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import delete, select, update

from consentry.errors import ConsentryError, NotFound
from consentry.identity import notices, people, rows
from consentry.identity.errors import UnknownIdentity
from consentry.identity.linking import bind_in, linked_by
from consentry.identity.model import Identity, Session
from consentry.policy.model import Person
from consentry.store import Tx, tables
from consentry.store.record import record

CHANNELS = frozenset({"slack", "teams"})
"""The kinds of identities that are users of a chat."""

VALID_MS = 600_000
_I, _K = tables.identities.c, tables.channel_links.c


class UnknownLink(NotFound):
    """The one-time link is unknown, used or too old."""

    code = "unknown_link"


class NotLinked(ConsentryError):
    """Nobody who is active has linked this chat user."""

    code = "not_linked"
    status = 403


@dataclass(frozen=True, slots=True)
class ChatUser:
    """A user of a chat service by the pair that never changes: the team or tenant, and the user in it."""

    channel: str
    issuer: str
    subject: str


@dataclass(frozen=True, slots=True)
class Linked:
    """The active person behind a chat user, and the id of the link between them.

    `issued_by` is who made the sign-in link of the session in which they linked it, where that was somebody else;
    `since_ms` when they linked it.
    """

    person: Person
    identity: str
    issued_by: str | None
    since_ms: int


def mint() -> str:
    """A one-time token of 256 random bits, fit for an address."""
    return secrets.token_urlsafe(32)


def offer(tx: Tx, user: ChatUser, token: str) -> None:
    """Keep a one-time link for a chat user, who asked for it by a signed callback."""
    tx.insert_missing(
        tables.channel_links,
        {
            "hash": _hash(token),
            "channel": user.channel,
            "issuer": user.issuer,
            "subject": user.subject,
            "expires_at": tx.now_ms + VALID_MS,
            "used_at": None,
        },
    )
    tx.execute(delete(tables.channel_links).where(_K.expires_at < tx.now_ms - 24 * 3_600_000))


def look(tx: Tx, token: str) -> ChatUser:
    """Whom a one-time link is about; changes nothing. Raises `UnknownLink`."""
    row = tx.execute(select(tables.channel_links).where(_K.hash == _hash(token))).one_or_none()
    if row is None or row.used_at is not None or tx.now_ms >= row.expires_at:
        raise UnknownLink("this link is unknown, used or too old: ask for another in the chat")
    return ChatUser(row.channel, row.issuer, row.subject)


def confirm(tx: Tx, token: str, by: Session) -> Identity:
    """Use up a link: the chat user is this signed-in person from now on. Raises `UnknownLink`, `IdentityTaken`."""
    tx.roster_changed()
    user = look(tx, token)
    used = update(tables.channel_links).where(_K.hash == _hash(token), _K.used_at.is_(None))
    if tx.execute(used.values(used_at=tx.now_ms)).rowcount != 1:
        raise UnknownLink("this link was used a moment ago")
    by.voter("web")  # takes a person's own session
    return bind_in(tx, by, user.channel, user.issuer, user.subject)


def unlink(tx: Tx, person_id: str, identity_id: str) -> Identity:
    """A person takes a chat user from themselves; no account at a provider. Raises `UnknownIdentity`."""
    tx.roster_changed()
    person = rows.canonical_person(tx, person_id)
    row = tx.execute(select(tables.identities).where(_I.id == identity_id)).one_or_none()
    if row is None or row.kind not in CHANNELS or rows.canonical_person(tx, row.person_id).id != person.id:
        raise UnknownIdentity("there is no such linked identity")
    tx.execute(tables.identities.delete().where(_I.id == identity_id))
    notices.forget(tx, identity_id)
    record(
        tx,
        "person.unlinked",
        {"person": person.id, "by": person.id, "channel": row.kind},
        sealed={"identity": f"{row.kind}|{row.issuer}|{row.subject}"},
    )
    return Identity(row.id, person.id, row.kind, row.issuer, row.subject, row.linked_at)


def who(tx: Tx, user: ChatUser) -> Linked:
    """The person behind a chat user. Raises `NotLinked`, for a disabled person too."""
    found = people.find_identity(tx, user.channel, user.issuer, user.subject)
    person = None if found is None else rows.canonical_person(tx, found.person)
    if found is None or person is None or not person.active:
        raise NotLinked("nobody has linked this account to a person of Consentry: type `/consentry link` first")
    return Linked(person, found.id, linked_by(tx, found.id), found.linked_at_ms)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
