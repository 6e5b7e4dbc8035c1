"""What a change of policy changes, line by line. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import unified_diff


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a difference: `add`, `cut`, `place` (where it is), or `same`."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that is made, dropped or changed."""

    name: str
    word: str
    lines: tuple[Line, ...]


_KINDS = {"+": "add", "-": "cut", "@": "place"}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[FileChange, ...]:
    """Every file that differs, by name."""
    found = []
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old != new:
            word = "new" if old is None else "dropped" if new is None else "changed"
            found.append(FileChange(name, word, _lines(old or "", new or "")))
    return tuple(found)


def _lines(old: str, new: str) -> tuple[Line, ...]:
    """Lines as they are compared, without the two that name the files; a lost last line end is a change as well."""
    raw = list(unified_diff(old.splitlines(keepends=True), new.splitlines(keepends=True), n=3))[2:]
    return tuple(
        Line(_KINDS.get(one[0], "same"), one.removesuffix("\n") + ("" if one.endswith("\n") else " (no line end)"))
        for one in raw
    )
