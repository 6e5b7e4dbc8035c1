"""Plain text: cut where nothing is found across the cut, each part looked at with what stands around it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from consentry.sanitize.files.chunks import PART_BYTES, Part, parts, read
from consentry.sanitize.files.cleaner import Cleaner
from consentry.sanitize.files.decode import UTF8_BOM, decoded

_AROUND: Final = 16 << 10
"""Bytes on either side of a cut that are looked at to place it; a finding longer than this may be cut in two, and
each half is then still a finding for the part that holds most of it."""
_PAD: Final = 1 << 10


def text_parts(path: Path, cleaner: Cleaner, encoding: str, start: int = 0, size: int = PART_BYTES) -> Iterator[Part]:
    """Parts of a text file that no finding runs across."""
    offset = start

    def cut(data: bytes, last: bool) -> int:
        if last:
            return len(data)
        return _safe_cut(data[-2 * _AROUND :], cleaner, encoding) + max(0, len(data) - 2 * _AROUND)

    return parts(path, cut, offset, size)


def clean_part(part: Part, cleaner: Cleaner, path: Path, encoding: str) -> bytes:
    """One part, sanitized, in the file's encoding."""
    left = max(0, part.start - _PAD)
    data = read(path, left, part.end + _PAD)
    before, body, after = data[: part.start - left], data[part.start - left : part.end - left], data[part.end - left :]
    bom = UTF8_BOM if part.start == 0 and encoding == "utf-8" and body.startswith(UTF8_BOM) else b""
    text = decoded(path, body[len(bom) :], encoding, part.start + len(bom), part.line)
    head = before.decode(encoding, "ignore")
    tail = after.decode(encoding, "ignore")
    out = cleaner.text(head + text + tail, pads=(len(head), len(tail)))
    return bom + out.encode(encoding, "xmlcharrefreplace" if encoding != "utf-8" else "strict")


def work(path: Path, encoding: str) -> partial[bytes]:
    """`clean_part` for one file, to be given to workers."""
    return partial(clean_part, path=path, encoding=encoding)


def _safe_cut(window: bytes, cleaner: Cleaner, encoding: str) -> int:
    """A place in the window, best the last line end before its middle, that lies in no finding."""
    text = window.decode(encoding, "ignore")
    found = cleaner.engines.full.scan(text)
    middle = len(window) // 2
    for separator in (b"\n", b" "):
        at = window.rfind(separator, 0, middle)
        while at >= 0:
            place = len(window[: at + 1].decode(encoding, "ignore"))
            if not any(one.start < place < one.end for one in found):
                return at + 1
            at = window.rfind(separator, 0, at)
    at = middle
    while at > 0 and encoding == "utf-8" and window[at] & 0xC0 == 0x80:
        at -= 1
    place = len(window[:at].decode(encoding, "ignore"))
    crossing = [one.start for one in found if one.start < place < one.end]
    return len(text[: crossing[0]].encode(encoding, "ignore")) if crossing and crossing[0] else at
