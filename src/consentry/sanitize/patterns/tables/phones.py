"""Telephone numbers, from the surest form to bare digits that only the words around them make one."""

from __future__ import annotations

from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.checks import phones
from consentry.sanitize.patterns.pattern import Pattern

_EXTENSION = r"(?:,? ?(?:x|ext\.?|#) ?\d{1,6}(?!\d))?"
_END = r"(?![\w]|[-/]\d|\.\d)"

PATTERNS: Final = (
    Pattern(
        id="phone.international",
        type=entities.PHONE_NUMBER,
        regex=(
            r"(?<![\w+])\+\d{1,3}[ .-]?(?:\(0?\d{0,4}\)[ .-]?)?\d(?:[ .()/-]{0,2}\d){4,13}"
            rf"{_EXTENSION}(?!\w)"
        ),
        trigger=r"(?:^|[^\w+])\+\d",
        score=0.3,
        reason="number with a country's calling code",
        lift=0.0,
        check=phones.international,
        confirmed=0.9,
    ),
    Pattern(
        id="phone.international.00",
        type=entities.PHONE_NUMBER,
        regex=rf"(?<![\w.-])(?:011|00)[ -]?[1-9]\d{{0,2}}[ .-]?\(?\d(?:[ .()-]{{0,2}}\d){{6,12}}{_EXTENSION}{_END}",
        trigger=r"(?:^|[^\w.-])(?:011|00)[ -]?[1-9]",
        reach=8,
        ahead=80,
        score=0.3,
        reason="number with a country's calling code",
        check=phones.international,
        confirmed=0.65,
    ),
    Pattern(
        id="phone.north-american",
        type=entities.PHONE_NUMBER,
        regex=(
            r"(?<![\w.-])(?:(?:\+?1|001)[ .-]?)?(?:\(\d{3}\)[ .-]?|\d{3}[ .-])\d{3}[ .-]\d{4}"
            rf"{_EXTENSION}{_END}"
        ),
        trigger=r"\d{3}[ .)-]{1,2}\d{3}[ .-]\d{4}",
        reach=24,
        ignore_case=True,
        dense=True,
        score=0.6,
        reason="number in North American form",
        check=phones.north_american,
        confirmed=0.75,
    ),
    Pattern(
        id="phone.area-in-brackets",
        type=entities.PHONE_NUMBER,
        regex=rf"(?<![\w)])\(0?\d{{2,4}}\)[ .-]?\d{{2,5}}(?:[ .-]?\d{{2,4}}){{1,3}}{_EXTENSION}{_END}",
        trigger=r"\(\d{2,5}\)[ .-]?\d{2}",
        reach=12,
        ahead=60,
        score=0.6,
        reason="number with its area code in brackets",
        check=phones.grouped,
    ),
    Pattern(
        id="phone.trunk-in-brackets",
        type=entities.PHONE_NUMBER,
        regex=rf"(?<![\w)])0 ?\(\d{{2,4}}\)[ .-]?\d{{2,5}}(?:[ .-]?\d{{2,4}}){{1,3}}{_EXTENSION}{_END}",
        trigger=r"0 ?\(\d{2,5}\)[ .-]?\d{2}",
        reach=12,
        ahead=60,
        score=0.6,
        reason="number with its area code in brackets",
        check=phones.grouped,
    ),
    Pattern(
        id="phone.national",
        type=entities.PHONE_NUMBER,
        regex=rf"(?<![\w.,/-])0\d{{1,4}}[ ./-]\d{{2,8}}(?:[ .-]\d{{2,4}}){{0,3}}{_EXTENSION}{_END}",
        trigger=r"(?:^|[^\w.,/-])0\d{1,4}[ ./-]\d{2}",
        reach=10,
        ahead=60,
        score=0.3,
        reason="number with its trunk prefix",
        check=phones.national,
        confirmed=0.55,
    ),
    Pattern(
        id="phone.grouped",
        type=entities.PHONE_NUMBER,
        regex=rf"(?<![\w.,/$€£-])\d{{2,5}}(?:[ .-]\d{{2,6}}){{1,4}}{_EXTENSION}{_END}",
        trigger=r"(?:^|[^\w.,/$-])\d{2,5}[ .-]\d{2}",
        reach=12,
        ahead=64,
        score=0.15,
        reason="digits in groups",
        check=phones.grouped,
        lift=0.45,
    ),
    Pattern(
        id="phone.plain",
        type=entities.PHONE_NUMBER,
        regex=r"(?<![\w.,/$€£-])\d{7,12}(?!\w|[-/,]\d|\.\d)",
        trigger=r"\b\d{7,12}\b",
        reach=14,
        dense=True,
        score=0.15,
        reason="digits",
        check=phones.grouped,
        lift=0.4,
    ),
)
