"""The schema that migrations make is the one that the code uses, however many processes start at once."""

from __future__ import annotations

import asyncio

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from consentry.store import open_store, tables
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
