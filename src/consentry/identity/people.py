"""Persons: invite, disable, enable, link, unlink, merge. Functions of a `Tx`; each change is recorded with it."""

from __future__ import annotations

from sqlalchemy import select, update

from consentry.actions import new_id
from consentry.consent.errors import NotAllowed
from consentry.errors import InvalidInput
from consentry.identity import notices, rows
from consentry.identity.errors import IdentityTaken, LastAdministrator, UnknownIdentity
from consentry.identity.groups import join
from consentry.identity.model import ADMINISTRATORS, Identity, TokenKind
from consentry.identity.rows import FORMER_EMAIL
from consentry.identity.scim_rows import require_activated, require_unmanaged
from consentry.identity.secret import digest
from consentry.identity.tokens import Origin, end_all, end_all_of_identity, insert_token
from consentry.policy.emails import email_key, email_text
from consentry.policy.model import Person
from consentry.store import Tx, tables
from consentry.store.record import record

_I = tables.identities.c


def invite(
    tx: Tx,
    by: str | None,
    email: str,
    *,
    name: str | None,
    groups: tuple[str, ...],
    token: str,
    expires_at_ms: int,
    issued_by: str | None = None,
) -> tuple[Person, bool]:
    """Make the person where there is none with this address, and a one-time link that signs them in.

    Answers the person and whether they are new. An administrator may ask for a link for anybody, a person for
    themselves. That it was made, and by whom, is recorded either way; for `issued_by` see `Directory.invite`.
    """
    existing = rows.find_person(tx, email_key(email))
    own = existing is not None and by is not None and rows.canonical_person(tx, by).id == existing.id
    if not own or groups:
        rows.require_administrator(tx, by)
    if existing is not None and not existing.active:
        raise InvalidInput("this person is disabled: enable them first")
    person = existing or _create(tx, email, name)
    record(
        tx,
        "person.invited",
        {"person": person.id, "by": by, "groups": list(groups) or None},
        sealed={"identity": person.email},
    )
    for group in groups:
        require_unmanaged(tx, group)
        join(tx, by, group, person.id)
    maker = issued_by or (None if own else by)
    insert_token(
        tx, digest(token), TokenKind.LINK, person.id, expires_at_ms=expires_at_ms, origin=Origin(issued_by=maker)
    )
    if existing is None:
        tx.roster_changed()
    return person, existing is None


def arrive(tx: Tx, email: str, name: str | None, channel: str) -> Person:
    """Make a person who comes by themselves, through a provider that has the last word for their address."""
    person = _create(tx, email, name)
    record(tx, "person.invited", {"person": person.id, "channel": channel}, sealed={"identity": person.email})
    tx.roster_changed()
    return person


def _create(tx: Tx, email: str, name: str | None) -> Person:
    text = email_text(email)
    person = Person(new_id("per"), text, _name(name or text.partition("@")[0]))
    tx.insert(
        tables.persons,
        {
            "id": person.id,
            "email": person.email,
            "email_key": email_key(email),
            "name": person.name,
            "active": True,
            "merged_into": None,
            "created_at": tx.now_ms,
        },
    )
    return person


def _name(name: str) -> str:
    """A name for people to read: one line, nothing that hides (threat D6)."""
    text = " ".join(name.split())
    if not text or len(text) > 200 or not text.isprintable():
        raise InvalidInput("`name` must have 1 to 200 printable characters")
    return text


def disable(tx: Tx, by: str | None, person_id: str, reason: str | None) -> Person:
    """The person may no longer sign in, vote or act, and neither may what acts for them. Raises `LastAdministrator`."""
    tx.roster_changed()
    rows.require_administrator(tx, by)
    person = rows.canonical_person(tx, person_id)
    if person.active:
        put_out(tx, by, person.id, reason=reason)
        _require_an_administrator(tx)
    return rows.load_person(tx, person.id)


def put_out(tx: Tx, by: str | None, person_id: str, *, reason: str | None = None, cause: str | None = None) -> None:
    """`disable` without its checks, for changes that have made them."""
    tx.roster_changed()
    _set_active(tx, person_id, False)
    record(tx, "person.disabled", {"person": person_id, "by": by, "cause": cause}, sealed={"reason": reason})
    end_all(tx, person_id, by)


def enable(tx: Tx, by: str | None, person_id: str, reason: str | None) -> Person:
    """The person may sign in again. Memberships count from now on (threat A12)."""
    tx.roster_changed()
    rows.require_administrator(tx, by)
    person = rows.canonical_person(tx, person_id)
    require_activated(tx, person.id)
    if not person.active:
        bring_back(tx, by, person.id, reason=reason)
    return rows.load_person(tx, person.id)


def bring_back(tx: Tx, by: str | None, person_id: str, *, reason: str | None = None, cause: str | None = None) -> None:
    """`enable` without its checks, for changes that have made them."""
    tx.roster_changed()
    _set_active(tx, person_id, True)
    count_from_now(tx, person_id)
    record(tx, "person.enabled", {"person": person_id, "by": by, "cause": cause}, sealed={"reason": reason})


def count_from_now(tx: Tx, person_id: str) -> None:
    """Let a person's memberships decide nothing that was asked before (threat A12)."""
    tx.roster_changed()
    memberships = tables.memberships
    tx.execute(update(memberships).where(memberships.c.person_id == person_id).values(since=tx.now_ms))


def readdress(tx: Tx, person: Person, email: str, name: str, channel: str) -> None:
    """Give a person another address and name. The old address stays theirs, so that it makes nobody new (threat A5)."""
    tx.roster_changed()
    key = email_key(email)
    if key != email_key(person.email):
        bind(tx, None, person.id, FORMER_EMAIL, "", email_key(person.email))
    values = {"email": email_text(email), "email_key": key, "name": _name(name)}
    tx.execute(update(tables.persons).where(tables.persons.c.id == person.id).values(**values))
    record(
        tx,
        "person.changed",
        {"person": person.id, "channel": channel},
        sealed={"identity": None if person.email == values["email"] else values["email"]},
    )


def _set_active(tx: Tx, person_id: str, active: bool) -> None:
    tx.execute(update(tables.persons).where(tables.persons.c.id == person_id).values(active=active))


def _require_an_administrator(tx: Tx) -> None:
    if rows.count_administrators(tx) == 0:
        raise LastAdministrator(f"nobody would be left in `{ADMINISTRATORS}`: add somebody else to it first")


def link(tx: Tx, by: str | None, person_id: str, kind: str, issuer: str, subject: str) -> Identity:
    """Say that an identity elsewhere is this person. Raises `IdentityTaken` where it is another's."""
    tx.roster_changed()
    rows.require_administrator(tx, by)
    identity = bind(tx, by, person_id, kind, issuer, subject)
    if by is not None and rows.canonical_person(tx, by).id != identity.person:
        notices.tell_linked(tx, identity, by)
    return identity


def bind(tx: Tx, by: str | None, person_id: str, kind: str, issuer: str, subject: str) -> Identity:
    """`link` without its check, for whoever has shown that they are both. Raises `IdentityTaken`."""
    tx.roster_changed()
    person = rows.canonical_person(tx, person_id)
    found = find_identity(tx, kind, issuer, subject)
    if found is not None:
        if rows.canonical_person(tx, found.person).id != person.id:
            raise IdentityTaken("this identity is linked to another person: merge the two if they are one human")
        return found
    identity = Identity(new_id("idn"), person.id, kind, issuer, subject, tx.now_ms)
    tx.execute(
        tables.identities.insert().values(
            id=identity.id, person_id=person.id, kind=kind, issuer=issuer, subject=subject, linked_at=tx.now_ms
        )
    )
    record(
        tx,
        "person.linked",
        {"person": person.id, "by": by, "channel": kind},
        sealed={"identity": f"{kind}|{issuer}|{subject}"},
    )
    return identity


def unlink(tx: Tx, by: str | None, identity_id: str, reason: str | None) -> Identity:
    """Take an identity from its person, and end the sessions that it has opened. Raises `UnknownIdentity`."""
    tx.roster_changed()
    rows.require_administrator(tx, by)
    found = tx.execute(select(tables.identities).where(_I.id == identity_id)).one_or_none()
    if found is None:
        raise UnknownIdentity("there is no such linked identity")
    identity = _identity(found)
    tx.execute(tables.identities.delete().where(_I.id == identity_id))
    notices.forget(tx, identity.id)
    end_all_of_identity(tx, identity.id, by)
    record(
        tx,
        "person.unlinked",
        {"person": identity.person, "by": by, "channel": identity.kind},
        sealed={"identity": f"{identity.kind}|{identity.issuer}|{identity.subject}", "reason": reason},
    )
    return identity


def merge(tx: Tx, by: str | None, person_id: str, into_id: str, reason: str | None) -> Person:
    """Say that two records are one human: what one may not consent to, neither may (threat A5). It cannot be undone.

    Identities and memberships move; those that are new to the person who stays count from now on (threat A12), and no
    provider takes them away again.
    """
    tx.roster_changed()
    rows.require_administrator(tx, by)
    person, into = rows.canonical_person(tx, person_id), rows.canonical_person(tx, into_id)
    if person.id == into.id:
        return into
    if not into.active:
        raise NotAllowed("the person to keep is disabled: merge the other way round, or enable them first")
    tx.execute(update(tables.persons).where(tables.persons.c.id == person.id).values(merged_into=into.id))
    for row in tx.execute(select(tables.memberships).where(tables.memberships.c.person_id == person.id)).all():
        join(tx, by, row.group_name, into.id)
    tx.execute(tables.memberships.delete().where(tables.memberships.c.person_id == person.id))
    tx.execute(update(tables.identities).where(_I.person_id == person.id).values(person_id=into.id))
    notices.move(tx, person.id, into.id)
    provided = tables.provided_memberships
    tx.execute(provided.delete().where(provided.c.person_id == person.id))
    record(
        tx,
        "person.linked",
        {"person": into.id, "by": by, "channel": "email"},
        sealed={"identity": person.email},
    )
    record(
        tx,
        "person.disabled",
        {"person": person.id, "by": by, "cause": f"merged:{into.id}"},
        sealed={"reason": reason},
    )
    end_all(tx, person.id, by)
    return into


def identities(tx: Tx, person_id: str | None = None) -> tuple[Identity, ...]:
    """The linked identities of one person or of all."""
    query = select(tables.identities).order_by(_I.id)
    if person_id is not None:
        query = query.where(_I.person_id == person_id)
    return tuple(_identity(row) for row in tx.execute(query))


def find_identity(tx: Tx, kind: str, issuer: str, subject: str) -> Identity | None:
    """The identity with this name at this issuer, whoever's it is."""
    row = tx.execute(
        select(tables.identities).where(_I.kind == kind, _I.issuer == issuer, _I.subject == subject)
    ).one_or_none()
    return None if row is None else _identity(row)


def find_by_identity(tx: Tx, kind: str, issuer: str, subject: str) -> Person | None:
    """The active person behind an identity: how channels learn who somebody is (threats D2, D3)."""
    row = tx.execute(
        select(_I.person_id).where(_I.kind == kind, _I.issuer == issuer, _I.subject == subject)
    ).one_or_none()
    if row is None:
        return None
    person = rows.canonical_person(tx, row.person_id)
    return person if person.active else None


def _identity(row: rows.AnyRow) -> Identity:
    return Identity(row.id, row.person_id, row.kind, row.issuer, row.subject, row.linked_at)
