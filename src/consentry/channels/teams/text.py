"""Texts in Adaptive Cards, of which payload can use nothing. Pure.

Markdown is read in text blocks, so every text that somebody else wrote stands in a *text run*, which has no markup
(threat D6). What is left there is taken away here: dates that a card's host writes in the place of `{{DATE(…)}}`, and
spaces that it would leave out. A non-breaking space that the payload holds was spelled out when the preview was
rendered, as were control, bidi and invisible characters.
https://adaptivecards.io/explorer/TextRun.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeAlias

Element: TypeAlias = "dict[str, object]"

_DATES = re.compile(r"\{\{(?=(DATE|TIME)\()", re.IGNORECASE)
_SPACES = re.compile(r"(?<= ) |^ | $")


def shown(text: str) -> str:
    """A line as it is shown exactly."""
    return _SPACES.sub("\u00a0", _DATES.sub(r"{\\u{007b}", text.replace("\n", " "))) or "\u00a0"


def run(text: str, *, bold: bool = False, subtle: bool = False) -> Element:
    """Words of ours or of people, as they are."""
    found: Element = {"type": "TextRun", "text": shown(text)}
    if bold:
        found["weight"] = "bolder"
    if subtle:
        found["isSubtle"] = True
    return found


def code(text: str) -> Element:
    """Payload, in a type of its own."""
    return {"type": "TextRun", "text": shown(text), "fontType": "monospace"}


def moment(ms: int) -> Element:
    """A time, which is written in the reader's own zone and language."""
    when = f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"type": "TextRun", "text": f"{{{{DATE({when}, SHORT)}}}} {{{{TIME({when})}}}}"}


def line(*runs: Element, id: str | None = None, close: bool = True) -> Element:
    """One line of runs; with `close`, without space above it."""
    found: Element = {"type": "RichTextBlock", "inlines": list(runs)}
    if id is not None:
        found["id"] = id
    if close:
        found["spacing"] = "none"
    return found


def block(text: str) -> Iterator[Element]:
    """Payload of several lines, each a line of its own."""
    yield from (line(code(one)) for one in text.split("\n"))
