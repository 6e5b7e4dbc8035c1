"""The texts that we write in place of values, and how a later pass knows them again.

    <EMAIL_ADDRESS>                              the type's placeholder
    <EMAIL_ADDRESS#bcdfghjklmnpqrstvwxzbcd>      a keyed hash
    <EMAIL_ADDRESS:bcdfghjklmnpqrstvwxzbcd>      a token of the vault

The 23 consonants hold 80 bits and a 16-bit check over type, kind and bits. Consonants only: no digit that a card or
phone pattern could see, no vowel that could spell a name. The check is unkeyed, so that a run with another key knows
them too; it guards against chance, not against somebody who encodes data on purpose. Where keys of one object become
the same mark, all but the first have a number after it: `<EMAIL_ADDRESS>_2`.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from consentry.sanitize import entities

REDACTED: Final = "[REDACTED]"
BODY_BYTES: Final = 10
_CONSONANTS: Final = "bcdfghjklmnpqrstvwxz"
_LENGTH: Final = 23
_VALUE: Final = {letter: at for at, letter in enumerate(_CONSONANTS)}
_MARK: Final = re.compile(
    rf"<(?P<type>[A-Z][A-Z0-9_]{{1,39}})(?:(?P<kind>[#:])(?P<body>[{_CONSONANTS}]{{{_LENGTH}}}))?>|\[REDACTED\]"
)
_COUNT: Final = re.compile(r"_[1-9]\d{0,5}(?!\w)", re.ASCII)
HASH: Final = "#"
TOKEN: Final = ":"  # noqa: S105

KNOWN_TYPES: Final = frozenset({*entities.PRIORITY, entities.VEHICLE_ID, "ABA_ROUTING_NUMBER", "MEDICAL_LICENSE"})
_NATIONAL: Final = re.compile(
    r"(?:AU|BE|BR|CA|CH|DE|EE|ES|EU|FI|FR|GR|IE|IN|IT|KR|LT|LV|MX|NG|NL|PH|PL|PT|SE|SG|TH|TR|UK|US|ZA)_[A-Z0-9_]+"
)
"""National identifiers are named by their country, so that no list of them has to be kept here."""


def is_national(entity: str) -> bool:
    """Whether a type is named as national identifiers are."""
    return _NATIONAL.fullmatch(entity) is not None


def placeholder(entity: str) -> str:
    """`<EMAIL_ADDRESS>`."""
    return f"<{entity}>"


def mark(entity: str, kind: str, body: bytes) -> str:
    """A hash or token of ten bytes, with its check."""
    number = int.from_bytes(body + _check(entity, kind, body), "big")
    letters = []
    for _ in range(_LENGTH):
        number, at = divmod(number, len(_CONSONANTS))
        letters.append(_CONSONANTS[at])
    return f"<{entity}{kind}{''.join(reversed(letters))}>"


def read_mark(entity: str, kind: str, letters: str) -> bytes | None:
    """The ten bytes of a mark's letters; None where the check fails."""
    number = 0
    for letter in letters:
        number = number * len(_CONSONANTS) + _VALUE[letter]
    if number >> (8 * (BODY_BYTES + 2)):
        return None
    raw = number.to_bytes(BODY_BYTES + 2, "big")
    body, check = raw[:BODY_BYTES], raw[BODY_BYTES:]
    return body if check == _check(entity, kind, body) else None


def find_marks(text: str, types: frozenset[str] = KNOWN_TYPES) -> list[tuple[int, int]]:
    """The spans of our own marks. A placeholder counts only for a known type, so `<ADA_LOVELACE>` does not."""
    if "<" not in text and REDACTED not in text:
        return []
    return [(found.start(), _past_count(text, found.end())) for found in _MARK.finditer(text) if _ours(found, types)]


def _past_count(text: str, end: int) -> int:
    found = _COUNT.match(text, end)
    return end if found is None else found.end()


def find_tokens(text: str) -> list[tuple[int, int, str, bytes]]:
    """Tokens of the vault: start, end, type, the ten bytes."""
    out = []
    for found in _MARK.finditer(text):
        if found["kind"] == TOKEN:
            body = read_mark(found["type"], TOKEN, found["body"])
            if body is not None:
                out.append((found.start(), found.end(), found["type"], body))
    return out


def _ours(found: re.Match[str], types: frozenset[str]) -> bool:
    entity, kind = found["type"], found["kind"]
    if entity is None:
        return True
    if kind is None:
        return entity in types or entity in KNOWN_TYPES or _NATIONAL.fullmatch(entity) is not None
    return read_mark(entity, kind, found["body"]) is not None


def _check(entity: str, kind: str, body: bytes) -> bytes:
    return hashlib.sha256(f"consentry mark\n{entity}{kind}".encode() + body).digest()[:2]
