"""Output that appears only when it is complete."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from consentry.sanitize.files.problems import OutputFailed, OutputInUse

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_LONGEST: Final = 60
"""Of a name as long as names may be, the name beside it could not be made."""


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path`, readable by its owner only, that becomes `path` when the block ends well.

    It is written through to the disk before it is renamed, and the folder after; on any error it is gone.
    """
    if path.is_dir():
        raise OutputInUse(f"the output `{path}` is a folder; name a file")
    with _telling(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:_LONGEST]}.", suffix=".part", dir=path.parent)
    try:
        with io.BufferedWriter(_Raw(handle, path)) as out:
            yield out
            with _telling(path):
                out.flush()
                os.fsync(out.fileno())
        with _telling(path):
            os.chmod(name, 0o666 & ~_umask())
            os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
    _sync_folder(path.parent)


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Turns what the system says about the output into a word about it; errors of the input stay what they are."""
    try:
        yield
    except OSError as error:
        raise OutputFailed(f"the output `{path}` cannot be written: {error.strerror}; nothing of it stays") from error


class _Raw(io.FileIO):
    """An open file that names the output when writing to it fails."""

    def __init__(self, handle: int, path: Path) -> None:
        super().__init__(handle, "wb")
        self._path = path

    def write(self, data: ReadableBuffer, /) -> int:
        with _telling(self._path):
            return super().write(data)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _umask() -> int:
    """The process's umask; Linux tells it without changing it for other threads."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/self/status").read_text("ascii").splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    return 0o077
