"""Scores of spans: greedy one-to-one matching of the same label, exact or by overlap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

Span = tuple[int, int, str]
"""Start, end (exclusive) and label."""


def overlap(left: Span, right: Span) -> float:
    """Intersection over union, in characters."""
    shared = min(left[1], right[1]) - max(left[0], right[0])
    return max(0, shared) / (max(left[1], right[1]) - min(left[0], right[0]))


@dataclass(slots=True)
class Counts:
    """What was right, made up and missed."""

    right: int = 0
    extra: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.extra)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)

    def f(self, beta: float) -> float:
        """The F score that weighs recall `beta` times as much as precision."""
        square = beta * beta
        below = (1 + square) * self.right + square * self.missed + self.extra
        return (1 + square) * self.right / below if below else 0.0


@dataclass(slots=True)
class Table:
    """Counts by label."""

    rows: dict[str, Counts] = field(default_factory=dict)

    def add(self, wanted: Sequence[Span], found: Sequence[Span], at_least: float) -> None:
        """Matches the spans of one text. `at_least` 1 asks for the exact span."""
        pairs = sorted(
            ((overlap(want, got), i, j) for i, want in enumerate(wanted) for j, got in enumerate(found)
             if want[2] == got[2] and overlap(want, got) >= at_least),
            key=lambda pair: (-pair[0], pair[1], pair[2]),
        )  # fmt: skip
        used_wanted: set[int] = set()
        used_found: set[int] = set()
        for _, i, j in pairs:
            if i not in used_wanted and j not in used_found:
                used_wanted.add(i)
                used_found.add(j)
                self._row(wanted[i][2]).right += 1
        for i, want in enumerate(wanted):
            self._row(want[2]).missed += i not in used_wanted
        for j, got in enumerate(found):
            self._row(got[2]).extra += j not in used_found

    def micro(self, labels: Iterable[str]) -> Counts:
        """The counts of several labels together."""
        total: Counter[str] = Counter()
        for label in labels:
            row = self._row(label)
            total.update(right=row.right, extra=row.extra, missed=row.missed)
        return Counts(total["right"], total["extra"], total["missed"])

    def _row(self, label: str) -> Counts:
        return self.rows.setdefault(label, Counts())
