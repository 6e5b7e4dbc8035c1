"""Other ways to read a text, each with a map back to the original.

A value hidden by full-width digits, zero-width joiners, look-alike letters, JSON, URL or HTML escapes or base64 is
found by scanning a *view* in which it stands plainly. Plain ASCII without escapes has one view, itself, at no cost.
Views of escapes and base64 hold only the surroundings of what was decoded, joined by `SEPARATOR`.
"""

from __future__ import annotations

import binascii
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.entities import html5
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.sanitize.folding import fold
from consentry.sanitize.patterns.pattern import SEPARATOR

_AROUND = 80
"""Characters on both sides of an escape that are read with it."""

_ESCAPES = (
    ("\\", re.compile(r"\\(?:u[0-9A-Fa-f]{4}(?:\\u[0-9A-Fa-f]{4})*+|[nrtbf\"/\\])")),
    ("%", re.compile(r"%[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*+")),
    ("&", re.compile(r"&(?:#(?:[0-9]{2,6}|[xX][0-9A-Fa-f]{2,5})|[A-Za-z]{2,8});")),
)
"""Each begins with a literal, so that `re` looks for that first."""
_SHORT = {"n": "\n", "r": "\r", "t": "\t", "b": " ", "f": " ", '"': '"', "/": "/", "\\": "\\"}
_UNPRINTABLE = bytes(range(9)) + bytes(range(14, 32)) + b"\x7f"


class _Piece(NamedTuple):
    """From `at` on, each `unit` characters of the view stand for `wide` characters of what it is a view of."""

    at: int
    origin: int
    unit: int
    wide: int


@dataclass(frozen=True, slots=True)
class View:
    """One way to read a text. `span` leads back to the original, by pieces or by the place of each character; without
    either the offsets are the same. `words`, where known, are all the words in it."""

    text: str
    pieces: tuple[_Piece, ...] = ()
    outer: View | None = None
    starts: tuple[int, ...] = field(default=())
    origins: npt.NDArray[np.intp] | None = field(default=None, compare=False)
    words: frozenset[str] | None = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the original that `start … end` of the view stands for."""
        if self.origins is not None:
            start, end = int(self.origins[start]), int(self.origins[end - 1]) + 1
        elif self.pieces:
            first, last = self._piece(start), self._piece(end - 1)
            start = first.origin + (start - first.at) // first.unit * first.wide
            end = last.origin + ((end - 1 - last.at) // last.unit + 1) * last.wide
        return (start, end) if self.outer is None else self.outer.span(start, end)

    def _piece(self, position: int) -> _Piece:
        return self.pieces[bisect_right(self.starts, position) - 1]


class _Writer:
    """Puts a view together piece by piece."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._pieces: list[_Piece] = []
        self._length = 0

    def add(self, part: str, origin: int, unit: int = 1, wide: int = 1) -> None:
        if part:
            self._parts.append(part)
            self._pieces.append(_Piece(self._length, origin, unit, wide))
            self._length += len(part)

    def view(self, outer: View | None) -> View:
        pieces = tuple(self._pieces)
        return View("".join(self._parts), pieces, outer, tuple(piece.at for piece in pieces))


def plain(text: str) -> View:
    """The text with stand-in characters replaced and invisible ones taken out."""
    if text.isascii():
        return View(text)
    folded, kept = fold(text)
    return View(folded, origins=kept)


def unescaped(base: View) -> View | None:
    """What stands around JSON, URL and HTML escapes, with the escapes decoded; None where there are none."""
    text = base.text
    escapes = [found for mark, escape in _ESCAPES if mark in text for found in escape.finditer(text)]
    if not escapes:
        return None
    escapes.sort(key=re.Match.start)
    writer = _Writer()
    done = -1
    for escape in escapes:
        start, end = escape.span()
        if start > done:
            if done < 0 or start - done > 2 * _AROUND or text.find(SEPARATOR, done, start) >= 0:
                _close(writer, text, done)
                done = _left(text, start, max(done, 0))
            writer.add(text[done:start], done)
        elif start < done:
            continue  # inside an escape of another kind
        writer.add(*_decode(escape[0], start))
        done = end
    _close(writer, text, done)
    return writer.view(base)


def _left(text: str, start: int, least: int) -> int:
    first = max(least, start - _AROUND)
    return max(first, text.rfind(SEPARATOR, first, start) + 1)


def _close(writer: _Writer, text: str, done: int) -> None:
    """Ends a stretch: what follows its last escape, then a separator."""
    if done >= 0:
        last = text.find(SEPARATOR, done, done + _AROUND)
        writer.add(text[done : done + _AROUND if last < 0 else last], done)
        writer.add(SEPARATOR, done)


def _decode(escape: str, start: int) -> tuple[str, int, int, int]:
    """What an escape (or a run of them) says, where it began, and how many characters each one took."""
    if escape[0] == "%":
        return bytes.fromhex(escape.replace("%", "")).decode("latin-1"), start, 1, 3
    if escape[0] == "&":
        said = _entity(escape)
        return (escape, start, 1, 1) if said is None else (said, start, 1, len(escape))
    if escape[1] == "u":
        said = escape.encode("ascii").decode("unicode_escape")
        return said if said.isascii() else fold(said)[0], start, 1, 6
    return _SHORT[escape[1]], start, 1, 2


def _entity(escape: str) -> str | None:
    """The one character that an HTML entity stands for."""
    if escape[1] == "#":
        point = int(escape[3:-1], 16) if escape[2] in "xX" else int(escape[2:-1])
        said = chr(point) if point < 0x110000 else "?"
    else:
        said = html5.get(escape[1:], "")[:1]
    return (said if said.isascii() else fold(said)[0]) or None


def decoded(base: View, runs: Iterable[tuple[int, int]]) -> View | None:
    """The runs of base64 (or its URL form) that hold text, decoded; None where none does."""
    writer = _Writer()
    found = False
    for start, end in runs:
        content = _text_in(base.text[start:end])
        if content is not None:
            found = True
            writer.add(content, start, 3, 4)
            writer.add(SEPARATOR, start)
    return writer.view(base) if found else None


def _text_in(run: str) -> str | None:
    code = run.rstrip("=").replace("-", "+").replace("_", "/")
    content = binascii.a2b_base64(code[: len(code) // 4 * 4] + _tail(code))
    if content.translate(None, _UNPRINTABLE) != content:
        return None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return content.decode("latin-1")  # one character a byte, so that offsets can be led back


def _tail(code: str) -> str:
    rest = code[len(code) // 4 * 4 :]
    return rest + "=" * (4 - len(rest)) if len(rest) > 1 else ""


def views(text: str) -> Iterator[View]:
    """The plain view, then the one of what was escaped, if any."""
    base = plain(text)
    yield base
    escaped = unescaped(base)
    if escaped is not None:
        yield escaped
