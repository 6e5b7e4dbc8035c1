"""Where Cedar text is wrong. Cedar's own message has no place: it is found by parsing less of the text. Pure."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

import cedarpy

from consentry.policy.problems import Problem

_STATEMENT = re.compile(r"""//[^\n]*|"(?:\\.|[^"\\])*"|;|[^"/;]+|.""", re.DOTALL)
_TOKEN = re.compile(r"""\s+|"(?:\\.|[^"\\])*"|\w+|::|[=!<>]=|&&|\|\||.""", re.DOTALL)
_UNFINISHED = "unexpected end of input"
_UNREADABLE = ("unexpected token", "invalid token")
_RULE_BEGINS = frozenset({"@", "permit", "forbid"})


def statements(text: str) -> Iterator[tuple[int, str]]:
    """The policies of a file with the lines they begin on: what stands between semicolons, comments apart."""
    line, start, parts = 1, 0, []
    for match in _STATEMENT.finditer(text):
        piece = match[0]
        comment = piece.startswith("//")
        if not start and piece.strip() and not comment:
            start = line + _newlines(piece[: len(piece) - len(piece.lstrip())])
        line += _newlines(piece)
        if not comment:
            parts.append(piece)
        if piece == ";":
            yield start, "".join(parts)
            start, parts = 0, []
    if "".join(parts).strip():
        yield start, "".join(parts)


def problem(file: str, found: Iterable[tuple[int, str]], error: str) -> Problem:
    """What is wrong with a file that does not parse: its first policy that does not parse by itself, and the line."""
    for start, statement in found:
        own = _refused(statement)
        if own is not None:
            text, line = _placed(statement.strip(), start, own)
            return Problem("policy-syntax", text, file, None, line)
    return Problem("policy-syntax", f"not Cedar: {error}", file)


def _placed(statement: str, start: int, error: str) -> tuple[str, int]:
    if error == _UNFINISHED:
        text = f"not Cedar: the rule that begins at line {start} does not end: is a `;` or a bracket missing?"
        return text, start + _newlines(statement)
    if not error.startswith(_UNREADABLE):
        return f"not Cedar, in the rule that begins at line {start}: {error}", start
    tokens = _read(statement)
    line = start + _newlines("".join(tokens[:-1]))
    if line > start and not _RULE_BEGINS.isdisjoint([one for one in tokens if one.strip()][-2:]):
        return f"not Cedar: {error} in the rule that begins at line {start}: is a `;` missing before it?", line
    return f"not Cedar: {error}", line


def _read(statement: str) -> list[str]:
    """The tokens of a policy up to the one at which the parser stops.

    A parser that reads from left to right misses the end of whatever it can still make sense of: the first token with
    which it complains of something else is the one.
    """
    tokens = list(_TOKEN.finditer(statement))
    place = bisect_left(tokens, 1, key=lambda token: _refused(statement[: token.end()]) not in {None, _UNFINISHED})
    return [token[0] for token in tokens[: place + 1]]


def _refused(text: str) -> str | None:
    try:
        cedarpy.policies_to_json_str(text)
    except ValueError as error:
        return str(error)
    return None


def _newlines(text: str) -> int:
    return text.count("\n")
