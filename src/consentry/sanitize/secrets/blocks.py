"""Secrets that span lines: PEM and PuTTY keys, the same wrapped in base64, bare DER, JSON Web Keys."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from consentry.sanitize.secrets import noise

LONGEST: Final = 32_768
"""Characters of the longest private key that is looked for from its first line (RSA-16384 and ML-DSA fit)."""

_BEGIN: Final = re.compile(r"-----BEGIN ((?:[A-Z0-9-]{1,20} ){0,4})PRIVATE KEY(?: BLOCK)?-----")
_END: Final = re.compile(r"-----END (?:[A-Z0-9-]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_PUTTY: Final = re.compile(r"PuTTY-User-Key-File-\d: [^\r\n]{1,40}\r?\n")
_PUTTY_MAC: Final = re.compile(r"Private-MAC: [0-9a-f]{40,64}")
_BODY: Final = re.compile(r"[A-Za-z0-9+/=]{16,}")
_BASE64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-_")
_MARK: Final = re.compile(rb"-----BEGIN (?:[A-Z0-9-]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----")
_DER: Final = re.compile(
    r"M(?:I[A-Za-z0-9+/]|C4CAQ|C[A-Za-z0-9+/])[A-Za-z0-9+/]{16,80}(?:\s{1,40}[A-Za-z0-9+/]{4,80}){0,200}={0,2}|M(?:I[A-Za-z0-9+/]|C4CAQ)[A-Za-z0-9+/]{60,16000}={0,2}"
)
_JWK_TYPE: Final = re.compile(r"[\"']kty[\"'][ \t]{0,4}:[ \t]{0,4}[\"']\[?(?:EC|RSA|OKP|oct)\]?")
_JWK_REACH: Final = 2000
_JWK_FIELD: Final = re.compile(
    r"[\"'](?P<field>d|k)[\"'][ \t]{0,4}:[ \t]{0,4}[\"'](?P<value>[A-Za-z0-9_\-+/=]{16,1400})[\"']"
)
_PRIVATE_DER: Final = (re.compile(rb"\x30(?:[\x20-\x7f]|\x81.|\x82..)\x02\x01[\x00\x01](?:\x02|\x30|\x04)", re.DOTALL),)


@dataclass(frozen=True, slots=True)
class Block:
    """Where a key stands and in which wrapping."""

    start: int
    end: int
    subtype: str
    form: str


def pem(text: str, begin: int) -> Iterator[Block]:
    """The private key whose `-----BEGIN` line starts at `begin`.

    Reported from its first dash to the last of its end line, whatever quoting, comment marks or log prefixes stand in
    between. A block without a body (a test for the header, an ellipsis) is none; one whose end is cut off is.
    """
    head = _BEGIN.match(text, begin)
    if head is None or "PUBLIC" in head[1] or " FAKE" in f" {head[1]}":
        return
    tail = _END.search(text, head.end(), head.end() + LONGEST)
    end = tail.end() if tail else _open_end(text, head.end())
    if _has_body(text[head.end() : tail.start() if tail else end]):
        yield Block(begin, end, "private_key", "PEM")


def _open_end(text: str, start: int) -> int:
    """The end of the base64 lines that follow a header whose footer is missing."""
    at = place = start
    for line in text[start : start + LONGEST].split("\n"):
        if place > start and not _BODY.search(line):
            break
        at = place + len(line.rstrip())
        place += len(line) + 1
    return at


def _has_body(body: str) -> bool:
    if "..." in body or "…" in body or noise.is_placeholder(body[:200]):
        return False
    letters = "".join(_BODY.findall(body.replace("\\n", "\n").replace("\\r", "\n")))
    return len(letters) >= 40 and noise.entropy(letters) > 2.5


def putty(text: str, begin: int) -> Iterator[Block]:
    """The PuTTY key file that starts at `begin`."""
    head = _PUTTY.match(text, begin)
    tail = _PUTTY_MAC.search(text, begin, begin + LONGEST) if head else None
    if tail:
        yield Block(begin, tail.end(), "private_key", "PuTTY")


def wrapped(text: str, mark: int) -> Iterator[Block]:
    """The base64 text around `mark` that decodes to something holding a PEM private key or a JSON Web Key."""
    start, end = mark, mark
    while start > max(0, mark - LONGEST) and text[start - 1] in _BASE64:
        start -= 1
    while end < min(len(text), mark + LONGEST) and text[end] in _BASE64:
        end += 1
    body = text[start:end].rstrip("=").replace("-", "+").replace("_", "/")
    try:
        raw = base64.b64decode(body[: len(body) // 4 * 4])
    except (binascii.Error, ValueError):
        return
    head = _MARK.search(raw)
    if head and _has_body(raw[head.end() :].decode("latin-1")) and b"ENCRYPTED" not in raw:
        yield Block(start, end, "private_key", "base64 of PEM")
    elif b'"kty"' in raw and _JWK_FIELD.search(raw.decode("latin-1")):
        yield Block(start, end, "private_key", "base64 of a JSON Web Key")


def der(text: str, begin: int) -> Iterator[Block]:
    """Bare base64 DER at `begin`: a PKCS#1, PKCS#8 or SEC 1 private key (never a certificate or public key)."""
    if begin and text[begin - 1] in _BASE64:
        return
    found = _DER.match(text, begin, begin + LONGEST)
    if found is None:
        return
    body = "".join(found[0].split()).rstrip("=")
    try:
        raw = base64.b64decode(body[: len(body) // 4 * 4])
    except (binascii.Error, ValueError):
        return
    if any(form.match(raw) for form in _PRIVATE_DER) and _length_fits(raw):
        yield Block(begin, found.end(), "private_key", "base64 of DER")


def _length_fits(raw: bytes) -> bool:
    if raw[1] < 0x80:
        return len(raw) >= raw[1] - 2 and raw[1] > 40
    count = raw[1] & 0x7F
    said = int.from_bytes(raw[2 : 2 + count], "big")
    return count <= 2 and abs(len(raw) - 2 - count - said) <= 4


def jwk(text: str, mark: int) -> Iterator[Block]:
    """The private member (`d`, or `k` of a symmetric key; RFC 7518 section 6) near a `"kty"` at `mark`."""
    key_type = _JWK_TYPE.match(text, mark)
    if key_type is None:
        return
    farthest = max(0, mark - _JWK_REACH)
    low, high = max(farthest, text.rfind("{", farthest, mark)), text.find("}", mark, mark + 2 * _JWK_REACH)
    field = _JWK_FIELD.search(text, low, high if high > 0 else mark + 2 * _JWK_REACH)
    if field is not None:
        yield Block(key_type.start(), key_type.end(), "private_key", "JSON Web Key")
        yield Block(*field.span("value"), "private_key", "JSON Web Key")
