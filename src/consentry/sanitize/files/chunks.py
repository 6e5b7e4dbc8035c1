"""Cutting line-wise files in parts that can be sanitized alone. Only offsets leave here, never content."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from consentry.sanitize.files.problems import broken

PART_BYTES: Final = 4 << 20
MAX_PART_BYTES: Final = 1 << 30
"""A single line or record beyond this is refused."""


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes `start` to `end` of a file, beginning at `line` (from 1)."""

    start: int
    end: int
    line: int


Cut = Callable[[bytes, bool], int]
"""Given what was read and whether the file ends there: how many bytes are whole records; 0 to read on."""


def parts(path: Path, cut: Cut, start: int = 0, size: int = PART_BYTES) -> Iterator[Part]:
    """The file in parts of about `size` bytes, each ending where `cut` says."""
    with path.open("rb") as file:
        line, want = 1 + _lines_before(file, start), size
        while True:
            file.seek(start)
            data = file.read(want)
            if not data:
                return
            last = len(data) < want or not file.read(1)
            whole = cut(data, last)
            if whole <= 0:
                if last:
                    whole = len(data)
                elif want >= MAX_PART_BYTES:
                    raise broken(
                        path, f"line {line}", f"one record runs for over {want >> 20} MiB; is a quote missing?"
                    )
                else:
                    want *= 4
                    continue
            yield Part(start, start + whole, line)
            line += data.count(b"\n", 0, whole)
            start, want = start + whole, size


def at_newline(data: bytes, last: bool) -> int:
    """Whole lines."""
    return len(data) if last else data.rfind(b"\n") + 1


def at_record(data: bytes, last: bool) -> int:
    """Whole CSV records: lines with an even number of quotes before their end."""
    if last:
        return len(data)
    quotes, end = data.count(b'"'), len(data)
    while True:
        at = data.rfind(b"\n", 0, end)
        if at < 0:
            return 0
        quotes -= data.count(b'"', at, end)
        if quotes % 2 == 0:
            return at + 1
        end = at


def read(path: Path, start: int, end: int) -> bytes:
    """Bytes `start` to `end`."""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)


def _lines_before(file: BinaryIO, start: int) -> int:
    file.seek(0)
    return file.read(start).count(b"\n")
