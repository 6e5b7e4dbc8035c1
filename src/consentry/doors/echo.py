"""Credentials of the gate that an upstream repeats: covered before a caller sees them (invariant 11). Pure.

APIs that help with debugging, error pages and badly written proxies send back the request that they got. What the gate
added to it is looked for byte for byte, in the spellings in which such answers hold it, and covered by as many bytes:
lengths stay true, and JSON stays JSON. A tripwire, not a wall: an upstream that means to give its credential away can
spell it in ways that nobody expects.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

SHORTEST: Final = 8
"""Bytes. What is shorter is found in texts that have nothing to do with it."""
_SHORTEST_NAMELESS: Final = 16
_NAMED: Final = re.compile(r"auth|cookie|credential|key|pass|pwd|secret|token", re.IGNORECASE)
_COVER, _ENCODED_COVER = b"*", b"0"
_ESCAPED: Final = re.compile(r"%[0-9A-F]{2}|\\u[0-9a-f]{4}")


def credentials_in(pairs: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Of what the gate adds, by name, what is secret: not a version, a tenant or an address that stands beside it."""
    return frozenset(one for name, value in pairs for one in _secret(name, value) if len(one.encode()) >= SHORTEST)


def _secret(name: str, value: str) -> Iterator[str]:
    if "://" in value:
        password = _password(value)
        if password is not None:
            yield from (value, password, unquote(password))
        return
    if not _NAMED.search(name):
        mixed = any(one.isdigit() for one in value) and any(one.isalpha() for one in value)
        if len(value) < _SHORTEST_NAMELESS or not mixed or value.startswith(("/", "~", ".")) or " " in value:
            return
    scheme, _, rest = value.partition(" ")
    if "auth" not in name.lower() or not rest or not scheme.isalpha() or " " in rest:
        yield value
        return
    yield rest
    if scheme.lower() == "basic":
        yield from _basic(rest)


def _password(url: str) -> str | None:
    try:
        return urlsplit(url).password
    except ValueError:
        return None


def _basic(encoded: str) -> Iterator[str]:
    """User and password (RFC 7617)."""
    try:
        pair = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return
    yield from (pair, pair.partition(":")[2])


def _texts(secret: str) -> Iterator[str]:
    """A secret as texts hold it: plain, and escaped for addresses, JSON and pages, with letters of either case."""
    escaped = json.dumps(secret)[1:-1]
    found = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), escaped}
    found |= {json.dumps(secret, ensure_ascii=False)[1:-1], html.escape(secret), html.escape(secret, quote=False)}
    found |= {one.replace("/", "\\/") for one in (escaped, secret)}
    found.add(re.sub("[<>&'=+]", lambda one: f"\\u{ord(one[0]):04x}", escaped))
    found.add(re.sub("[<>&]", lambda one: f"\\u{ord(one[0]):04x}", escaped))
    for one in found:
        yield one
        yield _ESCAPED.sub(lambda escape: _other_case(escape[0]), one)


def _other_case(escape: str) -> str:
    return escape.lower() if escape[0] == "%" else escape[:2] + escape[2:].upper()


def _encodings(secret: bytes) -> Iterator[bytes]:
    """A secret in what is encoded whole: hexadecimal, and Base64 wherever in its three bytes it begins."""
    yield from (secret.hex().encode(), secret.hex().upper().encode())
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + secret)
        first = -(-before * 8 // 6)
        last = (before + len(secret)) * 8 // 6
        yield whole[first:last]
        yield whole[first:last].translate(bytes.maketrans(b"+/", b"-_"))


class Echo:
    """What is looked for in the answers of one upstream. False where nothing is."""

    def __init__(self, secrets: Iterable[str]) -> None:
        found: dict[bytes, bytes] = {}
        for secret in secrets:
            for data in _encodings(secret.encode("utf-8")):
                found[data] = _ENCODED_COVER * len(data)
            for text in _texts(secret):
                found[text.encode("utf-8")] = _COVER * len(text.encode("utf-8"))
        self._covers = tuple(sorted(found.items(), key=lambda one: (-len(one[0]), one[0])))
        self._letters = frozenset(b"".join(found))

    def __bool__(self) -> bool:
        return bool(self._covers)

    def __repr__(self) -> str:
        return "Echo()"

    def cover(self, data: bytes) -> bytes:
        """The data with every spelling covered; the same object where there is none."""
        for needle, cover in self._covers:
            if needle in data:
                data = data.replace(needle, cover)
        return data

    def text(self, text: str) -> str:
        """The same for a text."""
        data = text.encode("utf-8", "surrogatepass")
        covered = self.cover(data)
        return text if covered is data else covered.decode("utf-8", "surrogatepass")

    def begun(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a spelling that goes on in the next piece."""
        if not data or data[-1] not in self._letters:  # where pieces are lines, events or documents
            return 0
        longest = 0
        for needle, _ in self._covers:
            at = max(0, len(data) - len(needle) + 1)
            while (at := data.find(needle[0], at)) >= 0 and len(data) - at > longest:
                if needle.startswith(data[at:]):
                    longest = len(data) - at
                at += 1
        return longest


class EchoStream:
    """Covers what comes in pieces. Holds back only what may go on to be a spelling."""

    def __init__(self, echo: Echo) -> None:
        self._echo = echo
        self._held = b""
        self.found = False

    def feed(self, piece: bytes) -> bytes:
        data = self._held + piece if self._held else piece
        covered = self._echo.cover(data)
        if covered is not data:
            self.found = True
        if begun := self._echo.begun(covered):
            self._held = covered[-begun:]
            return covered[:-begun]
        self._held = b""
        return covered

    def finish(self) -> bytes:
        """What was held back after all."""
        held, self._held = self._held, b""
        return held
