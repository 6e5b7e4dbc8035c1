"""The gate: one way through the house, for every door, channel and SDK (design.md section 5).

Five verbs change requests and grants: `submit`, `wait`, `vote`, `claim`, `settle`; beside them stand those for what
lasts (`break_glass`, standing grants, delegation) and the way back (`withdraw`, `revoke_grant`). Nothing else does.
Each runs as one transaction with its ledger entries.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Self, TypeVar

from consentry.actions import Action, Actor, Operand
from consentry.consent import claiming, erasing, lasting, publishing, reading, settling, submitting, sweeping, voting
from consentry.consent.core import Core, Refusal, authors_now
from consentry.consent.eligibility import Ineligible, why_not
from consentry.consent.errors import NotAllowed
from consentry.consent.events import LedgerEvent, follow
from consentry.consent.journaling import Journaling
from consentry.consent.model import (
    Ballot,
    Claim,
    Decision,
    Delegation,
    Grant,
    HistoryQuery,
    OutcomeStatus,
    PostReview,
    Request,
    RequestQuery,
    Submission,
    Voter,
)
from consentry.consent.policies import PolicyHolder
from consentry.consent.preview import Preview
from consentry.consent.reading import Health
from consentry.consent.roster import Directory, load_delegations
from consentry.consent.rows import load_action, load_decision, load_request
from consentry.consent.settings import GateSettings
from consentry.consent.settling import Settlement
from consentry.consent.setup import ensure_policies, ensure_started
from consentry.consent.standing import StandingPattern
from consentry.consent.states import RequestState
from consentry.consent.waiting import Waiters
from consentry.consent.words import check_text
from consentry.errors import ConsentryError
from consentry.ledger.keeper import FileKeeper
from consentry.policy.cedar import PolicySet
from consentry.policy.model import Level, Resource, Roster
from consentry.policy.replay import Change, Replay, replay
from consentry.store import Operation, Store, Tx, open_store
from consentry.store.publisher import Publisher, keys_text

T = TypeVar("T")
log = logging.getLogger("consentry.gate")


class Gate:
    """One gate of a process. Open it with `Gate.open`, close it when done; use it from one event loop."""

    def __init__(self, core: Core, store: Store, publisher: Publisher, journal: Journaling) -> None:
        self._core = core
        self._publisher = publisher
        self._journal = journal
        self._waiters = Waiters()
        self._stop_listening: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.store = store

    @classmethod
    async def open(cls, settings: GateSettings) -> Self:
        """Start: bring the store up to date, check it against the keeper, load policies, recover, begin to sweep.

        Raises a `ConsentryError` and leaves nothing running where any of it fails.
        """
        initial = PolicySet.from_directory(settings.policy_dir) if settings.policy_dir else PolicySet.starter()
        store = open_store(settings.url, offset_ms=settings.clock_offset_ms)
        await store.start()
        try:
            signer = publishing.load_signer(
                settings.key_path, settings.ledger_origin, await store.read(publishing.current_vkey)
            )
            keeper = FileKeeper(settings.keeper_path)
            publisher = Publisher(store, origin=settings.ledger_origin, signer=signer, keeper=keeper)
            await publisher.check()
            core = Core(settings, PolicyHolder(initial), Directory())
            instance = await store.write(lambda tx: ensure_started(tx, signer.verifier.vkey))
            await store.write(lambda tx: ensure_policies(tx, core.policies, settings.policy_dir, initial))
            await store.read(core.directory.current)
            publishing.write_keys(settings.data_dir, await store.read(keys_text))
            journal = await Journaling.open(core, store, settings.data_dir, instance)
        except BaseException:
            await store.close()
            raise
        gate = cls(core, store, publisher, journal)
        gate._run()
        return gate

    def _run(self) -> None:
        self._stop_listening.append(self.store.listen(self._waiters.wake))
        if self._core.settings.background:
            self._tasks = [
                asyncio.create_task(self._sweep_for_ever(), name="sweeper"),
                asyncio.create_task(self._publish_for_ever(), name="publisher"),
            ]
        self._tasks.append(asyncio.create_task(self._journal.drain_for_ever(), name="journal"))

    async def close(self) -> None:
        """Stop the background work, publish what is committed, disconnect."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with contextlib.suppress(ConsentryError):
            await self._journal.close()
        with contextlib.suppress(ConsentryError):
            await self._publisher.publish(all_of_it=False)
        while self._stop_listening:
            self._stop_listening.pop()()
        await self.store.close()

    @property
    def settings(self) -> GateSettings:
        return self._core.settings

    @property
    def policies(self) -> PolicyHolder:
        return self._core.policies

    @property
    def resources(self) -> Mapping[str, Resource]:
        return self._core.settings.resources

    @property
    def waiting(self) -> int:
        """How many callers wait in this process."""
        return self._waiters.count

    # The five verbs.

    async def submit(self, submission: Submission, *, claim: bool = False) -> Decision:
        """Judge an action; open or join a request where policy asks for people.

        With `claim`, an action that policy allows outright is claimed in the same transaction: for doors, which
        perform it at once. Only then can policy's level L0 apply. Raises `IdempotencyMismatch`, `StoreUnavailable`,
        and `PolicyInvalid` for a change of policy that could not take force.
        """
        if submission.action.operation == lasting.POLICY_CHANGE:
            lasting.proposed_policies(submission.action, await self.roster(), await self.current_policies())
        prepared = submitting.prepare(self._core, submission, self.store.clock_ms())
        if claim and submitting.is_routine(prepared):
            return await self._journal.submit(prepared)
        decision = await self.store.write(lambda tx: submitting.submit(tx, self._core, prepared, claim=claim))
        if decision.claim is not None:
            await self._cover(decision.obligations.level)
        return decision

    async def wait(self, action_id: str, *, timeout_s: float) -> Decision:
        """The decision once it is no longer pending, or that of the timeout. Holds no thread and no connection.

        Raises `UnknownAction`.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            future = self._waiters.register(action_id)
            try:
                decision = await self.decision(action_id)
                left = deadline - asyncio.get_running_loop().time()
                if not decision.waiting or left <= 0:
                    return decision
                if decision.expires_at_ms is not None:  # the clock decides too, whether or not a sweeper comes by
                    left = min(left, max(0.0, (decision.expires_at_ms - self.store.clock_ms()) / 1000) + 0.01)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(future, left)
            finally:
                self._waiters.forget(action_id, future)

    async def vote(self, request_id: str, voter: Voter, ballot: Ballot) -> Request:
        """One person's word.

        Raises `UnknownRequest`, `NotEligible`, `AssuranceTooLow`, `StaleView`, `AlreadyVoted`, `AlreadyDecided`,
        `Expired`.
        """
        return await self._do(lambda tx: voting.vote(tx, self._core, request_id, voter, ballot))

    async def claim(self, action_id: str, by: Actor, *, operands: tuple[Operand, ...] | None = None) -> Claim:
        """Use the grant of an action, once. `operands` are those that the caller has read, hashed again.

        Raises `UnknownAction`, `NotGranted`, `AlreadyClaimed`, `Expired`, `Void`, `OperandChanged`.
        """
        await self._journal.drained(action_id)
        taken = await self._do(lambda tx: claiming.claim(tx, self._core, action_id, by, operands))
        decision = await self.decision(action_id)
        await self._cover(decision.obligations.level)
        return taken

    async def settle(self, claim_id: str, by: Actor, status: OutcomeStatus, summary: str | None = None) -> Claim:
        """Say what really happened. Raises `UnknownAction`, `AlreadySettled`."""
        await self._journal.drained(claim_id)
        check_text(summary=summary)
        return await self._do(lambda tx: claiming.settle(tx, claim_id, by, status, summary))

    async def settle_all(self, settlements: Sequence[Settlement]) -> tuple[ConsentryError | None, ...]:
        """`settle` for many claims in one operation: for each, what `settle` would have raised, or `None`."""
        for one in settlements:
            await self._journal.drained(one.claim_id)
        return await self.store.write(lambda tx: settling.settle_all(tx, settlements))

    def settle_along(self, settlement: Settlement) -> bool:
        """`settle` for an action of level L0 that is in the journal only: told now, and written together with it.

        False where it is not, or this is not its outcome: then `settle` says why.
        """
        return self._journal.settle_along(settlement)

    # Beside them.

    async def withdraw(self, request_id: str, by: Actor, reason: str | None = None) -> Request:
        """Take a request back. Raises `UnknownRequest`, `NotAllowed`, `AlreadyDecided`, `Expired`."""
        check_text(reason=reason)
        return await self._do(lambda tx: voting.withdraw(tx, self._core, request_id, by, reason))

    async def break_glass(self, submission: Submission, voter: Voter, reason: str) -> Decision:
        """A person acts now, without consent, and answers for it. Raises `GlassHolds`, `ReasonRequired`, …"""
        check_text(reason=reason)
        prepared = submitting.prepare(self._core, submission, self.store.clock_ms())
        return await self._do(lambda tx: lasting.break_glass(tx, self._core, prepared, voter, reason))

    async def close_post_review(self, review_id: str, voter: Voter, note: str) -> PostReview:
        """Somebody else closes the review that break-glass left open. Raises `UnknownReview`, `NotEligible`."""
        check_text(note=note)
        return await self._do(lambda tx: lasting.close_post_review(tx, self._core, review_id, voter, note))

    async def create_standing(
        self, pattern: StandingPattern, voter: Voter, *, uses: int, expires_ms: int, reason: str
    ) -> Grant:
        """Consent beforehand to a bounded family of actions. Raises `InvalidPattern`, `NotEligible`."""
        check_text(resource=pattern.resource, reason=reason)
        return await self._do(
            lambda tx: lasting.create_standing(
                tx, self._core, pattern, voter, uses=uses, expires_ms=expires_ms, reason=reason
            )
        )

    async def simulate_standing(self, pattern: StandingPattern, *, since_ms: int | None = None) -> tuple[str, ...]:
        """The ids of past actions that the pattern would have let through."""
        return await self.store.read(lambda tx: lasting.simulate(tx, pattern, since_ms))

    async def revoke_grant(self, grant_id: str, voter: Voter, reason: str | None = None) -> Grant:
        """Take a grant back, at once. Raises `UnknownGrant`, `NotAllowed`."""
        check_text(reason=reason)
        return await self._do(lambda tx: lasting.revoke(tx, self._core, grant_id, voter, reason))

    async def delegate(self, voter: Voter, to_person: str, starts_at_ms: int, ends_at_ms: int) -> Delegation:
        """Let another person vote in the voter's place for a time. Raises `InvalidInput`."""
        return await self._do(lambda tx: lasting.delegate(tx, self._core, voter, to_person, starts_at_ms, ends_at_ms))

    async def end_delegation(self, delegation_id: str, voter: Voter) -> Delegation:
        """End a delegation now. Raises `NotFound`."""
        return await self._do(lambda tx: lasting.end_delegation(tx, self._core, delegation_id, voter))

    async def apply_policy(self, claim_id: str, by: Actor) -> Claim:
        """Put the policies of a claimed `policy.change` action in force and settle it, in one transaction.

        Raises `UnknownAction`, `AlreadySettled`, `PolicyInvalid`.
        """
        return await self._do(lambda tx: lasting.apply_policy(tx, self._core, claim_id, by))

    async def erase(self, action_id: str, voter: Voter, reason: str) -> int:
        """Erase the values behind a finished action's commitments; how many. Raises `NotAllowed`, `UnknownAction`."""
        check_text(reason=reason)
        await self._publisher.publish()
        return await self._do(lambda tx: erasing.erase(tx, self._core, action_id, voter, reason))

    # Reads.

    async def decision(self, action_id: str) -> Decision:
        """Raises `UnknownAction`."""
        journaled = self._journal.decision(action_id)
        if journaled is not None:
            return journaled
        return await self.store.read(lambda tx: load_decision(tx, action_id))

    async def action(self, action_id: str) -> Action:
        """Raises `UnknownAction`."""
        await self._journal.drained(action_id)
        return await self.store.read(lambda tx: load_action(tx, action_id))

    async def request(self, request_id: str) -> Request:
        """Raises `UnknownRequest`."""
        return await self.store.read(lambda tx: load_request(tx, request_id))

    async def requests(self, query: RequestQuery) -> tuple[Request, ...]:
        """Requests, newest first; with a person, those that they could decide come before the others."""
        return await self.store.read(lambda tx: reading.requests(tx, self._core, query))

    async def history(self, query: HistoryQuery) -> tuple[tuple[Action, Decision], ...]:
        """Actions with where they stand, newest first."""
        return await self.store.read(lambda tx: reading.history(tx, query))

    async def grants(self, *, open_only: bool = False) -> tuple[Grant, ...]:
        """The newest grants."""
        return await self.store.read(lambda tx: reading.grants(tx, open_only=open_only))

    async def grant(self, grant_id: str) -> Grant:
        """Raises `UnknownGrant`."""
        return await self.store.read(lambda tx: reading.load_grant(tx, grant_id))

    async def post_reviews(self, *, open_only: bool = True) -> tuple[PostReview, ...]:
        """Reviews that break-glass left."""
        return await self.store.read(lambda tx: reading.post_reviews(tx, open_only=open_only))

    async def delegations(self) -> tuple[Delegation, ...]:
        """All delegations."""
        return await self.store.read(load_delegations)

    async def roster(self) -> Roster:
        """Who there is now."""
        return await self.store.read(self._core.directory.current)

    async def similar(self, request: Request, limit: int = 5) -> tuple[Request, ...]:
        """What was decided before on the same operation and resource, newest first."""
        return await self.store.read(lambda tx: reading.similar(tx, request, limit))

    async def preview(self, request_id: str) -> Preview:
        """What people are shown. Raises `UnknownRequest`."""
        return await self.store.read(lambda tx: reading.preview(tx, request_id))

    async def current_policies(self) -> PolicySet:
        """The policy set in force."""
        return await self.store.read(self._core.policies.current)

    async def replay(self, candidate: PolicySet, since_ms: int) -> Replay:
        """What `candidate` would have said of the past actions since a time, for the people of today."""
        judged, changes, after = 0, list[Change](), ""
        while page := await self.store.read(partial(reading.past, core=self._core, since_ms=since_ms, after_id=after)):
            part = replay(page, candidate, await self.roster())
            judged, after = judged + part.judged, page[-1].id
            changes.extend(part.changes)
            await asyncio.sleep(0)  # a long history leaves room for callers
        return Replay(judged, tuple(changes), candidate.version)

    async def why_not(self, person: str, request: Request) -> Ineligible | None:
        """Why this person may not vote on the request now, or `None` where they may."""

        def ask(tx: Tx) -> Ineligible | None:
            roster = self._core.directory.current(tx)
            if request.state is not RequestState.PENDING:
                return Ineligible("decided", f"this request was {request.state.value}")
            if any(roster.canonical(vote.person) == roster.canonical(person) for vote in request.votes):
                return Ineligible("voted", "you have voted on this request")
            answer = why_not(
                person,
                request,
                roster,
                load_delegations(tx, at_ms=tx.now_ms),
                authors=authors_now(tx, request, roster),
                now_ms=tx.now_ms,
            )
            return answer if isinstance(answer, Ineligible) else None

        return await self.store.read(ask)

    async def may_see(self, person: str, request: Request) -> bool:
        """Whether a person could decide the request at some stage, is behind it, or has voted on it."""
        return await self.store.read(lambda tx: reading.may_see(tx, self._core, person, request))

    # The ledger.

    async def checkpoint_now(self) -> bytes:
        """Sign a checkpoint over everything that is committed by now, and keep it outside."""
        return (await self._publisher.publish()).note

    async def rotate_key(self, voter: Voter) -> bytes:
        """Sign with a new key from now on; the old one vouches for it. Answers the new key file.

        Other replicas stop publishing until they are started with the new key. Raises `NotAllowed`.
        """
        roster = await self.roster()
        person = roster.canonical(voter.person)
        if person not in roster.members(lasting.ADMINS):
            raise NotAllowed("rotating the ledger's key is for administrators")
        path = self._core.settings.key_path
        signer = publishing.next_signer(path, self._core.settings.ledger_origin)
        await self._publisher.rotate(signer, person)
        publishing.promote(path)
        keys = await self.ledger_keys()
        publishing.write_keys(self._core.settings.data_dir, keys)
        return keys

    async def receipt(self, action_id: str) -> bytes:
        """What the action left in the ledger, provable offline. Raises `UnknownAction`."""
        await self._journal.drained(action_id)
        published = await self._publisher.publish()
        return await self.store.read(lambda tx: publishing.receipt(tx, action_id, published))

    async def ledger_file(self, path: str) -> bytes | None:
        """`checkpoint` or a tile by its `tlog-tiles` path; `None` where there is none."""
        return await self.store.read(lambda tx: reading.ledger_file(tx, path))

    async def ledger_keys(self) -> bytes:
        """The key file: all keys with the sizes that they may sign."""
        return await self.store.read(keys_text)

    async def export_bundle(self, out: Path) -> None:
        """Write the whole log as a bundle (a directory, `.zip` or `.tar`)."""
        published = await self._publisher.publish()
        await self.store.read(lambda tx: publishing.export(tx, out, published))

    async def ledger_size(self) -> int:
        """How many entries have their place."""
        return await self.store.read(reading.ledger_size)

    def events(self, after_seq: int) -> AsyncIterator[LedgerEvent]:
        """Entries after a place, live and without gaps, for as long as somebody listens."""
        return follow(self.store, after_seq)

    async def health(self) -> Health:
        """Whether the parts work. Raises `StoreUnavailable`."""
        return await self.store.read(lambda tx: reading.health(tx, self._core))

    # Inside.

    async def _do(self, operation: Operation[T | Refusal]) -> T:
        result = await self.store.write(operation)
        if isinstance(result, Refusal):
            raise result.error
        return result

    async def _cover(self, level: Level) -> None:
        """L2: the record stands under a signed checkpoint before the effect."""
        if level is Level.L2:
            await self._publisher.publish()

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                if await self.store.read(sweeping.due):
                    await self.store.write(lambda tx: sweeping.sweep(tx, self._core))
                await self._journal.recover()
            except ConsentryError as error:
                log.warning("sweep failed", extra={"code": error.code})
            await asyncio.sleep(self._core.settings.sweep_seconds)

    async def _publish_for_ever(self) -> None:
        """At most `checkpoint_seconds` behind when busy; a fresh signature now and then when idle."""
        grown = asyncio.Event()
        stop = self.store.listen(lambda _news: grown.set())
        try:
            while True:
                grown.clear()
                try:
                    await self._publisher.publish(all_of_it=False)
                except ConsentryError as error:
                    log.warning("publishing failed", extra={"code": error.code})
                await asyncio.sleep(self._core.settings.checkpoint_seconds)
                await grown.wait()
        finally:
            stop()
