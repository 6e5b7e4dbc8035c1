"""Sessions, tokens, people, groups and agents."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field

from consentry.actions import Kind
from consentry.identity.model import AgentRecord, Identity, Invitation, Session, SessionRecord, TokenKind
from consentry.policy.model import Assurance, Person, Roster
from consentry.server.views.actions import LinkView, link
from consentry.server.views.base import Body, Id, Query, Storable, Time, View, Words, time_or_none, time_text

Email = Annotated[str, Field(min_length=3, max_length=320, examples=["ada@example.org"]), Storable]
Group = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", examples=["data-stewards"])]
Token = Annotated[str, Field(min_length=1, max_length=4096)]


class SignInBody(Body):
    """The token of a one-time sign-in link: what stands after `#token=`."""

    token: Token
    cookie: bool = Field(
        default=False, description="for browsers: answer with a cookie and keep the session out of reach of scripts"
    )


class SignedInView(View):
    """A person's session. `session` is the bearer token, shown once; it is absent where a cookie was set."""

    session: str | None
    id: str
    person: str
    name: str | None
    expires_at: Time | None


class WhoView(View):
    """Who the caller is."""

    id: str
    kind: Kind
    subject: str
    name: str | None
    email: str | None
    groups: list[str]
    chain: list[LinkView]
    assurance: Assurance | None
    expires_at: Time | None
    issued_by: str | None = Field(description="who made the sign-in link, where that was not the person")
    provider: str | None = Field(description="the provider at which the person signed in")

    @classmethod
    def of(cls, one: Session, roster: Roster) -> Self:
        person = roster.persons.get(one.subject) if one.kind is Kind.PERSON else None
        agent = roster.agents.get(one.subject)
        return cls(
            id=one.id,
            kind=one.kind,
            subject=one.subject,
            name=person.name if person else agent.name if agent else None,
            email=person.email if person else None,
            groups=sorted(roster.groups_of(one.subject)) if person else [],
            chain=[link(actor, roster) for actor in one.actor.links()],
            assurance=one.assurance,
            expires_at=time_or_none(one.expires_at_ms),
            issued_by=one.issued_by,
            provider=one.provider,
        )


class SessionsQuery(Query):
    subject: Id | None = Field(default=None, description="of this person or agent; administrators only, else oneself")


class SessionView(View):
    id: str
    kind: TokenKind
    subject: str
    opened_at: Time
    expires_at: Time | None
    issued_by: str | None = Field(description="who made the sign-in link, where that was not the person")

    @classmethod
    def of(cls, one: SessionRecord) -> Self:
        return cls(
            id=one.id,
            kind=one.kind,
            subject=one.subject,
            opened_at=time_text(one.created_at_ms),
            expires_at=time_or_none(one.expires_at_ms),
            issued_by=one.issued_by,
        )


class SessionsPage(View):
    items: list[SessionView]


TOKEN_TYPE: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105
GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:token-exchange"
TokenType = Literal["urn:ietf:params:oauth:token-type:access_token"]
PresentedType = Literal[
    "urn:ietf:params:oauth:token-type:access_token",
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
]
PresentedToken = Annotated[str, Field(min_length=1, max_length=65536)]


class ExchangeBody(Body):
    """An agent's token and the token of whom it acts for (RFC 8693, section 2.1).

    Types: `access_token` for tokens of ours, `jwt` for a workload's, `id_token` for a person's of their provider.
    Without `actor_token`, a workload gets a token of its agent, and an agent one bound to the key of its `DPoP` proof.
    """

    actor_token: PresentedToken | None = Field(default=None, description="the agent's own token, `ag_…`")
    subject_token: PresentedToken = Field(description="the token of the person, service or chain that it acts for")
    grant_type: Literal["urn:ietf:params:oauth:grant-type:token-exchange"] = GRANT_TYPE
    actor_token_type: PresentedType = TOKEN_TYPE
    subject_token_type: PresentedType = TOKEN_TYPE
    requested_token_type: TokenType = TOKEN_TYPE


class ExchangeView(View):
    """A token whose chain names both (RFC 8693, section 2.2)."""

    access_token: str
    issued_token_type: TokenType
    token_type: Literal["Bearer", "DPoP"]
    expires_in: int = Field(description="seconds")
    chain: list[LinkView]


class InviteBody(Body):
    """A person to invite. Whoever is there already gets a new link."""

    email: Email
    name: Annotated[str, Field(min_length=1, max_length=200), Storable] | None = None
    groups: list[Group] = Field(default=[], max_length=50)


class InvitationView(View):
    """A one-time sign-in link, shown once. Give it to the person and to nobody else."""

    person: str
    email: str
    created: bool
    token: str
    link: str
    expires_at: Time

    @classmethod
    def of(cls, one: Invitation, origin: str) -> Self:
        return cls(
            person=one.person,
            email=one.email,
            created=one.created,
            token=one.token,
            link=f"{origin}/sign-in#token={one.token}",
            expires_at=time_text(one.expires_at_ms),
        )


class PersonView(View):
    """One human. E-mail addresses are for administrators and auditors, and for oneself."""

    id: str
    name: str
    email: str | None
    active: bool
    merged_into: str | None
    groups: list[str]

    @classmethod
    def of(cls, one: Person, roster: Roster, *, whole: bool) -> Self:
        return cls(
            id=one.id,
            name=one.name,
            email=one.email if whole else None,
            active=one.active,
            merged_into=one.merged_into,
            groups=[] if one.merged_into else sorted(roster.groups_of(one.id)),
        )


class PeoplePage(View):
    items: list[PersonView]


class MergeBody(Body):
    """The person who stays."""

    into: Id
    reason: Words | None = None


class IdentityBody(Body):
    """An identity elsewhere: what kind (`oidc`, `slack`, `teams`, `git`), at whom, and who there."""

    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$", examples=["slack"])]
    issuer: Annotated[str, Field(min_length=1, max_length=500), Storable]
    subject: Annotated[str, Field(min_length=1, max_length=500), Storable]


class IdentityView(View):
    id: str
    person: str
    kind: str
    issuer: str
    subject: str
    linked_at: Time

    @classmethod
    def of(cls, one: Identity) -> Self:
        return cls(
            id=one.id,
            person=one.person,
            kind=one.kind,
            issuer=one.issuer,
            subject=one.subject,
            linked_at=time_text(one.linked_at_ms),
        )


class IdentitiesPage(View):
    items: list[IdentityView]


class MemberView(View):
    """One person in one group. A membership counts only for requests that were opened after `since`."""

    person: str
    name: str | None
    since: Time | None


class GroupView(View):
    name: str
    members: list[MemberView]


class GroupsPage(View):
    items: list[GroupView]


class MemberBody(Body):
    """Who joins: an id or an e-mail address."""

    person: Email


class AgentBody(Body):
    """A new agent or service, and the person who answers for it: an id or an e-mail address."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", examples=["etl"])]
    owner: Email
    kind: Literal["agent", "service"] = "agent"


class AgentView(View):
    id: str
    name: str
    kind: Kind
    owner: str
    owner_name: str | None
    active: bool
    created_at: Time

    @classmethod
    def of(cls, one: AgentRecord, roster: Roster) -> Self:
        owner = roster.persons.get(roster.canonical(one.owner))
        return cls(
            id=one.id,
            name=one.name,
            kind=one.kind,
            owner=one.owner,
            owner_name=None if owner is None else owner.name,
            active=one.active,
            created_at=time_text(one.created_at_ms),
        )


class AgentTokenView(AgentView):
    """An agent with its token, shown once."""

    token: str


class AgentsPage(View):
    items: list[AgentView]


class OwnerBody(Body):
    """Who answers for the agent from now on: an id or an e-mail address."""

    owner: Email
    reason: Words | None = None
