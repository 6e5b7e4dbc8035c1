"""Operands on the caller's side: hashed when the action is stated, read once more at the claim, used from that reading.

What runs is what was hashed (threat B1): `Snapshot` keeps the bytes of the second reading where no name leads to them.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TypeAlias, runtime_checkable

from consentry.actions import Operand
from consentry.client.errors import Misused, NotBindable

_CHUNK = 1 << 20


@runtime_checkable
class ArrowStream(Protocol):
    """A table of any library that speaks Arrow's C stream interface: pyarrow, pandas, polars, DuckDB."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


OperandSource: TypeAlias = "Path | bytes | ArrowStream | Operand | Callable[[], str]"
"""A file, bytes, a table, a hash that the caller vouches for, or a function that hashes now (lower-case hex)."""


class Snapshot:
    """The bytes of one reading and their SHA-256. Each `open` starts at the beginning."""

    def __init__(self, source: BinaryIO) -> None:
        self._file = tempfile.TemporaryFile(prefix="consentry-")  # noqa: SIM115 (closed by `close`)
        digest = hashlib.sha256()
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            self._file.write(chunk)
        self._file.flush()
        self.sha256 = digest.hexdigest()

    def open(self) -> BinaryIO:
        """A reader of its own."""
        return io.BufferedReader(_At(self._file.fileno()))

    def close(self) -> None:
        self._file.close()


class _At(io.RawIOBase):
    """Reads a file by position, so that readers of one descriptor do not move each other."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = os.dup(descriptor)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = os.pread(self._descriptor, len(buffer), self._position)
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._descriptor).st_size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()


def pin(sources: Mapping[str, OperandSource]) -> tuple[Operand, ...]:
    """Hash every operand as it is now."""
    return tuple(Operand(name, _digest(name, source)) for name, source in sources.items())


@dataclass(frozen=True, slots=True)
class Taken:
    """The operands as they were read at the claim."""

    operands: tuple[Operand, ...]
    snapshots: Mapping[str, Snapshot]
    names: Mapping[str, str]
    """For operands that came from files, the last part of the path."""

    def open(self, name: str) -> BinaryIO:
        """The bytes that were hashed. Raises `Misused` for an operand that is not a file or bytes."""
        snapshot = self.snapshots.get(name)
        if snapshot is None:
            known = "`, `".join(sorted(self.snapshots)) or "none"
            raise Misused(f"`{name}` is no operand with bytes here; those are `{known}`")
        return snapshot.open()

    def write_to(self, name: str, folder: Path) -> Path:
        """A copy of the bytes that were hashed, under the operand's own file name in a private `folder`."""
        slot = Path(tempfile.mkdtemp(dir=folder))
        path = slot / self.names.get(name, "operand")
        with self.open(name) as source, path.open("xb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
        path.chmod(0o500)
        return path

    def close(self) -> None:
        for snapshot in self.snapshots.values():
            snapshot.close()


def take(sources: Mapping[str, OperandSource]) -> Taken:
    """Read every operand once, now; what is performed comes from this reading."""
    operands, snapshots, names = [], {}, {}
    for name, source in sources.items():
        if isinstance(source, Path | bytes):
            with _open(name, source) as stream:
                snapshot = Snapshot(stream)
            snapshots[name] = snapshot
            if isinstance(source, Path):
                names[name] = source.name
            operands.append(Operand(name, snapshot.sha256))
        else:
            operands.append(Operand(name, _digest(name, source)))
    return Taken(tuple(operands), snapshots, names)


def _digest(name: str, source: OperandSource) -> str:
    if isinstance(source, Operand):
        return source.sha256
    if isinstance(source, Path | bytes):
        with _open(name, source) as stream:
            digest = hashlib.sha256()
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
            return digest.hexdigest()
    if isinstance(source, ArrowStream):
        return _arrow_digest(source)
    if callable(source):
        return source()
    raise NotBindable(f"the operand `{name}` is neither a file (`Path`), bytes, a table nor a hash")


def _open(name: str, source: Path | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return source.open("rb")
    except OSError as error:
        raise NotBindable(f"the operand `{name}` cannot be read: {error.strerror}") from None


class _Hashing(io.RawIOBase):
    """A sink that only hashes."""

    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]
        self.digest.update(data)
        return memoryview(data).nbytes


def _arrow_digest(table: ArrowStream) -> str:
    """SHA-256 of the table as an Arrow IPC stream, schema included."""
    import pyarrow as pa

    sink = _Hashing()
    reader = pa.RecordBatchReader.from_stream(table)
    with pa.ipc.new_stream(sink, reader.schema) as writer:
        for batch in reader:
            writer.write_batch(batch)
    return sink.digest.hexdigest()
