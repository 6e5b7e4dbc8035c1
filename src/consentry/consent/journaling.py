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
from pathlib import Path
from typing import Self

import orjson
from sqlalchemy import select, update

from consentry.actions import new_id
from consentry.consent.core import Core
from consentry.consent.model import ActionState, Claim, Decision
from consentry.consent.rows import dump, dump_reasons, own_grant_id
from consentry.consent.states import ClaimState
from consentry.consent.submitting import Prepared, judged_fields, prepare, submit
from consentry.errors import ConsentryError
from consentry.ledger.entry import FieldValue, encode_entry
from consentry.ledger.errors import JournalUnavailable
from consentry.ledger.journal import MAX_RECORD_BYTES, Batch, Journal, recover
from consentry.store import Store, Tx, tables
from consentry.store.record import record, spell_time

DRAIN_SECONDS = 0.05
FRESH_MS = 100
"""How old the knowledge of the policy version in force may be; older, and it is read again first."""
log = logging.getLogger("consentry.journal")


@dataclass(frozen=True, slots=True)
class _Held:
    decision: Decision


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
        decision, data = _journaled(prepared, self._store.clock_ms(), self._core.settings.lease_ms)
        if len(data) > MAX_RECORD_BYTES or decision.claim is None:
            return await self._store.write(lambda tx: submit(tx, self._core, prepared, claim=True))
        self._journal.append(data)
        self._held[decision.action_id] = _Held(decision)
        self._claims[decision.claim.id] = decision.action_id
        self._more.set()
        return decision

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
        loop = asyncio.get_running_loop()

        def hand_over(batch: Batch) -> None:
            asyncio.run_coroutine_threadsafe(_as_coroutine(self._store, batch), loop).result()

        async with self._draining:
            before = list(self._held)
            await asyncio.to_thread(self._journal.drain, hand_over)
            for action_id in before:
                held = self._held.pop(action_id)
                if held.decision.claim is not None:
                    self._claims.pop(held.decision.claim.id, None)

    async def drain_for_ever(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            await asyncio.sleep(DRAIN_SECONDS)
            try:
                await self.drain()
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
        loop = asyncio.get_running_loop()

        def hand_over(batch: Batch) -> None:
            asyncio.run_coroutine_threadsafe(_as_coroutine(self._store, batch), loop).result()

        await asyncio.to_thread(self._journal.close, hand_over)

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
        return await store.read(lambda tx: _mark(tx, instance) or 0)

    def drained(instance: str) -> int:
        return asyncio.run_coroutine_threadsafe(read(instance), loop).result()

    def hand_over(batch: Batch) -> None:
        asyncio.run_coroutine_threadsafe(_as_coroutine(store, batch), loop).result()

    return lambda: recover(directory, drained, hand_over)


async def _as_coroutine(store: Store, batch: Batch) -> None:
    await store.write(lambda tx: _write(tx, batch))


def _journaled(prepared: Prepared, now_ms: int, lease_ms: int) -> tuple[Decision, bytes]:
    """The decision, and everything that its rows and entries are made of."""
    judgement, submission = prepared.judgement, prepared.submission
    grant_id = own_grant_id(prepared.action_id)
    claim = Claim(new_id("clm"), prepared.action_id, grant_id, ClaimState.CLAIMED, now_ms, now_ms + lease_ms)
    decision = Decision(
        action_id=prepared.action_id,
        digest=submission.action.digest,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        obligations=judgement.obligations,
        state=ActionState.CLAIMED,
        policy_version=judgement.policy_version,
        submitted_at_ms=now_ms,
        grant_id=claim.grant_id,
        claim=claim,
    )
    data = orjson.dumps(
        {
            "canonical": submission.action.canonical.decode("utf-8"),
            "seal": prepared.seal.hex(),
            "facts": dump(submission.facts.values),
            "reason": submission.reason,
            "actor": submission.action.actor.id,
            "resource": submission.action.resource,
            "reasons": dump_reasons(judgement.reasons),
            "obligations": dump(judgement.obligations.to_json()),
            "entry": judged_fields(prepared, judgement),
            "claim": claim.id,
            "grant": claim.grant_id,
            "at": now_ms,
            "lease": claim.lease_until_ms,
        }
    )
    return decision, data


def _mark(tx: Tx, instance: str) -> int | None:
    """The last counter of an instance that reached the ledger."""
    marks = tables.journal_marks.c
    last: int | None = tx.execute(select(marks.last).where(marks.instance == instance)).scalar_one_or_none()  # type: ignore[assignment]
    return last


def _write(tx: Tx, batch: Batch) -> None:
    """Records become rows and entries, and the mark moves, in one transaction: nothing twice, nothing lost."""
    marks = tables.journal_marks.c
    last = _mark(tx, batch.instance)
    for gap in batch.gaps:
        fields: dict[str, FieldValue | None] = {
            "instance": gap.instance,
            "gap": gap.kind,
            "first": gap.first,
            "last": gap.last,
        }
        record(tx, "ledger.gap", fields)
    for place, data in enumerate(batch.records):
        counter = batch.first + place
        if last is None or counter > last:
            _write_one(tx, batch.instance, counter, orjson.loads(data))
    if last is None:
        tx.execute(tables.journal_marks.insert(), {"instance": batch.instance, "last": batch.last})
    else:
        tx.execute(update(tables.journal_marks).where(marks.instance == batch.instance).values(last=batch.last))


def _write_one(tx: Tx, instance: str, counter: int, kept: dict[str, object]) -> None:
    entry = kept["entry"]
    assert isinstance(entry, dict)
    fields = {name: value for name, value in entry.items() if value is not None}
    action_id, at = str(entry["action"]), int(str(kept["at"]))
    lease = int(str(kept["lease"]))
    tx.insert(
        tables.actions,
        {
            "id": action_id,
            "digest": entry["digest"],
            "operation": entry["operation"],
            "resource": str(kept["resource"]),
            "actor_id": str(kept["actor"]),
            "canonical": str(kept["canonical"]).encode("utf-8"),
            "seal": bytes.fromhex(str(kept["seal"])),
            "facts": str(kept["facts"]),
            "reason": None if kept["reason"] is None else str(kept["reason"]),
            "idempotency_key": None,
            "verdict": "allow",
            "reasons": str(kept["reasons"]),
            "obligations": str(kept["obligations"]),
            "policy_version": entry["policy"],
            "request_id": None,
            "grant_id": str(kept["grant"]),
            "submitted_at": at,
            "claimable_until": None,
        },
    )
    tx.insert(
        tables.claims,
        {
            "id": str(kept["claim"]),
            "grant_id": str(kept["grant"]),
            "action_id": action_id,
            "state": ClaimState.CLAIMED.value,
            "claimed_at": at,
            "lease_until": lease,
            "settled_at": None,
            "summary": None,
        },
    )
    time = spell_time(at)
    journaled = {**fields, "instance": instance, "counter": counter, "level": "L0"}
    tx.append(encode_entry("action.journaled", time, journaled), action_id=action_id)
    claimed = {
        "claim": str(kept["claim"]),
        "action": action_id,
        "digest": entry["digest"],
        "by": str(kept["actor"]),
        "level": "L0",
        "lease": spell_time(lease),
    }
    tx.append(encode_entry("grant.claimed", time, claimed), action_id=action_id)
