"""CSV and TSV (RFC 4180): only the cells that change are written anew; quoting, line ends and blanks stay."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from consentry.sanitize.columns import Family
from consentry.sanitize.files.chunks import Part, at_record, parts, read
from consentry.sanitize.files.cleaner import SCAN, Cleaner, TablePlan
from consentry.sanitize.files.decode import UTF8_BOM, decoded
from consentry.sanitize.files.problems import broken
from consentry.sanitize.files.survey import SAMPLE, Sample, survey

_DELIMITERS: Final = (",", ";", "\t", "|")
_SURVEY_BYTES: Final = 2 << 20
_INTEGER: Final = re.compile(r"[+-]?\d+")
_DECIMAL: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_COMMENT: Final = "#"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a file is written: its delimiter, its column names, where the header ends (0 without one)."""

    delimiter: str
    header: tuple[str, ...]
    body: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One field: where it stands with its quotes, its value, its row and column (both from 0)."""

    start: int
    end: int
    value: str
    row: int
    column: int


def open_dialect(path: Path, cleaner: Cleaner, encoding: str) -> tuple[Dialect, TablePlan]:
    """The dialect and what the columns hold, from the first two megabytes."""
    part = next(parts(path, at_record, 0, _SURVEY_BYTES), None)
    if part is None:
        return Dialect(",", (), 0), {}
    data = read(path, part.start, part.end)
    text = decoded(path, data.removeprefix(UTF8_BOM), encoding, 0, 1)
    delimiter = "\t" if path.suffix.lower() in (".tsv", ".tab") else _delimiter(text)
    cells = read_cells(text, delimiter, path, 1)
    dialect = Dialect(delimiter, *_header(cells, cleaner))
    return dialect, _plan(cells, dialect, cleaner, path.stem)


def record_parts(path: Path) -> Iterator[Part]:
    """Parts of whole records."""
    return parts(path, at_record)


def clean_records(part: Part, cleaner: Cleaner, path: Path, encoding: str, dialect: Dialect, plan: TablePlan) -> bytes:
    """The records of one part, sanitized."""
    data = read(path, part.start, part.end)
    bom = UTF8_BOM if part.start == 0 and data.startswith(UTF8_BOM) else b""
    text = decoded(path, data[len(bom) :], encoding, part.start, part.line)
    cells = read_cells(text, dialect.delimiter, path, part.line)
    header_rows = dialect.body if part.start == 0 else 0
    groups: dict[str, list[int]] = defaultdict(list)
    for at, cell in enumerate(cells):
        if cell.value:
            groups[_place(cell, dialect, header_rows)].append(at)
    new: list[tuple[int, str]] = []
    for place, places in groups.items():
        values = [cells[at].value for at in places]
        path_keys = (place,) if place in plan else ()
        out = cleaner.cells(values, place, plan.get(place, SCAN), path_keys)
        new += [(at, b) for at, a, b in zip(places, values, out, strict=True) if b is not a and b != a]
    return bom + _written(text, cells, sorted(new), dialect).encode(encoding)


def work(path: Path, encoding: str, dialect: Dialect, plan: TablePlan) -> partial[bytes]:
    """`clean_records` for one file, to be given to workers."""
    return partial(clean_records, path=path, encoding=encoding, dialect=dialect, plan=plan)


def read_cells(text: str, delimiter: str, path: Path, first_line: int) -> list[Cell]:
    """Every field in reading order; a line that begins with `#` is one field. Raises `FileUnreadable`."""
    escaped = re.escape(delimiter)
    field = re.compile(rf'(?:"((?:[^"]|"")*+)"|([^"{escaped}\r\n][^{escaped}\r\n]*+|))({escaped}|\r\n|\n|\r|\Z)')
    out: list[Cell] = []
    at, row, column, size = 0, 0, 0, len(text)
    while at < size or column:
        if column == 0 and text.startswith(_COMMENT, at):
            end = _line_end(text, at)
            out.append(Cell(at, end, text[at:end], row, -1))
            at, row = _next_line(text, end), row + 1
            continue
        found = field.match(text, at)
        if found is None:
            line = first_line + text.count("\n", 0, at)
            raise broken(
                path, f"line {line}", f"broken quoting in field {column + 1}; a quote is not closed or not doubled"
            )
        quoted, plain, end_mark = found.group(1, 2, 3)
        value = plain if quoted is None else quoted.replace('""', '"')
        out.append(Cell(found.start(), found.start(3), value, row, column))
        if quoted is None and '"' in value:
            line = first_line + text.count("\n", 0, at)
            raise broken(
                path,
                f"line {line}",
                f"a quote inside field {column + 1}, which is not quoted; double it and quote the field",
            )
        at = found.end()
        if end_mark == delimiter:
            column += 1
        else:
            row, column = row + 1, 0
    return out


def _place(cell: Cell, dialect: Dialect, header_rows: int) -> str:
    if cell.column < 0:
        return "(comment)"
    if cell.row < header_rows:
        return "(header)"
    if cell.column < len(dialect.header):
        return dialect.header[cell.column]
    return f"column {cell.column + 1}"


def _written(text: str, cells: Sequence[Cell], new: list[tuple[int, str]], dialect: Dialect) -> str:
    out, at = [], 0
    for place, value in new:
        cell = cells[place]
        was_quoted = text[cell.start : cell.start + 1] == '"'
        written = value if cell.column < 0 else _quoted(value, was_quoted, dialect.delimiter)
        out += [text[at : cell.start], written]
        at = cell.end
    out.append(text[at:])
    return "".join(out)


def _quoted(value: str, always: bool, delimiter: str) -> str:
    if always or any(mark in value for mark in (delimiter, '"', "\n", "\r")):
        return '"' + value.replace('"', '""') + '"'
    return value


def _delimiter(text: str) -> str:
    """The mark that most evenly divides the first lines."""
    lines = [line for line in text[:20_000].splitlines()[:20] if not line.startswith(_COMMENT)]
    if len(lines) > 1 and len(text) > 20_000:
        lines.pop()

    def score(mark: str) -> tuple[float, int]:
        counts = [re.sub(r'"[^"]*"', "", line).count(mark) for line in lines]
        common = max(set(counts), key=counts.count, default=0)
        return (counts.count(common) / max(1, len(counts)) if common else 0.0, common)

    return max(_DELIMITERS, key=score)


def _header(cells: Sequence[Cell], cleaner: Cleaner) -> tuple[tuple[str, ...], int]:
    """The column names and how many rows come before the records (comments included)."""
    first = next((cell.row for cell in cells if cell.column >= 0), None)
    if first is None:
        return (), 0
    names = [cell.value.strip() for cell in cells if cell.row == first]
    second = [cell.value.strip() for cell in cells if cell.row == first + 1]
    plain = all(name and not _DECIMAL.fullmatch(name) for name in names) and len(set(names)) == len(names)
    if not plain or not second or any(cleaner.engines.codes.scan_many(names)):
        return tuple(f"column {at + 1}" for at in range(len(names))), 0
    return tuple(names), first + 1


def _plan(cells: Sequence[Cell], dialect: Dialect, cleaner: Cleaner, table: str) -> TablePlan:
    rows = max((cell.row for cell in cells), default=0) + 1
    step = max(1, (rows - dialect.body) // SAMPLE)
    values: dict[str, list[str]] = {name: [] for name in dialect.header}
    for cell in cells:
        if cell.row >= dialect.body and 0 <= cell.column < len(dialect.header) and cell.value.strip():
            kept = values[dialect.header[cell.column]]
            if len(kept) < SAMPLE and (cell.row - dialect.body) % step == 0:
                kept.append(cell.value)
    return survey([Sample(name, _family(kept), kept) for name, kept in values.items()], cleaner, table)


def _family(values: Sequence[str]) -> Family:
    if values and all(_INTEGER.fullmatch(value.strip()) for value in values):
        return "integer"
    return "decimal" if values and all(_DECIMAL.fullmatch(value.strip()) for value in values) else "text"


def _line_end(text: str, at: int) -> int:
    ends = [place for place in (text.find("\n", at), text.find("\r", at)) if place >= 0]
    return min(ends, default=len(text))


def _next_line(text: str, end: int) -> int:
    return end + 2 if text.startswith("\r\n", end) else min(end + 1, len(text))
