"""Parquet in, Parquet out: read by batches, written anew, so that statistics, indexes and footers tell only of what
is left. Nothing of the old footer is copied but the codec and the sizes of row groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from consentry.sanitize.files.arrow import clean_batch, plan_batches
from consentry.sanitize.files.arrow_schema import clean_schema
from consentry.sanitize.files.cleaner import Cleaner, TablePlan
from consentry.sanitize.files.problems import FileUnreadable, broken

_BATCH_ROWS: Final = 65_536
_GROUP_BYTES: Final = 256 << 20
_SURVEY_ROWS: Final = 1_024
_SURVEY_GROUPS: Final = 4
_CODECS: Final = frozenset({"SNAPPY", "GZIP", "BROTLI", "ZSTD", "LZ4"})

Batches = list[pa.RecordBatch]


def opened(path: Path) -> pq.ParquetFile:
    """The file, its footer read. Raises `FileUnreadable` where it is cut short, encrypted or no Parquet."""
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        _ = file.schema_arrow
        return file
    except (pa.ArrowException, OSError, ValueError) as error:
        what = "the footer cannot be read; the file is cut short, or is no Parquet"
        if "ncrypt" in str(error):
            what = "the file is encrypted; decrypt it first"
        raise broken(path, "at its end", what) from error


def survey_file(file: pq.ParquetFile, path: Path, cleaner: Cleaner) -> TablePlan:
    """What the columns hold, from the beginnings of up to four row groups."""
    groups = file.num_row_groups
    picked = sorted({groups * at // _SURVEY_GROUPS for at in range(_SURVEY_GROUPS)}) if groups else []
    found: Batches = []
    for group in picked:
        with _reading(path, group):
            batch = next(file.iter_batches(_SURVEY_ROWS, [group]), None)
            if batch is not None:
                batch.validate()
        if batch is not None and batch.num_rows:
            found.append(batch)
    return plan_batches(found, cleaner, path.stem) if found else {}


def batches(file: pq.ParquetFile, path: Path) -> Iterator[pa.RecordBatch]:
    """All batches, none of them over two row groups."""
    for group in range(file.num_row_groups):
        yield from _group(file, path, group)


def clean_group(group: int, cleaner: Cleaner, path: Path, plan: TablePlan) -> Batches:
    """One row group, sanitized; for workers, which read the file themselves."""
    file = opened(path)
    return [clean_batch(batch, cleaner, plan, compact=False) for batch in _group(file, path, group)]


def clean_one(batch: pa.RecordBatch, cleaner: Cleaner, plan: TablePlan) -> Batches:
    """One batch, sanitized."""
    return [clean_batch(batch, cleaner, plan, compact=False)]


def group_work(path: Path, plan: TablePlan) -> partial[Batches]:
    """`clean_group` for one file."""
    return partial(clean_group, path=path, plan=plan)


def batch_work(plan: TablePlan) -> partial[Batches]:
    """`clean_one` for one file."""
    return partial(clean_one, plan=plan)


def write(out: BinaryIO, file: pq.ParquetFile, results: Iterable[Batches], cleaner: Cleaner) -> None:
    """The sanitized batches as a Parquet file with the row groups of the old one."""
    sizes = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    writer: pq.ParquetWriter | None = None
    waiting: Batches = []
    rows = group = held = 0
    try:
        for made in results:
            for batch in made:
                writer = writer or _writer(out, batch.schema, file)
                waiting.append(_fitted(batch, writer.schema))
                rows, held = rows + batch.num_rows, held + batch.nbytes
                if rows >= sizes[group] or held > _GROUP_BYTES:
                    writer.write_table(pa.Table.from_batches(waiting, writer.schema), row_group_size=max(1, rows))
                    sizes[group] -= rows
                    group += sizes[group] <= 0
                    waiting, rows, held = [], 0, 0
        if writer is not None and waiting:
            writer.write_table(pa.Table.from_batches(waiting, writer.schema), row_group_size=max(1, rows))
        if writer is None:
            writer = _writer(out, clean_schema(file.schema_arrow, cleaner), file)
    finally:
        if writer is not None:
            writer.close()


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """A later batch may have nulls where the first had none; the schema says so for all columns that may change."""
    return batch if batch.schema.equals(schema) else pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def _writer(out: BinaryIO, schema: pa.Schema, file: pq.ParquetFile) -> pq.ParquetWriter:
    codec = "SNAPPY"
    if file.num_row_groups and file.metadata.num_columns:
        codec = file.metadata.row_group(0).column(0).compression
    return pq.ParquetWriter(out, schema, version="2.6", compression=codec if codec in _CODECS else _other(codec))


def _other(codec: str) -> str:
    return "NONE" if codec == "UNCOMPRESSED" else "SNAPPY"


def _group(file: pq.ParquetFile, path: Path, group: int) -> Iterator[pa.RecordBatch]:
    promised, seen = file.metadata.row_group(group).num_rows, 0
    with _reading(path, group):
        for batch in file.iter_batches(_BATCH_ROWS, [group]):
            batch.validate()
            seen += batch.num_rows
            yield batch
    if seen != promised and file.metadata.num_columns:
        # Where columns are of different lengths, readers stop early, some of them without a word (Arrow GH-41317).
        what = f"{seen} of {promised} rows can be read; the file is damaged"
        raise broken(path, f"row group {group}", what)


class _reading:
    """Turns what the reader raises into a word about the place; other errors pass."""

    def __init__(self, path: Path, group: int) -> None:
        self._path = path
        self._group = group

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (pa.ArrowException, OSError)) and not isinstance(error, FileUnreadable):
            what = "its pages cannot be read; the file is damaged, cut short, or uses a codec that is not supported"
            raise broken(self._path, f"row group {self._group}", what) from error
