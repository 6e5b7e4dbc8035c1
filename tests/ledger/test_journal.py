"""The journal: what a killed process wrote is found, what was lost is said, and nothing is drained twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from consentry.ledger import journal as module
from consentry.ledger.errors import JournalUnavailable, LedgerError
from consentry.ledger.journal import Batch, Gap, Journal, recover


class Ledger:
    """Stands for the database: takes batches, and notes the last counter of each instance with them."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.gaps: list[Gap] = []
        self.drained: dict[str, int] = {}

    def __call__(self, batch: Batch) -> None:
        self.records += batch.records
        self.gaps += batch.gaps
        self.drained[batch.instance] = batch.last

    def mark(self, instance: str) -> int:
        return self.drained.get(instance, 0)


def abandon(journal: Journal) -> None:
    """Let go of a journal's locks, as the death of its process does, and keep its files."""
    for file in (journal._file, *(lock for _, lock in journal._full)):
        os.close(file)


def test_records_are_drained_in_order_and_their_files_deleted(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path, "i1"), Ledger()
    assert [journal.append(record) for record in (b"a", b"b", b"x" * 65535)] == [1, 2, 3]
    assert journal.drain(ledger) == 3
    assert journal.drain(ledger) == 0
    assert journal.append(b"c") == 4
    assert journal.close(ledger) == 1
    assert ledger.records == [b"a", b"b", b"x" * 65535, b"c"]
    assert ledger.drained == {"i1": 4}
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(JournalUnavailable, match="closed"):
        journal.append(b"late")


def test_g2_a_file_that_cannot_be_deleted_is_offered_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the error is one that whoever drains in the background expects: it must not end the draining."""
    journal, ledger = Journal(tmp_path, "ins_a"), Ledger()
    journal.append(b"one")

    def denied(path: Path) -> None:
        raise PermissionError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", denied)
        with pytest.raises(JournalUnavailable):
            journal.drain(ledger)
    journal.drain(ledger)
    assert ledger.drained == {"ins_a": 1}
    journal.close(ledger)
    assert not list(tmp_path.iterdir())


def test_records_that_are_too_many_for_memory_are_read_from_their_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a file whose records are at hand is not read."""
    monkeypatch.setattr(module, "_KEPT_BYTES", 10)
    read: list[Path] = []
    real = module._read_segment
    monkeypatch.setattr(module, "_read_segment", lambda path, boot: (read.append(path), real(path, boot))[1])
    journal, ledger = Journal(tmp_path, "i1"), Ledger()
    sent = []
    for number, size in enumerate((4, 4, 3, 5, 4, 1)):
        sent.append(b"%d" % number * size)
        journal.append(sent[-1])
        if number in (2, 3):
            journal.turn()
    assert journal.drain(ledger) == 6
    assert ledger.records == sent
    assert len(read) == 1
    journal.append(b"x" * 10)
    journal.close(ledger)
    assert len(read) == 1
    assert ledger.records[-1] == b"x" * 10


def test_a_handler_that_fails_is_offered_the_records_again(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path, "i1"), Ledger()
    journal.append(b"a")

    def fail(batch: Batch) -> None:
        raise LedgerError("the database is away")

    for _ in range(2):
        with pytest.raises(LedgerError):
            journal.drain(fail)
    journal.append(b"b")
    assert journal.drain(ledger) == 2
    assert ledger.records == [b"a", b"b"]
    journal.close(ledger)


def test_threads_and_drains_at_once_lose_and_repeat_nothing(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path, "i1"), Ledger()
    done = threading.Event()

    def write(name: int) -> None:
        for n in range(200):
            journal.append(f"{name} {n}".encode())

    def drain() -> None:
        while not done.is_set():
            journal.drain(ledger)

    writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    drainer = threading.Thread(target=drain)
    for thread in (*writers, drainer):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    drainer.join()
    journal.close(ledger)
    assert sorted(ledger.records) == sorted(f"{name} {n}".encode() for name in range(4) for n in range(200))
    for name in range(4):
        mine = [r for r in ledger.records if r.startswith(f"{name} ".encode())]
        assert mine == [f"{name} {n}".encode() for n in range(200)]


@pytest.mark.parametrize("record", [b"", b"x" * 65536])
def test_records_that_cannot_be_entries_are_refused(tmp_path: Path, record: bytes) -> None:
    journal = Journal(tmp_path, "i1")
    with pytest.raises(LedgerError, match="bytes"):
        journal.append(record)
    journal.close(Ledger())


def test_what_a_killed_process_wrote_is_recovered(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from consentry.ledger.journal import Journal
journal = Journal(Path(sys.argv[1]), "child")
for n in range(100):
    journal.append(b"%d" % n)
os.kill(os.getpid(), signal.SIGKILL)
"""
    child = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert child.returncode == -signal.SIGKILL
    ledger = Ledger()
    assert recover(tmp_path, ledger.mark, ledger) == ["child"]
    assert ledger.records == [b"%d" % n for n in range(100)]
    assert ledger.gaps == []
    assert recover(tmp_path, ledger.mark, ledger) == []
    assert list(tmp_path.iterdir()) == []


def test_files_of_the_living_are_left_alone(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path, "i1"), Ledger()
    journal.append(b"a")
    assert recover(tmp_path, ledger.mark, ledger) == []
    assert ledger.records == []
    journal.close(ledger)


def test_records_that_reached_the_ledger_before_the_crash_are_not_drained_twice(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path, "i1"), Ledger()
    for record in (b"a", b"b"):
        journal.append(record)

    def commit_and_die(batch: Batch) -> None:
        ledger(batch)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        journal.drain(commit_and_die)
    journal.append(b"c")
    abandon(journal)
    recover(tmp_path, ledger.mark, ledger)
    assert (ledger.records, ledger.gaps) == ([b"a", b"b", b"c"], [])


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_a_torn_tail_is_a_gap_and_the_file_is_kept(tmp_path: Path, cut: int) -> None:
    journal, ledger = Journal(tmp_path, "i1"), Ledger()
    journal.append(b"a")
    journal.append(b"b")
    abandon(journal)
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-cut])
    assert recover(tmp_path, ledger.mark, ledger) == ["i1"]
    assert (ledger.records, ledger.gaps) == ([b"a"], [Gap("i1", "torn", 2, None)])
    assert [p.suffix for p in tmp_path.iterdir()] == [".damaged"]


def test_a_changed_byte_ends_what_can_be_believed(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path, "i1"), Ledger()
    for record in (b"aaaa", b"bbbb", b"cccc"):
        journal.append(record)
    abandon(journal)
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes().replace(b"bbbb", b"bxbb"))
    recover(tmp_path, ledger.mark, ledger)
    assert (ledger.records, ledger.gaps) == ([b"aaaa"], [Gap("i1", "torn", 2, None)])


def test_a_lost_segment_is_a_gap_between_counters(tmp_path: Path) -> None:
    journal, ledger = Journal(tmp_path, "i1"), Ledger()

    def fail(batch: Batch) -> None:
        raise LedgerError("away")

    for record in (b"a", b"b", b"c"):
        journal.append(record)
        with pytest.raises(LedgerError):
            journal.drain(fail)
    journal.append(b"d")
    abandon(journal)
    sorted(tmp_path.iterdir())[1].unlink()
    recover(tmp_path, lambda _: 0, ledger)
    assert (ledger.records, ledger.gaps) == ([b"a", b"c", b"d"], [Gap("i1", "missing", 2, 2)])


def test_after_a_power_failure_the_tail_is_uncertain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, ledger = Journal(tmp_path, "i1"), Ledger()
    journal.append(b"a")
    abandon(journal)
    monkeypatch.setattr(module, "_boot_id", lambda: b"another start of the machine".ljust(36))
    recover(tmp_path, ledger.mark, ledger)
    assert (ledger.records, ledger.gaps) == ([b"a"], [Gap("i1", "uncertain", 2, None)])


def test_g1_g2_a_record_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal, ledger = Journal(tmp_path, "i1"), Ledger()
    journal.append(b"a")
    write = os.write

    def full(file: int, data: bytes) -> int:
        return write(file, data[:5])

    def broken(file: int, data: bytes) -> int:
        raise OSError(28, "no space left")

    for failing in (full, broken):
        monkeypatch.setattr(os, "write", failing)
        with pytest.raises(JournalUnavailable) as refused:
            journal.append(b"lost")
        assert refused.value.code == "journal_unavailable"
        monkeypatch.undo()
    assert journal.append(b"b") == 2
    journal.close(ledger)
    assert (ledger.records, ledger.gaps) == ([b"a", b"b"], [])


def test_an_instance_is_used_once_and_its_directory_must_be_there(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "i1")
    with pytest.raises(LedgerError, match="used before"):
        Journal(tmp_path, "i1")
    with pytest.raises(LedgerError, match="cannot be an instance"):
        Journal(tmp_path, "../i2")
    with pytest.raises(JournalUnavailable):
        Journal(tmp_path / "absent", "i1")
    journal.close(Ledger())


def test_a_forked_child_cannot_write_to_its_parents_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(tmp_path, "i1")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(JournalUnavailable, match="fork"):
        journal.append(b"a")
    monkeypatch.undo()
    journal.close(Ledger())
