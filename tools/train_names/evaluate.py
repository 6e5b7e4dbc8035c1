"""Scores spans against a labelled set: same label, greedy one-to-one, exact and at a least overlap."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from tools.train_names.corpora import Document

Scan = Callable[[str], list[tuple[int, int, str]]]


def score(scan: Scan, documents: Sequence[Document], least: float = 0.5) -> dict[str, tuple[float, float, float, int]]:
    """Precision, recall, F2 and number expected, by label."""
    hit, said, asked = defaultdict(int), defaultdict(int), defaultdict(int)
    for document in documents:
        found = scan(document.text)
        taken: set[int] = set()
        for start, end, label in document.spans:
            asked[label] += 1
            best, at = 0.0, -1
            for index, (a, b, kind) in enumerate(found):
                if kind == label and index not in taken and a < end and start < b:
                    overlap = (min(b, end) - max(a, start)) / (max(b, end) - min(a, start))
                    if overlap > best:
                        best, at = overlap, index
            if at >= 0 and best >= least:
                taken.add(at)
                hit[label] += 1
        for index, (a, b, kind) in enumerate(found):
            if index not in taken and any(a < end and start < b for start, end in document.unsure):
                continue
            said[kind] += 1
    out = {}
    for label in sorted(set(asked) | set(said)):
        precision = hit[label] / said[label] if said[label] else 0.0
        recall = hit[label] / asked[label] if asked[label] else 0.0
        bottom = 4 * precision + recall
        out[label] = (precision, recall, 5 * precision * recall / bottom if bottom else 0.0, asked[label])
    return out
