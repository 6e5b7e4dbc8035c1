"""One action from asking to its outcome: the order of the verbs, written once for every kind of caller."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from consentry.client.errors import (
    Denied,
    Expired,
    NotAdmitted,
    OutcomeNotRecorded,
    Revoked,
    StillPending,
    Unreachable,
    Void,
    Withdrawn,
)
from consentry.client.model import ClaimGiven, Decision, Status
from consentry.client.operands import OperandSource, Taken, pin, take
from consentry.client.transport import Ask, Transport
from consentry.errors import ConsentryError

log = logging.getLogger("consentry.client")

OnPending = Callable[[Decision], None]
"""Told once when people have to decide; `decision.url` is where."""

MAX_SUMMARY = 500


@dataclass(slots=True)
class Claim:
    """The right to perform one exact action, once, now.

    `credentials` are short-lived and for this action only, where a connector gives any: that is enforcement; without
    them the guard is a courtesy of this code. Set `summary` to say in a few words what happened; it is kept where it
    can be erased, and must hold no personal data.
    """

    id: str
    action_id: str
    digest: str
    lease_until: datetime
    credentials: Mapping[str, str] = field(repr=False)
    summary: str | None = None
    failed: bool = False
    """Set to say that it did not work where no exception says so."""
    _taken: Taken | None = field(default=None, repr=False)
    _folder: TemporaryDirectory[str] | None = field(default=None, repr=False)

    def open(self, name: str) -> BinaryIO:
        """The operand's bytes as they were hashed for this claim, whatever became of the file since."""
        return self._operands().open(name)

    def path(self, name: str) -> Path:
        """A private copy of the operand's bytes, for code that wants a path. It goes when the action ends."""
        if self._folder is None:
            self._folder = TemporaryDirectory(prefix="consentry-")
        return self._operands().write_to(name, Path(self._folder.name))

    def _operands(self) -> Taken:
        return self._taken or Taken((), {}, {})

    def _close(self) -> None:
        if self._taken is not None:
            self._taken.close()
        if self._folder is not None:
            self._folder.cleanup()


_current: ContextVar[Claim | None] = ContextVar("consentry_claim", default=None)


def current_claim() -> Claim | None:
    """The claim under which the running guarded function performs its action."""
    return _current.get()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a crossing is asked with beside the action itself. `wait_s` of `None` waits as long as the request lives."""

    wait_s: float | None = None
    on_pending: OnPending | None = None


class Crossing:
    """Asks, waits, claims; then settles. For one use."""

    def __init__(self, ask: Ask, sources: Mapping[str, OperandSource], terms: Terms) -> None:
        self._ask = ask
        self._sources = sources
        self._terms = terms
        self._claim: Claim | None = None

    async def enter(self, transport: Transport) -> Claim:
        """Returns once the action may be performed. Raises `Denied`, `Expired`, … and then nothing may be."""
        pinned = await asyncio.to_thread(pin, self._sources) if self._sources else ()
        decision = await transport.submit(replace(self._ask, operands=pinned))
        if decision.waiting:
            self._tell(decision)
            decision = await wait(transport, decision.id, self._terms.wait_s)
        if not decision.granted:
            raise refusal(decision)
        taken = await asyncio.to_thread(take, self._sources) if self._sources else None
        try:
            given = await transport.claim(decision.id, taken.operands if taken else ())
        except BaseException:
            if taken is not None:
                taken.close()
            raise
        self._claim = _claim(decision, given, taken)
        return self._claim

    async def leave(self, transport: Transport, error: BaseException | None) -> None:
        """Records what happened: of an exception its type only. Not cut short by cancellation."""
        claim, self._claim = self._claim, None
        if claim is None:
            return
        await asyncio.to_thread(claim._close)
        status: Status = "succeeded" if error is None and not claim.failed else "failed"
        summary = claim.summary[:MAX_SUMMARY] if claim.summary else None
        report = asyncio.ensure_future(transport.settle(claim.id, status, type(error).__name__ if error else summary))
        try:
            await _to_the_end(report)
        except Unreachable as lost:
            missing = OutcomeNotRecorded(
                f"the outcome of action `{claim.action_id}` could not be reported ({lost}); it will show as `unknown`:"
                " tell somebody who can look at what really happened",
                claim_id=claim.id,
                action_id=claim.action_id,
            )
            if error is None:
                raise missing from None
            error.add_note(str(missing))

    def _tell(self, decision: Decision) -> None:
        log.info("action %s waits for consent at %s", decision.id, decision.url or "the inbox")
        if self._terms.on_pending is not None:
            self._terms.on_pending(decision)


async def wait(transport: Transport, action_id: str, wait_s: float | None) -> Decision:
    """The decision once it is no longer pending. Raises `StillPending` when `wait_s` is over first."""
    until = None if wait_s is None else time.monotonic() + wait_s
    while True:
        left = 3600.0 if until is None else max(0.0, until - time.monotonic())
        decision = await transport.decision(action_id, left)
        if not decision.waiting:
            return decision
        if until is not None and time.monotonic() >= until:
            raise StillPending(
                f"nobody decided action `{action_id}` within {wait_s:g} s; its request `{decision.request_id}` stays"
                " open: ask again with the same `idempotency_key`, or withdraw it",
                action_id=action_id,
                request_id=decision.request_id,
                url=decision.url,
            )


def refusal(decision: Decision) -> ConsentryError:
    """Why this decision does not let the action happen."""
    names = {"action_id": decision.id, "request_id": decision.request_id}
    if decision.state == "denied":
        texts = [decision.decided_reason] if decision.decided_reason else [reason.text for reason in decision.reasons]
        why = "; ".join(texts) or "no policy permits it"
        return Denied(f"denied: {why}", reasons=decision.reasons, said=decision.decided_reason, **names)
    texts_by_state: Mapping[str, tuple[type[NotAdmitted], str]] = {
        "expired": (Expired, "time ran out before anybody consented, which denies"),
        "withdrawn": (Withdrawn, "the request was withdrawn"),
        "revoked": (Revoked, "the grant was revoked before it was used"),
        "void": (Void, "the grant no longer holds, since what it stood on changed: ask again"),
    }
    kind, text = texts_by_state.get(
        decision.state, (NotAdmitted, f"the action is `{decision.state}` already and is performed at most once")
    )
    return kind(f"action `{decision.id}`: {text}", **names)


def _claim(decision: Decision, given: ClaimGiven, taken: Taken | None) -> Claim:
    return Claim(
        id=given.claim_id,
        action_id=decision.id,
        digest=decision.digest,
        lease_until=given.lease_until,
        credentials=given.credentials or {},
        _taken=taken,
    )


async def _to_the_end(report: asyncio.Future[None]) -> None:
    """Await it, also when we are cancelled meanwhile."""
    try:
        await asyncio.shield(report)
    except asyncio.CancelledError:
        await report
        raise
