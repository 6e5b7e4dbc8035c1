"""`doctor` names what is broken, says what to do, and changes nothing."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from consentry.cli.root import run
from consentry.server.build import open_services
from consentry.server.settings import load


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("CONSENTRY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An installation that ran once."""
    folder = tmp_path / "data"

    async def once() -> None:
        async with open_services(load(data_dir=folder)) as services:
            await services.directory.first_administrator("admin@localhost")

    asyncio.run(once())
    return folder


def look(data: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and what was said under each grade."""
    code = run(["doctor", "--json", "--data", str(data)])
    said: dict[str, list[str]] = {"ok": [], "note": [], "broken": []}
    for one in json.loads(capsys.readouterr().out)["findings"]:
        said[one["grade"]].append(f"{one['part']}: {one['text']} {one['todo']}")
    return code, said


def test_an_installation_in_order_is_not_broken(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = look(data, capsys)
    assert (code, said["broken"]) == (0, [])
    assert any("one person cannot consent" in one for one in said["note"])
    assert any("groups add data-stewards" in one for one in said["note"])


def test_nothing_there_yet_is_a_note_and_makes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = look(tmp_path / "none", capsys)
    assert (code, said["broken"]) == (0, [])
    assert not (tmp_path / "none").exists()


def test_it_changes_nothing(data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 40))  # others write meanwhile
    before = (data / "ledger.checkpoint").read_bytes()
    sizes = [json.loads(_json(data, capsys))["findings"] for _ in range(2)]
    assert sizes[0] == sizes[1]
    assert (data / "ledger.checkpoint").read_bytes() == before


def _json(data: Path, capsys: pytest.CaptureFixture[str]) -> str:
    run(["doctor", "--json", "--data", str(data)])
    return capsys.readouterr().out


def _write(name: str, text: str) -> Callable[[Path], object]:
    return lambda data: (data.parent / name).write_text(text)


@pytest.mark.parametrize(
    ("damage", "part", "said_of"),
    [
        (lambda data: (data / "ledger.key").chmod(0o644), "data", "can be read by others"),
        (lambda data: data.chmod(0o777), "data", "open to everybody"),
        (lambda data: (data / "ledger.key").unlink(), "ledger", "its signing key is gone"),
        (lambda data: (data / "consentry.db").write_bytes(b"not a database" * 100), "store", "refused"),
        (_write("consentry.toml", "[server]\nprot = 1\n"), "settings", "server.port"),
        (_write("consentry.toml", '[server]\nhost = "0.0.0.0"\n'), "settings", "others can reach"),
        (
            _write("consentry.toml", '[resources.crm]\nkind = "postgres"\nupstream = "env:NO_SUCH_URL"\n'),
            "upstreams",
            "NO_SUCH_URL",
        ),
        (
            _write("consentry.toml", '[resources.b]\nkind = "http"\nhttp.bearer = "env:NO_SUCH_KEY"\n'),
            "upstreams",
            "`resources.b.http.bearer`: the environment variable `NO_SUCH_KEY` is not set",
        ),
        (
            _write("consentry.toml", '[identity.scim]\ntoken = "env:NO_SUCH_SCIM"\n'),
            "sign-in",
            "`identity.scim.token`: the environment variable `NO_SUCH_SCIM` is not set",
        ),
        (
            _write("consentry.toml", '[[webhooks]]\nurl = "https://x.example"\nsecret = "env:NO_SUCH_HOOK"\n'),
            "channels",
            "`webhooks.0.secret`",
        ),
        (
            _write("consentry.toml", '[resources.t]\nkind = "dataset"\npath = "/nothing/here.csv"\n'),
            "upstreams",
            "is no file",
        ),
        (
            _write("consentry.toml", '[channels.slack]\nbot_token = "env:NO_SUCH_TOKEN"\n'),
            "channels",
            "NO_SUCH_TOKEN",
        ),
        (_write("consentry.toml", '[policy]\ndir = "nothing"\n'), "policies", "nothing"),
    ],
    ids=[
        "readable key",
        "open folder",
        "lost key",
        "damaged database",
        "wrong settings",
        "unsafe address",
        "upstream not set",
        "credential not set",
        "SCIM secret not set",
        "webhook secret not set",
        "dataset gone",
        "channel secret not set",
        "policies gone",
    ],
)
def test_what_is_broken_is_named(
    data: Path, capsys: pytest.CaptureFixture[str], damage: Callable[[Path], object], part: str, said_of: str
) -> None:
    for extra in ("consentry.db-wal", "consentry.db-shm"):
        (data / extra).unlink(missing_ok=True)
    damage(data)
    code, said = look(data, capsys)
    assert code == 1
    assert [one for one in said["broken"] if one.startswith(f"{part}:") and said_of in one], said["broken"]


def test_g8_a_database_behind_its_keeper_is_broken(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = (data / "consentry.db").read_bytes()

    async def go_on() -> None:
        async with open_services(load(data_dir=data)) as services:
            await services.directory.invite(None, "joon@example.org")
            await services.gate.checkpoint_now()

    for extra in ("consentry.db-wal", "consentry.db-shm"):
        (data / extra).unlink(missing_ok=True)
    asyncio.run(go_on())
    for extra in ("consentry.db-wal", "consentry.db-shm"):
        (data / extra).unlink(missing_ok=True)
    (data / "consentry.db").write_bytes(kept)
    code, said = look(data, capsys)
    assert code == 1
    assert [one for one in said["broken"] if one.startswith("ledger:")]


@pytest.mark.parametrize(
    ("revision", "said"), [("0001", "is `0001`, of an earlier release"), ("9999", "is `9999`, of a later release")]
)
def test_a_schema_of_another_release_is_broken_and_left_alone(
    data: Path, capsys: pytest.CaptureFixture[str], revision: str, said: str
) -> None:
    with closing(sqlite3.connect(data / "consentry.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        database.commit()
        code, found = look(data, capsys)
        assert code == 1
        assert any(said in one for one in found["broken"])
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == (revision,)
