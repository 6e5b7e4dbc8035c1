"""Identifiers of Nigeria and South Africa."""

from __future__ import annotations

from typing import Final

from consentry.sanitize.checks import world
from consentry.sanitize.patterns.pattern import Pattern

PATTERNS: Final = (
    Pattern(
        id="ng.nin",
        type="NG_NIN",
        regex=r"(?<![\w.,-])\d{11}(?!\w|[-.,]\d)",
        trigger=r"\b\d{11}\b",
        reach=12,
        dense=True,
        score=0.05,
        reason="identity number",
        check=world.ng_nin,
        confirmed=0.35,
    ),
    Pattern(
        id="ng.vehicle",
        type="NG_VEHICLE_REGISTRATION",
        regex=r"(?<![\w-])[A-Z]{3}[ -]?\d{3}[ -]?[A-Z]{2}(?![\w-])",
        trigger=r"(?:^|[^\w-])[a-z]{3}[ -]?\d{3}[ -]?[a-z]{2}\b",
        reach=12,
        ignore_case=True,
        score=0.4,
        reason="registration mark",
    ),
    Pattern(
        id="za.identity",
        type="ZA_ID_NUMBER",
        regex=r"(?<![\w.,-])\d{13}(?!\w|[-.,]\d)",
        trigger=r"\b\d{13}\b",
        reach=15,
        dense=True,
        score=0.05,
        reason="identity number",
        check=world.za_id,
        confirmed=0.65,
    ),
)
