"""JSON Lines and JSON documents: keys, strings and numbers are looked at; what is not changed stays byte for byte."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from consentry.sanitize.columns import Family
from consentry.sanitize.files.chunks import Part, at_newline, parts, read
from consentry.sanitize.files.cleaner import SCAN, Cleaner, TablePlan
from consentry.sanitize.files.decode import UTF8_BOM, decoded
from consentry.sanitize.files.json_tokens import JsonBroken, Leaf, leaves
from consentry.sanitize.files.keys_apart import in_objects
from consentry.sanitize.files.problems import broken
from consentry.sanitize.files.survey import SAMPLE, Sample, survey

_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_LEAF: Final = re.compile(r'"(?:[^"\\]|\\.)*+"|-?\d[\d.eE+-]*+')
_SHORT_NUMBER: Final = 6
_SURVEY_BYTES: Final = 2 << 20


class _Number(str):
    """A number as it was written."""


class _Object(list[tuple[str, object]]):
    """An object with its duplicate keys."""


def _no_constant(name: str) -> object:
    raise ValueError(f"`{name}` is no JSON number")


_QUICK: Final = json.JSONDecoder(
    object_pairs_hook=_Object, parse_int=_Number, parse_float=_Number, parse_constant=_no_constant, strict=True
)


def line_parts(path: Path, start: int = 0) -> Iterator[Part]:
    """Parts of whole lines."""
    return parts(path, at_newline, start)


def survey_lines(path: Path, cleaner: Cleaner, encoding: str) -> TablePlan:
    """What the fields hold, from the lines of the first two megabytes."""
    part = next(line_parts(path), None)
    if part is None:
        return {}
    data = read(path, 0, min(part.end, _SURVEY_BYTES)).removeprefix(UTF8_BOM)
    lines = data.decode(encoding, "replace").split("\n")
    found: list[Leaf] = []
    for line in lines[: SAMPLE * 4]:
        try:
            found += leaves(line)
        except JsonBroken:
            continue  # the pass over the file says where and why
    return plan_fields(found, cleaner, path.stem)


def plan_fields(found: Sequence[Leaf], cleaner: Cleaner, table: str) -> TablePlan:
    """A plan for each field, named by its keys joined with dots."""
    values: dict[str, list[str]] = defaultdict(list)
    kinds: dict[str, set[str]] = defaultdict(set)
    for leaf in found:
        name = ".".join(leaf.path)
        if leaf.kind != "key" and leaf.path:
            kinds[name].add(leaf.kind)
            if len(values[name]) < SAMPLE and leaf.value.strip():
                values[name].append(leaf.value)
    samples = [Sample(name, _family(kinds[name], values[name]), values[name]) for name in kinds]
    return survey(samples, cleaner, table)


def clean_lines(part: Part, cleaner: Cleaner, path: Path, encoding: str, plan: TablePlan) -> bytes:
    """The lines of one part, sanitized."""
    data = read(path, part.start, part.end)
    bom = UTF8_BOM if part.start == 0 and data.startswith(UTF8_BOM) else b""
    text = decoded(path, data[len(bom) :], encoding, part.start, part.line)
    lines = text.split("\n")
    found = _Leaves(plan)
    for number, line in enumerate(lines):
        if line and not line.isspace():
            _quick(line, number, path, part.line + number, found)
    for number, new in found.cleaned(cleaner, plan).items():
        # The line is known to be JSON, so its strings and numbers are all that these two shapes match.
        spans = [match.span() for match in _LEAF.finditer(lines[number])]
        if number in found.rekeyed:
            new = in_objects(list(leaves(lines[number])), new)
        lines[number] = _written(lines[number], spans, new, encoding)
    return bom + "\n".join(lines).encode(encoding)


def work(path: Path, encoding: str, plan: TablePlan) -> partial[bytes]:
    """`clean_lines` for one file, to be given to workers."""
    return partial(clean_lines, path=path, encoding=encoding, plan=plan)


def clean_document(text: str, cleaner: Cleaner, path: Path, encoding: str = "utf-8") -> tuple[str, TablePlan]:
    """One JSON value of any shape, sanitized, and the plan that its fields got."""
    try:
        found = list(leaves(text))
    except JsonBroken as error:
        line = text.count("\n", 0, error.at) + 1
        column = error.at - (text.rfind("\n", 0, error.at) + 1) + 1
        raise broken(path, f"line {line}, column {column}", error.what) from error
    plan = plan_fields(list(islice(found, 200_000)), cleaner, path.stem)
    gathered = _Leaves(plan)
    for leaf in found:
        gathered.add(0, leaf.kind, ".".join(leaf.path), leaf.value)
    new = gathered.cleaned(cleaner, plan).get(0)
    if new is not None and gathered.rekeyed:
        new = in_objects(found, new)
    return (text if new is None else _written(text, [(leaf.start, leaf.end) for leaf in found], new, encoding)), plan


class _Leaves:
    """Leaves gathered by field, so that each field is sanitized in one go; a place is a line and a leaf's number in it.

    Numbers of under six digits can be nothing that is not known by the name of their field. `rekeyed` are the lines in
    which a key was changed.
    """

    def __init__(self, plan: TablePlan) -> None:
        self._whole = frozenset(name for name, column in plan.items() if column.mode == "whole")
        self._values: dict[tuple[str, bool], list[str]] = defaultdict(list)
        self._places: dict[tuple[str, bool], list[tuple[int, int]]] = defaultdict(list)
        self._line = self._number = -1
        self.rekeyed: set[int] = set()

    def add(self, line: int, kind: str, path: str, value: str) -> None:
        """One leaf; leaves of a line come in reading order."""
        if line != self._line:
            self._line, self._number = line, -1
        self._number += 1
        if not value or (kind == "number" and len(value) < _SHORT_NUMBER and path not in self._whole):
            return
        group = (path, kind == "key")
        self._values[group].append(value)
        self._places[group].append((line, self._number))

    def cleaned(self, cleaner: Cleaner, plan: TablePlan) -> dict[int, dict[int, str]]:
        """Changed leaves: by line, then by number."""
        changed: dict[int, dict[int, str]] = defaultdict(dict)
        for (path, is_key), values in self._values.items():
            if is_key:
                new = cleaner.cells(values, f"{path}.(key)" if path else "(key)")
            else:
                new = cleaner.cells(values, path, plan.get(path, SCAN), tuple(path.split(".")) if path else ())
            for (line, number), old, value in zip(self._places[path, is_key], values, new, strict=True):
                if value is not old and value != old:
                    changed[line][number] = value
                    if is_key:
                        self.rekeyed.add(line)
        return changed


def _quick(line: str, at: int, path: Path, number: int, found: _Leaves) -> None:
    """Gathers the leaves of one line by the decoder in C. Raises `FileUnreadable`."""
    try:
        value, end = _QUICK.raw_decode(line, len(line) - len(line.lstrip(" \t\r")))
        if line[end:].strip(" \t\r"):
            raise ValueError("more text after the value")
        _walk(value, "", at, found.add)
    except (ValueError, RecursionError) as error:
        raise _where(line, path, number) from error


def _walk(value: object, path: str, line: int, add: Callable[[int, str, str, str], None]) -> None:
    if isinstance(value, _Number):
        add(line, "number", path, value)
    elif isinstance(value, str):
        add(line, "string", path, value)
    elif isinstance(value, _Object):
        for key, inner in value:
            add(line, "key", path, key)
            _walk(inner, f"{path}.{key}" if path else key, line, add)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, path, line, add)


def _where(line: str, path: Path, number: int) -> Exception:
    """The strict reader's word about where a line stops being JSON."""
    try:
        for _ in leaves(line):
            pass
    except JsonBroken as error:
        return broken(path, f"line {number}, column {error.at + 1}", error.what)
    return broken(path, f"line {number}", "nested deeper than can be read")


def _written(text: str, spans: Sequence[tuple[int, int]], new: dict[int, str], encoding: str) -> str:
    out, at = [], 0
    for number, value in sorted(new.items()):
        start, end = spans[number]
        out += [text[at:start], _token(text[start], value, encoding)]
        at = end
    out.append(text[at:])
    return "".join(out)


def _token(first: str, value: str, encoding: str) -> str:
    """A number stays a number where its stand-in is one."""
    if first != '"' and _NUMBER.fullmatch(value):
        return value
    plain = encoding == "utf-8" and not any("\ud800" <= one <= "\udfff" for one in value)
    return json.dumps(value, ensure_ascii=not plain)


def _family(kinds: set[str], values: Sequence[str]) -> Family:
    if kinds != {"number"}:
        return "text"
    return "integer" if all(value.lstrip("-").isdigit() for value in values) else "decimal"
