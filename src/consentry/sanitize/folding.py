"""Characters that stand in for ASCII ones: full-width forms, other scripts' digits, look-alikes, invisible joiners.

Sources: Unicode NFKC; Unicode TR 39 (confusables), the Cyrillic and Greek letters that look like Latin ones.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
)
"""A character class (without brackets) of characters that show nothing."""

_LOOKALIKES = dict(
    zip(
        "АВЕЅІЈКМНОРСТУХавеѕіјкмнорстухԛԝһӏɡɑΑΒΕΖΗΙΚΜΝΟΡΤΥΧαικνορυχ",
        "ABESIJKMHOPCTYXabesijkmhopctyxqwhlgaABEZHIKMNOPTYXaikvopux",
        strict=True,
    )
)
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
_ZEROS = (
    *(0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0, 0xF20),
    *(0x1040, 0x17E0, 0x1810),
)
_COMPATIBLE = chain(
    range(0xA0, 0x180), range(0x1D2C, 0x1D6B), range(0x2000, 0x2200), range(0x2460, 0x2500),
    range(0x3000, 0x3001), range(0xFE50, 0xFE70), range(0xFF01, 0xFF5F), range(0x1D400, 0x1D800),
)  # fmt: skip
_LATIN = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@"
_SIZE = 0x1E000
"""Code points from here on stand for themselves, but for tags and variation selectors."""
_TAGS = 0xE0
"""Code points U+E0000 to U+E0FFF, shifted by twelve bits: tags and variation selectors, which show nothing."""
_ZERO_WIDTH = 0x200B
_ASCII, _BEYOND = 0x7F, ord("?")
_TAKEN, _TAKEN_BYTE = 0x80, b"\x80"
"""Stands for a character that is to be taken out; nothing else has that byte."""
_SHORT = 1000
"""So few characters are quicker looked through without an array of them."""
_KINDS = 8
"""So few kinds of characters are quicker replaced one kind after the other."""

Codes = npt.NDArray[np.uint32]
Places = npt.NDArray[np.intp]
_NOWHERE: Places = np.zeros(0, np.intp)


@dataclass(frozen=True, slots=True)
class _Tables:
    """By code point below `_SIZE`: what stands for it, what does where it touches a Latin letter, whether those two
    differ, whether it is a look-alike or shows nothing, whether it shows nothing, whether it is worth a look at all,
    and Latin letters."""

    simple: Codes
    touching: Codes
    twin: npt.NDArray[np.bool_]
    alike: npt.NDArray[np.bool_]
    hidden: npt.NDArray[np.bool_]
    notable: npt.NDArray[np.bool_]
    latin: npt.NDArray[np.bool_]


@cache
def _tables() -> _Tables:
    simple = np.arange(_SIZE, dtype=np.uint32)
    for point in _COMPATIBLE:
        folded = unicodedata.normalize("NFKC", chr(point))
        if len(folded) == 1 and folded.isascii():
            simple[point] = ord(folded)
    for zero in _ZEROS:
        simple[zero : zero + 10] = range(48, 58)
    simple[[ord(dash) for dash in _DASHES]] = ord("-")
    touching = simple.copy()
    strange = [ord(char) for char in _LOOKALIKES if simple[ord(char)] == ord(char)]
    touching[strange] = [ord(_LOOKALIKES[chr(point)]) for point in strange]
    hidden = np.zeros(_SIZE, bool)
    hidden[[point for point in range(0x80, 0x10000) if invisible().match(chr(point))]] = True
    alike = hidden.copy()
    alike[[ord(char) for char in _LOOKALIKES]] = True
    latin = np.zeros(_SIZE, bool)
    latin[[ord(char) for char in _LATIN]] = True
    notable = alike | (simple != np.arange(_SIZE))
    return _Tables(simple, touching, touching != simple, alike, hidden, notable, latin)


@cache
def _notable() -> re.Pattern[str]:
    """The characters that are worth a look."""
    notable = _tables().notable
    edges = np.flatnonzero(np.diff(notable, prepend=False, append=False)).tolist()
    ranges = [f"\\U{first:08x}-\\U{past - 1:08x}" for first, past in zip(edges[::2], edges[1::2], strict=True)]
    return re.compile(f"[{''.join(ranges)}\\U{_TAGS << 12:08x}-\\U{(_TAGS << 12) + 0xFFF:08x}]")


@cache
def invisible() -> re.Pattern[str]:
    """Runs of characters that show nothing."""
    return re.compile(f"[{INVISIBLE}]+")


class Folded(NamedTuple):
    """A text with stand-ins replaced, and with one byte for each character: itself, or `?` beyond ASCII.

    `taken` is where, in the text as it was, characters stood that were taken out.
    """

    text: str
    data: bytes
    taken: Places


def fold(text: str) -> Folded:
    """The text with stand-ins replaced and invisible characters taken out.

    A run of look-alike letters is replaced only where it touches a Latin letter, a digit or an `@`: words of another
    script stay as they are.
    """
    if len(text) < _SHORT and _notable().search(text) is None:
        return Folded(text, text.encode("ascii", "replace"), _NOWHERE)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    tables = _tables()
    strange = np.flatnonzero(codes > _ASCII)
    data = codes.astype(np.uint8)
    data[strange] = _BEYOND
    points = codes[strange]
    tags = points >> 12 == _TAGS
    if tags.any():
        points[tags] = _ZERO_WIDTH
        codes = codes.copy()
        codes[strange] = points
    some = tables.notable.take(points, mode="clip")
    places = strange[some]
    if not len(places):
        return Folded(text, data.tobytes(), places)
    notable = points[some]
    new = tables.simple[notable]
    twins = tables.twin[notable].any() and _touching(codes, places[tables.alike[notable]], tables)
    if twins:
        _untwin(codes, strange, places, np.flatnonzero(tables.alike[notable]), new, tables)
    gone = tables.hidden[new]
    data[places] = np.where(gone, _TAKEN, np.where(new > _ASCII, _BEYOND, new))
    shown = data.tobytes().replace(_TAKEN_BYTE, b"") if gone.any() else data.tobytes()
    said = None if twins or tags.any() else _replaced(text, notable, new, gone)
    if said is None:
        out = codes.copy()
        out[places] = new
        said = _text_of(np.delete(out, places[gone]) if gone.any() else out)
    return Folded(said, shown, places[gone])


def _replaced(text: str, notable: Codes, new: Codes, gone: npt.NDArray[np.bool_]) -> str | None:
    """The text with each of the notable characters replaced wherever it stands; None where there are many kinds."""
    changed = np.flatnonzero(gone | (notable != new))
    others = np.where(gone, 0, new)[changed]
    said = dict(zip(notable[changed].tolist(), others.tolist(), strict=True))
    if len(said) > _KINDS:
        return None
    for point, other in said.items():
        text = text.replace(chr(point), chr(other) if other else "")
    return text


def _touching(codes: Codes, alike: Places, tables: _Tables) -> bool:
    """Whether any of the look-alikes at these places touches a Latin letter, as a run of them must."""
    before, after = codes[alike - 1], codes[np.minimum(alike + 1, len(codes) - 1)]
    touches = tables.latin.take(before, mode="clip") | (before == ord(".")) | tables.latin.take(after, mode="clip")
    return bool(touches.any())


def fold_alone(char: str) -> str:
    """What `fold` makes of one character by itself: nothing where it shows nothing."""
    point, tables = ord(char), _tables()
    if point >= _SIZE:
        return "" if point >> 12 == _TAGS else char
    new = int(tables.simple[point])
    return "" if tables.hidden[new] else chr(new)


def _text_of(codes: Codes) -> str:
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


def _untwin(codes: Codes, strange: Places, places: Places, alike: Places, new: Codes, tables: _Tables) -> None:
    """Replaces, in `new` for the characters at `places`, the look-alikes of runs that touch Latin letters.

    `strange` is where all characters beyond ASCII stand, neighbouring ones of which make a run.
    """
    firsts = np.flatnonzero(np.diff(strange, prepend=-2) != 1)
    pasts = np.append(firsts[1:], len(strange))
    starts, ends = strange[firsts], strange[pasts - 1] + 1
    runs = np.searchsorted(starts, places[alike], side="right") - 1
    runs = runs[np.diff(runs, prepend=-1) != 0]
    last = len(codes) - 1
    first, end = starts[runs], ends[runs]
    before, after = codes[first - 1], codes[np.minimum(end, last)]
    touches = (first > 0) & (tables.latin.take(before, mode="clip") | (before == ord(".")))
    touches |= (end <= last) & tables.latin.take(after, mode="clip")
    count = np.concatenate(([0], np.cumsum(tables.alike.take(codes[strange], mode="clip"))))
    swap = touches & (count[pasts[runs]] - count[firsts[runs]] == end - first)
    owner = np.searchsorted(first, places, side="right") - 1
    chosen = np.flatnonzero((owner >= 0) & swap[owner] & (places < end[owner]))
    new[chosen] = tables.touching[codes[places[chosen]]]
