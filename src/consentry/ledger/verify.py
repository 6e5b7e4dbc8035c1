"""Verification of receipts, bundles and published logs, offline, with nothing but the log's public keys.

It says *valid*, *tampered* (where), or *unverifiable* (what is missing). It believes no file: every byte that counts is
led back to a checkpoint signed by a given key, or by a key that a `ledger.key_rotated` entry under such a checkpoint
vouches for. What it cannot see is a history that was never published: keep checkpoints elsewhere and pass them as
`known`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from consentry.ledger.audit import MAX_FINDINGS, Audit, audit_tiles
from consentry.ledger.bundle import Manifest, open_files, read_disclosures
from consentry.ledger.checkpoint import Checkpoint, read_checkpoint
from consentry.ledger.commit import open_commitment
from consentry.ledger.entry import Entry, decode_entry
from consentry.ledger.entry_types import FIELDS, Kind
from consentry.ledger.errors import (
    CheckpointInvalid,
    EntryInvalid,
    KeyUnknown,
    LedgerError,
    NoteInvalid,
    ProofInvalid,
    TileMissing,
)
from consentry.ledger.keys import LogKey, open_checkpoint, parse_keys, rotate
from consentry.ledger.merkle import EMPTY_ROOT, leaf_hash, verify_inclusion
from consentry.ledger.note import Verifier
from consentry.ledger.receipt import Disclosure, Receipt
from consentry.ledger.report import Finding, Outcome, Report, tampered, unverifiable
from consentry.ledger.rules import Rules
from consentry.ledger.tiles import TileReader

__all__ = ["Finding", "Outcome", "Report", "verify_bundle", "verify_path", "verify_receipt", "verify_tiles"]

_NO_KEY = unverifiable(
    "no_key", "key", "no key was given: what the file says of itself proves nothing; pass the log's key from elsewhere"
)


def verify_receipt(data: bytes, keys: Sequence[LogKey], known: Sequence[bytes] = ()) -> Report:
    """Verify a receipt: signature, inclusion of each entry, grammar, rules and disclosures.

    `known` are signed checkpoints from keepers: one of the receipt's size must have the receipt's root.
    """
    try:
        receipt = Receipt.decode(data)
        claimed = read_checkpoint(receipt.checkpoint)
    except LedgerError as error:
        return Report("receipt", "", 0, (tampered("damaged", "receipt", str(error)),))
    findings, signed = _open_all([("checkpoint", receipt.checkpoint), *_named(known)], keys)
    findings += _forks(signed)
    checker = _EntryChecker(Rules(whole_log=False), {d.index: [] for d in receipt.disclosures})
    last = -1
    for each in receipt.entries:
        where = f"entry {each.index}"
        if each.index <= last:
            findings.append(tampered("order", where, "the entries must stand in the order of the log, each once"))
        last = each.index
        try:
            verify_inclusion(each.index, claimed.size, leaf_hash(each.entry), each.proof, claimed.root)
        except ProofInvalid as error:
            message = f"the entry or its proof is not what was signed: {error}"
            findings.append(tampered("entry_changed", where, message))
        checker.visit(each.index, [each.entry])
    if receipt.action not in checker.actions:
        message = "none of the entries is of this action" if receipt.entries else "the receipt holds no entries"
        findings.append(tampered("action_missing", "receipt", message))
    findings += checker.findings + checker.open_disclosures(receipt.disclosures)
    return Report(
        "receipt",
        claimed.origin,
        claimed.size,
        tuple(findings),
        entries=len(receipt.entries),
        checkpoints=sum(1 for where, _ in signed if where == "checkpoint"),
        disclosures=len(receipt.disclosures),
        rules=True,
    )


def verify_tiles(
    reader: TileReader, keys: Sequence[LogKey], known: Sequence[bytes] = (), *, rules: bool | None = None
) -> Report:
    """Verify a published log: every entry, every tile, and its checkpoint; and that it extends each `known` checkpoint.

    `rules`: whether the entries must follow our grammar and rules; by default, if the first one does.
    """
    return _verify_log("tiles", reader, keys, [], known, (), rules)


def verify_bundle(reader: TileReader, keys: Sequence[LogKey], known: Sequence[bytes] = ()) -> Report:
    """Verify an exported bundle: all that `verify_tiles` does, and its earlier checkpoints, keys and disclosures."""
    try:
        manifest = Manifest.decode(reader.read("bundle.json"))
        disclosures = read_disclosures(reader)
        stated = parse_keys(reader.read("keys").decode())
    except (LedgerError, UnicodeDecodeError) as error:
        return Report("bundle", "", 0, (tampered("damaged", "bundle", str(error)),))
    findings, notes = [], []
    for size in manifest.checkpoints:
        where = f"checkpoints/{size}"
        try:
            notes.append((where, reader.read(where)))
        except LedgerError as error:
            findings.append(unverifiable("checkpoint_missing", where, str(error)))
    report = _verify_log("bundle", reader, keys, notes, known, disclosures, True, stated)
    if (manifest.origin, manifest.size) != (report.origin, report.size):
        findings.append(tampered("manifest_changed", "bundle.json", "does not name the log and size of the checkpoint"))
    return _with(report, findings)


def verify_path(path: Path, key_file: Path | None, known: Sequence[bytes] = ()) -> Report:
    """Verify what lies at `path`: a receipt, a bundle (directory, `.tar`, `.zip`), or the directory of a published log.

    Without a key file all else is checked, and the outcome is at best unverifiable. Never raises for what a file holds.
    """
    if key_file is not None and not key_file.exists():
        missing = f"there is no `{key_file.name}`: fetch it from the server's `/ledger/key`, or get it from its keeper"
        return Report("key", "", 0, (unverifiable("key_unreadable", "key", missing),))
    try:
        keys = _read_keys(key_file) if key_file is not None else None
    except (NoteInvalid, OSError, UnicodeDecodeError):
        return Report(
            "key", "", 0, (unverifiable("key_unreadable", "key", "the key file cannot be read, or is malformed"),)
        )
    if path.is_file() and _looks_like_json(path):
        return _verify_receipt_file(path, keys, known)
    if not path.is_dir() and not path.is_file():
        return Report("path", "", 0, (unverifiable("not_found", "path", "there is no file or directory there"),))
    try:
        with open_files(path) as reader:
            return _verify_files(reader, keys, known)
    except (LedgerError, OSError) as error:
        message = str(error) if isinstance(error, LedgerError) else "a file cannot be read"
        return Report("path", "", 0, (unverifiable("unreadable", "path", message),))


def _read_keys(path: Path) -> tuple[LogKey, ...]:
    if not path.is_file():
        raise NoteInvalid("key file: not a file")
    return parse_keys(path.read_text("utf-8"))


def _verify_files(reader: TileReader, keys: Sequence[LogKey] | None, known: Sequence[bytes]) -> Report:
    if not _has(reader, "bundle.json"):
        if not _has(reader, "checkpoint"):
            message = "neither a bundle nor a published log: `bundle.json` and `checkpoint` are not there"
            return Report("path", "", 0, (unverifiable("not_a_log", "path", message),))
        return verify_tiles(reader, keys, known) if keys else _keyless(verify_tiles(reader, ()))
    if keys:
        return verify_bundle(reader, keys, known)
    try:
        own = parse_keys(reader.read("keys").decode())
    except (LedgerError, UnicodeDecodeError):
        own = ()
    return _keyless(verify_bundle(reader, own, known))


def _verify_receipt_file(path: Path, keys: Sequence[LogKey] | None, known: Sequence[bytes]) -> Report:
    data = path.read_bytes()
    if b"consentry receipt" not in data and b'"checkpoint"' not in data:
        return Report("path", "", 0, (unverifiable("not_a_receipt", "path", "the file is not a receipt"),))
    report = verify_receipt(data, keys or (), known)
    return report if keys else _keyless(report)


def _verify_log(
    subject: str,
    reader: TileReader,
    keys: Sequence[LogKey],
    notes: Sequence[tuple[str, bytes]],
    known: Sequence[bytes],
    disclosures: Sequence[Disclosure],
    rules: bool | None,
    stated: Sequence[LogKey] = (),
) -> Report:
    try:
        head = reader.read("checkpoint")
        claimed = read_checkpoint(head)
    except TileMissing as error:
        return Report(subject, "", 0, (unverifiable("checkpoint_missing", "checkpoint", str(error)),))
    except LedgerError as error:
        return Report(subject, "", 0, (tampered("checkpoint_changed", "checkpoint", str(error)),))
    every = [("checkpoint", head), *notes, *_named(known)]
    checker = _EntryChecker(Rules(whole_log=True), {d.index: [] for d in disclosures}, active=rules)
    audit = audit_tiles(reader, claimed.size, [c.size for _, c in _readable(every)], checker.visit)
    ring, findings, signed = _trust(every, keys, audit, checker.rotations, claimed.origin)
    findings += _forks(signed) + _compare(signed, audit, claimed.size) + audit.findings
    findings += checker.findings + checker.open_disclosures(disclosures)
    findings += [_stray(key) for key in stated if not _agrees(key, ring, claimed.size)]
    return Report(
        subject,
        claimed.origin,
        claimed.size,
        tuple(findings),
        entries=audit.entries,
        checkpoints=sum(1 for where, _ in signed if where == "checkpoint"),
        tiles=audit.tiles,
        disclosures=len(disclosures),
        rules=bool(checker.active),
    )


@dataclass(slots=True)
class _EntryChecker:
    """Sees every entry once: grammar, rules, rotations of the key, and the entries that disclosures are about."""

    rules: Rules
    disclosed: dict[int, list[Entry]]
    active: bool | None = True
    findings: list[Finding] = field(default_factory=list)
    rotations: list[tuple[int, str, str]] = field(default_factory=list)
    actions: set[str] = field(default_factory=set)

    def visit(self, first: int, entries: Sequence[bytes]) -> None:
        """Take entries that stand side by side, from index `first`."""
        read, disclosed, whole_log, decode = self.rules.read, self.disclosed, self.rules.whole_log, decode_entry
        for index, data in enumerate(entries, first):
            if self.active is False:
                return
            try:
                entry = decode(data)
            except EntryInvalid as error:
                self._refuse(index, error)
                continue
            if not self.active:
                self.active = True
            if (found := read(index, entry)) and len(self.findings) < MAX_FINDINGS:
                self.findings += found
            if entry[0] == "ledger.key_rotated":
                self.rotations.append((index, entry.text("old_key"), entry.text("new_key")))
            if disclosed and index in disclosed:
                disclosed[index].append(entry)
            if not whole_log and (action := entry.text("action")):
                self.actions.add(action)

    def _refuse(self, index: int, error: EntryInvalid) -> None:
        if self.active is None:
            self.active = False
        elif len(self.findings) < MAX_FINDINGS:
            self.findings.append(tampered("entry_invalid", f"entry {index}", str(error)))

    def open_disclosures(self, disclosures: Iterable[Disclosure]) -> list[Finding]:
        """Check each disclosed value against the commitment in its entry."""
        findings = []
        for each in disclosures:
            where = f"disclosure of `{each.field}` in entry {each.index}"
            entries = self.disclosed.get(each.index, [])
            if not entries or FIELDS.get(each.field) is not Kind.COMMITMENT or not entries[0].text(each.field):
                findings.append(tampered("disclosure_unknown", where, "the entry holds no such commitment"))
                continue
            try:
                open_commitment(entries[0].text(each.field), each.value, each.salt)
            except LedgerError as error:
                findings.append(tampered("disclosure_changed", where, str(error)))
        return findings


_Named = tuple[str, bytes]
_Signed = tuple[str, Checkpoint]


def _trust(
    notes: Sequence[_Named],
    keys: Sequence[LogKey],
    audit: Audit,
    rotations: Sequence[tuple[int, str, str]],
    origin: str,
) -> tuple[tuple[LogKey, ...], list[Finding], list[_Signed]]:
    """Open the checkpoints, smallest first; a rotation that a trusted one covers adds its new key for the next ones."""
    ring, pending = tuple(keys), list(rotations)
    findings: list[Finding] = []
    signed: list[_Signed] = []
    readable = {where: checkpoint.size for where, checkpoint in _readable(notes)}
    for where, data in sorted(notes, key=lambda note: readable.get(note[0], 0)):
        try:
            checkpoint = open_checkpoint(data, ring, origin).checkpoint
        except LedgerError as error:
            findings.append(_bad_checkpoint(where, error))
            continue
        signed.append((where, checkpoint))
        if checkpoint.root == audit.by_entries.get(checkpoint.size):
            while pending and pending[0][0] < checkpoint.size:
                ring = _vouch(ring, *pending.pop(0))
    return ring, findings, signed


def _vouch(ring: tuple[LogKey, ...], index: int, old: str, new: str) -> tuple[LogKey, ...]:
    """The keys after a rotation entry: its new key counts if its old one did and it is not known already."""
    known = {key.verifier.vkey for key in ring}
    if old not in known or new in known:
        return ring
    try:
        return rotate(ring, Verifier.parse(new), index + 1)
    except NoteInvalid:
        return ring


def _open_all(notes: Sequence[_Named], keys: Sequence[LogKey]) -> tuple[list[Finding], list[_Signed]]:
    findings: list[Finding] = []
    signed: list[_Signed] = []
    for where, data in notes:
        try:
            signed.append((where, open_checkpoint(data, keys).checkpoint))
        except LedgerError as error:
            findings.append(_bad_checkpoint(where, error))
    return findings, signed


def _bad_checkpoint(where: str, error: LedgerError) -> Finding:
    if isinstance(error, KeyUnknown):
        return unverifiable("wrong_key", where, str(error))
    code = "key_out_of_range" if isinstance(error, CheckpointInvalid) and "may not sign" in str(error) else None
    return tampered(code or "checkpoint_changed", where, str(error))


def _forks(signed: Sequence[_Signed]) -> list[Finding]:
    """Two checkpoints of one size that a key of the log signed must have one root."""
    seen: dict[int, tuple[str, bytes]] = {}
    findings = []
    for where, checkpoint in signed:
        other, root = seen.setdefault(checkpoint.size, (where, checkpoint.root))
        if root != checkpoint.root:
            message = f"two roots were signed for size {checkpoint.size}: here and in `{other}`"
            findings.append(tampered("fork", where, message))
    return findings


def _compare(signed: Sequence[_Signed], audit: Audit, size: int) -> list[Finding]:
    """Compare each signed root with the entries and with the tiles, and name what does not fit the signature."""
    findings: list[Finding] = []
    entries_stand = any(audit.by_entries.get(c.size) == c.root for where, c in signed if where == "checkpoint")
    tiles_stand = any(audit.by_tiles.get(c.size) == c.root for where, c in signed if where == "checkpoint")
    for where, checkpoint in signed:
        if checkpoint.size > size:
            message = f"the log ends at {size} entries, and a checkpoint of {checkpoint.size} was signed"
            findings.append(tampered("tail_cut", where, message))
            continue
        ours = EMPTY_ROOT if checkpoint.size == 0 else audit.by_entries.get(checkpoint.size)
        theirs = EMPTY_ROOT if checkpoint.size == 0 else audit.by_tiles.get(checkpoint.size)
        if checkpoint.root not in (ours, theirs):
            findings.append(_off(where, checkpoint, ours is None, entries_stand or tiles_stand))
    if tiles_stand and not entries_stand:
        findings += audit.entry_faults
    elif entries_stand:
        findings += audit.tile_faults
    else:
        findings += audit.entry_faults or []
    return findings


def _off(where: str, checkpoint: Checkpoint, unread: bool, others_fit: bool) -> Finding:
    if unread:
        message = "the entries up to its size cannot all be read, and so its root cannot be computed"
        return unverifiable("root_unknown", where, message)
    if others_fit:
        message = f"was signed for size {checkpoint.size}, and this log has another history: it was forked"
        return tampered("fork", where, message)
    return tampered("root_mismatch", where, f"the entries of this log do not lead to the root at {checkpoint.size}")


def _agrees(stated: LogKey, ring: Sequence[LogKey], size: int) -> bool:
    """Whether a key that the bundle names is one that we trust, with the range that we know of."""
    for key in ring:
        if key.verifier == stated.verifier and key.from_size == stated.from_size:
            later = stated.to_size is None and key.to_size is not None and key.to_size > size
            return key.to_size == stated.to_size or later
    return False


def _stray(key: LogKey) -> Finding:
    where = f"keys: `{key.verifier.name}+{key.verifier.key_id:08x}`"
    return unverifiable("key_differs", where, "the bundle names a key or a range that the given keys do not bear out")


def _named(known: Sequence[bytes]) -> list[_Named]:
    return [(f"known checkpoint {number}", data) for number, data in enumerate(known, 1)]


def _readable(notes: Sequence[_Named]) -> list[_Signed]:
    """What the checkpoints say before any is verified: for choosing what to compute, never for trust."""
    found = []
    for where, data in notes:
        try:
            found.append((where, read_checkpoint(data)))
        except LedgerError:
            continue
    return found


def _keyless(report: Report) -> Report:
    """That no key was given comes first, and stands for every signature that could not be checked for want of it."""
    return replace(report, findings=(_NO_KEY, *(one for one in report.findings if one.code != "wrong_key")))


def _with(report: Report, findings: Sequence[Finding]) -> Report:
    return replace(report, findings=(*report.findings, *findings))


def _has(reader: TileReader, path: str) -> bool:
    try:
        reader.read(path)
    except LedgerError as error:
        return not isinstance(error, TileMissing)
    return True


def _looks_like_json(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(64).lstrip()[:1] == b"{"
