"""Where JSON, URL and HTML escapes stand in a text and what they say, without a Python object for each."""

from __future__ import annotations

import re
from functools import lru_cache
from html.entities import html5
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from consentry.sanitize.folding import fold, fold_alone

MARKS: Final = "\\%&"
"""What the escapes that are known begin with."""
LITERAL: Final = -1
"""Says itself: an entity that HTML does not know."""
HIDDEN: Final = -2
"""Says a character that shows nothing."""
_LONGEST_ENTITY: Final = 9
_ENTITY: Final = re.compile("&(?:#(?:([0-9]{2,6})|[xX]([0-9A-Fa-f]{2,5}))|([A-Za-z]{2,8}));")
_LIKE: Final = {
    "\\": re.compile(r"\\[uxnrtbf\"/\\]"),
    "%": re.compile("%[0-9A-Fa-f]{2}"),
    "&": re.compile("&#?[0-9A-Za-z]{2,8};"),
}
"""Each begins with a literal, so that `re` looks for that first."""
_FEW: Final = 64
_BACKSLASH, _PERCENT, _U, _X, _SEPARATOR = map(ord, "\\%ux\x1e")

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint32]
Places = npt.NDArray[np.intp]
Points = npt.NDArray[np.int64]


class Escapes(NamedTuple):
    """Escapes in reading order: where they begin and end, and the code point that each says, `LITERAL` or `HIDDEN`."""

    starts: Places
    ends: Places
    says: Points


def codes_of(text: str) -> Codes:
    """Code points of the text, lone surrogates included; one byte each where all are ASCII."""
    if text.isascii():
        return np.frombuffer(text.encode("ascii"), np.uint8)
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def bytes_of(codes: Codes) -> bytes:
    """One byte for each code point: itself, or `?` beyond ASCII."""
    narrow = codes.astype(np.uint8)
    narrow[codes > 0x7F] = ord("?")
    return narrow.tobytes()


def text_of(codes: npt.NDArray[np.uint32]) -> str:
    """The text of code points."""
    return codes.tobytes().decode("utf-32-le", "surrogatepass")


def any_in(text: str, marks: str) -> bool:
    """Whether an escape that begins with one of `marks` may stand in the text."""
    return any(_any_of(mark, text) for mark in marks)


def _any_of(mark: str, text: str) -> bool:
    """Looks for the mark first: far quicker than `re` where there are few."""
    like, at = _LIKE[mark], text.find(mark)
    for _ in range(_FEW):
        if at < 0:
            return False
        if like.match(text, at):
            return True
        at = text.find(mark, at + 1)
    return at >= 0 and like.search(text, at) is not None


def find(text: str, codes: Codes, marks: str) -> Escapes:
    """The escapes that begin with one of `marks`. No two overlap."""
    found = []
    if "\\" in marks:
        found.append(_backslashed(codes))
    if "%" in marks:
        found.append(_percented(codes))
    if "&" in marks:
        found.append(_entities(text, codes))
    starts, ends, says = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(starts)
    return Escapes(starts[order], ends[order], says[order])


def _figures() -> npt.NDArray[np.int64]:
    """The worth of each hexadecimal figure by its code; -1 for other characters."""
    table = np.full(128, -1, np.int64)
    for figure in "0123456789abcdefABCDEF":
        table[ord(figure)] = int(figure, 16)
    table[127] = -1  # whatever is beyond ASCII
    return table


def _short() -> npt.NDArray[np.int64]:
    """What stands for a character after a backslash; -1 for none."""
    table = np.full(128, -1, np.int64)
    for char, said in zip('nrtbf"/', '\n\r\t  "/', strict=True):
        table[ord(char)] = ord(said)
    return table


_FIGURE: Final = _figures()
_SHORT: Final = _short()


def _hex(codes: Codes, at: Places, count: int) -> Points:
    """The number that `count` hexadecimal figures from each place on make; -1 where they do not."""
    value = np.zeros(len(at), np.int64)
    for step in range(count):
        inside = at + step < len(codes)
        figure = _FIGURE.take(codes[np.where(inside, at + step, 0)], mode="clip")
        value = np.where(inside & (figure >= 0) & (value >= 0), value * 16 + figure, -1)
    return value


def _percented(codes: Codes) -> Escapes:
    at = np.flatnonzero(codes == _PERCENT)
    says = _hex(codes, at + 1, 2)
    at, says = at[says >= 0], says[says >= 0]
    return Escapes(at, at + 3, says)


def _backslashed(codes: Codes) -> Escapes:
    """Of neighbouring backslashes every two are an escaped one; one that is left over escapes what follows it."""
    at = np.flatnonzero(codes == _BACKSLASH)
    fresh = np.flatnonzero(np.diff(at, prepend=-2) != 1)
    lengths = np.diff(np.append(fresh, len(at)))
    place = np.arange(len(at)) - np.repeat(fresh, lengths)
    paired = (place % 2 == 0) & (place + 1 < np.repeat(lengths, lengths))
    left = at[(fresh + lengths - 1)[lengths % 2 == 1]]
    left = left[left + 1 < len(codes)]
    follows = codes[left + 1]
    unicode = left[follows == _U]
    says = _hex(codes, unicode + 2, 4)
    unicode, says = unicode[says >= 0], says[says >= 0]
    bytewise = left[follows == _X]
    worth = _hex(codes, bytewise + 2, 2)
    bytewise, worth = bytewise[worth >= 0], worth[worth >= 0]
    short = _SHORT.take(follows, mode="clip")
    simple, said = left[short >= 0], short[short >= 0]
    pairs = at[paired]
    starts = np.concatenate((pairs, unicode, bytewise, simple))
    widths = np.repeat([2, 6, 4, 2], [len(pairs), len(unicode), len(bytewise), len(simple)])
    told = np.concatenate((np.full(len(pairs), _BACKSLASH), _folded(unicode, says), worth, said))
    return Escapes(starts, starts + widths, told)


def _folded(at: Places, says: Points) -> Points:
    """What `\\u` escapes say, with stand-ins replaced as `fold` does it in each run of neighbouring escapes."""
    if not (says > 0x7F).any():
        return says
    new = np.flatnonzero(np.diff(at) != 6) + 1
    joined = np.insert(says, new, _SEPARATOR).astype(np.uint32)
    folded, _, taken = fold(text_of(joined))
    shown = np.ones(len(joined), bool)
    shown[taken] = False
    out = np.full(len(joined), HIDDEN, np.int64)
    out[shown] = codes_of(folded)
    return np.delete(out, new + np.arange(len(new)))


def _entities(text: str, codes: Codes) -> Escapes:
    at = np.flatnonzero(codes == ord("&"))
    if not len(at):
        return Escapes(at, at, at)
    closing = np.append(np.flatnonzero(codes == ord(";")), len(codes) + _LONGEST_ENTITY + 1)
    ends = closing[np.searchsorted(closing, at)]
    close = ends - at <= _LONGEST_ENTITY
    at, ends = at[close], ends[close] + 1
    said = [text[a:b] for a, b in zip(at.tolist(), ends.tolist(), strict=True)]
    known = {one: _entity(one) for one in set(said)}
    says = np.array([known[one] for one in said], np.int64)
    some = says > _NONE
    return Escapes(at[some], ends[some], says[some])


_NONE: Final = -3


@lru_cache(maxsize=4096)
def _entity(escape: str) -> int:
    """The one character that an HTML entity stands for, `_NONE` for what is no entity."""
    found = _ENTITY.fullmatch(escape)
    if found is None:
        return _NONE
    decimal, hexadecimal, name = found.groups()
    if name is not None:
        said = html5.get(escape[1:], "")[:1]
    else:
        point = int(decimal) if decimal is not None else int(hexadecimal, 16)
        said = chr(point) if point < 0x110000 else "?"
    shown = fold_alone(said) if said else ""
    return ord(shown) if shown else LITERAL
