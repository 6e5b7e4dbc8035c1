"""Tokens come back only through the vault that made them, and the vault's file shows nothing."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consentry.errors import InvalidInput, NotFound
from consentry.sanitize.transforms import KeyRing
from consentry.sanitize.transforms.vault import Vault, VaultBroken
from consentry.sanitize.transforms.vault_stores import PostgresStore, SQLiteStore, open_store

KEYS = KeyRing(bytes(range(32)))


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    return SQLiteStore(tmp_path / "vault.db")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(values=st.lists(st.text(min_size=1), unique=True, min_size=1, max_size=8))
def test_tokens_are_one_to_one_and_come_back(store: SQLiteStore, values: list[str]) -> None:
    vault = Vault(store, KEYS)
    tokens = [vault.token("PERSON", value) for value in values]
    assert len(set(tokens)) == len(values)
    assert [vault.reveal(token) for token in tokens] == values
    assert [Vault(store, KEYS).token("PERSON", value) for value in values] == tokens


def test_the_file_holds_no_value(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "vault.db")
    Vault(store, KEYS).token("EMAIL_ADDRESS", "ada@lovelace.example")
    store.close()
    for path in tmp_path.iterdir():
        assert b"lovelace" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0


def test_another_key_opens_nothing(store: SQLiteStore) -> None:
    token = Vault(store, KEYS).token("PERSON", "Ada")
    with pytest.raises(VaultBroken):
        Vault(store, KeyRing(bytes(32))).reveal(token)


def test_rows_cannot_be_swapped(store: SQLiteStore, tmp_path: Path) -> None:
    vault = Vault(store, KEYS)
    first, second = vault.token("PERSON", "Ada"), vault.token("PERSON", "Grace")
    with sqlite3.connect(tmp_path / "vault.db") as db:
        rows = db.execute("select token, sealed from vault").fetchall()
        db.execute("update vault set sealed = ? where token = ?", (rows[1][1], rows[0][0]))
        db.execute("update vault set sealed = ? where token = ?", (rows[0][1], rows[1][0]))
    db.close()
    for token in (first, second):
        with pytest.raises(VaultBroken):
            vault.reveal(token)


@pytest.mark.parametrize("text", ["", "Ada", "<PERSON>", "<PERSON:bcdfghjklmnpqrstvwxzbcd>"])
def test_what_is_no_token_is_not_found(store: SQLiteStore, text: str) -> None:
    with pytest.raises(NotFound):
        Vault(store, KEYS).reveal(text)


def test_a_type_cannot_be_relabelled(store: SQLiteStore) -> None:
    vault = Vault(store, KEYS)
    token = vault.token("PERSON", "Ada")
    with pytest.raises(NotFound):
        vault.reveal(token.replace("PERSON", "USERNAME"))


def test_a_repeating_random_source_is_noticed(store: SQLiteStore) -> None:
    vault = Vault(store, KEYS, random_bytes=bytes)
    vault.token("PERSON", "Ada")
    with pytest.raises(VaultBroken):
        vault.token("PERSON", "Grace")


def test_threads_agree_on_one_token(tmp_path: Path) -> None:
    path = tmp_path / "vault.db"
    stores = [SQLiteStore(path) for _ in range(4)]
    seen: list[list[str]] = [[] for _ in stores]
    start = threading.Barrier(4)

    def work(at: int) -> None:
        vault = Vault(stores[at], KEYS)
        start.wait()
        seen[at] = [vault.token("PERSON", f"person {n}") for n in range(20)]

    threads = [threading.Thread(target=work, args=(at,)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen[0] == seen[1] == seen[2] == seen[3]
    for store in stores:
        store.close()


@pytest.mark.parametrize("url", ["", "vault.db", "mysql://x", "sqlite:"])
def test_unknown_places_are_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        open_store(url)


def test_postgres_keeps_the_same_promises(postgres_url: str) -> None:
    pytest.importorskip("pg8000", reason="no synchronous PostgreSQL driver (pg8000)")
    engine = sqlalchemy.create_engine(
        sqlalchemy.make_url(postgres_url).set(drivername="postgresql+pg8000", query={}), **_socket(postgres_url)
    )
    try:
        _promises(engine)
    finally:
        engine.dispose()


def _promises(engine: sqlalchemy.Engine) -> None:
    vault = Vault(PostgresStore(engine), KEYS)
    tokens = [vault.token("PERSON", f"person {n}") for n in range(5)]
    again = Vault(PostgresStore(engine), KEYS)
    assert [again.token("PERSON", f"person {n}") for n in range(5)] == tokens
    assert [again.reveal(token) for token in tokens] == [f"person {n}" for n in range(5)]
    with pytest.raises(VaultBroken):
        Vault(PostgresStore(engine), KeyRing(bytes(32))).reveal(tokens[0])
    repeating = Vault(PostgresStore(engine), KEYS, random_bytes=bytes)
    repeating.token("USERNAME", "ada")
    with pytest.raises(VaultBroken):
        repeating.token("USERNAME", "grace")


def _socket(url: str) -> dict[str, object]:
    """pg8000 wants the socket's file, not its folder."""
    folder = sqlalchemy.make_url(url).query.get("host")
    return {"connect_args": {"unix_sock": f"{folder}/.s.PGSQL.5432"}} if folder else {}
