"""The sanitizer as this door uses it: texts of any kind, JSON byte for byte, texts that come in pieces."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from consentry.sanitize.detector import NO_CONTEXT, Context
from consentry.sanitize.files.json_tokens import JsonBroken, leaves
from consentry.sanitize.finding import Finding
from consentry.sanitize.sanitizer import Sanitizer
from consentry.sanitize.transforms import About, Plan, Step, finish

Stand = Callable[[str, str], str]
"""An entity type and a value, to what stands in the value's place."""
SHORTEST: Final = 4
_SHORT_NUMBER: Final = 6
_LARGEST_EXACT: Final = 1e19
_WORDS: Final = frozenset({"type", "role", "object", "event", "jsonrpc"})
"""Members whose values are a protocol's own words, where they look like some."""
_WORD: Final = re.compile(r"[a-z]{1,40}(?:[._/-][a-z]{1,40}){0,5}|2\.0")
"""Anything else is data, whatever its name: callers of GraphQL and its like choose names themselves (threat E1)."""


class Cleaner:
    """Masks some entity types. Safe to call from several threads. Whatever a detector raises comes through."""

    def __init__(self, sanitizer: Sanitizer) -> None:
        self._sanitizer = sanitizer

    def text(self, text: str, context: Context = NO_CONTEXT) -> str:
        """The text, masked."""
        return text if len(text) < SHORTEST else self._sanitizer.sanitize(text, context).text

    def scan(self, text: str) -> list[Finding]:
        """What would be masked, in reading order."""
        return self._sanitizer.scan(text)

    def swap(self, text: str, stand: Stand, made: Callable[[str], bool], context: Context = NO_CONTEXT) -> str:
        """The text with every finding replaced by what `stand` gives; `made` knows what it gave before."""
        if len(text) < SHORTEST:
            return text
        plan = Plan({}, Step("stand-in", _Standing(stand, made)))
        found = self._sanitizer.scan(text, context)
        return finish(text, found, lambda one: self._sanitizer.scan(one, context), plan).text

    def json(self, text: str) -> str:
        """A JSON text with its keys, strings and numbers masked, and everything else as it was. Raises `JsonBroken`."""
        return json_swapped(text, self._leaf)

    def _leaf(self, kind: str, value: str, path: Sequence[str]) -> str | None:
        if kind == "number" and len(value) < _SHORT_NUMBER:
            return None
        if path and path[-1] in _WORDS and _WORD.fullmatch(value):
            return None
        context = Context(path[-1] if path else None, tuple(path[:-1]), value=True) if kind != "key" else Context()
        shown = whole(value) if kind == "number" else value
        cleaned = self.text(shown, context)
        return None if cleaned == shown else cleaned


@dataclass(frozen=True, slots=True)
class _Standing:
    """A transform for `swap`."""

    stand: Stand
    is_ours: Callable[[str], bool]

    def of(self, value: str, about: About) -> str:
        return self.stand(about.type, value)

    def made(self, value: str, about: About) -> bool:
        return self.is_ours(value)


def whole(number: str) -> str:
    """A JSON number without a fraction that is none: `4111111111111111.0` is how a column with gaps spells a card."""
    if number.isdecimal() or not (value := float(number)).is_integer() or abs(value) > _LARGEST_EXACT:
        return number
    return str(int(value))


def json_swapped(text: str, change: Callable[[str, str, Sequence[str]], str | None]) -> str:
    """A JSON text with the leaves changed that `change` gives a text for; byte for byte the same elsewhere.

    `change` is given kind, value and path of each. Raises `JsonBroken`.
    """
    parts: list[str] = []
    at = 0
    for leaf in leaves(text):
        changed = change(leaf.kind, leaf.value, leaf.path)
        if changed is not None:
            parts += [text[at : leaf.start], orjson.dumps(changed).decode("utf-8")]
            at = leaf.end
    parts.append(text[at:])
    return "".join(parts)


__all__ = ["Cleaner", "Flow", "JsonBroken", "Stand", "json_swapped"]

LEFT: Final = 256
LONGEST: Final = 4_096
LONGEST_BLOCK: Final = 1 << 16
_BLOCK: Final = "-----BEGIN "
_TOKEN: Final = re.compile(r"\S+\s*")


class Flow:
    """A text that comes in pieces, masked as if it had come whole, with what is settled given out at once.

    Held back is the last word, since it may go on; with it the words before it that may belong to it (numbers, words
    with a capital, what was found already), and a block of a key until its end. Plain words are given out one word
    late. A pause changes nothing: what may still become a finding waits for what follows.
    """

    def __init__(self, cleaner: Cleaner) -> None:
        self._cleaner = cleaner
        self._left = ""
        self._held = ""

    def feed(self, piece: str) -> str:
        """What is settled by now."""
        self._held += piece
        if not piece:
            return ""
        return self._settle(self._cut())

    def finish(self) -> str:
        """The rest."""
        return self._settle(len(self._held))

    def _cut(self) -> int:
        """How much of what is held cannot become part of a finding that has not been seen whole."""
        text = self._held
        begun = text.rfind(_BLOCK)
        if begun >= 0 and len(text) - begun < LONGEST_BLOCK and "-----END " not in text[begun:]:
            return begun
        cut = len(text)
        for token in reversed(list(_TOKEN.finditer(text))):
            is_last = token.end() == len(text)
            closed = is_last and token.group()[-1].isspace()
            word = token.group().rstrip()
            if (is_last and not closed) or _goes_on(word):
                cut = token.start()
                continue
            break
        return max(cut, len(text) - LONGEST)

    def _settle(self, cut: int) -> str:
        left, text = self._left, self._left + self._held
        at, end = len(left), len(left) + cut
        if end == at:
            return ""
        found = [one for one in self._cleaner.scan(text) if one.end > at]
        last = cut == len(self._held)
        for one in reversed(found):
            if not last and one.end >= end > one.start:
                end = max(at, one.start)
        parts = []
        for one in found:
            if one.start >= end:
                break
            parts += [text[at : max(at, one.start)], f"<{one.type}>"]
            at = max(at, min(one.end, end))
        parts.append(text[at:end])
        self._left, self._held = text[:end][-LEFT:], text[end:]
        return "".join(parts)


def _goes_on(word: str) -> bool:
    """Whether a word may be one of several that make one value: a number in groups, a name, an address."""
    return (
        any(one.isdigit() for one in word) or word[:1].isupper() or word in ("+", "-", "(", ")", "/", "@", "at", "dot")
    )
