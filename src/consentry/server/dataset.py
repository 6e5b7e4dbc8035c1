"""Read a file of records for the lens: rows, columns, and which personal data is in it. Runs in a thread."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import orjson

from consentry.server.lens import LensFailed, Table

CELLS = 200_000
"""How many values of undeclared columns are scanned; a file with more counts as not looked at as a whole."""
_CHUNK = 1 << 20
_BATCH = 2_000


class _Found(Protocol):
    @property
    def type(self) -> str: ...


class ManyScanner(Protocol):
    """The part of `consentry.sanitize.Engine` that is made for many short texts."""

    def scan_many(self, texts: Sequence[str]) -> Sequence[Sequence[_Found]]: ...


def digest(path: Path) -> str:
    """SHA-256 of the file's bytes. Raises `LensFailed`."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        raise LensFailed(
            f"the file of this dataset (`{path.name}`) cannot be read: nobody can say what is in it"
        ) from None


def read_table(path: Path, declared: Mapping[str, str], scanner: ManyScanner | None) -> Table:
    """Read the whole file once, hash and content from the same bytes. Raises `LensFailed`.

    Declared columns count each value that is not empty as one finding of their type; the others are scanned.
    """
    try:
        data = path.read_bytes()
        columns, rows = _rows(path, data)
    except (OSError, UnicodeDecodeError, csv.Error, orjson.JSONDecodeError, ValueError, KeyError):
        raise LensFailed(f"the file of this dataset (`{path.name}`) cannot be read as its name says") from None
    found, count, whole = _look(columns, rows, _declared(columns, declared), scanner)
    return Table(
        rows=count,
        bytes=len(data),
        columns=tuple(sorted(columns)),
        masked=tuple(sorted(name for name in columns if name in declared)),
        findings=found,
        whole=whole,
        sha256=hashlib.sha256(data).hexdigest(),
    )


def _declared(columns: Sequence[str], declared: Mapping[str, str]) -> Mapping[str, str]:
    """A declared column that the file lacks may hide under another name: refuse rather than guess."""
    missing = sorted(declared.keys() - set(columns))
    if missing:
        raise LensFailed(f"the dataset has no column `{missing[0]}`, which the settings declare")
    return declared


def _rows(path: Path, data: bytes) -> tuple[list[str], Iterable[Sequence[object]]]:
    suffix = path.suffix.lower()
    if suffix in (".csv", ".tsv"):
        reader = csv.reader(
            io.StringIO(data.decode("utf-8-sig"), newline=""), delimiter="\t" if suffix == ".tsv" else ","
        )
        columns = next(reader, [])
        if len(set(columns)) != len(columns):
            raise ValueError("two columns of one name")
        return columns, reader
    if suffix in (".jsonl", ".ndjson"):
        records = [orjson.loads(line) for line in data.splitlines() if line.strip()]
        columns = sorted({key for record in records for key in record})
        return columns, ([record.get(name) for name in columns] for record in records)
    if suffix == ".parquet":
        return _parquet(data)
    raise ValueError("not a kind of file that is known")


def _parquet(data: bytes) -> tuple[list[str], Iterable[Sequence[object]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        columns = list(file.schema_arrow.names)
        return columns, _batches(file)
    except pa.ArrowException:
        raise ValueError("not Parquet") from None


def _batches(file: object) -> Iterator[Sequence[object]]:
    for batch in file.iter_batches(batch_size=_BATCH):  # type: ignore[attr-defined]
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _look(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    declared: Mapping[str, str],
    scanner: ManyScanner | None,
) -> tuple[Counter[str], int, bool]:
    """Findings by type, the number of rows, and whether every value was seen."""
    found: Counter[str] = Counter()
    texts: list[str] = []
    count, seen, whole = 0, 0, scanner is not None
    for row in rows:
        if len(row) != len(columns):
            if not row:
                continue
            raise LensFailed(f"row {count + 1} of the dataset has another number of fields than its header")
        count += 1
        for name, value in zip(columns, row, strict=True):
            if value is None or value == "":
                continue
            if name in declared:
                found[declared[name]] += 1
            elif scanner is not None and seen < CELLS:
                seen += 1
                texts.append(value if isinstance(value, str) else str(value))
            else:
                whole = False
        if len(texts) >= _BATCH and scanner is not None:
            _count(found, texts, scanner)
    if texts and scanner is not None:
        _count(found, texts, scanner)
    return found, count, whole


def _count(found: Counter[str], texts: list[str], scanner: ManyScanner) -> None:
    for one in scanner.scan_many(texts):
        found.update(finding.type for finding in one)
    texts.clear()
