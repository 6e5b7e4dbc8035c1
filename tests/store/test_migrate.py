"""The schema that migrations make is the one that the code uses, however many processes start at once."""

from __future__ import annotations

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from consentry.store import OtherSchema, open_store, tables
from consentry.store.migrate import is_current


async def test_migrations_end_where_the_tables_are(store):
    def compare(tx):
        connection = tx._connection
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert is_current(connection)
        assert set(inspect(connection).get_table_names()) == {*tables.metadata.tables, "alembic_version"}
        return compare_metadata(context, tables.metadata)

    assert await store.read(compare) == []


async def test_several_processes_may_start_at_once(stores, acts):
    opened = await asyncio.gather(*(stores.open() for _ in range(4)))
    for number, store in enumerate(opened):
        await store.write(lambda tx, number=number: acts.insert(tx, f"of-{number}"))
    assert await opened[0].read(acts.names) == [f"of-{number}" for number in range(4)]


async def test_g3_nobody_else_on_the_machine_reads_the_database(tmp_path):
    """Whatever the directory's mode is: arguments and the values behind commitments are in it."""
    tmp_path.chmod(0o755)
    store = open_store(f"sqlite:///{tmp_path / 'consentry.db'}")
    await store.start()
    try:
        assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("consentry.db*")} == {0o600}
        assert {path.name for path in tmp_path.glob("consentry.db-*")} >= {"consentry.db-shm", "consentry.db-wal"}
    finally:
        await store.close()


@pytest.mark.parametrize(
    ("revision", "upgrade", "said"),
    [("9999_later", True, "of a later release"), ("9999_later", False, "of a later release"),
     ("0001", False, "of an earlier release")],
)  # fmt: skip
async def test_a_schema_of_another_release_is_told_and_left_as_it_is(stores, store_url, revision, upgrade, said):
    first = await stores.open()

    def pretend(tx):
        tx._connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": revision})

    await first.write(pretend)
    other = open_store(store_url)
    with pytest.raises(OtherSchema, match=said):
        await other.start(upgrade=upgrade)
    await other.close()
    found = await first.read(lambda tx: tx._connection.execute(text("SELECT version_num FROM alembic_version")).all())
    assert [row[0] for row in found] == [revision]
