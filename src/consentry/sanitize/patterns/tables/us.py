"""Identifiers of the United States."""

from __future__ import annotations

from typing import Final

from consentry.sanitize.checks import us
from consentry.sanitize.patterns.pattern import Pattern

_NINE = r"\b\d{9}\b"
_END = r"(?!\w|[-.]\d)"

PATTERNS: Final = (
    Pattern(
        id="us.ssn",
        type="US_SSN",
        regex=rf"(?<![\w.-])\d{{3}}([- .])\d\d\1\d{{4}}{_END}",
        trigger=r"\b\d{3}[- .]\d\d[- .]\d{4}\b",
        reach=12,
        score=0.6,
        reason="social security number",
        check=us.ssn,
    ),
    Pattern(
        id="us.ssn.plain",
        type="US_SSN",
        regex=r"(?<![\w.,-])\d{9}(?!\w|[-.,]\d)",
        trigger=_NINE,
        reach=10,
        score=0.2,
        reason="nine digits in the ranges of social security numbers",
        check=us.ssn,
        lift=0.5,
    ),
    Pattern(
        id="us.itin",
        type="US_ITIN",
        regex=rf"(?<![\w.-])9\d\d([- ])\d\d\1\d{{4}}{_END}",
        trigger=r"\b9\d\d[- .]\d\d[- .]\d{4}\b",
        reach=12,
        score=0.5,
        reason="individual taxpayer identification number",
        check=us.itin,
        confirmed=0.65,
    ),
    Pattern(
        id="us.itin.plain",
        type="US_ITIN",
        regex=r"(?<![\w.,-])9\d{8}(?!\w|[-.,]\d)",
        trigger=_NINE,
        reach=10,
        score=0.1,
        reason="nine digits in the ranges of taxpayer numbers",
        check=us.itin,
        confirmed=0.3,
    ),
    Pattern(
        id="us.routing",
        type="ABA_ROUTING_NUMBER",
        regex=r"(?<![\w.,-])\d{9}(?!\w|[-.,]\d)",
        trigger=_NINE,
        reach=10,
        score=0.05,
        reason="bank routing number",
        check=us.routing,
        confirmed=0.4,
    ),
    Pattern(
        id="us.routing.grouped",
        type="ABA_ROUTING_NUMBER",
        regex=rf"(?<![\w.-])\d{{4}}-\d{{4}}-\d{_END}",
        trigger=r"\b\d{4}-\d{4}-\d\b",
        reach=12,
        score=0.3,
        reason="bank routing number",
        check=us.routing,
        confirmed=0.75,
    ),
    Pattern(
        id="us.bank",
        type="US_BANK_NUMBER",
        regex=r"(?<![\w.,-])\d{8,17}(?!\w|[-.,]\d)",
        trigger=r"\b\d{8,17}\b",
        reach=18,
        score=0.05,
        reason="bank account number",
        lift=0.5,
    ),
    Pattern(
        id="us.passport",
        type="US_PASSPORT",
        regex=r"(?<![\w.,-])[A-Z]?\d{8,9}(?<=\w{9})(?!\w|[-.,]\d)",
        trigger=r"\b[a-z]?\d{8,9}\b",
        reach=11,
        ignore_case=True,
        score=0.05,
        reason="passport number",
        lift=0.5,
    ),
    Pattern(
        id="us.licence.letters",
        type="US_DRIVER_LICENSE",
        regex=(
            r"(?<![\w-])(?:[A-Z]{1,3}\d{3,14}[A-Z]{0,2}|\d{2,9}[A-Z]{1,3}\d{0,6}|[A-Z]\d[A-Z]\d[A-Z]"
            r"|[A-Z]\d{2,4}(?:[ -]\d{2,6}){2,4}|\d{2}[A-Z]{3}\d{5,6})(?![\w-])"
        ),
        trigger=r"\b(?:[a-z]{1,3}\d{3}|\d{2,9}[a-z]|[a-z]\d[a-z]\d[a-z]\b|[a-z]\d{2,4}[ -]\d{2})",
        reach=16,
        ignore_case=True,
        score=0.1,
        reason="licence number in a state's form",
        check=us.mixed,
        lift=0.5,
    ),
    Pattern(
        id="us.licence.digits",
        type="US_DRIVER_LICENSE",
        regex=r"(?<![\w.,$-])(?:\d{6,14}|\d{4}-\d\d-\d{4}|\d{2,3}[- ]\d{3}[- ]\d{3,4})(?!\w|[-.,]\d)",
        trigger=r"\b(?:\d{6,14}|\d{4}-\d\d-\d{4}|\d{2,3}[- ]\d{3}[- ]\d{3,4})\b",
        reach=16,
        score=0.05,
        reason="licence number in a state's form",
        lift=0.55,
    ),
    Pattern(
        id="us.mbi",
        type="US_MBI",
        regex=(
            r"(?<![\w-])[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d(-?)[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]\d\1"
            r"[AC-HJKMNP-RT-Y]{2}\d\d(?![\w-])"
        ),
        trigger=r"\b[1-9][a-z][0-9a-z]\d-?[a-z][0-9a-z]\d-?[a-z]{2}\d\d\b",
        reach=16,
        ignore_case=True,
        score=0.6,
        reason="Medicare beneficiary identifier",
    ),
    Pattern(
        id="us.npi",
        type="US_NPI",
        regex=r"(?<![\w.,-])[12]\d{3}([- ]?)\d{3}\1\d{3}(?!\w|[-.,]\d)",
        trigger=r"\b[12]\d{3}[- ]?\d{3}[- ]?\d{3}\b",
        reach=14,
        score=0.05,
        reason="provider identifier",
        check=us.npi,
        confirmed=0.4,
    ),
    Pattern(
        id="us.dea",
        type="MEDICAL_LICENSE",
        regex=r"(?<!\w)[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}(?!\w)",
        trigger=r"\b[a-z][a-z9]\d{7}\b",
        reach=10,
        ignore_case=True,
        score=0.1,
        reason="prescriber's certificate",
        check=us.dea,
        confirmed=0.6,
    ),
)
