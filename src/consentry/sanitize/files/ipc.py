"""Arrow IPC files (Feather 2) and streams; batches written anew without their custom metadata."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.ipc

from consentry.sanitize.files.arrow import clean_batch, plan_batches
from consentry.sanitize.files.arrow_schema import clean_schema
from consentry.sanitize.files.cleaner import Cleaner, TablePlan
from consentry.sanitize.files.problems import broken

FILE_MAGIC: Final = b"ARROW1"
_STREAM_END: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"

Batches = list[pa.RecordBatch]


def is_file(path: Path) -> bool:
    """Whether the path is of the IPC file format, not the stream format."""
    with path.open("rb") as file:
        return file.read(len(FILE_MAGIC)) == FILE_MAGIC


def read(path: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema and the batches. Raises `FileUnreadable` for a file that is cut short or no Arrow IPC."""
    try:
        if is_file(path):
            reader = pa.ipc.open_file(pa.memory_map(str(path)))
            return reader.schema, _batches(path, reader)
        if not _ends(path):
            raise broken(path, "at its end", "the stream has no end mark; it is cut short, or is no Arrow stream")
        stream = pa.ipc.open_stream(pa.memory_map(str(path)))
        return stream.schema, _stream(path, stream)
    except (pa.ArrowException, OSError) as error:
        raise broken(path, "at its beginning", "this is no Arrow IPC, or it is cut short") from error


def _ends(path: Path) -> bool:
    """Whether a stream has its end mark. Without one a reader cannot tell the end from a cut between two messages."""
    with path.open("rb") as file:
        old = not file.read(4).startswith(_STREAM_END[:4])
        file.seek(max(0, path.stat().st_size - 8))
        return file.read(8).endswith(_STREAM_END[4:] if old else _STREAM_END)


def survey_batches(first: Batches, path: Path, cleaner: Cleaner) -> TablePlan:
    """What the columns hold, from the first batches."""
    full = [batch for batch in first if batch.num_rows]
    return plan_batches(full, cleaner, path.stem) if full else {}


def clean_one(batch: pa.RecordBatch, cleaner: Cleaner, plan: TablePlan) -> Batches:
    """One batch, sanitized."""
    return [clean_batch(batch, cleaner, plan)]


def work(plan: TablePlan) -> partial[Batches]:
    """`clean_one` for one file."""
    return partial(clean_one, plan=plan)


def write(out: BinaryIO, path: Path, schema: pa.Schema, results: Iterable[Batches], cleaner: Cleaner) -> None:
    """The batches in the format of the old file. A file with dictionaries is held in memory, for they must agree."""
    made = chain.from_iterable(results)
    first = next(made, None)
    target = clean_schema(schema, cleaner) if first is None else first.schema
    every = (_fitted(batch, target) for batch in chain([] if first is None else [first], made))
    if not is_file(path):
        with pa.ipc.new_stream(out, target) as stream:
            for batch in every:
                stream.write_batch(batch)
    elif any(isinstance(field.type, pa.DictionaryType) or field.type.num_fields for field in target):
        with pa.ipc.new_file(out, target, options=pa.ipc.IpcWriteOptions(unify_dictionaries=True)) as writer:
            writer.write_table(pa.Table.from_batches(every, target))
    else:
        with pa.ipc.new_file(out, target) as writer:
            for batch in every:
                writer.write_batch(batch)


def _fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return batch if batch.schema.equals(schema) else pa.RecordBatch.from_arrays(batch.columns, schema=schema)


def _batches(path: Path, reader: pa.ipc.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    for at in range(reader.num_record_batches):
        try:
            batch = reader.get_batch(at)
            batch.validate()
        except (pa.ArrowException, OSError) as error:
            raise broken(path, f"record batch {at}", "it cannot be read; the file is damaged") from error
        yield batch


def _stream(path: Path, stream: pa.ipc.RecordBatchStreamReader) -> Iterator[pa.RecordBatch]:
    at = 0
    while True:
        try:
            batch = stream.read_next_batch()
            batch.validate()
        except StopIteration:
            return
        except (pa.ArrowException, OSError) as error:
            raise broken(path, f"record batch {at}", "it cannot be read; the stream is damaged or cut short") from error
        yield batch
        at += 1
