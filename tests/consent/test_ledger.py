"""The ledger behind the gate: receipts, exports, rotation, erasure, the keeper (threats G)."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest
from sqlalchemy import select, update

from consentry.consent.errors import NotAllowed
from consentry.consent.gate import Gate
from consentry.consent.model import OutcomeStatus
from consentry.consent.publishing import KeyUnsafe
from consentry.consent.setup import WrongKey
from consentry.ledger.errors import LedgerBehind, LedgerForked
from consentry.ledger.journal import Journal
from consentry.ledger.verify import verify_path
from consentry.store import tables
from consentry.store.publisher import KeyRetired


async def story(world, **arguments):
    """One action from asking to outcome."""
    decision = await world.submit(reason="the weekly export for jane@example.com", **arguments)
    await world.vote(decision, "ada")
    claim = await world.claim(decision)
    await world.gate.settle(claim.id, world.agent, OutcomeStatus.SUCCEEDED, "12 rows for jane@example.com")
    return decision


async def verified(world, path: Path, name: str = "keys"):
    keys = path.parent / name
    keys.write_bytes(await world.gate.ledger_keys())
    return verify_path(path, keys)


async def receipt_of(world, decision, folder: Path, name: str = "receipt.json") -> Path:
    path = folder / name
    path.write_bytes(await world.gate.receipt(decision.action_id))
    return path


async def test_an_export_of_everything_verifies(world, tmp_path):
    for number in range(4):
        await story(world, number=number)
    denied = await world.submit("terraform.destroy")
    expired = await world.submit("dataset.read")
    world.clock.advance(minutes=60)
    with pytest.raises(Exception, match="time ran out"):
        await world.claim(expired)
    await world.gate.export_bundle(tmp_path / "bundle")
    report = await verified(world, tmp_path / "bundle")
    assert report.outcome.value == "valid", report.findings
    assert report.entries == await world.gate.ledger_size()
    assert denied.request_id is None


async def test_receipts_of_every_kind_verify(world, tmp_path):
    from consentry.consent.standing import StandingPattern

    await world.gate.create_standing(
        StandingPattern("agt_etl", "s3.policy", "customers"), world.voter("ada"), uses=3, expires_ms=10**7, reason="x"
    )
    standing = await world.submit("s3.policy")
    await world.claim(standing)
    dan = world.person("dan")
    glass = await world.gate.break_glass(world.submission(by=dan), world.voter("dan"), "outage")
    await world.gate.claim(glass.action_id, dan)
    routine = await world.submit("s3.get", claim=True)
    joined = [await world.submit("secret.rotate") for _ in range(2)]
    for number, decision in enumerate([standing, glass, routine, *joined]):
        report = await verified(world, await receipt_of(world, decision, tmp_path, f"r{number}.json"))
        assert report.outcome.value == "valid", report.findings


async def test_g5_a_rotated_key_is_no_tampering(world, tmp_path):
    before = await story(world, n=1)
    old_receipt = await receipt_of(world, before, tmp_path, "old.json")
    await world.gate.rotate_key(world.voter("eve"))
    after = await story(world, n=2)
    new_receipt = await receipt_of(world, after, tmp_path, "new.json")
    for path in (old_receipt, new_receipt):
        assert (await verified(world, path)).outcome.value == "valid"
    await world.gate.export_bundle(tmp_path / "bundle")
    assert (await verified(world, tmp_path / "bundle")).outcome.value == "valid"
    await world.gate.close()
    world.gate = await Gate.open(world.settings)
    assert (await verified(world, await receipt_of(world, after, tmp_path))).outcome.value == "valid"


async def test_g5_another_replica_stops_signing_with_the_retired_key(world):
    replica = await world.reopen()
    await world.gate.rotate_key(world.voter("eve"))
    await world.submit("dataset.read")
    with pytest.raises(KeyRetired):
        await replica.checkpoint_now()


async def test_only_administrators_rotate_and_erase(world):
    decision = await story(world)
    with pytest.raises(NotAllowed):
        await world.gate.rotate_key(world.voter("ada"))
    with pytest.raises(NotAllowed):
        await world.gate.erase(decision.action_id, world.voter("ada"), "asked to")


async def test_erasing_leaves_the_receipt_valid_and_the_values_gone(world, tmp_path):
    decision = await story(world, address="jane@example.com")
    assert b"weekly export" not in b"".join(await entries(world))
    count = await world.gate.erase(decision.action_id, world.voter("eve"), "art. 17")
    assert count >= 4
    path = await receipt_of(world, decision, tmp_path)
    report = await verified(world, path)
    assert report.outcome.value == "valid", report.findings
    shown = [one for one in orjson.loads(path.read_bytes())["disclosures"] if one["field"] != "reason"]
    assert shown == []
    if world.settings.url.startswith("sqlite"):
        await world.gate.checkpoint_now()
    assert not await anywhere(world, "jane@example.com")


async def test_an_action_under_way_is_not_erased(world):
    decision = await world.submit()
    with pytest.raises(NotAllowed):
        await world.gate.erase(decision.action_id, world.voter("eve"), "too early")


async def test_no_sensitive_text_in_any_entry(world):
    await story(world, email="jane@example.com")
    joined = b"".join(await entries(world))
    for text in (b"jane@example.com", b"customers", b"ada@example.com", b"weekly"):
        assert text not in joined


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
async def test_g4_g8_a_database_behind_the_keeper_is_refused(world, tmp_path):
    """A restored backup: the tail that was published is gone, or something else was written in its place.

    On SQLite, where a backup is a file; the check is the same code for both.
    """
    await world.gate.close()
    database = tmp_path / "consentry.db"
    shutil.copy(database, tmp_path / "backup.db")
    world.gate = await Gate.open(world.settings)
    await story(world)
    await world.gate.close()
    for name in ("consentry.db-wal", "consentry.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "backup.db", database)
    kept = world.settings.keeper_path.read_bytes()
    with pytest.raises((LedgerBehind, LedgerForked)):
        await Gate.open(world.settings)
    world.settings.keeper_path.unlink()
    forked = await Gate.open(world.settings)
    world.gate = forked
    for number in range(3):
        await story(world, number=number)
    await forked.close()
    world.settings.keeper_path.write_bytes(kept)
    with pytest.raises(LedgerForked):
        await Gate.open(world.settings)
    world.settings.keeper_path.unlink()
    world.gate = await Gate.open(world.settings)


async def test_another_key_is_refused_at_the_start(world):
    path = world.settings.key_path
    own = path.read_bytes()
    await world.gate.close()
    path.unlink()
    with pytest.raises((KeyUnsafe, WrongKey)):
        await Gate.open(world.settings)
    path.write_bytes(own)
    path.chmod(0o644)
    with pytest.raises(KeyUnsafe):
        await Gate.open(world.settings)
    path.chmod(0o600)
    world.gate = await Gate.open(world.settings)


async def test_g2_a_journal_left_by_a_dead_process_reaches_the_ledger(world, tmp_path):
    """What was journaled before a kill is drained by the next start; a hole in the counters is recorded."""
    from consentry.consent import submitting
    from consentry.consent.journaling import _journaled

    prepared = submitting.prepare(world.gate._core, world.submission("s3.get", n=1), 1_800_000_000_000)
    decision, record = _journaled(prepared, 1_800_000_000_000, 1000)
    dead = Journal(tmp_path / "journal", "ins_dead", first=7)
    dead.append(record.encode())
    import os

    os.close(dead._file)
    dead._file = -1
    replica = await world.reopen()
    assert (await replica.decision(decision.action_id)).digest == decision.digest
    assert await world.entries(decision.action_id) == ["action.journaled", "grant.claimed"]
    types = [orjson.loads(entry)["type"] for entry in await entries(world)]
    assert "ledger.gap" in types


async def test_g1_where_the_entry_cannot_be_written_nothing_happens(world, monkeypatch):
    """State and entry commit together: an entry that does not fit the grammar takes the whole action with it."""
    from consentry.consent import submitting

    def broken(*_args, **_kwargs):
        raise RuntimeError("no entry today")

    monkeypatch.setattr(submitting, "record", broken)
    with pytest.raises(RuntimeError, match="no entry today"):
        await world.submit("dataset.read")
    monkeypatch.undo()
    assert await world.gate.store.read(lambda tx: tx.execute(select(tables.actions.c.id)).all()) == []


async def test_an_altered_entry_shows_in_the_export(world, tmp_path):
    await story(world)
    await world.gate.checkpoint_now()

    def alter(tx):
        row = tx.execute(select(tables.ledger_entries).where(tables.ledger_entries.c.seq == 3)).one()
        changed = bytes(row.entry).replace(b'"v":1', b'"v":1', 1)[:-3] + b'x"}'
        tx.execute(update(tables.ledger_entries).where(tables.ledger_entries.c.seq == 3).values(entry=changed))

    await world.gate.store.write(alter)
    await world.gate.export_bundle(tmp_path / "bundle")
    report = await verified(world, tmp_path / "bundle")
    assert report.outcome.value == "tampered"
    assert any("3" in finding.where for finding in report.findings)


async def entries(world) -> list[bytes]:
    await world.gate.checkpoint_now()
    rows = await world.gate.store.read(
        lambda tx: (
            tx.execute(select(tables.ledger_entries.c.entry).order_by(tables.ledger_entries.c.seq)).scalars().all()
        )
    )
    return [bytes(row) for row in rows]


async def anywhere(world, text: str) -> bool:
    """Whether a text stands in any row of any table."""

    def look(tx):
        for table in tables.metadata.sorted_tables:
            for row in tx.execute(select(table)).all():
                if any(text in str(value) or (isinstance(value, bytes) and text.encode() in value) for value in row):
                    return True
        return False

    return await world.gate.store.read(look)
