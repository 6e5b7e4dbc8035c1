"""Texts as people read them: escapes marked, ids shortened, times relative. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from markupsafe import Markup, escape

from consentry.consent.preview import visible

_ESCAPE = re.compile(r"\\\\|\\u\{[0-9a-f]{4,6}\}|\\[ntr]")
"""A doubled backslash is a backslash that was there: matched first, so that it never starts an escape."""

_SECOND, _MINUTE, _HOUR, _DAY = 1_000, 60_000, 3_600_000, 86_400_000


def marked(shown: str) -> Markup:
    """HTML of a text that the preview rendered, its escapes marked so that no letters can pass for one."""
    parts: list[Markup] = []
    end = 0
    for match in _ESCAPE.finditer(shown):
        if match.group() == "\\\\":
            continue
        parts += [escape(shown[end : match.start()]), Markup('<i class="esc">{}</i>').format(match.group())]
        end = match.end()
    return Markup().join([*parts, escape(shown[end:])])


def seen(text: str) -> Markup:
    """HTML of a text that somebody sent: every character that would hide is spelled out (threat D6)."""
    return marked(visible(text))


def seen_lines(text: str) -> Markup:
    """`seen`, with its line breaks kept: for what people write in boxes of several lines."""
    return Markup("\n").join(seen(line) for line in text.replace("\r\n", "\n").split("\n"))


def short(identifier: str) -> str:
    """An id as people tell it apart: its kind and its last six characters, which are random."""
    prefix, mark, rest = identifier.partition("_")
    return f"{prefix}_…{rest[-6:]}" if mark and len(rest) > 12 else (_cut(identifier) if not mark else identifier)


def _cut(digest: str) -> str:
    return f"{digest[:10]}…" if len(digest) > 16 else digest


def exact_time(ms: int) -> str:
    """A time to the second, in UTC."""
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso_time(ms: int) -> str:
    """A time for machines."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def relative_time(ms: int, now_ms: int) -> str:
    """`just now`, `4 min ago`, `in 3 h`; days beyond two days; the date beyond two weeks."""
    away = abs(ms - now_ms)
    if away >= 14 * _DAY:
        return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d}"
    if away < 10 * _SECOND and ms <= now_ms:
        return "just now"
    return f"{span(away)} ago" if ms <= now_ms else f"in {span(away)}"


def span(ms: int) -> str:
    """A length of time in its largest fitting unit, rounded down."""
    if ms >= 2 * _DAY:
        return f"{ms // _DAY} days"
    if ms >= 2 * _HOUR:
        return f"{ms // _HOUR} h"
    if ms >= _MINUTE:
        return f"{ms // _MINUTE} min"
    return f"{ms // _SECOND} s"


def clock(ms: int) -> str:
    """What is left, as a clock: `1:04:09`, `4:09`; a full day or more in days and hours."""
    seconds = max(ms, 0) // 1000
    if seconds >= 2 * 86_400:
        return f"{seconds // 86_400} d {seconds % 86_400 // 3600} h"
    hours, minutes, rest = seconds // 3600, seconds % 3600 // 60, seconds % 60
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def initials(name: str) -> str:
    """Up to two letters for a face."""
    words = [word for word in re.split(r"[\s@._-]+", name) if word and word[0].isalnum()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


def hue(identifier: str) -> int:
    """Which of the six face colours an id has: always the same one."""
    return sum(identifier.encode()) % 6


def number(value: int) -> str:
    """A whole number with thin groups: `12 480`."""
    return f"{value:,}".replace(",", "\u2009")


def compact(value: int) -> str:
    """A whole number in at most four characters: `812`, `9k`, `37k`, `2M`."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{value // size}{unit}"
    return str(value)
