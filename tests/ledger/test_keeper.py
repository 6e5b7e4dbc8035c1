"""Keepers notice a database that lost what was published, or that tells another history."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from consentry.ledger.checkpoint import Checkpoint, sign_checkpoint
from consentry.ledger.errors import KeeperUnavailable, LedgerBehind, LedgerForked
from consentry.ledger.keeper import FileKeeper, check_against
from consentry.ledger.merkle import EMPTY_ROOT, Frontier, leaf_hash
from consentry.ledger.note import Signer
from consentry.ledger.tiles import MappingReader, TileNodes, tile_tree

ENTRIES = [n.to_bytes(4, "big") for n in range(600)]


def root(size: int) -> bytes:
    return Frontier().extend(leaf_hash(e) for e in ENTRIES[:size]).root()


def nodes(entries: list[bytes]) -> TileNodes:
    return TileNodes(MappingReader(tile_tree(entries)[0]), len(entries))


SIGNER = Signer.generate("example.com/log")


def signed(size: int, *, root_of: int | None = None, by: Signer = SIGNER) -> bytes:
    return sign_checkpoint(Checkpoint("example.com/log", size, root(root_of or size)), [by])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def test_file_keeper_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "checkpoint")
    assert keeper.read() is None
    keeper.advance(signed(1))
    keeper.advance(signed(2))
    assert keeper.read() == signed(2)
    assert names(tmp_path) == ["checkpoint"]


def test_an_older_checkpoint_does_not_replace_a_newer_one(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "checkpoint")
    keeper.advance(signed(9))
    keeper.advance(signed(5))
    assert keeper.read() == signed(9)


def test_one_that_is_signed_again_by_a_rotated_key_does(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "checkpoint")
    again = signed(9, by=Signer.generate("example.com/log"))
    keeper.advance(signed(9))
    keeper.advance(again)
    assert keeper.read() == again


def test_g4_a_fork_of_the_kept_checkpoint_is_not_kept(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "checkpoint")
    keeper.advance(signed(9))
    with pytest.raises(LedgerForked):
        keeper.advance(signed(9, root_of=8))
    assert keeper.read() == signed(9)


SLOW = """
import sys
from pathlib import Path
from consentry.ledger.keeper import FileKeeper

replace = FileKeeper._replace

def slowly(self, checkpoint):
    print("compared", flush=True)
    sys.stdin.readline()
    replace(self, checkpoint)

if sys.argv[2] == "slow":
    FileKeeper._replace = slowly
FileKeeper(Path(sys.argv[1])).advance(Path(sys.argv[3]).read_bytes())
"""


def test_g8_a_slow_process_does_not_put_an_older_checkpoint_over_a_newer_one(tmp_path: Path) -> None:
    """One process has compared and not yet replaced, when another one has a newer checkpoint to keep."""

    def advance(how: str, size: int) -> subprocess.Popen[str]:
        (tmp_path / str(size)).write_bytes(signed(size))
        command = [sys.executable, "-c", SLOW, str(tmp_path / "checkpoint"), how, str(tmp_path / str(size))]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    FileKeeper(tmp_path / "checkpoint").advance(signed(1))
    with advance("slow", 5) as slow:
        assert slow.stdout is not None
        assert slow.stdout.readline() == "compared\n"
        with advance("at once", 9) as quick:
            with suppress(subprocess.TimeoutExpired):  # it has to wait for the lock
                quick.wait(1)
            slow.communicate("go on\n")
    assert (slow.returncode, quick.returncode) == (0, 0)
    assert FileKeeper(tmp_path / "checkpoint").read() == signed(9)


def test_g2_a_keeper_that_cannot_write_says_so(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "gone" / "checkpoint")
    with pytest.raises(KeeperUnavailable) as refused:
        keeper.advance(signed(1))
    assert refused.value.code == "keeper_unavailable"
    (tmp_path / "folder").mkdir()
    with pytest.raises(KeeperUnavailable):
        FileKeeper(tmp_path / "folder").read()
    with pytest.raises(KeeperUnavailable):
        FileKeeper(tmp_path / "folder").advance(signed(1))
    assert names(tmp_path) == ["folder"]


def test_a_write_that_is_cut_off_leaves_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = FileKeeper(tmp_path / "checkpoint")
    keeper.advance(signed(1))

    def fail(file: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(KeeperUnavailable):
        keeper.advance(signed(2))
    assert keeper.read() == signed(1)
    assert names(tmp_path) == ["checkpoint"]


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
