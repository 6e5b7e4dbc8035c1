"""Reports without values in the names that they speak of: columns, JSON keys, folders and files can be called after
people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import PurePath

from consentry.sanitize.files.tally import FileReport, Tally
from consentry.sanitize.profiles import Scans


def veiled(texts: Iterable[str], engine: Scans) -> dict[str, str]:
    """Each text, and the same with the type in place of whatever is found in it."""
    every = list(dict.fromkeys(texts))
    out = {}
    for text, found in zip(every, engine.scan_many(every) if every else [], strict=True):
        parts, at = [], 0
        for one in found:
            parts += [text[at : one.start], f"<{one.type}>"]
            at = one.end
        out[text] = "".join([*parts, text[at:]])
    return out


def veiled_path(path: str, engine: Scans) -> str:
    """A path, each of its names looked at with and without its ending."""
    names = []
    for name in PurePath(path).parts:
        stem, dot, ending = name.rpartition(".")
        known = veiled([stem, name], engine)
        names.append(veiled([known[stem] + dot + ending], engine).popitem()[1] if stem else known[name])
    return str(PurePath(*names))


def without_values(report: FileReport, engine: Scans) -> FileReport:
    """The report of a file with places, columns and notes that hold no value, and a path to show."""
    tally = report.tally
    texts = [place for place, _, _ in tally.seen] + [one.column for one in report.verdicts] + tally.notes
    names = veiled(texts, engine)
    shown = Tally(values=tally.values)
    for (place, entity, subtype), seen in tally.seen.items():
        shown.at(names[place], entity, subtype).merge(seen)
    for note in tally.notes:
        shown.note(names[note])
    verdicts = tuple(replace(one, column=names[one.column]) for one in report.verdicts)
    return replace(report, tally=shown, verdicts=verdicts, shown=veiled_path(report.path, engine))
