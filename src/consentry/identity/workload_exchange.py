"""Exchanging tokens (RFC 8693): whom the presented ones name, and a short-lived token for them. Functions of a `Tx`.

A presented token is one of ours, that of a workload whose rule names an agent, or a person's ID token. Together they
make a chain, in which the actor acts for the subject. A subject alone gets a token of its own: a workload that has
nothing but its platform's token, or an agent that wants one bound to a key.
"""

from __future__ import annotations

from dataclasses import dataclass

from consentry.actions import Actor, InvalidAction, Kind
from consentry.identity import people, rows, sessions
from consentry.identity.errors import InvalidExchange, UnknownAgent
from consentry.identity.linking import OIDC
from consentry.identity.model import Session, TokenKind
from consentry.identity.secret import session_id
from consentry.identity.sessions import Lifetimes
from consentry.identity.tokens import Origin, find_token, insert_token, origin_of
from consentry.store import Tx
from consentry.store.record import record, spell_time


@dataclass(frozen=True, slots=True)
class OwnToken:
    """A token of ours, by its hash."""

    hash: bytes


@dataclass(frozen=True, slots=True)
class WorkloadToken:
    """The verified token of a workload. `rule` names what it was let in by, `subject` who exactly it is there."""

    rule: str
    agent: str
    subject: str
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class PersonToken:
    """The verified ID token of a person."""

    issuer: str
    subject: str
    expires_at_ms: int


Presented = OwnToken | WorkloadToken | PersonToken


@dataclass(frozen=True, slots=True)
class _Party:
    actor: Actor
    expires_at_ms: int | None
    own: OwnToken | None = None
    kind: TokenKind | None = None
    thumbprint: str | None = None
    identity: str | None = None
    workload: WorkloadToken | None = None


def exchange(
    tx: Tx, actor: Presented | None, subject: Presented, hashed: bytes, lifetimes: Lifetimes, thumbprint: str | None
) -> Session:
    """A token for the actor acting for the subject, or for the subject alone. Raises `InvalidExchange`.

    It is an agent's session, whatever the subject's was, and it ends with what it came from: with a token of ours when
    that ends, with an agent or person when they may no longer act, with an identity when that is unlinked.
    `thumbprint` is the key that the caller has proved, which the new token is bound to.
    """
    whom = _party(tx, subject, "subject_token")
    who = None if actor is None else _party(tx, actor, "actor_token")
    parties = (whom,) if who is None else (who, whom)
    for one in parties:
        if one.thumbprint is not None and one.thumbprint != thumbprint:
            raise InvalidExchange("a token that is bound to a key is exchanged with a proof of that key only")
    chain = _alone(whom, thumbprint) if who is None else _chain(who, whom)
    own = tuple(one.own.hash for one in parties if one.own is not None)
    ends = [one.expires_at_ms for one in parties if one.expires_at_ms is not None]
    expires = min([tx.now_ms + lifetimes.exchanged_ms, *ends])
    workload = next((one.workload for one in parties if one.workload is not None), None)
    identity = next((one.identity for one in parties if one.identity is not None), None)
    insert_token(
        tx, hashed, TokenKind.EXCHANGED, chain.id, expires_at_ms=expires, actor=chain, parents=own,
        origin=Origin(identity=identity, thumbprint=thumbprint),
    )  # fmt: skip
    session = Session(session_id(hashed), chain.kind, chain.id, chain, None, expires, thumbprint=thumbprint)
    _record(tx, session, workload, expires)
    return session


def _record(tx: Tx, session: Session, workload: WorkloadToken | None, expires: int) -> None:
    record(
        tx,
        "session.opened",
        {
            "session": session.id,
            "agent": session.subject,
            "expires": spell_time(expires),
            "chain": [link.id for link in session.actor.links()],
            "channel": None if workload is None else f"workload:{workload.rule}",
        },
        sealed={"identity": None if workload is None else workload.subject},
    )


def _chain(who: _Party, whom: _Party) -> Actor:
    if who.kind not in (None, TokenKind.AGENT) or who.actor.kind is Kind.PERSON:
        raise InvalidExchange("`actor_token` must be an agent's own token that holds")
    if any(link.id == who.actor.id for link in whom.actor.links()):
        raise InvalidExchange("`subject_token` already has this agent in its chain")
    try:
        return Actor(who.actor.kind, who.actor.id, whom.actor)
    except InvalidAction:
        raise InvalidExchange("`subject_token` has a chain that is too long to act for") from None


def _alone(whom: _Party, thumbprint: str | None) -> Actor:
    if whom.actor.kind is Kind.PERSON:
        raise InvalidExchange("`actor_token` is missing: say who acts for this person")
    if whom.workload is None and (thumbprint is None or whom.kind is not TokenKind.AGENT):
        raise InvalidExchange("`actor_token` is missing: an agent's token alone is exchanged with a `DPoP` proof only")
    return whom.actor


def _party(tx: Tx, presented: Presented, name: str) -> _Party:
    if isinstance(presented, OwnToken):
        return _of_ours(tx, presented, name)
    if isinstance(presented, WorkloadToken):
        return _of_workload(tx, presented)
    identity = people.find_identity(tx, OIDC, presented.issuer, presented.subject)
    person = None if identity is None else rows.canonical_person(tx, identity.person)
    if identity is None or person is None or not person.active:
        raise InvalidExchange(f"`{name}` is of nobody who is linked here: they sign in once, and then it is taken")
    return _Party(Actor(Kind.PERSON, person.id), presented.expires_at_ms, identity=identity.id)


def _of_ours(tx: Tx, presented: OwnToken, name: str) -> _Party:
    session, row = sessions.look_up(tx, presented.hash), find_token(tx, presented.hash)
    if session is None or row is None:
        raise InvalidExchange(
            "`actor_token` must be an agent's own token that holds"
            if name == "actor_token"
            else "`subject_token` must be a token that holds"
        )
    key = origin_of(tx, presented.hash).thumbprint
    return _Party(session.actor, session.expires_at_ms, presented, TokenKind(row.kind), key)


def _of_workload(tx: Tx, presented: WorkloadToken) -> _Party:
    try:
        agent = rows.agent_named(tx, presented.agent)
    except UnknownAgent:
        raise InvalidExchange(f"the agent `{presented.agent}` of this rule does not exist: create it first") from None
    if sessions.agent_kind(tx, agent.id) is None:
        raise InvalidExchange(f"the agent `{presented.agent}` of this rule is revoked, or its owner is disabled")
    return _Party(Actor(agent.kind, agent.id), presented.expires_at_ms, workload=presented)
