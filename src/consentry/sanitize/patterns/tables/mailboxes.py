"""Mailboxes with letters of other scripts, inside a company, and with more glued to their domain."""

from __future__ import annotations

from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.checks import mailboxes
from consentry.sanitize.patterns.pattern import Pattern

_LOCAL = r"(?<![\w%+-])[\w%+-][\w.%+'-]{0,63}+@"
_LABELS = r"(?:[A-Za-z0-9-]{1,63}+\.){1,3}"
_LETTERS = r"\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u052f"
"""Latin, Greek and Cyrillic letters and combining marks: in these scripts blanks end a word, and with it a mailbox."""
_ANY = rf"{_LETTERS}\u0900-\u0dff\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"

PATTERNS: Final = (
    Pattern(
        id="email.more-after",
        type=entities.EMAIL_ADDRESS,
        regex=rf"{_LOCAL}{_LABELS}(?:[A-Za-z]{{2}}|com|org|net|edu|gov|mil|int|info|biz|name|dev|app)(?=\.[A-Za-z0-9]|_)",
        trigger=r"@[A-Za-z0-9.-]{1,200}\.[A-Za-z]{2,4}[._]",
        reach=280,
        ahead=720,
        digitless=True,
        score=0.5,
        reason="mailbox",
        lift=0.0,
        check=mailboxes.mailbox,
        confirmed=0.98,
    ),
    Pattern(
        id="email.internal",
        type=entities.EMAIL_ADDRESS,
        regex=rf"{_LOCAL}{_LABELS}(?i:{'|'.join(mailboxes.INTERNAL)})(?![\w-]|\.[A-Za-z0-9])",
        trigger=rf"(?i)@[a-z0-9.-]{{1,200}}\.(?:{'|'.join(mailboxes.INTERNAL)})\b",
        reach=280,
        ahead=720,
        digitless=True,
        score=0.9,
        reason="mailbox",
        lift=0.0,
    ),
    Pattern(
        id="email.other-scripts",
        type=entities.EMAIL_ADDRESS,
        regex=(
            rf"(?<![\w%+{_LETTERS}-])[\w%+{_LETTERS}-][\w.%+'{_LETTERS}-]{{0,63}}+@"
            rf"(?:[A-Za-z0-9{_ANY}-]{{1,63}}+\.){{1,3}}"
            rf"(?:xn--[A-Za-z0-9-]{{2,59}}+|[A-Za-z]{{2,24}}+|[{_ANY}]{{2,24}}+)(?![\w-])"
        ),
        trigger=(
            r"\?[A-Za-z0-9_.%+'?-]{0,63}@[A-Za-z0-9?-]",
            r"[A-Za-z0-9_.%+'?-]@[A-Za-z0-9.-]{0,200}\?",
        ),
        reach=280,
        ahead=720,
        digitless=True,
        score=0.5,
        reason="mailbox",
        lift=0.0,
        check=mailboxes.in_other_scripts,
        confirmed=0.98,
    ),
)
