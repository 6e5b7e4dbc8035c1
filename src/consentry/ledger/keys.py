"""The keys of a log, each with the sizes of checkpoints that it may sign: what `ledger.vkey` holds.

One line a key: `<vkey> [<from_size> [<to_size>]]`. A key may sign checkpoints of `from_size <= size < to_size`; without
`to_size` (or with `-`) it is the current key. Lines that start with `#` are comments. A rotated key stays in the file
with its range closed, and what it signed stays valid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consentry.ledger.checkpoint import SignedCheckpoint, verify_checkpoint
from consentry.ledger.errors import CheckpointInvalid, NoteInvalid
from consentry.ledger.note import Verifier

_RANGE = re.compile(r"(\S+)(?: ([0-9]{1,18})(?: ([0-9]{1,18}|-))?)?")


@dataclass(frozen=True, slots=True)
class LogKey:
    """A key and the sizes that it may sign: from `from_size` up to, not including, `to_size` (None: without end)."""

    verifier: Verifier
    from_size: int = 0
    to_size: int | None = None

    def __post_init__(self) -> None:
        if self.from_size < 0 or (self.to_size is not None and self.to_size < self.from_size):
            raise NoteInvalid(f"key `{self.verifier.name}`: its range of sizes ends before it starts")

    def may_sign(self, size: int) -> bool:
        """Whether a checkpoint of this size falls in the key's range."""
        return self.from_size <= size and (self.to_size is None or size < self.to_size)

    def to_line(self) -> str:
        """The key's line in a key file, without the newline."""
        return f"{self.verifier.vkey} {self.from_size} {'-' if self.to_size is None else self.to_size}"


def parse_keys(text: str) -> tuple[LogKey, ...]:
    """Read a key file; raises `NoteInvalid`. A bare vkey, as other logs publish it, is a key for all sizes."""
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _RANGE.fullmatch(line.strip())
        if match is None:
            raise NoteInvalid(f"key file: line {number} must read `<vkey> [<from_size> [<to_size>]]`")
        vkey, low, high = match.groups()
        keys.append(LogKey(Verifier.parse(vkey), int(low or 0), None if high in (None, "-") else int(high)))
    if not keys:
        raise NoteInvalid("key file: holds no key")
    return tuple(keys)


def format_keys(keys: Iterable[LogKey]) -> str:
    """The text of a key file."""
    return "".join(f"{key.to_line()}\n" for key in keys)


def rotate(keys: Sequence[LogKey], new: Verifier, at_size: int) -> tuple[LogKey, ...]:
    """The keys after a rotation: `new` starts at `at_size`, and the open ones end with it.

    `at_size` is the size of the log once it holds its `ledger.key_rotated` entry. The checkpoint of that size is signed
    by both: so the old key vouches for the new one, and whoever knows the old one needs no other news.
    """
    closed = (LogKey(k.verifier, k.from_size, at_size + 1) if k.to_size is None else k for k in keys)
    return (*closed, LogKey(new, at_size))


def open_checkpoint(data: bytes, keys: Sequence[LogKey], origin: str | None = None) -> SignedCheckpoint:
    """Verify a checkpoint against a log's keys, of which one that signed must be in its range of sizes.

    Raises `KeyUnknown` where none of the keys signed, `NoteInvalid` for a bad signature, `CheckpointInvalid` for the
    rest, a key used outside its range included.
    """
    signed = verify_checkpoint(data, [key.verifier for key in keys], origin)
    by = {(s.name, s.key_id) for s in signed.note.signatures}
    size = signed.checkpoint.size
    if not any(k.may_sign(size) for k in keys if (k.verifier.name, k.verifier.key_id) in by):
        raise CheckpointInvalid(f"checkpoint: its key may not sign size `{size}`: it was retired, or is not yet in use")
    return signed
