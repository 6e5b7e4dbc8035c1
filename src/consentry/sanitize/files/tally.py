"""What was found where, without the values: counts, scores and masked previews; adds up over workers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from consentry.sanitize.columns import Verdict

_PREVIEWS: Final = 3
_TRIED: Final = 64
"""So many values are tried for previews that differ; in a column of ten million addresses all look alike."""

_PREVIEW_LENGTH: Final = 24
_COVER: Final = "•"


def preview(value: str, entity: str) -> str:
    """The shape of a value: punctuation and length up to 24 characters, of a long word the first letter.

    Of secrets and of numbers nothing but the length shows.
    """
    shown = value[:_PREVIEW_LENGTH]
    lead = entity != "SECRET" and len(value) >= 5 and shown[:1].isalpha()
    out = "".join(_COVER if one.isalnum() else one if one.isprintable() else " " for one in shown)
    if lead:
        out = shown[0] + out[1:]
    return out + ("…" if len(value) > _PREVIEW_LENGTH else "")


@dataclass(slots=True)
class Seen:
    """One type at one place: how often, how sure at most, what was done, and a few masked examples."""

    count: int = 0
    score: float = 0.0
    done: str = ""
    reason: str = ""
    previews: list[str] = field(default_factory=list)
    _tried: int = 0

    def add(self, score: float, done: str, reason: str, value: str, entity: str, times: int = 1) -> None:
        self.count += times
        if score > self.score:
            self.score, self.reason = score, reason
        self.done = done
        self._tried += 1
        if len(self.previews) < _PREVIEWS and self._tried <= _TRIED:
            shown = preview(value, entity)
            if shown not in self.previews:
                self.previews.append(shown)

    def merge(self, other: Seen) -> None:
        self.count += other.count
        if other.score > self.score:
            self.score, self.reason = other.score, other.reason
        self.done = self.done or other.done
        for shown in other.previews:
            if len(self.previews) < _PREVIEWS and shown not in self.previews:
                self.previews.append(shown)


Key = tuple[str, str, str]
"""Place (column, JSON path or empty), type, subtype or empty."""


@dataclass(slots=True)
class Tally:
    """The findings of one file. `values` counts the texts and cells that were looked at."""

    seen: dict[Key, Seen] = field(default_factory=dict)
    values: int = 0
    notes: list[str] = field(default_factory=list)

    def at(self, place: str, entity: str, subtype: str | None = None) -> Seen:
        """The entry of a type at a place, made when first asked for."""
        return self.seen.setdefault((place, entity, subtype or ""), Seen())

    def note(self, text: str) -> None:
        """A sentence for the report, once."""
        if text not in self.notes:
            self.notes.append(text)

    def merge(self, other: Tally) -> None:
        self.values += other.values
        for key, seen in other.seen.items():
            self.seen.setdefault(key, Seen()).merge(seen)
        for text in other.notes:
            self.note(text)

    @property
    def total(self) -> int:
        return sum(seen.count for seen in self.seen.values())

    def by_type(self) -> dict[str, int]:
        """Counts by entity type, the most frequent first."""
        counts: dict[str, int] = {}
        for (_, entity, _), seen in self.seen.items():
            counts[entity] = counts.get(entity, 0) + seen.count
        return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file done: what was found, what each column was taken for, and where the output went.

    `shown` is the path for pages that others read: without what is found in its names.
    """

    path: str
    format: str
    size: int
    out: str | None
    tally: Tally
    verdicts: tuple[Verdict, ...] = ()
    shown: str = ""


def merged(tallies: Iterable[Tally]) -> Tally:
    """One tally over several."""
    whole = Tally()
    for one in tallies:
        whole.merge(one)
    return whole
