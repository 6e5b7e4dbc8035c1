"""Identifiers of the United Kingdom."""

from __future__ import annotations

from typing import Final

from consentry.sanitize.checks import uk
from consentry.sanitize.patterns.pattern import Pattern

_PLATE = "[A-HJ-PR-Y]"

PATTERNS: Final = (
    Pattern(
        id="uk.nhs",
        type="UK_NHS",
        regex=r"(?<![\w.-])\d{3}([ -])\d{3}\1\d{4}(?!\w|[-.]\d)",
        trigger=r"\b\d{3}[ -]\d{3}[ -]\d{4}\b",
        reach=14,
        dense=True,
        score=0.1,
        reason="health service number",
        check=uk.nhs,
        confirmed=0.55,
    ),
    Pattern(
        id="uk.nhs.plain",
        type="UK_NHS",
        regex=r"(?<![\w.,-])\d{10}(?!\w|[-.,]\d)",
        trigger=r"\b\d{10}\b",
        reach=12,
        dense=True,
        score=0.05,
        reason="health service number",
        check=uk.nhs,
        confirmed=0.4,
    ),
    Pattern(
        id="uk.nino",
        type="UK_NINO",
        regex=r"(?<!\w)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D](?!\w)",
        trigger=r"\b[a-z]{2} ?\d\d ?\d\d ?\d\d ?[a-d]\b",
        reach=16,
        ignore_case=True,
        dense=True,
        score=0.75,
        reason="national insurance number",
        check=uk.nino,
    ),
    Pattern(
        id="uk.passport",
        type="UK_PASSPORT",
        regex=r"(?<!\w)[A-Z]{2}\d{7}(?!\w)",
        trigger=r"\b[a-z]{2}\d{7}\b",
        reach=10,
        ignore_case=True,
        dense=True,
        score=0.1,
        reason="passport number",
        lift=0.5,
    ),
    Pattern(
        id="uk.postcode",
        type="UK_POSTCODE",
        regex=(
            r"(?<!\w)(?:[A-PR-UWYZ](?:\d[\dA-HJKPS-UW]?|[A-HK-Y]\d[\dABEHMNPRV-Y]?)|GIR ?(?=0AA))"
            r" ?\d[ABD-HJLNP-UW-Z]{2}(?!\w)"
        ),
        trigger=r"\b(?:[A-Z]{1,2}\d[\dA-Z]? ?\d[A-Z]{2}|GIR ?0AA)\b",
        reach=10,
        score=0.55,
        reason="postcode in an area that exists",
        check=uk.postcode,
    ),
    Pattern(
        id="uk.vehicle.current",
        type="UK_VEHICLE_REGISTRATION",
        regex=rf"(?<!\w){_PLATE}{{2}}\d\d[ -]?[A-HJ-PR-Z]{{3}}(?!\w)",
        trigger=r"\b[a-z]{2}\d\d[ -]?[a-z]{3}\b",
        reach=10,
        ignore_case=True,
        score=0.45,
        reason="registration mark since 2001",
        check=uk.registration,
    ),
    Pattern(
        id="uk.vehicle.prefix",
        type="UK_VEHICLE_REGISTRATION",
        regex=r"(?<!\w)[A-HJ-NPR-TV-Y]\d{1,3}[ -]?[A-HJ-PR-Y]{3}(?!\w)",
        trigger=r"\b[a-z]\d{1,3}[ -]?[a-z]{3}\b",
        reach=10,
        ignore_case=True,
        score=0.2,
        reason="registration mark of 1983 to 2001",
    ),
    Pattern(
        id="uk.vehicle.suffix",
        type="UK_VEHICLE_REGISTRATION",
        regex=r"(?<!\w)[A-HJ-PR-Y]{3}[ -]?\d{1,3}[A-HJ-NPR-TV-Y](?!\w)",
        trigger=r"\b[a-z]{3}[ -]?\d{1,3}[a-z]\b",
        reach=10,
        ignore_case=True,
        score=0.15,
        reason="registration mark of 1963 to 1983",
    ),
    Pattern(
        id="uk.driver",
        type="UK_DRIVING_LICENCE",
        regex=r"(?<!\w)[A-Z][A-Z]{0,4}9{0,4}(?<=\w{5})\d[0156]\d[0-3]\d{2}[A-Z][A-Z9][0-9A-Z][A-Z]{2}(?!\w)",
        trigger=r"\b[a-z9]{5}\d{6}[a-z9]{2}[0-9a-z][a-z]{2}\b",
        reach=18,
        ignore_case=True,
        dense=True,
        score=0.8,
        reason="driver number",
        check=uk.driver,
    ),
)
