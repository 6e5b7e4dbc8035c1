"""What identity gives to the rest: a session is the one answer to "whose token is this?"."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from consentry.actions import Actor, Kind
from consentry.consent.errors import NotAllowed
from consentry.consent.model import Voter
from consentry.policy.model import Assurance

ADMINISTRATORS = "admins"
"""The group whose members change people, groups, agents and settings of the installation."""

AUDITORS = "auditors"
"""The group whose members see every action and receipt, and decide nothing by that."""


class TokenKind(StrEnum):
    """What a bearer token is; each has a prefix of its own (`identity.secret`)."""

    LINK = "link"
    PERSON = "person"
    AGENT = "agent"
    EXCHANGED = "exchanged"


@dataclass(frozen=True, slots=True)
class Session:
    """Who a bearer token or cookie is.

    `subject` is the id of the person, agent or service that presents it and `actor` the whole chain (RFC 8693): the
    two differ where an agent acts for somebody. `id` names the session in the ledger and tells nothing of its token.
    """

    id: str
    kind: Kind
    subject: str
    actor: Actor
    assurance: Assurance | None = None
    expires_at_ms: int | None = None
    issued_by: str | None = None
    """Who made the sign-in link that opened it, where that was somebody else: they could have used it themselves."""
    provider: str | None = None
    """The name of the provider at which the person signed in."""
    thumbprint: str | None = None
    """The key that the token is bound to (RFC 9449): without a proof of it, the token is worth nothing."""

    def voter(self, channel: str) -> Voter:
        """This session as a voter. Raises `NotAllowed` unless it is a person's own (invariant 3, threat A9)."""
        if self.kind is not Kind.PERSON or self.assurance is None or self.actor.acting_for is not None:
            raise NotAllowed("an agent's or service's session cannot decide: sign in as a person")
        return Voter(self.subject, self.assurance, channel, self.id, self.issued_by)


@dataclass(frozen=True, slots=True)
class Identity:
    """One way in which a person is known elsewhere: a subject at an issuer (an OIDC `sub`, a chat user id)."""

    id: str
    person: str
    kind: str
    issuer: str
    subject: str
    linked_at_ms: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time sign-in link's token, shown once. The link is `…/sign-in#token=TOKEN`."""

    person: str
    email: str
    token: str
    expires_at_ms: int
    created: bool
    """Whether the person is new."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A new session and its token, shown once."""

    session: Session
    token: str


@dataclass(frozen=True, slots=True)
class AgentRecord:
    """An agent or service and the person who answers for it."""

    id: str
    name: str
    kind: Kind
    owner: str
    active: bool
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class NewAgentToken:
    """An agent with its token, shown once."""

    agent: AgentRecord
    token: str


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """An open session as its person or an administrator sees it."""

    id: str
    kind: TokenKind
    subject: str
    created_at_ms: int
    expires_at_ms: int | None
    issued_by: str | None = None
