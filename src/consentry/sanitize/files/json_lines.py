"""JSON Lines and JSON documents: keys, strings and numbers are looked at; what is not changed stays byte for byte."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from consentry.sanitize.columns import Family
from consentry.sanitize.files.chunks import Part, at_newline, parts, read
from consentry.sanitize.files.cleaner import SCAN, Cleaner, TablePlan
from consentry.sanitize.files.decode import UTF8_BOM, decoded
from consentry.sanitize.files.json_tokens import JsonBroken, Leaf, leaves
from consentry.sanitize.files.problems import broken
from consentry.sanitize.files.survey import SAMPLE, Sample, survey

_NUMBER: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
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
    found: list[tuple[int, str, str, str]] = []  # line, kind, dotted path, value
    for number, line in enumerate(lines):
        if line and not line.isspace():
            found += [(number, *one) for one in _quick(line, path, part.line + number)]
    changed = _clean_leaves(found, cleaner, plan)
    for number, new in changed.items():
        lines[number] = _rewrite(lines[number], new, encoding)
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
    rows = [(0, leaf.kind, ".".join(leaf.path), leaf.value) for leaf in found]
    new = _clean_leaves(rows, cleaner, plan).get(0)
    return (text if new is None else _written(text, found, new, encoding)), plan


def _quick(line: str, path: Path, number: int) -> list[tuple[str, str, str]]:
    """The leaves of one line in reading order, by the decoder in C; kind, dotted path, value."""
    try:
        value, end = _QUICK.raw_decode(line, len(line) - len(line.lstrip(" \t\r")))
        if line[end:].strip(" \t\r"):
            raise ValueError("more text after the value")
        out: list[tuple[str, str, str]] = []
        _walk(value, "", out)
    except (ValueError, RecursionError) as error:
        raise _where(line, path, number) from error
    return out


def _walk(value: object, path: str, out: list[tuple[str, str, str]]) -> None:
    if isinstance(value, _Number):
        out.append(("number", path, value))
    elif isinstance(value, str):
        out.append(("string", path, value))
    elif isinstance(value, _Object):
        for key, inner in value:
            out.append(("key", path, key))
            _walk(inner, f"{path}.{key}" if path else key, out)
    elif isinstance(value, list):
        for inner in value:
            _walk(inner, path, out)


def _where(line: str, path: Path, number: int) -> Exception:
    """The strict reader's word about where a line stops being JSON."""
    try:
        for _ in leaves(line):
            pass
    except JsonBroken as error:
        return broken(path, f"line {number}, column {error.at + 1}", error.what)
    return broken(path, f"line {number}", "nested deeper than can be read")


def _clean_leaves(
    found: Sequence[tuple[int, str, str, str]], cleaner: Cleaner, plan: TablePlan
) -> dict[int, dict[int, str]]:
    """Changed leaves: by line, then by place in the line's reading order."""
    groups: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for at, (_, kind, path, _value) in enumerate(found):
        groups[path, kind == "key"].append(at)
    firsts: dict[int, int] = {}
    for at, row in enumerate(found):
        firsts.setdefault(row[0], at)
    changed: dict[int, dict[int, str]] = defaultdict(dict)
    for (path, is_key), places in groups.items():
        values = [found[at][3] for at in places]
        keys = tuple(path.split(".")) if path else ()
        if is_key:
            new = cleaner.cells(values, f"{path}.(key)" if path else "(key)")
        else:
            new = cleaner.cells(values, path, plan.get(path, SCAN), keys)
        for at, old, value in zip(places, values, new, strict=True):
            if value is not old and value != old:
                changed[found[at][0]][at - firsts[found[at][0]]] = value
    return changed


def _rewrite(line: str, new: dict[int, str], encoding: str) -> str:
    return _written(line, list(leaves(line)), new, encoding)


def _written(text: str, found: Sequence[Leaf], new: dict[int, str], encoding: str) -> str:
    out, at = [], 0
    for place, value in sorted(new.items()):
        leaf = found[place]
        out += [text[at : leaf.start], _token(leaf, value, encoding)]
        at = leaf.end
    out.append(text[at:])
    return "".join(out)


def _token(leaf: Leaf, value: str, encoding: str) -> str:
    """A number stays a number where its stand-in is one."""
    if leaf.kind == "number" and _NUMBER.fullmatch(value):
        return value
    plain = encoding == "utf-8" and not any("\ud800" <= one <= "\udfff" for one in value)
    return json.dumps(value, ensure_ascii=not plain)


def _family(kinds: set[str], values: Sequence[str]) -> Family:
    if kinds != {"number"}:
        return "text"
    return "integer" if all(value.lstrip("-").isdigit() for value in values) else "decimal"
