"""Texts in Slack's markup, of which payload can use nothing. Pure.

Slack reads `<…>` and `&…;` everywhere and marks such as `*` outside of code, so whatever somebody else wrote stands in
code, escaped, and cannot end it (threat D6). Control, bidi and invisible characters were spelled out when the preview
was rendered; a backslash that was there is doubled, so a spelled-out character cannot be imitated.
https://docs.slack.dev/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from collections.abc import Iterator

LIMIT = 2_900
"""The characters of one text; Slack takes 3,000."""

_FENCE = re.compile("`{3,}")


def escape(text: str) -> str:
    """The three characters that control anything in Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """A short text in code, on one line."""
    return f"`{escape(_spelled(text.replace(chr(10), ' ')))}`" if text else "` `"


def fence(text: str) -> str:
    """Lines in a block of code. `text` was escaped by `fenced`."""
    return f"```\n{text}\n```"


def fenced(text: str) -> str:
    """Lines as they may stand in a block of code, which they cannot close."""
    return escape(_FENCE.sub(lambda found: _spelled(found.group()), text))


def pieces(text: str, limit: int = LIMIT) -> Iterator[str]:
    """An escaped text in pieces of at most `limit`, at ends of lines where there are any, never within an escape."""
    while len(text) > limit:
        at = text.rfind("\n", 1, limit)
        if at < 0:
            at = limit
            ampersand = text.rfind("&", at - 5, at)
            if ampersand > 0 and ";" not in text[ampersand:at]:
                at = ampersand
        yield text[:at]
        text = text[at:].removeprefix("\n")
    yield text


def plain(text: str, limit: int) -> str:
    """A text for places without markup, escaped all the same, cut at `limit`."""
    whole = escape(text)
    return whole if len(whole) <= limit else next(pieces(whole, limit - 1)) + "…"


def _spelled(text: str) -> str:
    return text.replace("`", "\\u{0060}")
