"""Bytes to text, or a clear word about which byte is wrong."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Final

from consentry.sanitize.files.problems import FileUnreadable, broken

_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
UTF8_BOM: Final = codecs.BOM_UTF8
NEWLINE: Final = b"\n"
SINGLE_BYTE: Final = ("latin-1", "iso8859-15", "cp1250", "cp1251", "cp1252", "koi8-r")
"""Other encodings that may be named: ASCII below 128 and one byte a character, so that lines can be cut."""


def checked_encoding(name: str) -> str:
    """The codec's own name. Raises `FileUnreadable` for one that lines cannot be cut in."""
    try:
        codec = codecs.lookup(name).name
    except LookupError as error:
        raise FileUnreadable(f"there is no encoding `{name}`; use `utf-8` or `latin-1`, say") from error
    if codec != "utf-8" and codec not in {codecs.lookup(one).name for one in SINGLE_BYTE}:
        raise FileUnreadable(
            f"files in `{name}` cannot be cut at lines; convert them to UTF-8 first (`iconv -t utf-8`)"
        )
    return codec


def refuse_wide(path: Path, head: bytes) -> None:
    """Raises `FileUnreadable` where a file begins like UTF-16 or UTF-32, or holds NUL bytes."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            raise broken(path, "byte 0", f"the file is {name}; convert it first (`iconv -f {name} -t utf-8`)")
    at = head.find(b"\0")
    if at >= 0:
        raise broken(path, f"byte {at}", "a NUL byte; this is no text file in an encoding that can be read")


def decoded(path: Path, data: bytes, encoding: str, offset: int, line: int) -> str:
    """Text of a part that begins at byte `offset` and line `line` of its file. Raises `FileUnreadable`."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        at_line = line + data.count(b"\n", 0, error.start)
        what = "bytes that are not UTF-8; is the encoding mixed? `--encoding latin-1` reads every byte and changes none"
        if encoding != "utf-8":
            what = f"a byte that {encoding} does not have; `--encoding latin-1` reads every byte and changes none"
        raise broken(path, f"line {at_line}, byte {offset + error.start}", what) from error
    nul = data.find(b"\0")
    if nul >= 0:
        where = f"line {line + data.count(NEWLINE, 0, nul)}, byte {offset + nul}"
        raise broken(path, where, "a NUL byte; is a passage of UTF-16 among the text? No value is seen in one")
    return text
