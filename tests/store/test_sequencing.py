"""G7: entries get their places in the order of their commits, and none is missed, however commits overlap."""

from __future__ import annotations

import asyncio
import random

import asyncpg
import pytest
from sqlalchemy import select, text

from consentry.ledger.keeper import FileKeeper
from consentry.ledger.note import Signer
from consentry.store import open_store, tables
from consentry.store.publisher import SEQUENCER_LOCK, Publisher, load_frontier

ORIGIN = "example.com/test"


@pytest.fixture
def publisher_of(tmp_path):
    signer = Signer.generate(ORIGIN)
    return lambda store: Publisher(store, origin=ORIGIN, signer=signer, keeper=FileKeeper(tmp_path / "kept"))


def instances(tx):
    from consentry.ledger.entry import decode_entry

    rows = tx.execute(select(tables.ledger_entries.c.entry).order_by(tables.ledger_entries.c.seq)).scalars()
    return [decode_entry(bytes(row)).fields["instance"] for row in rows]


async def test_g7_a_transaction_that_commits_late_is_neither_lost_nor_overtaken(postgres_url, acts, publisher_of):
    store = open_store(postgres_url)
    await store.start()
    publisher = publisher_of(store)
    slow = await asyncpg.connect(postgres_url)
    entry: list[bytes] = []

    def taste(tx):
        acts.entry(tx, "slow")
        entry.append(tx.entries[-1].entry)
        raise ZeroDivisionError

    await asyncio.gather(store.write(taste), return_exceptions=True)
    running = slow.transaction()
    await running.start()
    await slow.execute(
        "INSERT INTO ledger_outbox (xid, entry) VALUES (pg_current_xact_id()::text, $1)", entry[0]
    )  # has the lowest id, and commits last
    for name in ("one", "two"):
        await store.write(lambda tx, name=name: acts.entry(tx, name))
        await publisher.sequence()
    assert await store.read(instances) == []  # they wait for what may still come before them
    await running.commit()
    await publisher.sequence()
    assert sorted(await store.read(instances)) == ["one", "slow", "two"]
    assert await store.read(lambda tx: load_frontier(tx)[0]) == 3
    await slow.close()
    await store.close()


async def test_g7_nothing_is_lost_while_many_commit_and_several_sequence(postgres_url, acts, publisher_of):
    stores = [open_store(postgres_url) for _ in range(3)]
    for store in stores:
        await store.start()
    random_ = random.Random(7)
    done = asyncio.Event()

    async def write(worker):
        for number in range(25):
            naps = random_.random() / 50

            def act(tx, number=number, naps=naps):
                acts.entry(tx, f"w{worker}-{number}")
                tx.execute(text(f"SELECT pg_sleep({naps})"))

            await stores[worker % 3].write(act)

    async def sequence(store):
        publisher = publisher_of(store)
        while not done.is_set():
            await publisher.sequence()
            await asyncio.sleep(0.005)

    sequencers = [asyncio.create_task(sequence(store)) for store in stores]
    await asyncio.gather(*(write(worker) for worker in range(8)))
    done.set()
    await asyncio.gather(*sequencers)
    await publisher_of(stores[0]).sequence()
    found = await stores[0].read(instances)
    assert sorted(found) == sorted(f"w{worker}-{number}" for worker in range(8) for number in range(25))
    for worker in range(8):  # a later commit of the same caller never comes before an earlier one
        mine = [int(name.partition("-")[2]) for name in found if name.startswith(f"w{worker}-")]
        assert mine == sorted(mine)
    for store in stores:
        await store.close()


async def test_a_checkpoint_covers_everything_committed_before_it_was_asked_for(postgres_url, acts, publisher_of):
    """Though another replica orders entries just now, or somebody else's long transaction holds the order up."""
    store = open_store(postgres_url)
    await store.start()
    publisher = publisher_of(store)
    for holds in (f"SELECT pg_advisory_xact_lock({SEQUENCER_LOCK})", "SELECT pg_current_xact_id()"):
        other = await asyncpg.connect(postgres_url)
        holding = other.transaction()
        await holding.start()
        await other.execute(holds)
        await store.write(lambda tx, holds=holds: acts.entry(tx, holds.partition("_")[2][:8]))
        publishing = asyncio.create_task(publisher.publish())
        await asyncio.wait([publishing], timeout=0.5)
        assert not publishing.done(), "signed before the entry had its place"
        await holding.rollback()
        await other.close()
        assert (await publishing).size == await store.read(acts.entries)
    await store.close()
