"""Which reader a file needs: by its first bytes where they say, else by its name."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from consentry.sanitize.files.problems import FormatUnknown

Format = Literal["text", "json", "jsonl", "csv", "parquet", "arrow"]
_BY_NAME: Final[dict[str, Format]] = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".ipc": "arrow",
    ".feather": "arrow",
}
_REFUSED: Final = (
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a ZIP archive or Office document"),
    (b"%PDF", "PDF"),
    (b"\x89PNG", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    (b"SQLite format 3", "an SQLite database"),
    (b"FEA1", "Feather 1"),
    (b"ORC", "ORC"),
    (b"Obj\x01", "Avro"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ", "xz"),
    (b"\x28\xb5\x2f\xfd", "Zstandard"),
    (b"\x7fELF", "a program"),
)
_HEAD: Final = 65_536


def format_of(path: Path) -> Format:
    """The format of a file. Raises `FormatUnknown` for what no reader here can look into."""
    if not path.is_file():
        raise FormatUnknown(
            f"`{path}` is a pipe or device, not a file; files are read more than once, so save it first"
        )
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith((b"PAR1", b"PARE")):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow"
    named = _BY_NAME.get(path.suffix.lower())
    for magic, name in _REFUSED:
        if head.startswith(magic) and not (named in ("csv", "text") and magic == b"ORC"):
            raise FormatUnknown(f"`{path}` is {name}, which is not read here; unpack or convert it first")
    if named is not None:
        return named
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "text"
    if b"\0" in head:
        raise FormatUnknown(f"`{path}` is in a binary format that is not known here, so it is not passed on")
    return "text"
