"""The state machines of requests, grants and claims: the one file to read to know what can happen.

Theory. A *request* asks people and ends once. A *grant* is the right that policy or people gave; it is open until it
is used up or taken away. A *claim* is one use of a grant; it ends when what really happened is reported, or when its
lease runs out unreported, which makes it `unknown`: shown to people, never retried blindly. A late report of the one
who claimed still settles it.

```
request:  pending ─▶ approved | denied | expired | withdrawn
grant:    open ─▶ claimed | revoked | expired | void
claim:    claimed ─▶ succeeded | failed | unknown        unknown ─▶ succeeded | failed
```

Rules. A final state never changes: deny beats approve because votes of one request are handled one after the other,
and the first to end it wins. Events that a state does not list are illegal: they raise and change nothing. The clock
is an event like any other, and it comes first: whoever looks at a request or grant after its time sees it expired,
whether or not a sweeper came by (invariant 6).

The diagrams in docs/states.md are generated from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from consentry.errors import ConsentryError


class RequestState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class RequestEvent(StrEnum):
    QUORUM_OF_LAST_STAGE = "quorum of the last stage"
    QUORUM_OF_STAGE = "quorum of a stage before the last"
    DENIAL = "one eligible person denies"
    TIME = "time runs out"
    WITHDRAWAL = "an author withdraws"
    POLICY_DENIES = "policy now denies"


class GrantState(StrEnum):
    OPEN = "open"
    CLAIMED = "claimed"
    REVOKED = "revoked"
    EXPIRED = "expired"
    VOID = "void"


class GrantEvent(StrEnum):
    LAST_USE = "the last use is claimed"
    USE = "a use before the last is claimed"
    REVOCATION = "a person revokes"
    TIME = "time runs out"
    GROUNDS_GONE = "policy, a voter or an operand no longer supports it"


class ClaimState(StrEnum):
    CLAIMED = "claimed"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNKNOWN = "unknown"


class ClaimEvent(StrEnum):
    SUCCESS = "success is reported"
    FAILURE = "failure is reported"
    LEASE_END = "the lease ends unreported"


REQUEST: Mapping[tuple[RequestState, RequestEvent], RequestState] = {
    (RequestState.PENDING, RequestEvent.QUORUM_OF_STAGE): RequestState.PENDING,
    (RequestState.PENDING, RequestEvent.QUORUM_OF_LAST_STAGE): RequestState.APPROVED,
    (RequestState.PENDING, RequestEvent.DENIAL): RequestState.DENIED,
    (RequestState.PENDING, RequestEvent.POLICY_DENIES): RequestState.DENIED,
    (RequestState.PENDING, RequestEvent.TIME): RequestState.EXPIRED,
    (RequestState.PENDING, RequestEvent.WITHDRAWAL): RequestState.WITHDRAWN,
}

GRANT: Mapping[tuple[GrantState, GrantEvent], GrantState] = {
    (GrantState.OPEN, GrantEvent.USE): GrantState.OPEN,
    (GrantState.OPEN, GrantEvent.LAST_USE): GrantState.CLAIMED,
    (GrantState.OPEN, GrantEvent.REVOCATION): GrantState.REVOKED,
    (GrantState.OPEN, GrantEvent.TIME): GrantState.EXPIRED,
    (GrantState.OPEN, GrantEvent.GROUNDS_GONE): GrantState.VOID,
}

CLAIM: Mapping[tuple[ClaimState, ClaimEvent], ClaimState] = {
    (ClaimState.CLAIMED, ClaimEvent.SUCCESS): ClaimState.SUCCEEDED,
    (ClaimState.CLAIMED, ClaimEvent.FAILURE): ClaimState.FAILED,
    (ClaimState.CLAIMED, ClaimEvent.LEASE_END): ClaimState.UNKNOWN,
    (ClaimState.UNKNOWN, ClaimEvent.SUCCESS): ClaimState.SUCCEEDED,
    (ClaimState.UNKNOWN, ClaimEvent.FAILURE): ClaimState.FAILED,
}

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


class IllegalTransition(ConsentryError):
    """An event came that the state does not take. Nothing changed."""

    code = "illegal_transition"
    status = 409


def after(table: Mapping[tuple[S, E], S], state: S, event: E) -> S:
    """The state that follows. Raises `IllegalTransition` where the table has no such step."""
    try:
        return table[state, event]
    except KeyError:
        raise IllegalTransition(f"`{state}` does not take the event `{event}`") from None
