"""Keepers: where the last published checkpoint is held outside the database, so that a restored backup is noticed."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from consentry.ledger.checkpoint import Checkpoint, read_checkpoint
from consentry.ledger.errors import KeeperUnavailable, LedgerBehind, LedgerForked, ProofInvalid, TileMissing
from consentry.ledger.merkle import NodeReader, root


class Keeper(Protocol):
    """Holds one checkpoint. `advance` returns only once it, or a later one, would survive a power failure."""

    def read(self) -> bytes | None: ...

    def advance(self, checkpoint: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class FileKeeper:
    """Keeps the checkpoint in a file, replaced atomically and durably.

    Any number of processes may advance it: they compare and replace under a lock on a file beside it, so that a slow
    one never puts an older checkpoint over a newer one.
    """

    path: Path

    def read(self) -> bytes | None:
        """The checkpoint, or None where nothing was ever kept here. Raises `KeeperUnavailable`."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeeperUnavailable(f"keeper: `{self.path.name}` cannot be read; check its permissions") from error

    def advance(self, checkpoint: bytes) -> None:
        """Keep this checkpoint, unless a later one is kept already.

        Raises `KeeperUnavailable`, and `LedgerForked` where one of the same size and another root is kept.
        """
        if self.read() == checkpoint:
            return
        with self._alone():
            kept = self.read()
            if kept is None or _follows(read_checkpoint(checkpoint), read_checkpoint(kept)):
                self._replace(checkpoint)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            lock = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise KeeperUnavailable(f"keeper: `{self.path.name}` cannot be locked; check space and rights") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _replace(self, checkpoint: bytes) -> None:
        """Write beside it, fsync, rename over it, fsync the directory."""
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with beside.open("wb") as file:
                file.write(checkpoint)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
            directory = os.open(self.path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise KeeperUnavailable(f"keeper: `{self.path.name}` cannot be written; check space and rights") from error


def _follows(new: Checkpoint, kept: Checkpoint) -> bool:
    """Whether `new` may stand in the place of `kept`; the same one signed again, by a rotated key, may."""
    if new.size == kept.size and new.root != kept.root:
        raise LedgerForked(
            f"ledger: at size `{kept.size}` a checkpoint with another root was kept; find out which processes write to "
            "this log, and from which databases"
        )
    return new.size >= kept.size


def check_against(kept: Checkpoint, current_size: int, reader: NodeReader) -> None:
    """Refuse a database that is behind a kept checkpoint (`LedgerBehind`) or off it (`LedgerForked`).

    `kept` is verified already; `reader` reads the database's own tree of `current_size` leaves, and so the root at the
    kept size is computed from it: no proof is believed.
    """
    if current_size < kept.size:
        raise LedgerBehind(
            f"ledger: the database holds `{current_size}` entries, and a checkpoint of `{kept.size}` was published; "
            "restore the newest database, or keep this log as it is and start another under a new origin"
        )
    try:
        ours = root(kept.size, reader)
    except (TileMissing, ProofInvalid) as error:
        raise LedgerForked(f"ledger: the tree at size `{kept.size}` cannot be computed from the database") from error
    if ours != kept.root:
        raise LedgerForked(
            f"ledger: at size `{kept.size}` the database has another root than the checkpoint that was published; "
            "restore the database that belongs to this log, or start another log under a new origin"
        )
