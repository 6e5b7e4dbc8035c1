"""Findings and a plan, applied to one text.

Three rules make a second pass change nothing: our own marks and stand-ins are cut out of every finding; a text that
was changed is looked at again until nothing more is found (`settle`); and each transform leaves what it made itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.finding import Finding
from consentry.sanitize.transforms import echoes
from consentry.sanitize.transforms.base import About
from consentry.sanitize.transforms.plan import Plan, own_spans

_MAX_ROUNDS: Final = 4
_NO_ECHO: Final = frozenset(
    {entities.AGE, entities.GENDER, entities.DATE_TIME, entities.LOCATION, entities.NRP, entities.TITLE}
)
"""Types whose values are ordinary words or numbers that may mean something else a line further."""


_OWN_MARKS: Final = frozenset({entities.AGE, entities.POSTAL_CODE})
"""Types whose transforms leave marks that only they know."""


@dataclass(frozen=True, slots=True)
class Replacement:
    """One changed span: where it stood in the input, where its stand-in stands in the output, and as what."""

    start: int
    end: int
    out_start: int
    out_end: int
    type: str
    transform: str
    subtype: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """A transformed text; `replacements` in reading order, none overlapping."""

    text: str
    replacements: tuple[Replacement, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    finding: Finding


Spans = Sequence[tuple[int, int]]


def apply(text: str, findings: Iterable[Finding], plan: Plan, subject: str = "", protected: Spans = ()) -> Applied:
    """The text with each finding transformed as the plan says.

    Findings may overlap: what they cover together is replaced together, as the strongest of them. A further
    occurrence of a replaced value in the same text is replaced too. `protected` spans are left as they are.
    """
    wanted = [finding for finding in findings if plan.acts_on(finding)]
    if not wanted:
        return Applied(text, ())
    pieces = _join(_outside(text, wanted, plan, protected))
    if not pieces:
        return Applied(text, ())
    pieces = _join(pieces + _echoes(text, pieces, plan, protected))
    return _write(text, pieces, plan, subject)


def settle(
    text: str, scan: Callable[[str], list[Finding]], plan: Plan, subject: str = ""
) -> tuple[Applied, list[Finding]]:
    """Scans and applies until a look at the output finds nothing more to change.

    Returns what was applied, in terms of the original text, and the findings of the first look.
    """
    first = scan(text)
    return finish(text, first, scan, plan, subject), first


def finish(
    text: str, findings: Iterable[Finding], scan: Callable[[str], list[Finding]], plan: Plan, subject: str = ""
) -> Applied:
    """`settle` where the first look was taken already."""
    [applied] = finish_many([text], [findings], lambda texts: [scan(one) for one in texts], plan, subject)
    return applied


def finish_many(
    texts: Sequence[str],
    findings: Sequence[Iterable[Finding]],
    scan_many: Callable[[list[str]], list[list[Finding]]],
    plan: Plan,
    subject: str = "",
) -> list[Applied]:
    """`finish` for each of many texts, with one scan for all that are looked at again."""
    done = [apply(text, found, plan, subject) for text, found in zip(texts, findings, strict=True)]
    left = [at for at, applied in enumerate(done) if applied.replacements]
    for _ in range(_MAX_ROUNDS):
        if not left:
            break
        changed = []
        for at, found in zip(left, scan_many([done[at].text for at in left]), strict=True):
            protected = [(one.out_start, one.out_end) for one in done[at].replacements]
            more = apply(done[at].text, found, plan, subject, protected)
            if more.replacements:
                done[at] = _compose(done[at], more)
                changed.append(at)
        left = changed
    return done


def _outside(text: str, findings: list[Finding], plan: Plan, protected: Spans) -> list[_Piece]:
    """The parts of the findings that are not ours already; a part without letter or digit is nothing."""
    ours: dict[str | None, _Taken] = {}
    pieces = []
    for finding in findings:
        if _made(text, _Piece(finding.start, finding.end, finding), plan):
            continue
        kind = finding.type if finding.type in _OWN_MARKS else None
        if kind not in ours:
            ours[kind] = _Taken([*own_spans(text, kind, plan.types), *protected])
        parts = _subtract(text, finding.start, finding.end, ours[kind].over(finding.start, finding.end))
        pieces += [_Piece(*_strip(text, a, b), finding) for a, b in parts if not text[a:b].isspace()]
    return [one for one in pieces if not _made(text, one, plan)]


class _Taken:
    """Spans that may overlap, asked for those over a stretch in time that grows with their number there alone."""

    def __init__(self, spans: Spans) -> None:
        self._spans = sorted(spans)
        self._starts = [start for start, _ in self._spans]
        self._farthest = list(accumulate((end for _, end in self._spans), max))

    def over(self, start: int, end: int) -> Spans:
        """The spans that reach into `start … end`, and perhaps some that end before it."""
        return self._spans[bisect_right(self._farthest, start) : bisect_left(self._starts, end)]


def _made(text: str, piece: _Piece, plan: Plan) -> bool:
    finding = piece.finding
    about = About(finding.type, finding.subtype)
    return plan.step(finding.type).transform.made(text[piece.start : piece.end], about)


def _subtract(text: str, start: int, end: int, spans: Spans) -> list[tuple[int, int]]:
    out, at = [], start
    for a, b in spans:
        if b <= at or a >= end:
            continue
        out.append((at, a))
        at = max(at, b)
    if not out and at == start:
        return [(start, end)]
    out.append((at, end))
    return [trimmed for a, b in out if a < b and (trimmed := _trim(text, a, min(b, end))) is not None]


def _strip(text: str, start: int, end: int) -> tuple[int, int]:
    """Without blanks at its ends: two stand-ins must not grow together."""
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - (len(part) - len(part.rstrip()))


def _trim(text: str, start: int, end: int) -> tuple[int, int] | None:
    while start < end and not text[start].isalnum():
        start += 1
    while end > start and not text[end - 1].isalnum():
        end -= 1
    return (start, end) if start < end else None


def _join(pieces: list[_Piece]) -> list[_Piece]:
    """Overlapping pieces as one, under the name of the strongest (score, then length)."""
    out: list[_Piece] = []
    for piece in sorted(pieces, key=lambda one: (one.start, one.end)):
        if out and piece.start < out[-1].end:
            last = out[-1]
            strong = max(last, piece, key=lambda one: (one.finding.score, one.end - one.start))
            out[-1] = _Piece(last.start, max(last.end, piece.end), strong.finding)
        else:
            out.append(piece)
    return out


def _echoes(text: str, pieces: list[_Piece], plan: Plan, protected: Spans) -> list[_Piece]:
    """The same values elsewhere in the text, as whole words."""
    values = {
        text[one.start : one.end]: one.finding
        for one in pieces
        if one.end - one.start >= echoes.LEAST and one.finding.type not in _NO_ECHO
    }
    if not values:
        return []
    taken = sorted([*((one.start, one.end) for one in pieces), *own_spans(text, None, plan.types), *protected])
    starts = [start for start, _ in taken]
    out = []
    for start, end in echoes.occurrences(text, values):
        at = bisect_right(starts, start) - 1
        clear_left = at < 0 or taken[at][1] <= start
        clear_right = at + 1 >= len(taken) or taken[at + 1][0] >= end
        if clear_left and clear_right:
            out.append(_Piece(start, end, values[text[start:end]]))
    return out


def _write(text: str, pieces: list[_Piece], plan: Plan, subject: str) -> Applied:
    parts: list[str] = []
    replacements: list[Replacement] = []
    at = length = 0
    for piece in pieces:
        finding = piece.finding
        new = plan.transform(text[piece.start : piece.end], About(finding.type, finding.subtype, subject))
        name = plan.step(finding.type).name
        if name == "surrogate":
            new = _apart(
                new,
                text[max(at, piece.start - 1) : piece.start] or (parts[-1][-1:] if parts else ""),
                text[piece.end : piece.end + 1],
            )
        parts += [text[at : piece.start], new]
        begin = length + piece.start - at
        length = begin + len(new)
        at = piece.end
        replacements.append(Replacement(piece.start, piece.end, begin, length, finding.type, name, finding.subtype))
    parts.append(text[at:])
    return Applied("".join(parts), tuple(replacements))


def _apart(new: str, before: str, after: str) -> str:
    """A stand-in is known again only as words of its own, so blanks keep it from growing into its neighbours."""
    left = " " if before.isalnum() and new[:1].isalnum() else ""
    right = " " if after.isalnum() and new[-1:].isalnum() else ""
    return f"{left}{new}{right}"


def _compose(first: Applied, second: Applied) -> Applied:
    """Two rounds as one: the second's input spans brought back to the original, the first's output spans forward."""
    back = _Shift([(one.out_end, one.end - one.out_end) for one in first.replacements])
    forward = _Shift([(one.end, one.out_end - one.end) for one in second.replacements])
    moved = [
        Replacement(
            one.start, one.end, forward.of(one.out_start), forward.of(one.out_end), one.type, one.transform, one.subtype
        )
        for one in first.replacements
    ]
    added = [
        Replacement(
            back.of(one.start), back.of(one.end), one.out_start, one.out_end, one.type, one.transform, one.subtype
        )
        for one in second.replacements
    ]
    return Applied(second.text, tuple(sorted(moved + added, key=lambda one: one.start)))


class _Shift:
    """Adds to a position the offset of the last point at or before it."""

    def __init__(self, points: list[tuple[int, int]]) -> None:
        self._at = [at for at, _ in points]
        self._by = [by for _, by in points]

    def of(self, position: int) -> int:
        found = bisect_right(self._at, position) - 1
        return position + (self._by[found] if found >= 0 else 0)
