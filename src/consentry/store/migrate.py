"""Bring a database's schema up to date with Alembic, from any earlier release."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine


def configuration() -> Config:
    """The Alembic configuration of the migrations that ship with the package."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def migrate(url: str) -> None:
    """Upgrade the SQLite database at `url` to the newest revision."""
    engine = create_engine(url, connect_args={"timeout": 30})
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            if not is_current(connection):
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                upgrade(connection)
                connection.commit()
    finally:
        engine.dispose()


def is_current(connection: Connection) -> bool:
    """Whether the schema is that of this release."""
    head = ScriptDirectory.from_config(configuration()).get_current_head()
    return MigrationContext.configure(connection).get_current_revision() == head


def upgrade(connection: Connection) -> None:
    """Run the missing revisions inside the connection's transaction."""
    config = configuration()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
