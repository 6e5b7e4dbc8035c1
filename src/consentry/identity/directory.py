"""Everything that others ask of identity: one object per store."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import select

from consentry.actions import Kind
from consentry.identity import agents, groups, linking, notices, people, rows, sessions, tokens, workload_exchange
from consentry.identity.dpop import DpopMode, InvalidProof, Presentation, Proof, WrongKey, check_proof, use_once
from consentry.identity.errors import NotSignedIn, UnknownAgent, UnknownPerson
from consentry.identity.linking import LinkRule
from consentry.identity.model import (
    ADMINISTRATORS,
    AgentRecord,
    Identity,
    Invitation,
    NewAgentToken,
    Session,
    SessionRecord,
    SignedIn,
    TokenKind,
)
from consentry.identity.notices import Notice
from consentry.identity.oidc_claims import Asserted
from consentry.identity.secret import digest, kind_of, mint
from consentry.identity.sessions import Lifetimes
from consentry.identity.workload_exchange import OwnToken, Presented
from consentry.policy.emails import email_key
from consentry.policy.model import Membership, Person
from consentry.store import Store, Tx, tables
from consentry.store.store import News

T = TypeVar("T")

CACHED_MS = 5_000
MAX_CACHED = 10_000


class Directory:
    """Persons, groups, agents, sessions.

    `by` is the id of the person who asks; `None` is the installation itself (the first start, a command beside the
    data). Every change checks in its own transaction that `by` may, and is recorded there.
    """

    def __init__(
        self,
        store: Store,
        lifetimes: Lifetimes = Lifetimes(),  # noqa: B008 (frozen)
        *,
        links: LinkRule = LinkRule.ALWAYS,
        providers: bool = False,
        dpop: DpopMode = DpopMode.OFF,
    ) -> None:
        """`links` says for whom others may make sign-in links, given whether there are `providers`."""
        self._store = store
        self._lifetimes = lifetimes
        self._links = links
        self._providers = providers
        self._dpop = dpop
        self._cache: dict[bytes, tuple[Session, int]] = {}
        self._roster = -1
        self._stale = True
        self._changes = 0
        self._stop = store.listen(self._on_commit)

    def close(self) -> None:
        """Stop listening to the store."""
        self._stop()

    # Who somebody is.

    async def authenticate(self, token: str, presented: Presentation | None = None) -> Session:
        """Who a token is. Raises `NotSignedIn`; `InvalidProof` or `WrongKey` where a token is bound to a key, or has
        to be, and the request that it came with does not prove that key.

        Agents' tokens are remembered for as long as the roster stays as it is: every end of a token, and every change
        to people and agents, makes a new version of the roster. Whether it is new is asked again after every commit of
        any process on this store. Persons' tokens are looked up each time.
        """
        kind = kind_of(token)
        if kind is None or kind is TokenKind.LINK:
            raise NotSignedIn("the token is unknown, ended or expired: sign in again, or ask for a new one")
        hashed = digest(token)
        if kind is TokenKind.PERSON:
            return await self._person(hashed)
        if self._stale:
            await self._refresh()
        found = self._cache.get(hashed)
        known = found is not None and self._store.clock_ms() < found[1]
        session = found[0] if known and found is not None else await self._remember(hashed)
        if session.thumbprint is not None or self._dpop is DpopMode.REQUIRED:
            await self._require_proof(session, token, presented)
        return session

    def known(self, token: str) -> Session | None:
        """`authenticate`, where it has nothing to look up: an agent's token without a proof, known and still good.

        `None` says nothing of a token: `authenticate` has to be asked.
        """
        if self._stale or self._dpop is DpopMode.REQUIRED or not token.isascii():
            return None
        found = self._cache.get(digest(token))
        if found is None or found[1] <= self._store.clock_ms() or found[0].thumbprint is not None:
            return None
        return found[0]

    async def _require_proof(self, session: Session, token: str, presented: Presentation | None) -> None:
        if session.thumbprint is None:
            raise WrongKey(
                "`identity.dpop` is `required` and this token is not bound to a key: exchange it with a `DPoP` proof"
            )
        if presented is None or presented.scheme != "dpop":
            raise WrongKey("this token is bound to a key: send `Authorization: DPoP …` with a `DPoP` proof")
        proof = await self._prove(presented, token)
        if proof.thumbprint != session.thumbprint:
            raise WrongKey("this token is bound to another key than that of the `DPoP` proof")

    async def _prove(self, presented: Presentation, token: str | None) -> Proof:
        proof = check_proof(presented, self._store.clock_ms(), token)
        await self._store.write(lambda tx: use_once(tx, proof))
        return proof

    async def _remember(self, hashed: bytes) -> Session:
        def look(tx: Tx) -> tuple[Session, int, int]:
            return sessions.resolve(tx, hashed), tx.versions.roster, tx.now_ms

        session, roster, now_ms = await self._store.read(look)
        if roster == self._roster:
            until = now_ms + CACHED_MS
            if len(self._cache) >= MAX_CACHED:
                self._cache.clear()
            self._cache[hashed] = (session, min(until, session.expires_at_ms or until))
        return session

    async def _refresh(self) -> None:
        """Nothing that is remembered counts before the answer is there, nor where something was committed meanwhile."""
        before = self._changes
        roster = await self._store.read(lambda tx: tx.versions.roster)
        if roster != self._roster:
            self._cache.clear()
            self._roster = roster
        self._stale = self._changes != before

    def _on_commit(self, _news: News) -> None:
        self._outdate()

    def _outdate(self) -> None:
        self._stale = True
        self._changes += 1

    async def _person(self, hashed: bytes) -> Session:
        session, now_ms = await self._store.read(lambda tx: (sessions.resolve(tx, hashed), tx.now_ms))
        if session.expires_at_ms is not None and session.expires_at_ms - now_ms < self._lifetimes.idle_ms // 2:
            await self._write(lambda tx: sessions.keep_alive(tx, hashed, self._lifetimes))
        return session

    async def check(self, session: Session) -> None:
        """Raises `NotSignedIn` where a session that held a while ago does not any more."""
        await self.check_named(session.id)

    async def check_named(self, session: str) -> None:
        """`check` of the session of this name. Raises `NotSignedIn`."""
        await self._store.read(lambda tx: sessions.check(tx, session))

    async def sign_in(self, link_token: str) -> SignedIn:
        """Use up a one-time link. Raises `NotSignedIn`."""
        if kind_of(link_token) is not TokenKind.LINK:
            raise NotSignedIn("this link is unknown, used or expired: ask an administrator for a new one")
        token = mint(TokenKind.PERSON)
        link, hashed = digest(link_token), digest(token)

        def run(tx: Tx) -> Session:
            linking.require_link_usable(tx, self._links, link, providers=self._providers)
            return sessions.sign_in(tx, link, hashed, self._lifetimes)

        return SignedIn(await self._write(run), token)

    async def sign_in_with(self, who: Asserted, ends: Callable[[Tx], None] | None = None) -> SignedIn:
        """A session for whom a provider has signed in; `ends` uses up what it was begun with, in the transaction.

        Raises `SignInRefused`.
        """
        token = mint(TokenKind.PERSON)
        hashed = digest(token)

        def run(tx: Tx) -> Session:
            if ends is not None:
                ends(tx)
            return linking.sign_in(tx, who, hashed, self._lifetimes)

        return SignedIn(await self._write(run), token)

    async def link_with(self, who: Asserted, session_id: str) -> Identity:
        """Link the account that a provider has signed in to the person of a session that is open."""
        return await self._write(lambda tx: linking.link(tx, who, session_id))

    async def exchange(self, actor_token: str, subject_token: str) -> SignedIn:
        """A token for the agent acting for the subject (RFC 8693). Raises `InvalidExchange`."""
        return await self.exchange_presented(own_token(actor_token), own_token(subject_token))

    async def exchange_presented(
        self, actor: Presented | None, subject: Presented, presented: Presentation | None = None
    ) -> SignedIn:
        """A token for what was presented; bound to the key of the proof that came with it, unless that is off.

        Raises `InvalidExchange`, `InvalidProof`.
        """
        proof = None
        if self._dpop is not DpopMode.OFF and presented is not None and presented.proofs:
            proof = await self._prove(presented, None)
        elif self._dpop is DpopMode.REQUIRED:
            raise InvalidProof("`identity.dpop` is `required`: send a `DPoP` proof")
        token, key = mint(TokenKind.EXCHANGED), None if proof is None else proof.thumbprint
        hashed = digest(token)
        run = workload_exchange.exchange
        session = await self._write(lambda tx: run(tx, actor, subject, hashed, self._lifetimes, key))
        return SignedIn(session, token)

    async def sign_out(self, by: Session, session_id: str) -> None:
        """End a session. Raises `UnknownSession`."""
        await self._write(lambda tx: sessions.close(tx, by, session_id))

    async def sessions(self, subject: str | None = None) -> tuple[SessionRecord, ...]:
        """The sessions that hold."""
        return await self._store.read(lambda tx: tokens.open_sessions(tx, subject))

    # Persons.

    async def invite(
        self,
        by: str | None,
        email: str,
        *,
        name: str | None = None,
        groups: tuple[str, ...] = (),
        issued_by: str | None = None,
    ) -> Invitation:
        """A one-time sign-in link for a person, who is made where there is none.

        `issued_by` is who made the link of the session that asks, where that was somebody else: they stay named, so
        that nobody is rid of that by a link for oneself. Where only the first link is another's, the session is the
        person's own.
        """
        token = mint(TokenKind.LINK)
        maker = None if self._links is LinkRule.FIRST_SIGN_IN else issued_by

        def run(tx: Tx) -> Invitation:
            until = tx.now_ms + self._lifetimes.link_ms
            person, new = people.invite(
                tx, by, email, name=name, groups=groups, token=token, expires_at_ms=until, issued_by=maker
            )
            linking.require_link_allowed(tx, self._links, by, person, providers=self._providers)
            return Invitation(person.id, person.email, token, until, new)

        return await self._write(run)

    async def first_administrator(self, email: str) -> Invitation | None:
        """Make the first administrator, where nobody may administer; `None` where somebody may, or it is disabled."""
        token = mint(TokenKind.LINK)

        def run(tx: Tx) -> Invitation | None:
            tx.roster_changed()
            awaited = rows.find_person(tx, email_key(email))
            if rows.count_administrators(tx) or (awaited is not None and not awaited.active):
                return None
            until, groups = tx.now_ms + self._lifetimes.link_ms, (ADMINISTRATORS,)
            person, new = people.invite(tx, None, email, name=None, groups=groups, token=token, expires_at_ms=until)
            return Invitation(person.id, person.email, token, until, new)

        if await self._store.read(rows.count_administrators):
            return None
        return await self._write(run)

    async def administrator_awaited(self) -> Person | None:
        """The only administrator, where nobody has ever signed in as one: whose link may be printed again."""

        def run(tx: Tx) -> Person | None:
            if rows.count_administrators(tx) != 1:
                return None
            members, token = tables.memberships.c, tables.tokens.c
            query = select(members.person_id).where(members.group_name == ADMINISTRATORS)
            person = next(
                p for p in (rows.canonical_person(tx, row.person_id) for row in tx.execute(query).all()) if p.active
            )
            opened = select(token.kind).where(token.subject_id == person.id, token.kind == TokenKind.PERSON.value)
            return None if tx.execute(opened.limit(1)).first() else person

        return await self._store.read(run)

    async def some_administrator(self) -> Person | None:
        """The administrator who has been one longest: for whoever starts the server and has its data at hand."""

        def run(tx: Tx) -> Person | None:
            members = tables.memberships.c
            query = (
                select(members.person_id).where(members.group_name == ADMINISTRATORS).order_by(members.since).limit(50)
            )
            people = (rows.canonical_person(tx, row.person_id) for row in tx.execute(query).all())
            return next((person for person in people if person.active), None)

        return await self._store.read(run)

    async def people(self) -> tuple[Person, ...]:
        """Everybody, merged records too, in order of making."""
        query = select(tables.persons).order_by(tables.persons.c.id)
        return await self._store.read(lambda tx: tuple(rows.person_of(row) for row in tx.execute(query)))

    async def person(self, id_or_email: str) -> Person:
        """The one person behind an id or an address. Raises `UnknownPerson`."""

        def run(tx: Tx) -> Person:
            if "@" not in id_or_email:
                return rows.canonical_person(tx, id_or_email)
            found = rows.find_person(tx, email_key(id_or_email))
            if found is None:
                raise UnknownPerson("there is no person with this address: see `consentry people list`")
            return found

        return await self._store.read(run)

    async def disable(self, by: str | None, person: str, reason: str | None = None) -> Person:
        return await self._write(lambda tx: people.disable(tx, by, person, reason))

    async def enable(self, by: str | None, person: str, reason: str | None = None) -> Person:
        return await self._write(lambda tx: people.enable(tx, by, person, reason))

    async def merge(self, by: str | None, person: str, into: str, reason: str | None = None) -> Person:
        """Say that two records are one human. It cannot be undone."""
        return await self._write(lambda tx: people.merge(tx, by, person, into, reason))

    async def link(self, by: str | None, person: str, kind: str, issuer: str, subject: str) -> Identity:
        """Link an identity elsewhere to a person. Raises `IdentityTaken`."""
        return await self._write(lambda tx: people.link(tx, by, person, kind, issuer, subject))

    async def unlink(self, by: str | None, identity: str, reason: str | None = None) -> Identity:
        return await self._write(lambda tx: people.unlink(tx, by, identity, reason))

    async def identities(self, person: str | None = None) -> tuple[Identity, ...]:
        return await self._store.read(lambda tx: people.identities(tx, person))

    async def by_identity(self, kind: str, issuer: str, subject: str) -> Person | None:
        """The active person behind a chat user, an OIDC subject and the like; `None` for everybody else."""
        return await self._store.read(lambda tx: people.find_by_identity(tx, kind, issuer, subject))

    async def notices(self, person: str) -> tuple[Notice, ...]:
        """What a person must hear of themselves."""
        return await self._store.read(lambda tx: notices.of(tx, person))

    async def dismiss(self, person: str, notice: str) -> None:
        """A person has read a notice. Raises `UnknownNotice`."""
        await self._store.write(lambda tx: notices.dismiss(tx, person, notice))

    # Groups.

    async def memberships(self) -> tuple[Membership, ...]:
        """Who is in which group since when, active and merged persons alike."""
        columns = tables.memberships.c
        query = select(tables.memberships).order_by(columns.group_name, columns.since)
        return await self._store.read(
            lambda tx: tuple(Membership(row.group_name, row.person_id, row.since) for row in tx.execute(query))
        )

    async def add_to_group(self, by: str | None, group: str, person: str) -> None:
        await self._write(lambda tx: groups.add(tx, by, group, person))

    async def remove_from_group(self, by: str | None, group: str, person: str) -> None:
        await self._write(lambda tx: groups.remove(tx, by, group, person))

    # Agents.

    async def create_agent(self, by: str | None, name: str, owner: str, kind: Kind = Kind.AGENT) -> NewAgentToken:
        """An agent or service with its token, which is shown once."""
        token = mint(TokenKind.AGENT)
        return NewAgentToken(await self._write(lambda tx: agents.create(tx, by, name, owner, kind, token)), token)

    async def rotate_agent(self, by: str | None, agent: str) -> NewAgentToken:
        token = mint(TokenKind.AGENT)
        return NewAgentToken(await self._write(lambda tx: agents.rotate(tx, by, agent, token)), token)

    async def revoke_agent(self, by: str | None, agent: str, reason: str | None = None) -> AgentRecord:
        return await self._write(lambda tx: agents.revoke(tx, by, agent, reason))

    async def change_agent_owner(
        self, by: str | None, agent: str, owner: str, reason: str | None = None
    ) -> AgentRecord:
        return await self._write(lambda tx: agents.change_owner(tx, by, agent, owner, reason))

    async def agents(self) -> tuple[AgentRecord, ...]:
        return await self._store.read(agents.every)

    async def agent(self, id_or_name: str) -> AgentRecord:
        """Raises `UnknownAgent`."""
        for one in await self.agents():
            if id_or_name in (one.id, one.name):
                return one
        raise UnknownAgent("there is no such agent: see `consentry agents list`")

    async def _write(self, operation: Callable[[Tx], T]) -> T:
        try:
            return await self._store.write(operation)
        finally:
            self._outdate()


def own_token(token: str) -> OwnToken:
    """A token of ours to exchange. What is no token at all has a hash under which nothing is stored."""
    try:
        return OwnToken(digest(token))
    except UnicodeEncodeError:
        return OwnToken(b"")
