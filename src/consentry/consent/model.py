"""What the gate takes and gives. Frozen; rows and bytes stay behind `consent.rows`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from consentry.actions import Action
from consentry.consent.states import ClaimState, GrantState, RequestState
from consentry.consent.words import check_text
from consentry.ledger.passkey import Assertion
from consentry.policy.model import Assurance, Facts, Obligations, Reason, Verdict


class ActionState(StrEnum):
    """Where an action stands, as its caller sees it: the request's state, then the grant's, then the claim's."""

    ALLOWED = "allowed"
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"
    VOID = "void"
    CLAIMED = "claimed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class BallotVerdict(StrEnum):
    """One person's word."""

    APPROVE = "approve"
    DENY = "deny"


class OutcomeStatus(StrEnum):
    """What really happened."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Voter:
    """A person who is signed in, made only from a person's session or a linked chat identity, never from an agent's.

    `channel` is where they decide (web, api, cli, slack, teams). `issued_by` is who made the link that opened the
    session, where that was somebody else. `since_ms` is when a chat identity was linked: it has no say in what was
    asked before.
    """

    person: str
    assurance: Assurance
    channel: str
    session: str
    issued_by: str | None = None
    since_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Signed:
    """A passkey's answer to a challenge: which credential, and what it signed. Nothing of it is believed unverified."""

    credential: bytes
    assertion: Assertion


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a person says of a request, the digest of what they were shown, and a passkey's signature over both.

    `stage` is the stage that they were shown, where that is known: the request must still be in it.
    """

    verdict: BallotVerdict
    shown_digest: str
    reason: str | None = None
    signed: Signed | None = None
    stage: int | None = None

    def __post_init__(self) -> None:
        """Raises `UnfitText`."""
        check_text(shown_digest=self.shown_digest, reason=self.reason)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right, taken. Perform the action before `lease_until_ms`, then settle; else it becomes `unknown`."""

    id: str
    action_id: str
    grant_id: str
    state: ClaimState
    claimed_at_ms: int
    lease_until_ms: int
    settled_at_ms: int | None = None
    summary: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What the gate says of one action now.

    `verdict`, `reasons` and `obligations` are policy's at submission; `state` moves on.
    `decided_reason` is the denying or approving voter's text, for the caller.
    """

    action_id: str
    digest: str
    verdict: Verdict
    reasons: tuple[Reason, ...]
    obligations: Obligations
    state: ActionState
    policy_version: str
    submitted_at_ms: int
    request_id: str | None = None
    grant_id: str | None = None
    expires_at_ms: int | None = None
    claim: Claim | None = None
    decided_reason: str | None = None

    @property
    def waiting(self) -> bool:
        return self.state is ActionState.PENDING

    @property
    def granted(self) -> bool:
        """Whether a claim may succeed now."""
        return self.state in (ActionState.ALLOWED, ActionState.APPROVED)


@dataclass(frozen=True, slots=True)
class Vote:
    """One counted or fallen vote. `counts_for` differs from `person` where a delegate voted for somebody away.

    `issued_by` is who made the sign-in link of the voter's session, where that was somebody else.
    """

    id: str
    person: str
    counts_for: str
    stage: int
    verdict: BallotVerdict
    reason: str | None
    assurance: Assurance
    channel: str
    shown_digest: str
    at_ms: int
    issued_by: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A durable question to people: may this action happen?

    `stage` counts from 0. `authors` are the persons who may not vote: those in the chain, the owners of its agents,
    and whoever edited or triggered it again. `action_ids` are all submissions that joined.
    """

    id: str
    action: Action
    action_id: str
    action_ids: tuple[str, ...]
    state: RequestState
    stage: int
    stage_since_ms: int
    authors: frozenset[str]
    facts: Facts
    reasons: tuple[Reason, ...]
    obligations: Obligations
    policy_version: str
    shown_digest: str
    opened_at_ms: int
    expires_at_ms: int
    caller_reason: str | None
    escalated_at_ms: int | None = None
    reminded_at_ms: int | None = None
    decided_at_ms: int | None = None
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to perform one exact action, or a bounded family (`kind` standing)."""

    id: str
    kind: str
    state: GrantState
    action_id: str | None
    request_id: str | None
    digest: str | None
    pattern: str | None
    signer: str | None
    parent_id: str | None
    uses: int
    uses_left: int
    opened_at_ms: int
    expires_at_ms: int


@dataclass(frozen=True, slots=True)
class RequestQuery:
    """Which requests. With `person`, those that this person could decide come first. Pages go back by id."""

    state: RequestState | None = None
    person: str | None = None
    resource: str | None = None
    operation: str | None = None
    before_id: str | None = None
    limit: int = 50

    def __post_init__(self) -> None:
        """Raises `UnfitText`."""
        check_text(resource=self.resource, operation=self.operation, before_id=self.before_id)


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which actions; newest first. `actor` is the id of the link that presented the credential."""

    operation: str | None = None
    resource: str | None = None
    actor: str | None = None
    verdict: Verdict | None = None
    state: ActionState | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    before_id: str | None = None
    limit: int = 50

    def __post_init__(self) -> None:
        """Raises `UnfitText`."""
        check_text(resource=self.resource, operation=self.operation, actor=self.actor, before_id=self.before_id)


@dataclass(frozen=True, slots=True)
class Submission:
    """An action on its way into the gate.

    `reason` is the caller's text for reviewers: payload, shown as such. `idempotency_key` makes a repeat of the same
    submission by the same actor answer with the first one. `session` is where it came from. With `refusal`, a lens
    could not read the action: it is denied for that reason whatever policy says, and recorded like every denial.
    """

    action: Action
    facts: Facts
    reason: str | None = None
    idempotency_key: str | None = None
    session: str | None = None
    door: str | None = None
    refusal: Reason | None = None

    def __post_init__(self) -> None:
        """Raises `UnfitText`. Arguments, operands and context are kept as canonical JSON, which holds every text."""
        check_text(resource=self.action.resource, reason=self.reason, idempotency_key=self.idempotency_key)


@dataclass(frozen=True, slots=True)
class Delegation:
    """While `from_person` is away, `to_person` may vote for them; times in milliseconds, end exclusive."""

    id: str
    from_person: str
    to_person: str
    starts_at_ms: int
    ends_at_ms: int


@dataclass(frozen=True, slots=True)
class PostReview:
    """Break-glass leaves one open until somebody else closes it."""

    id: str
    action_id: str
    grant_id: str
    person: str
    reason: str
    opened_at_ms: int
    closed_by: str | None = None
    closed_at_ms: int | None = None
    note: str | None = None
