"""The facts of a preview as figures: which data, how much, where to. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from consentry.server.pages.text import number

_LABELS = {
    "rows": "rows",
    "bytes": "size",
    "files": "files",
    "secrets": "secrets",
    "destination": "goes to",
    "creates": "created",
    "updates": "changed",
    "destroys": "destroyed",
}
_LISTS = {"masked_columns": "columns declared sensitive"}
_LOUD = frozenset({"secrets", "destroys", "external", "public", "privileged", "destructive", "unbounded", "admin"})
_FLAGS = {
    "external": "leaves the boundary",
    "public": "becomes public",
    "privileged": "extra privileges",
    "destructive": "cannot be undone",
    "unbounded": "no limiting condition",
    "writes": "changes data",
    "admin": "administrative rights",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One fact at a glance. `value` and `label` are as safe to show as the preview is."""

    value: str
    label: str
    loud: bool = False


@dataclass(frozen=True, slots=True)
class DataClass:
    """One entity type that was found, with its count where the lens counted by type."""

    name: str
    count: int | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the lens found.

    `scanned` is `None` where it says nothing of findings; `lists` hold names such as columns; `rest` is shown as text.
    """

    figures: tuple[Figure, ...]
    classes: tuple[DataClass, ...]
    scanned: bool | None
    lists: tuple[tuple[str, tuple[str, ...]], ...]
    rest: tuple[tuple[str, str], ...]


def found(rows: Iterable[tuple[str, str]]) -> Found:
    """Read the rows of the preview's facts. What is not a plain number or flag stays in `rest`, as it was shown."""
    figures: list[Figure] = []
    classes: tuple[DataClass, ...] = ()
    scanned: bool | None = None
    lists: list[tuple[str, tuple[str, ...]]] = []
    rest: list[tuple[str, str]] = []
    for label, shown in rows:
        value = _parse(shown)
        if label == "findings" and isinstance(value, dict):
            scanned = value.get("scanned") is True
            classes = _classes(value)
            total = value.get("total")
            count = total if isinstance(total, int) else 0
            if scanned or count:
                shown_count = number(count) if scanned else f"≥ {number(count)}"
                figures.insert(0, Figure(shown_count, "sensitive values", loud=count > 0))
        elif (figure := _figure(label, value)) is not None:
            figures.append(figure)
        elif isinstance(value, list) and all(isinstance(one, str) for one in value):
            lists.append((_LISTS.get(label, label), tuple(value)))
        else:
            rest.append((label, shown))
    return Found(tuple(figures), classes, scanned, tuple(lists), tuple(rest))


def _figure(label: str, value: object) -> Figure | None:
    if isinstance(value, bool):
        return Figure("Yes" if value else "No", _FLAGS.get(label, label), loud=value and label in _LOUD)
    if isinstance(value, int):
        text = _size(value) if label == "bytes" else number(value)
        return Figure(text, _LABELS.get(label, label), loud=value > 0 and label in _LOUD)
    return None


def _classes(findings: dict[str, object]) -> tuple[DataClass, ...]:
    counts = findings.get("counts")
    types = findings.get("types")
    named = types if isinstance(types, list) else []
    by_type = counts if isinstance(counts, dict) else {}
    names = [name for name in [*named, *(one for one in by_type if one not in named)] if isinstance(name, str)]
    classes = (DataClass(name, by_type.get(name) if isinstance(by_type.get(name), int) else None) for name in names)
    return tuple(sorted(classes, key=lambda one: (-(one.count or 0), one.name)))


def _parse(shown: str) -> object:
    """The value behind a row; one with escapes in it is no JSON any more and stays a text."""
    try:
        value: object = json.loads(shown)
    except ValueError:
        return shown
    return value


def _size(count: int) -> str:
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
