"""JSON text to its keys, strings and numbers with their places, so that what is not changed stays byte for byte.

RFC 8259, strictly: no NaN, no trailing commas. Duplicate keys are kept, each looked at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from consentry.errors import InvalidInput

Kind = Literal["key", "string", "number"]
_MAX_DEPTH: Final = 2_000
_TOKEN: Final = re.compile(
    r'[ \t\n\r]*(?:(?P<string>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+")'
    r"|(?P<number>-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?P<word>true|false|null)|(?P<mark>[{}\[\],:]))",
    re.ASCII,
)


class JsonBroken(InvalidInput):
    """The text is not JSON; `at` is the character where it stops being it."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(what)
        self.at = at
        self.what = what


@dataclass(frozen=True, slots=True)
class Leaf:
    """A key, string or number: `value` decoded (a number as it is written), `start` and `end` with the quotes.

    `path` is the keys above it, outermost first; array places are left out. `owner` is the number of the object that
    a key stands in, in reading order.
    """

    kind: Kind
    start: int
    end: int
    value: str
    path: tuple[str, ...]
    owner: int = 0


def leaves(text: str, start: int = 0) -> Iterator[Leaf]:
    """Every leaf of one JSON value, in reading order. Raises `JsonBroken`."""
    match = _TOKEN.match
    at, state = start, "value"
    stack: list[str] = []
    path: tuple[str, ...] = ()
    keys: list[str] = []
    owners: list[int] = []
    objects = 0
    while True:
        found = match(text, at)
        if found is None:
            raise JsonBroken(_skip(text, at), "neither a value nor a mark of JSON")
        at, kind = found.end(), found.lastgroup
        piece = found[kind or 0]
        if kind == "mark":
            if piece in "{[" and state in ("value", "first"):
                if len(stack) >= _MAX_DEPTH:
                    raise JsonBroken(at, f"nested deeper than {_MAX_DEPTH}")
                stack.append(piece)
                if piece == "{":
                    keys.append("")
                    objects += 1
                    owners.append(objects)
                state = "key?" if piece == "{" else "first"
                continue
            if (
                piece in "}]"
                and stack
                and stack[-1] == ("{" if piece == "}" else "[")
                and state in ("after", "key?", "first")
            ):
                if stack.pop() == "{":
                    keys.pop()
                    owners.pop()
                    path = tuple(keys)
            elif piece == "," and state == "after" and stack:
                state = "key" if stack[-1] == "{" else "value"
                continue
            elif piece == ":" and state == "colon":
                state = "value"
                continue
            else:
                raise JsonBroken(at, f"`{piece}` is not expected here")
        elif state in ("key", "key?"):
            if kind != "string":
                raise JsonBroken(at, "an object needs a string as its key")
            keys[-1] = _string(piece)
            yield Leaf("key", found.start("string"), at, keys[-1], tuple(keys[:-1]), owners[-1])
            path, state = tuple(keys), "colon"
            continue
        elif state not in ("value", "first"):
            raise JsonBroken(at, "a value is not expected here")
        elif kind == "string":
            yield Leaf("string", found.start("string"), at, _string(piece), path)
        elif kind == "number":
            yield Leaf("number", found.start("number"), at, piece, path)
        state = "after"
        if not stack:
            end = _skip(text, at)
            if end != len(text):
                raise JsonBroken(end, "more text after the value")
            return


def _string(piece: str) -> str:
    if "\\" not in piece:
        return piece[1:-1]
    value = json.loads(piece)
    assert isinstance(value, str)
    return value


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\n\r":
        at += 1
    return at
