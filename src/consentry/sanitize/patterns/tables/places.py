"""Postal codes and street addresses."""

from __future__ import annotations

from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.patterns.pattern import Pattern

_STATES = (
    "A[KLRZAEP]|C[AOT]|D[CE]|FL|GA|GU|HI|I[ADLN]|K[SY]|LA|M[ADEIN"
    "OST]|N[CDEHJMVY]|O[HKR]|P[AR]|RI|S[CD]|T[NX]|UT|V[AIT]|W[AIVY]"
)

PATTERNS: Final = (
    Pattern(
        id="postcode.us-state",
        type=entities.POSTAL_CODE,
        regex=rf"(?<!\w)(?:{_STATES}) (\d{{5}}(?:-\d{{4}})?)(?![\w-])",
        trigger=rf"\b(?:{_STATES}) \d{{5}}\b",
        reach=10,
        score=0.6,
        reason="ZIP code after a state",
        group=1,
    ),
    Pattern(
        id="postcode.us-plus-four",
        type=entities.POSTAL_CODE,
        regex=r"(?<![\w.-])\d{5}-\d{4}(?![\w-])",
        trigger=r"\b\d{5}-\d{4}\b",
        reach=12,
        dense=True,
        score=0.45,
        reason="ZIP+4 code",
    ),
    Pattern(
        id="postcode.five",
        type=entities.POSTAL_CODE,
        regex=r"(?<![\w.,#$€£/-])\d{5}(?!\w|[-.,/]\d)",
        trigger=r"(?:^|[^\w.,#$/-])\d{5}\b",
        reach=7,
        back=5,
        score=0.15,
        reason="five digits",
    ),
    Pattern(
        id="postcode.canada",
        type=entities.POSTAL_CODE,
        regex=r"(?<!\w)[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z][ -]?\d[ABCEGHJ-NPRSTV-Z]\d(?!\w)",
        trigger=r"\b[A-Z]\d[A-Z][ -]?\d[A-Z]\d\b",
        reach=9,
        score=0.7,
        reason="Canadian postal code",
        lift=0.0,
    ),
    Pattern(
        id="postcode.labelled",
        type=entities.POSTAL_CODE,
        regex=(
            r"(?<!\w)(?:zip(?: ?code)?|post(?:al)? ?code|plz|postleitzahl|code postal|cap)[\"']?"
            r"(?: is|:|=|\s)\s{0,3}[\"']?"
            r"((?=[a-z -]{0,4}\d)[a-z0-9]{2,6}(?:[ -][a-z0-9]{2,4}(?!\w))?)(?!\w)"
        ),
        trigger=r"\b(?:zip(?: ?code)?|post(?:al)? ?code|plz|postleitzahl|code postal|cap)[\"']?(?: is|:|=|\s)",
        reach=20,
        ignore_case=True,
        score=0.85,
        reason="postal code after its label",
        lift=0.0,
        group=1,
    ),
)
