"""Keepers: where the last published checkpoint is held outside the database, so that a restored backup is noticed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from consentry.ledger.checkpoint import Checkpoint
from consentry.ledger.errors import KeeperUnavailable, LedgerBehind, LedgerForked, ProofInvalid, TileMissing
from consentry.ledger.merkle import NodeReader, root


class Keeper(Protocol):
    """Holds one checkpoint. `write` returns only once the checkpoint would survive a power failure."""

    def read(self) -> bytes | None: ...

    def write(self, checkpoint: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class FileKeeper:
    """Keeps the checkpoint in a file, replaced atomically and durably. One writer at a time: the sequencer."""

    path: Path

    def read(self) -> bytes | None:
        """The checkpoint, or None where nothing was ever kept here. Raises `KeeperUnavailable`."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise KeeperUnavailable(f"keeper: `{self.path.name}` cannot be read; check its permissions") from error

    def write(self, checkpoint: bytes) -> None:
        """Replace the checkpoint: write beside it, fsync, rename over it, fsync the directory."""
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
