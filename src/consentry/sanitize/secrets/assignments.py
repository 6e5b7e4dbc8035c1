"""Values under telling names: code, YAML, JSON, XML, INI, environment files, shells, tables in documents.

Called at the place of an assigning mark (`=`, `:`, `=>`, `,` after a quoted name, `>` of a tag); looks a bounded way to
either side, so time is linear in the number of marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from consentry.sanitize.secrets import keynames, values

BEHIND: Final = 120
AHEAD: Final = values.MOST + 200

_WORD: Final = r"[A-Za-z0-9_\u0080-\uffff](?:[\w.\-/\u0080-\uffff]|[ ](?=(?i:key|token|secret|password|code)\b)){0,79}"
_NAME: Final = re.compile(rf"(?P<name>{_WORD})(?P<close>(?:\\?[\"'`]|\]|\)|[ \t]){{0,8}})\Z")
_TAG: Final = re.compile(rf"<(?P<name>{_WORD})(?:\s[^<>]{{0,100}})?\Z")
_OPERATOR: Final = re.compile(r"(?::=|=>|={1,3}|!={1,2}|=~|~=|->|:|,|>|%3[dD]|\?=|\+=)(?![=>])")
_ANNOTATION: Final = re.compile(r"[ \t]{0,4}[A-Za-z][\w.\[\]<>?|]{0,40}[ \t]{0,4}=(?=[ \t]{0,4}[^\s=])")
_FALLBACK: Final = re.compile(
    r"[ \t]{0,4}(?:[\w.]{1,60}(?:\(|\[)(?:[^()\[\]\n]{0,80}?,[ \t]{0,4}(?=[brfu]?[\"'])|[^()\[\]\n]"
    r"{0,80}[)\]][ \t]{0,4}(?:or|\|\||\?\?|\?:)[ \t]{0,4}))"
)
_GAP: Final = re.compile(r"(?:\\[tnr]|[ \t]|\\?\r?\n[ \t]{1,40}(?=[\"'])|\(){0,12}")
_SCALAR: Final = re.compile(
    r"(?:[brfuRBFU]{0,2}|@|String\()(?P<quote>\\{0,2}(?:\"\"\"|'''|[\"'`]))(?P<quoted>(?:\\(?![\"'`])"
    r"|[^\\\"'`\n]|(?!(?P=quote))[\"'`]){1,4096}?)(?P=quote)"
    r"|(?P<bytes>\{[ \t]{0,4}(?:0x[0-9a-fA-F]{1,2}|\d{1,3})(?:[ \t]{0,4},[ \t\\]{0,4}(?:\r?\n[ \t]"
    r"{0,40})?(?:0x[0-9a-fA-F]{1,2}|\d{1,3})){7,127})"
    r"|/oauth_signature=\\?\"(?P<signature>[^\"\n]{16,200})\""
    r"|(?P<open>[\"'])(?P<unclosed>[A-Za-z0-9+/=_\-]{24,4096})(?=\\?\r?\n|\Z)"
    r"|(?P<bare>[^\s\"'`,;<>(){}\[\]\\|]{4,4096})"
)
_LINE_NAME: Final = re.compile(r"(?:(?:export|set)[ \t]{1,4})?[A-Z][A-Z0-9_]{1,79}\Z")
_LINE_VALUE: Final = re.compile(r"(?![\"'`$])[^\s`\"']{4,4096}(?=[ \t]{0,8}(?:#[^\n]{0,400})?(?:\r?\n|\Z))")
"""A line of an environment file: there every character of the value is its own, up to a blank."""
_NEXT_PARAMETER: Final = re.compile(r"&amp\Z|(?:&|%26)(?=[A-Za-z_][\w.\-\[\]%]{0,60}(?:=|%3[dD])|\Z)")
_WORDS_AFTER: Final = re.compile(r"[ \t]{1,3}[a-z]{2,}\b(?![:=])")


@dataclass(frozen=True, slots=True)
class Assigned:
    """A value under a name: where it stands, what the name promises, how sure."""

    start: int
    end: int
    kind: keynames.Kind
    score: float
    form: str


def at(text: str, mark: int) -> Iterator[Assigned]:
    """The secret assigned at the mark whose first character stands at `mark`, if there is one."""
    operator = _OPERATOR.match(text, mark)
    if operator is None:
        return
    sign = operator[0]
    name = (_TAG if sign == ">" else _NAME).search(text, max(0, mark - BEHIND), mark)
    if name is None or (sign == "," and not any(quote in name["close"] for quote in "\"'`")):
        return
    kind = keynames.kind_of(name["name"])
    if kind is not None and sign == "=" and (line := _line_value(text, mark)) is not None:
        start, end = line.span()
        score = values.belief(line[0], kind, quoted=True, name=name["name"], literal=True)
        if score:
            yield Assigned(start, end, kind, score, "line")
    elif kind is not None and not _glued(name["name"], kind, sign):
        yield from value_at(text, operator.end(), kind, name["name"], sign)


def _line_value(text: str, mark: int) -> re.Match[str] | None:
    """The value of a line `NAME=value` of an environment file, where the mark stands in one and nothing is expanded."""
    low = max(0, mark - BEHIND)
    begin = max(text.rfind("\n", low, mark), text.rfind("\x1e", low, mark)) + 1
    if (begin == 0 and low > 0) or not _LINE_NAME.fullmatch(text, begin, mark):
        return None
    found = _LINE_VALUE.match(text, mark + 1, mark + 1 + AHEAD)
    return found if found and not any(sign in found[0] for sign in ("$(", "${", "<", "{{")) else None


def _glued(name: str, kind: keynames.Kind, sign: str) -> bool:
    return sign == ":" and kind in ("auth", "key") and name.islower() and name in ("auth", "keys")


def value_at(text: str, start: int, kind: keynames.Kind, name: str, sign: str) -> Iterator[Assigned]:
    """The literal that begins at or just after `start`, believed or not by what `name` promises."""
    end = start + AHEAD
    if sign in (":", ",") and (annotated := _ANNOTATION.match(text, start, end)):
        start = annotated.end()
    if default := _FALLBACK.match(text, start, end):
        start = default.end()
    gap = _GAP.match(text, start, end)
    at = gap.end() if gap else start
    if sign == ">":
        at = _past_space(text, at)
    found = _SCALAR.match(text, at, end)
    if found is None:
        return
    yield from _judged(text, found, kind, name, sign)


def _past_space(text: str, at: int) -> int:
    limit = min(len(text), at + 200)
    while at < limit and text[at].isspace():
        at += 1
    return at


def _judged(text: str, found: re.Match[str], kind: keynames.Kind, name: str, sign: str) -> Iterator[Assigned]:
    group = found.lastgroup if found.lastgroup != "quote" else "quoted"
    if found["quoted"] is not None:
        group = "quoted"
    elif found["unclosed"] is not None:
        group = "unclosed"
    assert group is not None
    start, end = found.span(group)
    if group in ("bytes", "signature"):
        yield Assigned(start, end, kind, 0.8, "array" if group == "bytes" else "signature")
        return
    quoted = group != "bare"
    if not quoted:
        end = _trimmed(text, start, end, sign)
        if (
            kind != "password"
            and sign == ":"
            and _WORDS_AFTER.match(text, end)
            and not any(c.isdigit() for c in text[start:end])
        ):
            return
    score = values.belief(text[start:end], kind, quoted=quoted or sign == ">", name=name)
    if score:
        yield Assigned(start, end, kind, score, "quoted" if quoted else "bare")


def _trimmed(text: str, start: int, end: int, sign: str) -> int:
    value = text[start:end]
    stop = len(value)
    cut = _NEXT_PARAMETER.search(value, 1) if sign in ("=", "%3D", "%3d") else None
    if cut:
        stop = cut.start()
    while stop and value[stop - 1] in ".,:" and stop > 1:
        stop -= 1
    return start + stop
