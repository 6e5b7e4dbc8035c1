"""Bring a database's schema up to date with Alembic, from any earlier release."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine

from consentry.store.store import OtherSchema


def configuration() -> Config:
    """The Alembic configuration of the migrations that ship with the package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(url: str, *, upgrade: bool = True) -> None:
    """Bring the SQLite database at `url` up to date. Raises `OtherSchema` as `bring_up_to_date` does."""
    engine = create_engine(url, connect_args={"timeout": 30})
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            if not is_current(connection):
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                bring_up_to_date(connection, upgrade=upgrade)
                connection.commit()
    finally:
        engine.dispose()


def is_current(connection: Connection) -> bool:
    """Whether the schema is that of this release."""
    return _revision(connection) == ScriptDirectory.from_config(configuration()).get_current_head()


def bring_up_to_date(connection: Connection, *, upgrade: bool = True) -> None:
    """Run the missing revisions inside the connection's transaction.

    Raises `OtherSchema` where a later release made the schema, or an earlier one and `upgrade` is not wanted.
    """
    if is_current(connection):
        return
    config = configuration()
    found = _revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise OtherSchema(
            f"the database's schema is `{found}`, of a later release than this: start that release, or restore a "
            "backup from before it"
        )
    if not upgrade:
        raise OtherSchema(
            f"the database's schema is `{found or 'empty'}`, of an earlier release: `consentry up` brings it up to "
            "date; make a backup first"
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
