"""Level L0: routine actions that policy allows outright, journaled before the effect and in the ledger soon after.

The journal survives a killed process; a power failure can cost what was not drained yet, at most `DRAIN_SECONDS` of
routine actions, and the gap is recorded at the next start. An action at L0 is claimed as it is submitted: the door
performs it at once.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Self

from consentry.actions import Actor, new_id
from consentry.consent.core import Core
from consentry.consent.journal_rows import Journaled, mark, unknown, write
from consentry.consent.model import ActionState, Claim, Decision
from consentry.consent.rows import dump, own_grant_id
from consentry.consent.settling import Settlement, settle_all
from consentry.consent.states import ClaimState
from consentry.consent.submitting import Prepared, encoded, judged_fields, prepare, submit
from consentry.consent.words import check_text
from consentry.errors import ConsentryError
from consentry.ledger.errors import JournalUnavailable
from consentry.ledger.journal import MAX_RECORD_BYTES, Batch, Handler, Journal, recover
from consentry.store import Store, Tx, UnfitText

GATHER_SECONDS = 0.025
"""How long records are gathered for one transaction."""
OUTCOME_SECONDS = 0.025
"""How long outcomes are waited for: what is told by then is written with the records, in the same transaction.

Both together, and a commit, are what a record is old at most when it is durable: 100 ms, with the round before it.
"""
FRESH_MS = 100
"""How old the knowledge of the policy version in force may be; older, and it is read again first."""
log = logging.getLogger("consentry.journal")


@dataclass(slots=True)
class _Held:
    """An action that is in the journal only, under this counter; and its outcome once that is told."""

    counter: int
    record: Journaled
    decision: Decision
    by: Actor
    outcome: Settlement | None = None


class Journaling:
    """The journal of one gate, and what of it has not reached the ledger yet."""

    def __init__(self, core: Core, store: Store, journal: Journal, directory: Path) -> None:
        self._core = core
        self._store = store
        self._journal = journal
        self._directory = directory
        self._recovering: asyncio.Future[list[str]] | None = None
        self._held: dict[str, _Held] = {}
        self._claims: dict[str, str] = {}
        self._late: list[Settlement] = []
        self._draining = asyncio.Lock()
        self._more = asyncio.Event()
        self._fresh_until = 0.0

    @classmethod
    async def open(cls, core: Core, store: Store, data_dir: Path, instance: str) -> Self:
        """Recover what dead processes left, then start a journal for this one."""
        directory = data_dir / "journal"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        await asyncio.to_thread(_recovery(directory, store))
        return cls(core, store, Journal(directory, instance), directory)

    async def submit(self, prepared: Prepared) -> Decision:
        """Journal a routine action, claimed. Falls back to a transaction where policy or people may have changed."""
        if time.monotonic() >= self._fresh_until:
            await self._refresh()
        latest = self._core.policies.latest
        if prepared.judgement.policy_version != latest.version or (
            prepared.roster_version != self._core.directory.latest.version
        ):
            prepared = prepare(self._core, prepared.submission, self._store.clock_ms())
        decision, record = _journaled(prepared, self._store.clock_ms(), self._core.settings.lease_ms)
        data = record.encode()
        if len(data) > MAX_RECORD_BYTES:
            return await self._store.write(lambda tx: submit(tx, self._core, prepared, claim=True))
        counter = self._journal.append(data)
        self._held[record.action_id] = _Held(counter, record, decision, prepared.submission.action.actor)
        self._claims[record.claim_id] = record.action_id
        self._more.set()
        return decision

    def settle_along(self, one: Settlement) -> bool:
        """Keep an outcome for the transaction that writes its action. False where that is not to come."""
        held = self._held.get(self._claims.get(one.claim_id, ""))
        if held is None or held.outcome is not None or (held.by is not one.by and held.by != one.by):
            return False
        try:
            check_text(summary=one.summary)
        except UnfitText:
            return False
        held.outcome = one
        return True

    def decision(self, action_id: str) -> Decision | None:
        """The decision on an action that is in the journal only."""
        held = self._held.get(action_id)
        return None if held is None else held.decision

    async def drained(self, identifier: str) -> None:
        """Return once the action or claim of this id is in the store, if it was journaled here."""
        if identifier in self._held or identifier in self._claims:
            await self.drain()

    async def drain(self) -> None:
        """Move everything journaled so far into the ledger."""
        async with self._draining:
            await asyncio.to_thread(self._journal.drain, self._handler())

    async def drain_for_ever(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            await asyncio.sleep(GATHER_SECONDS)
            try:
                await asyncio.to_thread(self._journal.turn)
                await asyncio.sleep(OUTCOME_SECONDS)
                async with self._draining:
                    await asyncio.to_thread(self._journal.drain, self._handler(), turn=False)
            except ConsentryError as error:
                self._more.set()
                log.warning("draining the journal failed", extra={"code": error.code})

    async def recover(self) -> None:
        """Bring in what processes journaled that died since: until then nobody else can see it."""
        self._recovering = asyncio.ensure_future(asyncio.to_thread(_recovery(self._directory, self._store)))
        try:
            found = await asyncio.shield(self._recovering)  # a thread cannot be cancelled: `close` waits for it
        except OSError as error:
            raise JournalUnavailable(f"journal: its directory cannot be read ({type(error).__name__})") from error
        for instance in found:
            log.warning("recovered the journal of a process that died", extra={"instance": instance})

    async def close(self) -> None:
        if self._recovering is not None:
            await asyncio.wait({self._recovering})
        await self.drain()
        await asyncio.to_thread(self._journal.close, self._handler())

    def _handler(self) -> Handler:
        """What takes batches from a thread beside this loop."""
        loop = asyncio.get_running_loop()
        return lambda batch: asyncio.run_coroutine_threadsafe(self._write(batch), loop).result()

    async def _write(self, batch: Batch) -> None:
        waiting = list(takewhile(lambda held: held.counter <= batch.last, self._held.values()))  # they are in order
        by_counter = {held.counter: held for held in waiting}

        def known(counter: int) -> tuple[Journaled, Settlement | None] | None:
            held = by_counter.get(counter)
            return None if held is None else (held.record, held.outcome)

        settled = await self._store.write(lambda tx: write(tx, batch, known))
        for held in waiting:
            del self._held[held.record.action_id], self._claims[held.record.claim_id]
            if held.outcome is not None and held.outcome.claim_id not in settled:
                self._late.append(held.outcome)
        await self._settle_late()

    async def _settle_late(self) -> None:
        """Outcomes that were told while the transaction was being committed; they stay until the store took them."""
        if late := tuple(self._late):
            self._more.set()  # where this fails, the batch is offered again, and they are told again with it
            await self._store.write(lambda tx: settle_all(tx, late))
            del self._late[: len(late)]

    async def _refresh(self) -> None:
        def look(tx: Tx) -> None:
            self._core.policies.current(tx)
            self._core.directory.current(tx)

        before = time.monotonic()  # wall clocks, here and at the database, may differ and jump
        await self._store.read(look)
        self._fresh_until = before + FRESH_MS / 1000


def _recovery(directory: Path, store: Store) -> Callable[[], list[str]]:
    """What recovers the journals of the dead, for a thread beside this loop. Answers the instances."""
    loop = asyncio.get_running_loop()

    async def read(instance: str) -> int:
        return await store.read(lambda tx: mark(tx, instance) or 0)

    def drained(instance: str) -> int:
        return asyncio.run_coroutine_threadsafe(read(instance), loop).result()

    def hand_over(batch: Batch) -> None:
        asyncio.run_coroutine_threadsafe(_as_coroutine(store, batch), loop).result()

    return lambda: recover(directory, drained, hand_over)


async def _as_coroutine(store: Store, batch: Batch) -> None:
    """What a dead process journaled; nobody knows the outcomes."""
    await store.write(lambda tx: write(tx, batch, unknown))


def _journaled(prepared: Prepared, now_ms: int, lease_ms: int) -> tuple[Decision, Journaled]:
    """The decision, and everything that its rows and entries are made of."""
    judgement, submission = prepared.judgement, prepared.submission
    action, action_id = submission.action, prepared.action_id
    reasons, obligations = encoded(judgement)
    grant_id = own_grant_id(action_id)
    claim = Claim(new_id("clm"), action_id, grant_id, ClaimState.CLAIMED, now_ms, now_ms + lease_ms)
    decision = Decision(
        action_id=action_id,
        digest=action.digest,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        obligations=judgement.obligations,
        state=ActionState.CLAIMED,
        policy_version=judgement.policy_version,
        submitted_at_ms=now_ms,
        grant_id=grant_id,
        claim=claim,
    )
    record = Journaled(
        action_id=action_id,
        digest=action.digest,
        operation=action.operation,
        resource=action.resource,
        actor_id=action.actor.id,
        canonical=action.canonical,
        seal=prepared.seal,
        facts=dump(submission.facts.values),
        reason=submission.reason,
        reasons=reasons,
        obligations=obligations,
        policy_version=judgement.policy_version,
        fields=judged_fields(prepared, judgement),
        claim_id=claim.id,
        grant_id=grant_id,
        at_ms=now_ms,
        lease_until_ms=claim.lease_until_ms,
    )
    return decision, record
