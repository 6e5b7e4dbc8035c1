"""Checkpoints: signed tree heads, as C2SP `tlog-checkpoint` defines them (https://c2sp.org/tlog-checkpoint)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consentry.ledger.errors import CheckpointInvalid
from consentry.ledger.merkle import EMPTY_ROOT, HASH_BYTES, MAX_SIZE
from consentry.ledger.note import Note, Signer, Verifier, parse_note, sign_note, verify_note


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself at one size: `origin` names it, `root` is the Merkle tree hash of `size` leaves."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise CheckpointInvalid(f"checkpoint: size `{self.size}` is out of range")
        if len(self.root) != HASH_BYTES:
            raise CheckpointInvalid(f"checkpoint: the root has `{len(self.root)}` bytes where SHA-256 has 32")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise CheckpointInvalid("checkpoint: size 0 has the root of the empty tree, and this is another")
        if not all((self.origin, *self.extensions)) or any("\n" in line for line in (self.origin, *self.extensions)):
            raise CheckpointInvalid("checkpoint: origin and extensions are non-empty single lines")

    def to_text(self) -> str:
        """The text of the note, with its final newline."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @staticmethod
    def parse(text: str) -> Checkpoint:
        """Read the text of a note; raises `CheckpointInvalid`. There is one spelling for each checkpoint."""
        lines = text.split("\n")
        if len(lines) < 4 or lines[-1]:
            raise CheckpointInvalid("checkpoint: needs an origin, a size and a root on a line each")
        origin, size, root, *extensions = lines[:-1]
        if not (size.isascii() and size.isdecimal() and len(size) < 20) or (size[0] == "0" and size != "0"):
            raise CheckpointInvalid("checkpoint: the size is not a decimal number without leading zeroes")
        try:
            parsed = Checkpoint(origin, int(size), base64.b64decode(root, validate=True), tuple(extensions))
        except (binascii.Error, ValueError) as error:
            raise CheckpointInvalid("checkpoint: the root is not base64") from error
        if parsed.to_text() != text:
            raise CheckpointInvalid("checkpoint: the root is not in the canonical base64 spelling")
        return parsed


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint that a known key signed, with the note that proves it."""

    checkpoint: Checkpoint
    note: Note
    raw: bytes


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[Signer]) -> bytes:
    """The signed note over the checkpoint.

    INVARIANT: a log signs a checkpoint only if it extends every checkpoint that it signed before; the caller holds it.
    """
    return sign_note(checkpoint.to_text(), signers)


def read_checkpoint(data: bytes) -> Checkpoint:
    """The checkpoint in a note, *unverified*: for looking at sizes before a key is chosen, never for trust."""
    return Checkpoint.parse(parse_note(data)[0])


def verify_checkpoint(data: bytes, verifiers: Iterable[Verifier], origin: str | None = None) -> SignedCheckpoint:
    """Open a signed checkpoint, of `origin` where given. Raises `NoteInvalid`, `KeyUnknown` or `CheckpointInvalid`."""
    note = verify_note(data, verifiers)
    checkpoint = Checkpoint.parse(note.text)
    if origin is not None and checkpoint.origin != origin:
        raise CheckpointInvalid(f"checkpoint: of log `{checkpoint.origin}`, not of `{origin}`")
    return SignedCheckpoint(checkpoint, note, data)
