"""Identifiers of Australia."""

from __future__ import annotations

from typing import Final

from consentry.sanitize.checks import world
from consentry.sanitize.patterns.pattern import Pattern

PATTERNS: Final = (
    Pattern(
        id="au.abn",
        type="AU_ABN",
        regex=r"(?<![\w.,-])\d\d( ?)\d{3}\1\d{3}\1\d{3}(?!\w|[-.,]\d| \d{3})",
        trigger=r"\b\d\d ?\d{3} ?\d{3} ?\d{3}\b",
        reach=16,
        dense=True,
        score=0.05,
        reason="business number",
        check=world.au_abn,
        confirmed=0.5,
    ),
    Pattern(
        id="au.acn",
        type="AU_ACN",
        regex=r"(?<![\w.,-])\d{3}( ?)\d{3}\1\d{3}(?!\w|[-.,]\d| \d{3})",
        trigger=r"\b\d{3} ?\d{3} ?\d{3}\b",
        reach=13,
        dense=True,
        score=0.05,
        reason="company number",
        check=world.au_acn,
        confirmed=0.3,
    ),
    Pattern(
        id="au.tfn",
        type="AU_TFN",
        regex=r"(?<![\w.,-])\d{3}( ?)\d{3}\1\d{3}(?!\w|[-.,]\d| \d{3})",
        trigger=r"\b\d{3} ?\d{3} ?\d{3}\b",
        reach=13,
        dense=True,
        score=0.05,
        reason="tax file number",
        check=world.au_tfn,
        confirmed=0.3,
    ),
    Pattern(
        id="au.medicare",
        type="AU_MEDICARE",
        regex=r"(?<![\w.,-])[2-6]\d{3}( ?)\d{5}\1\d(?!\w|[-.,]\d)",
        trigger=r"\b[2-6]\d{3} ?\d{5} ?\d\b",
        reach=14,
        dense=True,
        score=0.05,
        reason="Medicare number",
        check=world.au_medicare,
        confirmed=0.4,
    ),
)
