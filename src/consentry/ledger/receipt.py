"""Receipts: what one action left in the log, in one JSON file that verifies without the log.

```
{"format": "consentry receipt v1", "action": ID, "checkpoint": NOTE,
 "entries": [{"index": N, "entry": TEXT, "proof": [BASE64, …]}, …],
 "disclosures": [{"index": N, "field": NAME, "salt": BASE64, "value": BASE64}, …]}
```

`entry` is the entry's text as it was hashed. The keys are not in it: whoever verifies has them from elsewhere.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from consentry.ledger.checkpoint import Checkpoint
from consentry.ledger.errors import ReceiptInvalid
from consentry.ledger.merkle import NodeReader, inclusion_proof

RECEIPT_FORMAT = "consentry receipt v1"
MAX_RECEIPT_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class ReceiptEntry:
    """One entry, where it stands in the log, and the proof of that against the receipt's checkpoint."""

    index: int
    entry: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A value behind a commitment: the field of the entry that holds it, its salt, and the value."""

    index: int
    field: str
    salt: bytes
    value: bytes

    def to_json(self) -> dict[str, str | int]:
        """As it stands in receipts and bundles."""
        return {"index": self.index, "field": self.field, "salt": _encode(self.salt), "value": _encode(self.value)}


@dataclass(frozen=True, slots=True)
class Receipt:
    """All entries of one action, in the order of the log, under one signed checkpoint."""

    action: str
    checkpoint: bytes
    entries: tuple[ReceiptEntry, ...]
    disclosures: tuple[Disclosure, ...] = ()

    def encode(self) -> bytes:
        """The receipt's JSON, indented for people."""
        document = {
            "format": RECEIPT_FORMAT,
            "action": self.action,
            "checkpoint": self.checkpoint.decode(),
            "entries": [
                {"index": e.index, "entry": e.entry.decode(), "proof": [_encode(h) for h in e.proof]}
                for e in self.entries
            ],
            "disclosures": [d.to_json() for d in self.disclosures],
        }
        return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @staticmethod
    def decode(data: bytes) -> Receipt:
        """Read a receipt, nothing of it verified; raises `ReceiptInvalid` for anything missing, malformed or extra."""
        document = parse_object(data, {"format", "action", "checkpoint", "entries", "disclosures"})
        if document["format"] != RECEIPT_FORMAT:
            raise ReceiptInvalid(f"receipt: this program reads `{RECEIPT_FORMAT}` only")
        return Receipt(
            text_of(document, "action"),
            text_of(document, "checkpoint").encode(),
            tuple(_entry(each) for each in _list_of(document, "entries")),
            tuple(parse_disclosure(each) for each in _list_of(document, "disclosures")),
        )


def build_receipt(
    action: str,
    entries: Mapping[int, bytes],
    checkpoint: bytes,
    size: int,
    read: NodeReader,
    disclosures: Sequence[Disclosure] = (),
) -> Receipt:
    """The receipt of an action: `entries` by their index, proved against the signed `checkpoint` of `size` leaves."""
    proved = (ReceiptEntry(at, entries[at], tuple(inclusion_proof(at, size, read))) for at in sorted(entries))
    return Receipt(action, checkpoint, tuple(proved), tuple(disclosures))


def describe(checkpoint: Checkpoint) -> str:
    """A checkpoint in one line, for reports."""
    return f"{checkpoint.origin} at size {checkpoint.size}"


def parse_object(data: bytes, names: set[str]) -> dict[str, object]:
    """A JSON object with exactly these members; raises `ReceiptInvalid`."""
    if len(data) > MAX_RECEIPT_BYTES:
        raise ReceiptInvalid(f"receipt: longer than {MAX_RECEIPT_BYTES} bytes")
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise ReceiptInvalid("receipt: not JSON") from error
    return _object(document, names)


def parse_disclosure(document: object) -> Disclosure:
    """Read a disclosure; raises `ReceiptInvalid`."""
    found = _object(document, {"index", "field", "salt", "value"})
    return Disclosure(
        _index(found), text_of(found, "field"), _decode(text_of(found, "salt")), _decode(text_of(found, "value"))
    )


def text_of(document: dict[str, object], name: str) -> str:
    """A member that must be a string; raises `ReceiptInvalid`."""
    value = document[name]
    if not isinstance(value, str):
        raise ReceiptInvalid(f"receipt: `{name}` must be a string")
    return value


def _entry(document: object) -> ReceiptEntry:
    found = _object(document, {"index", "entry", "proof"})
    proof = [_decode(each) if isinstance(each, str) else b"" for each in _list_of(found, "proof")]
    return ReceiptEntry(_index(found), text_of(found, "entry").encode(), tuple(proof))


def _object(document: object, names: set[str]) -> dict[str, object]:
    if not isinstance(document, dict) or document.keys() != names:
        raise ReceiptInvalid(f"receipt: an object with exactly `{'`, `'.join(sorted(names))}` was expected")
    return document


def _list_of(document: dict[str, object], name: str) -> list[object]:
    value = document[name]
    if not isinstance(value, list):
        raise ReceiptInvalid(f"receipt: `{name}` must be a list")
    return value


def _index(document: dict[str, object]) -> int:
    value = document["index"]
    if type(value) is not int or value < 0:
        raise ReceiptInvalid("receipt: `index` must be a whole number, not negative")
    return value


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ReceiptInvalid("receipt: not base64") from error
    if _encode(raw) != text:
        raise ReceiptInvalid("receipt: not the canonical base64 spelling")
    return raw
