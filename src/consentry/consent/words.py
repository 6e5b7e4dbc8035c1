"""Texts that callers and people give: kept exactly as they are, or refused; the same on every database."""

from __future__ import annotations

from consentry.store import UnfitText


def check_text(**texts: str | None) -> None:
    """Refuse what no text column holds: NUL, and halves of characters. Raises `UnfitText` with the name of the text."""
    for name, text in texts.items():
        if text is None or (text.isascii() and "\x00" not in text):
            continue
        if "\x00" in text:
            raise UnfitText(f"`{name}` holds the character NUL, which cannot be kept: leave it out")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise UnfitText(f"`{name}` holds a lone surrogate, which is no character: leave it out") from None
