"""Sessions: signing in by a one-time link, who a token is now, signing out. Functions of a `Tx`."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from consentry.actions import Actor, Kind
from consentry.consent.errors import NotAllowed
from consentry.identity import rows
from consentry.identity.errors import NotSignedIn, UnknownAgent, UnknownPerson, UnknownSession
from consentry.identity.model import ADMINISTRATORS, Session, TokenKind
from consentry.identity.secret import session_id
from consentry.identity.tokens import Origin, end, find_session, find_token, insert_token, origin_of, prolong, use_up
from consentry.ledger.entry import FieldValue
from consentry.policy.model import Assurance
from consentry.store import Tx, tables
from consentry.store.record import record


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long what holds, in milliseconds: `identity.*` of the settings."""

    link_ms: int = 4 * 3_600_000
    idle_ms: int = 12 * 3_600_000
    session_ms: int = 7 * 86_400_000
    exchanged_ms: int = 3_600_000


def sign_in(tx: Tx, link: bytes, hashed: bytes, lifetimes: Lifetimes) -> Session:
    """Use up a one-time link and open a person's session. Raises `NotSignedIn`, the same for every reason."""
    row = use_up(tx, link, TokenKind.LINK)
    if row is None:
        raise NotSignedIn("this link is unknown, used or expired: ask an administrator for a new one")
    person = rows.canonical_person(tx, row.subject_id)
    if not person.active:
        raise NotSignedIn("this link is unknown, used or expired: ask an administrator for a new one")
    origin = Origin(issued_by=origin_of(tx, link).issued_by)
    return open_person_session(tx, person.id, hashed, Assurance.SESSION, lifetimes, channel="link", origin=origin)


def open_person_session(
    tx: Tx,
    person: str,
    hashed: bytes,
    assurance: Assurance,
    lifetimes: Lifetimes,
    *,
    channel: str,
    origin: Origin = Origin(),  # noqa: B008 (frozen)
) -> Session:
    """A new session of a person who has proved who they are, by the way that `channel` and `origin` name."""
    expires = tx.now_ms + min(lifetimes.idle_ms, lifetimes.session_ms)
    insert_token(tx, hashed, TokenKind.PERSON, person, expires_at_ms=expires, assurance=assurance, origin=origin)
    name, actor = session_id(hashed), Actor(Kind.PERSON, person)
    how: dict[str, FieldValue | None] = {"assurance": assurance.rank, "channel": channel, "by": origin.issued_by}
    record(tx, "session.opened", {"session": name, "person": person, **how})
    return Session(name, Kind.PERSON, person, actor, assurance, expires, origin.issued_by, origin.provider)


def resolve(tx: Tx, hashed: bytes) -> Session:
    """Who a token is now. Every link of its chain must still hold. Raises `NotSignedIn`.

    The message does not say why: a caller must not learn whether a token ever was one.
    """
    session = _resolve(tx, hashed, depth=0)
    if session is None:
        raise NotSignedIn("the token is unknown, ended or expired: sign in again, or ask for a new one")
    return session


def look_up(tx: Tx, hashed: bytes) -> Session | None:
    """`resolve`, with `None` for a token that does not hold."""
    return _resolve(tx, hashed, depth=0)


def _resolve(tx: Tx, hashed: bytes, *, depth: int) -> Session | None:
    row = find_token(tx, hashed)
    if row is None or depth > 8:
        return None
    name, expires = session_id(hashed), row.expires_at
    if row.kind == TokenKind.PERSON.value:
        return _person_session(tx, name, row)
    if row.kind == TokenKind.AGENT.value:
        kind = agent_kind(tx, row.subject_id)
        return None if kind is None else Session(name, kind, row.subject_id, Actor(kind, row.subject_id), None, expires)
    if row.kind == TokenKind.EXCHANGED.value:
        actor, parents = rows.load_actor(row.actor)
        if any(_resolve(tx, parent, depth=depth + 1) is None for parent in parents) or not _all_may_act(tx, actor):
            return None
        key = origin_of(tx, hashed).thumbprint
        return Session(name, actor.kind, actor.id, actor, None, expires, thumbprint=key)
    return None


def _all_may_act(tx: Tx, chain: Actor) -> bool:
    """Whether nobody of a chain is disabled or revoked, whatever token the chain was made from."""
    try:
        return all(
            rows.canonical_person(tx, one.id).active if one.kind is Kind.PERSON else agent_kind(tx, one.id) == one.kind
            for one in chain.links()
        )
    except (UnknownPerson, UnknownAgent):
        return False


def _person_session(tx: Tx, name: str, row: rows.AnyRow) -> Session | None:
    try:
        person = rows.canonical_person(tx, row.subject_id)
    except UnknownPerson:
        return None
    if not person.active:
        return None
    actor, origin = Actor(Kind.PERSON, person.id), origin_of(tx, row.hash)
    assurance, expires = Assurance(row.assurance), row.expires_at
    return Session(name, Kind.PERSON, person.id, actor, assurance, expires, origin.issued_by, origin.provider)


def agent_kind(tx: Tx, agent_id: str) -> Kind | None:
    """The kind of an agent that may act: not revoked, and owned by somebody who answers for it."""
    row = tx.execute(select(tables.agents).where(tables.agents.c.id == agent_id)).one_or_none()
    if row is None or not row.active or not rows.canonical_person(tx, row.owner_id).active:
        return None
    return Kind(row.kind)


def check(tx: Tx, name: str) -> None:
    """Raises `NotSignedIn` where the session of this name does not hold now."""
    row = find_session(tx, name)
    if row is None:
        raise NotSignedIn("the session has ended: sign in again")
    resolve(tx, row.hash)


def keep_alive(tx: Tx, hashed: bytes, lifetimes: Lifetimes) -> None:
    """Move the idle limit of a person's session that is in use; never past its absolute one."""
    row = find_token(tx, hashed)
    if row is not None and row.kind == TokenKind.PERSON.value:
        expires = min(tx.now_ms + lifetimes.idle_ms, row.created_at + lifetimes.session_ms)
        if expires > row.expires_at:
            prolong(tx, hashed, expires)


def close(tx: Tx, by: Session, name: str) -> None:
    """End a session: one's own, an agent's that one owns, or any as an administrator. Raises `UnknownSession`."""
    row = find_session(tx, name)
    if row is None or row.kind == TokenKind.LINK.value or not _may_close(tx, by, row):
        raise UnknownSession("there is no such session of yours")
    if row.ended_at is None:
        tx.roster_changed()
        end(tx, row, by.subject)


def _may_close(tx: Tx, by: Session, row: rows.AnyRow) -> bool:
    if row.subject_id == by.subject or session_id(row.hash) == by.id:
        return True
    if by.kind is not Kind.PERSON:
        return False
    person = rows.canonical_person(tx, by.subject)
    if row.kind == TokenKind.PERSON.value:
        own = rows.canonical_person(tx, row.subject_id).id == person.id
    else:
        own = rows.canonical_person(tx, rows.load_agent(tx, row.subject_id).owner).id == person.id
    return own or (person.active and rows.is_member(tx, ADMINISTRATORS, person.id))


def require_person(session: Session) -> str:
    """The person behind a session. Raises `NotAllowed` for agents and services."""
    if session.kind is not Kind.PERSON:
        raise NotAllowed("this is for persons: sign in as one")
    return session.subject
