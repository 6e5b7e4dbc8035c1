"""Other ways to read a text, each with a map back to the original.

A value hidden by full-width digits, zero-width joiners, look-alike letters, JSON, URL or HTML escapes or base64 is
found by scanning a *view* in which it stands plainly. Plain ASCII without escapes has one view, itself, at no cost.
Views of escapes and base64 hold only the surroundings of what was decoded, joined by `SEPARATOR`.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from consentry.sanitize import escapes
from consentry.sanitize.finding import Finding
from consentry.sanitize.folding import fold
from consentry.sanitize.patterns.pattern import SEPARATOR

_AROUND = 80
"""Characters on both sides of an escape that are read with it."""
_DEEPEST = 3
"""So many levels of escapes within what escapes say are read."""
_SEPARATOR = ord(SEPARATOR)
_SIGN = re.compile(r"\x1b\[[0-9;:?]{0,20}[A-Za-z]|[\x00-\x08\x0e-\x1d\x1f\x7f]")
_SPACE = ord(" ")
_CONTROL = np.array([point not in (*range(9, 14), 30) for point in range(_SPACE)])
"""By code below the blank: whether it is taken as a sign. Those that stand between words and texts are not."""
_DELETE = b"\x7f"
_CONTROLS = bytes(np.flatnonzero(_CONTROL).tolist()) + _DELETE
_SHORT = 2000
"""So few characters are quicker looked through without an array of them."""
_UNPRINTABLE = bytes(range(9)) + bytes(range(14, 32)) + b"\x7f"

Places = npt.NDArray[np.intp]

_made = tuple.__new__


class Gaps:
    """As an array of the places where characters stood before some were taken out, or ended, without its size."""

    def __init__(self, before: Places, length: int, width: int) -> None:
        self._before, self._length, self._width = before, length, width

    @classmethod
    def around(cls, taken: Places, length: int) -> tuple[Gaps, Gaps]:
        """Where the characters that are left begin and end in the text with those that were taken out."""
        before = taken - np.arange(len(taken))
        return cls(before, length, 0), cls(before, length, 1)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, at: int | list[int] | Places) -> Places:
        place = np.asarray(at)
        return place + np.searchsorted(self._before, place, side="right") + self._width


@dataclass(frozen=True, slots=True)
class View:
    """One way to read a text.

    What the character at `i` stands for begins at `firsts[i]` of the original and ends at `pasts[i]`; without them the
    offsets are the same. `data` has one byte for each character: itself, or `?` beyond ASCII.
    """

    text: str
    data: bytes
    firsts: Places | Gaps | None = field(default=None, compare=False)
    pasts: Places | Gaps | None = field(default=None, compare=False)

    @property
    def is_original(self) -> bool:
        """Whether offsets are those of the original."""
        return self.firsts is None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The characters of the original that `start … end` of the view stands for."""
        if self.firsts is None or self.pasts is None:
            return start, end
        return int(self.firsts[start]), int(self.pasts[end - 1])

    def led_back(self, findings: Sequence[Finding]) -> list[Finding]:
        """The findings of the view as findings of the original."""
        if self.firsts is None or self.pasts is None or not findings:
            return list(findings)
        starts = self.firsts[[one.start for one in findings]].tolist()
        ends = self.pasts[[one.end - 1 for one in findings]].tolist()
        return [_made(Finding, (one[0], *at, *one[3:])) for one, *at in zip(findings, starts, ends, strict=True)]

    def under(self, text: str, data: bytes, firsts: Places, pasts: Places) -> View:
        """A view of this view as one of the original."""
        if self.firsts is None or self.pasts is None:
            return View(text, data, firsts, pasts)
        return View(text, data, self.firsts[np.minimum(firsts, len(self.firsts) - 1)], self.pasts[pasts - 1])


def plain(text: str) -> View:
    """The text with stand-in characters replaced and invisible ones taken out."""
    if text.isascii():
        return View(text, text.encode("ascii"))
    folded, data, taken = fold(text)
    return View(folded, data, *Gaps.around(taken, len(folded))) if len(taken) else View(folded, data)


def _without_signs(base: View) -> View | None:
    """Without what a terminal takes as a sign to itself, colours (ECMA-48, CSI) and other control characters; None
    where there are none. A view of its own beside the plain one: elsewhere such characters stand between values.
    """
    codes = np.frombuffer(base.data, np.uint8)
    if len(codes) < _SHORT:
        if len(base.data.translate(None, _CONTROLS)) == len(codes):
            return None
    elif _DELETE not in base.data and not _CONTROL[codes[codes < _SPACE]].any():
        return None
    shown = np.ones(len(codes), bool)
    for found in _SIGN.finditer(base.text):
        shown[found.start() : found.end()] = False
    kept = np.flatnonzero(shown)
    text = escapes.text_of(escapes.codes_of(base.text)[kept].astype(np.uint32))
    return base.under(text, codes[kept].tobytes(), kept, kept + 1)


def unescaped(base: View, marks: str = escapes.MARKS) -> View | None:
    """What stands around JSON, URL and HTML escapes, with the escapes decoded; None where there are none.

    `marks` are the characters with which the escapes that are decoded begin.
    """
    text = base.text
    if not escapes.any_in(text, marks):
        return None
    codes = escapes.codes_of(text)
    found = escapes.find(text, codes, marks)
    if not len(found.starts):
        return None
    new, begins, ends = _stretches(codes, found)
    lengths = ends - begins + 1  # each with a place for the separator at its end
    lasts = np.cumsum(lengths) - 1
    shift = begins - (lasts + 1 - lengths)
    origins = np.arange(lasts[-1] + 1) + np.repeat(shift, lengths)
    out = codes[np.minimum(origins, len(codes) - 1)].astype(np.uint32)
    out[lasts] = _SEPARATOR
    pasts = np.minimum(origins + 1, len(codes))
    said = found.says != escapes.LITERAL
    at = (found.starts - shift[np.cumsum(new) - 1])[said]
    says = found.says[said]
    width = (found.ends - found.starts)[said]
    hidden = says == escapes.HIDDEN
    out[at] = np.where(hidden, 0, says).astype(np.uint32)
    pasts[at] = found.ends[said]
    steps = np.zeros(len(out) + 1, np.int8)
    steps[at + 1 - hidden] += 1
    steps[at + width] -= 1
    kept = np.flatnonzero(np.cumsum(steps[:-1], dtype=np.int8) == 0)
    shown = out[kept]
    return base.under(escapes.text_of(shown), escapes.bytes_of(shown), origins[kept], pasts[kept])


def _stretches(codes: escapes.Codes, found: escapes.Escapes) -> tuple[npt.NDArray[np.bool_], Places, Places]:
    """Which escapes begin a stretch that is read, and where the stretches begin and end."""
    starts, ends = found.starts, found.ends
    separators = np.flatnonzero(codes == _SEPARATOR)
    after = np.searchsorted(separators, ends)
    between = np.searchsorted(separators, starts[1:]) > after[:-1]
    new = np.ones(len(starts), bool)
    new[1:] = (starts[1:] - ends[:-1] > 2 * _AROUND) | between
    first, last = np.flatnonzero(new), np.flatnonzero(np.append(new[1:], True))
    begins = np.maximum(starts[first] - _AROUND, 0)
    stops = np.minimum(ends[last] + _AROUND, len(codes))
    if len(separators):
        before = np.searchsorted(separators, starts[first]) - 1
        begins = np.maximum(begins, np.where(before >= 0, separators[before] + 1, 0))
        follow = np.append(separators, len(codes))[after[last]]
        stops = np.minimum(stops, follow)
    return new, begins, stops


def decoded(base: View, runs: Iterable[tuple[int, int]]) -> View | None:
    """The runs of base64 (or its URL form) that hold text, decoded; None where none does."""
    parts: list[str] = []
    firsts: list[Places] = []
    pasts: list[Places] = []
    for start, end in runs:
        content = _text_in(base.text[start:end])
        if content is not None:
            units = start + np.arange(len(content) + 1) // 3 * 4
            parts += [content, SEPARATOR]
            firsts.append(units)
            pasts.append(np.minimum(units + 4, end))
    if not parts:
        return None
    content = "".join(parts)
    return base.under(content, content.encode("ascii", "replace"), np.concatenate(firsts), np.concatenate(pasts))


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
    """The plain view, the one without signs to terminals, the one of what was escaped, and those of what was in it."""
    base = plain(text)
    yield base
    unsigned = _without_signs(base)
    if unsigned is not None:
        yield unsigned
    inner = unescaped(base)
    for _ in range(_DEEPEST):
        if inner is None:
            return
        yield inner
        inner = unescaped(inner)
