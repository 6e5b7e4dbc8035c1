"""Which person a provider's account is. Functions of a `Tx`.

A person is bound to (issuer, subject) and from then on to nothing else: names and addresses at a provider change, and
whoever can change them must not become somebody else here (threats A5, D3). An address recognises somebody once, and
only one that a provider has the last word for.
"""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import select

from consentry.consent.errors import NotAllowed
from consentry.identity import notices, passkey_rows, people, rows, sessions
from consentry.identity.linking_groups import follow_groups
from consentry.identity.model import Identity, Session, TokenKind
from consentry.identity.oidc import SignInRefused
from consentry.identity.oidc_claims import Asserted
from consentry.identity.rows import FORMER_EMAIL
from consentry.identity.scim_rows import is_managed
from consentry.identity.sessions import Lifetimes
from consentry.identity.tokens import Origin, end_all_by_others, find_session, find_token, origin_of
from consentry.policy.emails import email_key, email_text
from consentry.policy.model import Assurance, Person
from consentry.store import Tx, tables

OIDC = "oidc"
"""The kind of the identities that providers vouch for."""

_I, _T, _M = tables.identities.c, tables.tokens.c, tables.memberships.c
_O, _C = tables.token_origins.c, tables.channel_origins.c
_REFUSED = "this account is not linked to a person here: ask an administrator to invite the address that it has"


class LinkRule(StrEnum):
    """For whom somebody else may make a one-time sign-in link. A link for oneself may always be made."""

    ALWAYS = "always"
    FIRST_SIGN_IN = "first-sign-in"
    NEVER_WHEN_PROVIDER = "never-when-provider"


def sign_in(tx: Tx, who: Asserted, hashed: bytes, lifetimes: Lifetimes) -> Session:
    """A session for the person whom a provider has signed in. Raises `SignInRefused`."""
    identity = find(tx, who) or _recognise(tx, who)
    person = rows.canonical_person(tx, identity.person)
    if not person.active:
        raise SignInRefused("this person is disabled: ask an administrator")
    maker = linked_by(tx, identity.id)
    if maker is None and _is_new_here(tx, identity):
        tx.roster_changed()
        _settle_in(tx, person, who)
    follow_groups(tx, who, person.id)
    origin = Origin(issued_by=maker, provider=who.provider.name, identity=identity.id)
    channel = who.provider.source
    return sessions.open_person_session(
        tx, person.id, hashed, Assurance.SESSION, lifetimes, channel=channel, origin=origin
    )


def link(tx: Tx, who: Asserted, session_name: str) -> Identity:
    """Give the person of a session another identity: they have signed in on both sides, within minutes.

    Raises `SignInRefused` where the session has ended meanwhile, `IdentityTaken` where the account is another's. An
    account that is linked in a session whose sign-in link somebody else made is that somebody's word, and says so.
    """
    row = find_session(tx, session_name)
    if row is None or row.kind != TokenKind.PERSON.value:
        raise SignInRefused("the session that began this has ended: sign in and link again")
    session = sessions.resolve(tx, row.hash)
    identity = bind_in(tx, session, OIDC, who.provider.issuer, who.subject)
    follow_groups(tx, who, session.subject)
    return identity


def bind_in(tx: Tx, session: Session, kind: str, issuer: str, subject: str) -> Identity:
    """Link an account to the person of a session, who is told of it. Raises `IdentityTaken`."""
    maker = session.issued_by
    identity = people.bind(tx, maker or session.subject, session.subject, kind, issuer, subject)
    if maker is not None:
        tx.insert_missing(tables.channel_origins, {"identity_id": identity.id, "issued_by": maker})
    notices.tell_linked(tx, identity, maker)
    return identity


def linked_by(tx: Tx, identity: str) -> str | None:
    """Who made the sign-in link of the session in which an account was linked, where that was not its person."""
    maker = tx.execute(select(_C.issued_by).where(_C.identity_id == identity)).scalar_one_or_none()
    return None if maker is None else str(maker)


def find(tx: Tx, who: Asserted) -> Identity | None:
    """The identity of this very account, if anybody has it."""
    return people.find_identity(tx, OIDC, who.provider.issuer, who.subject)


def _recognise(tx: Tx, who: Asserted) -> Identity:
    """The identity of an account that was never seen, linked to the person who was invited by its address."""
    if who.email is None:
        raise SignInRefused(_REFUSED)
    tx.roster_changed()  # from here on nobody else links or makes anybody
    person = rows.find_person(tx, email_key(who.email))
    if person is None:
        if who.provider.invite_only:
            raise SignInRefused(_REFUSED)
        person = people.arrive(tx, who.email, who.name, who.provider.source)
    elif not _is_theirs(tx, person, who):
        raise SignInRefused(_REFUSED)
    return people.bind(tx, None, person.id, OIDC, who.provider.issuer, who.subject)


def _is_theirs(tx: Tx, person: Person, who: Asserted) -> bool:
    """Whether an address alone may make this account that person's.

    Not where it is written otherwise: `a.b+c@` counts as `ab@` so that one human is not two persons, but a provider may
    give the two mailboxes to two people. Not where the person has an account at this issuer: a second one that has
    their address is the first one's successor, or somebody who took the address over. Only an administrator knows.
    Not where SCIM has moved the address of somebody who is in a group of ours: its token would be worth that group.
    """
    has = select(_I.id).where(_I.person_id == person.id, _I.kind == OIDC, _I.issuer == who.provider.issuer)
    has = has.where(_I.id.not_in(select(_C.identity_id)))  # what somebody else linked to them is not their word
    if not person.active or email_text(person.email) != who.email or tx.execute(has).first() is not None:
        return False
    held = select(_M.group_name).where(_M.person_id == person.id)
    return not _was_moved(tx, person) or all(is_managed(tx, str(group)) for group in tx.execute(held).scalars().all())


def _was_moved(tx: Tx, person: Person) -> bool:
    moved = select(_I.id).where(_I.person_id == person.id, _I.kind == FORMER_EMAIL)
    return tx.execute(moved.limit(1)).first() is not None


def _is_new_here(tx: Tx, identity: Identity) -> bool:
    """Whether this account has never opened a session."""
    return tx.execute(select(_O.hash).where(_O.identity_id == identity.id).limit(1)).first() is None


def _settle_in(tx: Tx, person: Person, who: Asserted) -> None:
    """The provider vouches for them now: what others could do as them until then ends, and they are told of it.

    Sessions by links that somebody else made end, and what was done in them: accounts that were linked, passkeys that
    were registered. Memberships of somebody whose address SCIM has moved count from now on (threat A12).
    """
    end_all_by_others(tx, person.id)
    theirs = select(_I.id, _C.issued_by).join(tables.channel_origins, _C.identity_id == _I.id)
    for row in tx.execute(theirs.where(_I.person_id == person.id)).all():
        notices.tell_unlinked(tx, people.unlink(tx, None, row.id, None), row.issued_by)
    for passkey in passkey_rows.end_those_of_others(tx, person.id, who.provider.source):
        kind = notices.NoticeKind.PASSKEY_ENDED
        notices.tell(tx, person.id, kind, passkey.id, passkey.name, passkey.issued_by)
    if _was_moved(tx, person):
        people.count_from_now(tx, person.id)


def require_link_usable(tx: Tx, rule: LinkRule, link: bytes, *, providers: bool) -> None:
    """`require_link_allowed` again, at the moment of use: the person may have come by a provider meanwhile."""
    row = find_token(tx, link)
    if row is not None and row.kind == TokenKind.LINK.value:
        person = rows.canonical_person(tx, row.subject_id)
        require_link_allowed(tx, rule, origin_of(tx, link).issued_by, person, providers=providers)


def require_link_allowed(tx: Tx, rule: LinkRule, by: str | None, person: Person, *, providers: bool) -> None:
    """Refuse a link that would let somebody else be this person, where the settings say so. Raises `NotAllowed`.

    `by` is who makes the link; the machine itself (`None`) and the person may always.
    """
    if by is None or rows.canonical_person(tx, by).id == person.id or rule is LinkRule.ALWAYS:
        return
    if rule is LinkRule.FIRST_SIGN_IN:
        once = select(_T.hash).where(_T.subject_id == person.id, _T.kind == TokenKind.PERSON.value)
        if tx.execute(once.limit(1)).first() is not None:
            raise NotAllowed(
                "this person has signed in before and `identity.links` is `first-sign-in`: they make links themselves, "
                "or `consentry up --sign-in EMAIL` on the server does"
            )
    elif providers:
        has = select(_I.id).where(_I.person_id == person.id, _I.kind == OIDC)
        if tx.execute(has.limit(1)).first() is not None:
            raise NotAllowed(
                "this person signs in at a provider, so nobody makes a link for them: see `identity.links`, or use "
                "`consentry up --sign-in EMAIL` on the server"
            )
