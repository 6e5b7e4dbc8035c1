"""The vault's rows in SQLite (standard library) or PostgreSQL (whatever SQLAlchemy engine the operator gives)."""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from consentry.errors import InvalidInput
from consentry.sanitize.transforms.vault import Sealed, VaultStore

if TYPE_CHECKING:
    from sqlalchemy import Engine

_SCHEMA: Final = """
create table if not exists vault (
    token blob primary key,
    entity text not null,
    fingerprint blob not null,
    sealed blob not null,
    unique (entity, fingerprint)
) without rowid
"""
_SCHEMA_PG: Final = """
create table if not exists consentry_vault (
    token bytea primary key,
    entity text not null,
    fingerprint bytea not null,
    sealed bytea not null,
    unique (entity, fingerprint)
)
"""


class SQLiteStore:
    """A vault in one file of mode 0600, write-ahead log, each row on disk before its token is used."""

    def __init__(self, path: Path) -> None:
        try:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._db = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise InvalidInput(f"the vault `{path}` cannot be opened; is its folder there and writable?") from error
        self._lock = threading.Lock()
        self._db.execute("pragma journal_mode=wal")
        self._db.execute("pragma synchronous=full")
        self._db.execute(_SCHEMA)

    def find(self, entity: str, fingerprint: bytes) -> Sealed | None:
        return self._one("where entity = ? and fingerprint = ?", (entity, fingerprint))

    def add(self, row: Sealed) -> Sealed | None:
        with self._lock:
            self._db.execute(
                "insert or ignore into vault values (?, ?, ?, ?)", (row.token, row.entity, row.fingerprint, row.sealed)
            )
        return self.find(row.entity, row.fingerprint)

    def get(self, token: bytes) -> Sealed | None:
        return self._one("where token = ?", (token,))

    def close(self) -> None:
        self._db.close()

    def _one(self, where: str, values: tuple[object, ...]) -> Sealed | None:
        with self._lock:
            row = self._db.execute(f"select token, entity, fingerprint, sealed from vault {where}", values).fetchone()  # noqa: S608
        return None if row is None else Sealed(*row)


class PostgresStore:
    """A vault in the table `consentry_vault`; `engine` is a synchronous SQLAlchemy engine for PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        from sqlalchemy import text

        self._engine = engine
        self._text = text
        with engine.begin() as connection:
            connection.execute(text(_SCHEMA_PG))

    def find(self, entity: str, fingerprint: bytes) -> Sealed | None:
        return self._one(
            "where entity = :entity and fingerprint = :fingerprint", entity=entity, fingerprint=fingerprint
        )

    def add(self, row: Sealed) -> Sealed | None:
        with self._engine.begin() as connection:
            connection.execute(
                self._text(
                    "insert into consentry_vault values (:token, :entity, :fingerprint, :sealed) on conflict do nothing"
                ),
                {"token": row.token, "entity": row.entity, "fingerprint": row.fingerprint, "sealed": row.sealed},
            )
        return self.find(row.entity, row.fingerprint)

    def get(self, token: bytes) -> Sealed | None:
        return self._one("where token = :token", token=token)

    def _one(self, where: str, **values: str | bytes) -> Sealed | None:
        statement = f"select token, entity, fingerprint, sealed from consentry_vault {where}"  # noqa: S608
        with self._engine.connect() as connection:
            row = connection.execute(self._text(statement), values).first()
        if row is None:
            return None
        return Sealed(bytes(row[0]), row[1], bytes(row[2]), bytes(row[3]))


def open_store(url: str) -> VaultStore:
    """The store of `sqlite:PATH` or `postgresql+DRIVER://…`. Raises `InvalidInput`."""
    scheme, _, rest = url.partition(":")
    if scheme == "sqlite" and rest:
        return SQLiteStore(Path(rest.removeprefix("///")) if rest.startswith("///") else Path(rest))
    if scheme.partition("+")[0] == "postgresql":
        from sqlalchemy import create_engine

        return PostgresStore(create_engine(url))
    raise InvalidInput("a vault is `sqlite:PATH` or a `postgresql+pg8000://…` address")
