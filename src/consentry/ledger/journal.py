"""The journal of level L0: records that must survive a killed process before their effect, and reach the ledger soon.

A record is written with one unbuffered `write` to a file of its process, without fsync: it survives the death of the
process, not that of the machine. A drain moves all records into the ledger and deletes what it moved. Records carry a
counter, so that what was lost shows as a gap, and so that a record drained twice is recognised: the handler notes the
last counter of each instance in the transaction that writes the entries, and `recover` is given those notes.

Files are named `<instance>.<segment>.journal`; each starts with a header and holds frames:

```
header   "consentry journal v1\\n", boot id (36 bytes), counter of the first record (8 bytes)
frame    payload length (4 bytes), counter (8 bytes), first 8 bytes of SHA-256(counter || payload), payload
```

Numbers are big-endian. A living process holds a lock on its newest file, which tells recovery whose files are orphans.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from consentry.ledger.errors import JournalUnavailable, LedgerError

MAX_RECORD_BYTES = 65535
_MAGIC = b"consentry journal v1\n"
_HEADER = struct.Struct(">36sQ")
_HEADER_BYTES = len(_MAGIC) + _HEADER.size
_FRAME = struct.Struct(">IQ8s")
_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,99})\.([0-9]{10})\.journal")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_KEPT_BYTES = 8 << 20
"""Records that wait for a drain are at hand in memory as well, up to that together; others are read from their file."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Records that are lost: `kind` is `torn` (cut inside), `missing` (counters skipped) or `uncertain`.

    `uncertain`: the machine went down since, so that records after `first - 1` may have been lost without a trace.
    `last` is None where nothing tells how many there were.
    """

    instance: str
    kind: str
    first: int
    last: int | None


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one instance by their counters, the first being `first`; and what was lost around them."""

    instance: str
    first: int
    records: tuple[bytes, ...]
    gaps: tuple[Gap, ...] = ()

    @property
    def last(self) -> int:
        """The counter of the last record: what the handler notes in its transaction."""
        return self.first + len(self.records) - 1


Handler = Callable[[Batch], None]
"""Writes a batch into the ledger and commits; raises where it could not, and the batch is offered again."""


class Journal:
    """One process's journal. `append` from any thread; `drain` from one at a time (others wait)."""

    def __init__(self, directory: Path, instance: str, first: int = 1) -> None:
        """Start a journal of a new `instance`, an id never used before, in an existing directory."""
        self._directory = directory
        self._instance = instance
        self._pid = os.getpid()
        self._next = first
        self._segment = 0
        self._lock = threading.Lock()
        self._draining = threading.Lock()
        self._full: list[tuple[Path, int]] = []
        self._kept: dict[Path, Batch] = {}
        self._kept_bytes = 0
        self._records: list[bytes] | None = []
        self._path, self._file = self._open_segment()
        self._length = _HEADER_BYTES

    def append(self, record: bytes) -> int:
        """Write one record and return its counter; raises `JournalUnavailable`, and then the action must be denied."""
        if not 0 < len(record) <= MAX_RECORD_BYTES:
            raise LedgerError(f"journal: a record has 1 to {MAX_RECORD_BYTES} bytes, not `{len(record)}`")
        with self._lock:
            self._require_open()
            counter = self._next
            frame = _frame(counter, record)
            try:
                written = os.write(self._file, frame)
            except OSError as error:
                raise JournalUnavailable("journal: the record could not be written; check the disk") from error
            if written != len(frame):
                self._undo()
                raise JournalUnavailable("journal: the record could not be written whole; check the disk's free space")
            self._length += written
            self._next = counter + 1
            self._keep(record)
            return counter

    def drain(self, handler: Handler, *, turn: bool = True) -> int:
        """Offer all records so far to `handler`, in order, and delete them once it returns. How many there were.

        Where the handler raises, nothing is deleted, and the records are offered again by the next drain. Without
        `turn`, only the records before the last `turn` are offered.
        """
        with self._draining:
            if turn:
                self.turn()
            count = 0
            while self._full:
                path, lock = self._full[0]
                try:
                    batch = self._kept.get(path) or _read_segment(path, None)
                    if batch.records or batch.gaps:
                        handler(batch)
                    _put_away(path, batch)
                except OSError as error:
                    raise JournalUnavailable(
                        "journal: a file cannot be read or deleted; check the directory's rights and disk"
                    ) from error
                os.close(lock)
                del self._full[0]
                self._forget(path)
                count += len(batch.records)
            return count

    def close(self, handler: Handler) -> int:
        """Drain, delete the file and refuse further records. A journal that was closed leaves nothing behind."""
        count = self.drain(handler)
        with self._lock:
            if self._length > _HEADER_BYTES:
                raise JournalUnavailable("journal: records were appended while it closed; drain again")
            if self._file >= 0:
                self._path.unlink()  # while it is locked, or it could be taken for an orphan's
                os.close(self._file)
                self._file = -1
        return count

    def turn(self) -> None:
        """Turn to a new segment if the current one holds anything; appenders wait only while the file is switched."""
        with self._lock:
            self._require_open()
            if self._length == _HEADER_BYTES:
                return
            self._segment += 1
            path, file = self._open_segment()
            # INVARIANT: a file stays locked until it is gone, or recovery elsewhere could take it for an orphan's.
            self._full.append((self._path, self._file))
            if self._records is not None:
                first = self._next - len(self._records)
                self._kept[self._path] = Batch(self._instance, first, tuple(self._records))
            self._path, self._file, self._length = path, file, _HEADER_BYTES
            self._records = []

    def _keep(self, record: bytes) -> None:
        if self._records is None:
            return
        self._records.append(record)
        self._kept_bytes += len(record)
        if self._kept_bytes > _KEPT_BYTES:
            self._kept_bytes -= sum(map(len, self._records))
            self._records = None

    def _forget(self, path: Path) -> None:
        with self._lock:
            if (batch := self._kept.pop(path, None)) is not None:
                self._kept_bytes -= sum(map(len, batch.records))

    def _open_segment(self) -> tuple[Path, int]:
        """A new file, complete with header and lock before it has its name: recovery never sees half of one."""
        name = f"{self._instance}.{self._segment:010d}.journal"
        path = self._directory / name
        if _NAME.fullmatch(name) is None:
            raise LedgerError(f"journal: `{self._instance}` cannot be an instance: letters, digits, `_` and `-` only")
        beside = path.with_suffix(".new")
        try:
            if path.exists():
                raise LedgerError(f"journal: instance `{self._instance}` was used before")
            file = os.open(beside, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(file, _MAGIC + _HEADER.pack(_boot_id(), self._next))
            beside.rename(path)
        except OSError as error:
            raise JournalUnavailable(
                "journal: its file cannot be made; check the directory's rights and space"
            ) from error
        return path, file

    def _undo(self) -> None:
        """Take back a frame that was written in part, so that the records after it can be read."""
        try:
            os.ftruncate(self._file, self._length)
        except OSError:
            os.close(self._file)
            self._file = -1

    def _require_open(self) -> None:
        if self._file < 0:
            raise JournalUnavailable("journal: it is closed")
        if os.getpid() != self._pid:
            raise JournalUnavailable("journal: it belongs to the process that opened it; open another after a fork")


def recover(directory: Path, drained: Callable[[str], int], handler: Handler) -> list[str]:
    """Drain the files that dead processes left, and return their instances.

    `drained` tells of an instance the last counter that reached the ledger, 0 where none did: records up to it are
    skipped, and counters missing after it are reported as gaps. It is asked once the instance's files are locked, when
    nobody moves them any more. Files of living processes are left alone. Safe to run in several processes at once, and
    beside a journal of this one: a file is recovered by one of them.
    """
    done = []
    for instance, paths in _by_instance(directory):
        locks = [lock for path in paths if (lock := _try_lock(path)) is not None]
        try:
            if len(locks) == len(paths) and all(path.exists() for path in paths):
                _recover_instance(instance, paths, drained(instance), handler)
                done.append(instance)
        finally:
            for lock in locks:
                os.close(lock)
    return done


def _recover_instance(instance: str, paths: Sequence[Path], drained: int, handler: Handler) -> None:
    reached = drained
    for number, path in enumerate(paths):
        batch = _read_segment(path, _boot_id() if number == len(paths) - 1 else None)
        skip = max(0, min(len(batch.records), reached + 1 - batch.first))
        gaps = batch.gaps
        if batch.first > reached + 1:
            gaps = (Gap(instance, "missing", reached + 1, batch.first - 1), *gaps)
        rest = Batch(instance, batch.first + skip, batch.records[skip:], gaps)
        if rest.records or rest.gaps:
            handler(rest)
        reached = max(reached, batch.last)
        _put_away(path, batch)


def _put_away(path: Path, batch: Batch) -> None:
    """Delete a file that was drained; one with a damaged part is kept aside, for people to look at."""
    if any(gap.kind == "torn" for gap in batch.gaps):
        path.rename(path.with_suffix(".damaged"))
    else:
        path.unlink()


def _by_instance(directory: Path) -> Iterator[tuple[str, list[Path]]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(directory.iterdir()):
        if match := _NAME.fullmatch(path.name):
            found.setdefault(match[1], []).append(path)
    yield from found.items()


def _try_lock(path: Path) -> int | None:
    """A lock on the file, or None where a living process (or another recovery) holds it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _read_segment(path: Path, boot: bytes | None) -> Batch:
    """All whole records of a file. Stops at the first that is not whole: what follows it cannot be told apart.

    With `boot`, the running machine's, also says where the machine went down after the file was begun.
    """
    match = _NAME.fullmatch(path.name)
    instance = match[1] if match else path.name
    data = path.read_bytes()
    if len(data) < _HEADER_BYTES or not data.startswith(_MAGIC):
        return Batch(instance, 1, (), (Gap(instance, "torn", 1, None),))
    wrote, first = _HEADER.unpack_from(data, len(_MAGIC))
    at = _HEADER_BYTES
    records: list[bytes] = []
    while (record := _record(data, at, first + len(records))) is not None:
        records.append(record)
        at += _FRAME.size + len(record)
    after = first + len(records)
    if at != len(data):
        return Batch(instance, first, tuple(records), (Gap(instance, "torn", after, None),))
    gaps = (Gap(instance, "uncertain", after, None),) if boot is not None and boot != wrote else ()
    return Batch(instance, first, tuple(records), gaps)


def _record(data: bytes, at: int, counter: int) -> bytes | None:
    """The record at an offset if it is whole and has this counter."""
    if at + _FRAME.size > len(data):
        return None
    length, found, check = _FRAME.unpack_from(data, at)
    record = data[at + _FRAME.size : at + _FRAME.size + length]
    if found != counter or len(record) != length or not length or check != _check(counter, record):
        return None
    return record


def _frame(counter: int, record: bytes) -> bytes:
    return _FRAME.pack(len(record), counter, _check(counter, record)) + record


def _check(counter: int, record: bytes) -> bytes:
    return sha256(counter.to_bytes(8, "big") + record).digest()[:8]


def _boot_id() -> bytes:
    """Which start of the machine this is; the same for all its processes until it goes down."""
    try:
        return _BOOT_ID.read_bytes().strip().ljust(36)[:36]
    except OSError:
        return b"unknown".ljust(36)
