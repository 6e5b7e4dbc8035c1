"""What stands around a match: words near it, the JSON key or the column name that it stands under.

Presidio's idea, made cheap: words are looked up in sets, and only near matches that could use them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

from consentry.sanitize.patterns.pattern import SEPARATOR

BEFORE = 72
AFTER = 28
"""Characters before and after a match in which a word counts."""

_WORD = re.compile(r"[^\W_]+")
_END = re.compile(r"[^\W_]*\Z")
_LAST = re.compile(r"(?<!\w)([^\W\d_]+)\.?\Z")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+|\d+")


def near(text: str, start: int, end: int) -> frozenset[str]:
    """The lower-cased words around `start … end`, in the same joined text."""
    before = text[max(0, start - BEFORE) : start]
    cut = before.rfind(SEPARATOR)
    if cut >= 0:
        before = before[cut + 1 :]
    elif start > BEFORE and not before[0].isspace():
        before = _drop_first_part(before)
    after = text[end : end + AFTER]
    cut = after.find(SEPARATOR)
    if cut >= 0:
        after = after[:cut]
    elif len(after) == AFTER and text[end + AFTER : end + AFTER + 1].isalnum():
        after = _drop_last_part(after)
    return words(f"{before} {after}")


def alone(text: str, start: int, end: int) -> bool:
    """Whether nothing but blanks stands around `start … end` in its text."""
    before, after = text[max(0, start - 8) : start].rstrip(" \t\r\n"), text[end : end + 8].lstrip(" \t\r\n")
    return (not before or before[-1] == SEPARATOR) and (not after or after[0] == SEPARATOR)


def word_before(text: str, start: int) -> str:
    """The lower-cased word right before `start`, with one or two blanks, commas or brackets between."""
    before = text[max(0, start - 24) : start].removesuffix("\n")
    core = before.rstrip(" ,(")
    if not 1 <= len(before) - len(core) <= 2:
        return ""
    word = core[core.rfind(" ") + 1 :]
    if word.isascii() and word.isalpha():
        return word.lower()
    found = _LAST.search(core)
    return found[1].lower() if found else ""


def _drop_first_part(before: str) -> str:
    """Without the piece of a word that the window cut."""
    found = _WORD.match(before)
    return before[found.end() :] if found else before


def _drop_last_part(after: str) -> str:
    return after[: _END.search(after).start()]  # type: ignore[union-attr]


@lru_cache(maxsize=1024)
def words(passage: str) -> frozenset[str]:
    """The lower-cased words of a passage."""
    return frozenset(_WORD.findall(passage.lower()))


@lru_cache(maxsize=4096)
def key_words(key: str) -> frozenset[str]:
    """The words in a JSON key or a column name: `primaryEmail`, `primary_email` and `PRIMARY EMAIL` alike."""
    found = [part.lower() for part in _PART.findall(key)]
    return frozenset(found).union(map("".join, pairwise(found)), ("".join(found),))
