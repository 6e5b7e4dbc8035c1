"""Identifiers of India."""

from __future__ import annotations

from typing import Final

from consentry.sanitize.checks import world
from consentry.sanitize.patterns.pattern import Pattern

_STATES = (
    "AN|AP|AR|AS|BR|CG|CH|DD|DL|DN|GA|GJ|HP|HR|JH|JK|KA|KL|LA|LD|MH|ML|MN|MP|MZ|NL|OD|OR|PB|PY|RJ|SK|TN|TR|TS|UK|UP|WB"
)

PATTERNS: Final = (
    Pattern(
        id="in.aadhaar",
        type="IN_AADHAAR",
        regex=r"(?<![\w.,:-])[2-9]\d{3}([ :-])\d{4}\1\d{4}(?!\w|[-.,: ]\d)",
        trigger=r"\b[2-9]\d{3}[ :-]\d{4}[ :-]\d{4}\b",
        reach=16,
        dense=True,
        score=0.05,
        reason="identity number",
        check=world.in_aadhaar,
        confirmed=0.55,
    ),
    Pattern(
        id="in.aadhaar.solid",
        type="IN_AADHAAR",
        regex=r"(?<![\w.,:-])[2-9]\d{11}(?!\w|[-.,: ]\d)",
        trigger=r"\b[2-9]\d{11}\b",
        reach=14,
        dense=True,
        score=0.05,
        reason="identity number",
        check=world.in_aadhaar,
        confirmed=0.45,
    ),
    Pattern(
        id="in.pan",
        type="IN_PAN",
        regex=r"(?<!\w)[A-Z]{5}\d{4}[A-Z](?!\w)",
        trigger=r"\b[a-z]{5}\d{4}[a-z]\b",
        reach=12,
        ignore_case=True,
        score=0.3,
        reason="permanent account number",
        check=world.in_pan,
        confirmed=0.7,
    ),
    Pattern(
        id="in.gstin",
        type="IN_GSTIN",
        regex=r"(?<!\w)(?:0[1-9]|[12]\d|3[0-7])[A-Z]{5}\d{4}[A-Z][1-9A-Z]Z[0-9A-Z](?!\w)",
        trigger=r"\b[0-3]\d[a-z]{5}\d{4}[a-z][1-9a-z]z[0-9a-z]\b",
        reach=17,
        ignore_case=True,
        dense=True,
        score=0.75,
        reason="goods and services tax number",
        check=world.in_gstin,
        confirmed=0.95,
    ),
    Pattern(
        id="in.passport",
        type="IN_PASSPORT",
        regex=r"(?<!\w)[A-PR-WY][1-9]\d ?\d{4}[1-9](?!\w)",
        trigger=r"\b[a-z][1-9]\d ?\d{4}[1-9]\b",
        reach=11,
        ignore_case=True,
        dense=True,
        score=0.1,
        reason="passport number",
        lift=0.5,
    ),
    Pattern(
        id="in.voter",
        type="IN_VOTER",
        regex=r"(?<!\w)[A-Z]{3}\d{7}(?!\w)",
        trigger=r"\b[a-z]{3}\d{7}\b",
        reach=12,
        ignore_case=True,
        dense=True,
        score=0.3,
        reason="voter's number",
    ),
    Pattern(
        id="in.vehicle",
        type="IN_VEHICLE_REGISTRATION",
        regex=rf"(?<!\w)(?:{_STATES})[ -]?\d{{1,2}}[ -]?[A-Z]{{1,3}}[ -]?\d{{4}}(?!\w)",
        trigger=rf"\b(?:{_STATES})[ -]?\d{{1,2}}[ -]?[a-z]{{1,3}}[ -]?\d{{4}}\b",
        reach=16,
        ignore_case=True,
        score=0.6,
        reason="registration mark",
    ),
    Pattern(
        id="in.vehicle.bharat",
        type="IN_VEHICLE_REGISTRATION",
        regex=r"(?<!\w)2\d ?BH ?\d{4} ?[A-Z]{1,2}(?!\w)",
        trigger=r"\b2\d ?bh ?\d{4} ?[a-z]{1,2}\b",
        reach=14,
        ignore_case=True,
        dense=True,
        score=0.6,
        reason="registration mark of the Bharat series",
    ),
    Pattern(
        id="in.vehicle.old",
        type="IN_VEHICLE_REGISTRATION",
        regex=r"(?<!\w)(?:[A-Z]{3}|I)-?\d{4,5}(?!\w)",
        trigger=r"\b(?:[a-z]{3}|i)-?\d{4,5}\b",
        reach=11,
        ignore_case=True,
        score=0.05,
        reason="registration mark",
        lift=0.45,
    ),
)
