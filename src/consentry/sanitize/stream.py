"""Scans a text that arrives in chunks as if it had arrived whole.

A finding depends only on what stands near it (the match, the words and escapes around it), so each round looks at some
text on both sides of what it settles. A finding that would lie across the place where a round is cut moves the cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from consentry.sanitize.detector import NO_CONTEXT, Context
from consentry.sanitize.engine import Engine
from consentry.sanitize.finding import Finding

MARGIN = 64 * 1024
"""Characters kept on both sides. A single value that is longer may be seen in parts."""

BLOCK = 512 * 1024
"""Characters that are gathered before a round."""


@dataclass(frozen=True, slots=True)
class Piece:
    """The next piece of the text and what was found in it; the spans index the piece."""

    text: str
    findings: list[Finding]


def scan_stream(
    engine: Engine,
    chunks: Iterable[str],
    context: Context = NO_CONTEXT,
    *,
    block: int = BLOCK,
    margin: int = MARGIN,
) -> Iterator[Piece]:
    """The text in pieces of any length that together are the whole, no finding lying across two of them.

    Memory holds about `block + 2 * margin` characters and one chunk. Raises `DetectorFailed`; what was yielded before
    was complete, what follows is not given out.
    """
    held, done = "", 0
    parts: list[str] = []
    waiting = 0
    for chunk in chunks:
        parts.append(chunk)
        waiting += len(chunk)
        if waiting >= block + margin:
            held = held + "".join(parts)
            parts, waiting = [], 0
            piece, cut = _settle(engine, held, done, len(held) - margin, context)
            yield piece
            start = max(0, cut - margin)
            held, done = held[start:], cut - start
    piece, _ = _settle(engine, held + "".join(parts), done, None, context)
    yield piece


def _settle(engine: Engine, text: str, done: int, until: int | None, context: Context) -> tuple[Piece, int]:
    """What stands between `done` and about `until`, and where it was cut."""
    found = engine.scan(text, context)
    cut = len(text) if until is None else until
    for one in found:
        if one.start < cut < one.end:
            cut = max(one.start, done)
    mine = [one for one in found if one.end > done and one.start < cut]
    return Piece(text[done:cut], [_moved(one, done) for one in mine]), cut


def _moved(finding: Finding, by: int) -> Finding:
    return finding._replace(start=max(0, finding.start - by), end=finding.end - by)
