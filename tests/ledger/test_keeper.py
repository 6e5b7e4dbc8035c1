"""Keepers notice a database that lost what was published, or that tells another history."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from consentry.ledger.checkpoint import Checkpoint
from consentry.ledger.errors import KeeperUnavailable, LedgerBehind, LedgerForked
from consentry.ledger.keeper import FileKeeper, check_against
from consentry.ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash
from consentry.ledger.tiles import MappingReader, TileNodes, tile_tree

ENTRIES = [n.to_bytes(4, "big") for n in range(600)]


def root(size: int) -> bytes:
    return Frontier().extend(leaf_hash(e) for e in ENTRIES[:size]).root()


def nodes(entries: list[bytes]) -> TileNodes:
    return TileNodes(MappingReader(tile_tree(entries)[0]), len(entries))


def test_file_keeper_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "checkpoint")
    assert keeper.read() is None
    keeper.write(b"one\n")
    keeper.write(b"two\n")
    assert keeper.read() == b"two\n"
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint"]


def test_g2_a_keeper_that_cannot_write_says_so(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "gone" / "checkpoint")
    with pytest.raises(KeeperUnavailable) as refused:
        keeper.write(b"x")
    assert refused.value.code == "keeper_unavailable"
    (tmp_path / "folder").mkdir()
    with pytest.raises(KeeperUnavailable):
        FileKeeper(tmp_path / "folder").read()
    with pytest.raises(KeeperUnavailable):
        FileKeeper(tmp_path / "folder").write(b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_a_write_that_is_cut_off_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = FileKeeper(tmp_path / "checkpoint")
    keeper.write(b"old\n")

    def fail(file: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeeperUnavailable):
        keeper.write(b"new\n")
    assert keeper.read() == b"old\n"


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 600])
def test_a_database_that_extends_the_kept_checkpoint_may_start(size: int) -> None:
    check_against(Checkpoint("log", size, root(size)), 600, nodes(ENTRIES))


def test_g8_a_restored_backup_is_behind() -> None:
    with pytest.raises(LedgerBehind) as refused:
        check_against(Checkpoint("log", 600, root(600)), 599, nodes(ENTRIES[:599]))
    assert refused.value.code == "ledger_behind"
    with pytest.raises(LedgerBehind):
        check_against(Checkpoint("log", 1, root(1)), 0, nodes([]))


def test_g8_a_restored_backup_that_grew_again_is_forked() -> None:
    grown = [*ENTRIES[:500], *(b"other" for _ in range(200))]
    with pytest.raises(LedgerForked) as refused:
        check_against(Checkpoint("log", 600, root(600)), 700, nodes(grown))
    assert refused.value.code == "ledger_forked"
    check_against(Checkpoint("log", 500, root(500)), 700, nodes(grown))


def test_a_tree_that_cannot_be_read_is_not_taken_for_the_right_one() -> None:
    with pytest.raises(LedgerForked):
        check_against(Checkpoint("log", 600, root(600)), 600, TileNodes(MappingReader({}), 600))


def test_g10_an_empty_kept_checkpoint_fits_any_log() -> None:
    check_against(Checkpoint("log", 0, EMPTY_ROOT), 600, nodes(ENTRIES))
