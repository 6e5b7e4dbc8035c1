from __future__ import annotations

import os
from pathlib import Path

import pytest

from consentry.sanitize.patterns import store

BODY = b"compiled" * 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "patterns.hsdb"


def test_what_was_written_is_read_and_closed_to_others(path: Path) -> None:
    store.write(path, BODY)
    assert store.read(path) == BODY
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_nothing_there_reads_as_nothing(path: Path) -> None:
    assert store.read(path) is None


def change_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def open_to_others(path: Path) -> None:
    path.chmod(0o644)


def open_the_folder(path: Path) -> None:
    path.parent.chmod(0o777)


def replace_by_a_link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [change_a_byte, cut_short, open_to_others, open_the_folder, replace_by_a_link, replace_by_a_folder],
)
def test_what_somebody_could_have_changed_is_not_read(path: Path, spoil: object) -> None:
    store.write(path, BODY)
    spoil(path)  # type: ignore[operator]
    assert store.read(path) is None


def test_another_owner_is_not_trusted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store.write(path, BODY)
    mine = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: mine + 1)
    assert store.read(path) is None


def test_a_folder_that_cannot_be_made_only_costs_the_cache(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store.write(tmp_path / "file" / "patterns.hsdb", BODY)
    assert (tmp_path / "file").read_text() == "in the way"
