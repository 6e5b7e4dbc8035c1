"""Why a file was refused: always with its name and, where there is one, the place in it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from consentry.errors import ConsentryError, InvalidInput


class FileUnreadable(InvalidInput):
    """The file is not what it says it is, or breaks off. Nothing of it was written."""

    code: ClassVar[str] = "file_unreadable"
    status: ClassVar[int] = 422


class FormatUnknown(InvalidInput):
    """No reader knows this kind of file, so it is not passed on unread."""

    code: ClassVar[str] = "format_unknown"
    status: ClassVar[int] = 422


class OutputInUse(InvalidInput):
    """The output is the input, or something stands there already that is not to be overwritten."""

    code: ClassVar[str] = "output_in_use"


class OutputFailed(ConsentryError):
    """The output cannot be written: a full disk, a folder that is not ours. Nothing of it stays."""

    code: ClassVar[str] = "output_failed"


def broken(path: Path, place: str, what: str) -> FileUnreadable:
    """`` `people.csv`, line 12: … ``"""
    return FileUnreadable(f"`{path}`, {place}: {what}")
