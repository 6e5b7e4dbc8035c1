"""Dates and times."""

from __future__ import annotations

import re
from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.checks import dates
from consentry.sanitize.patterns.pattern import Pattern

_MONTH = (
    r"(?:J(?:an(?:uary)?|une?|uly?)|Feb(?:ruary)?|Ma(?:rch|r|y)|A(?:pr(?:il)?|ug(?:ust)?)|Sep(?:t(?:ember)?)?|"
    r"Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_MONTH_BEGINS = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
_MONTH_ON = (
    r"(?:(?<=j)(?:an(?:uary)?|une?|uly?)|(?<=f)eb(?:ruary)?|(?<=m)a(?:rch|r|y)|(?<=a)(?:pr(?:il)?|ug(?:ust)?)|"
    r"(?<=s)ep(?:t(?:ember)?)?|(?<=o)ct(?:ober)?|(?<=n)ov(?:ember)?|(?<=d)ec(?:ember)?)"
)
"""What follows the first letter of a month. An expression that begins with one set of characters is found faster."""
_YEAR = r"(?:1[89]|20|21)\d\d"
_DAY = r"(?:3[01]|[12]\d|0?[1-9])(?:st|nd|rd|th)?"
_DAY_ON = r"(?:(?<=3)[01]|(?<=[12])\d|(?<=0)[1-9]|(?<=[1-9]))(?:st|nd|rd|th)?"
"""What follows the first figure of a day."""
_CLOCK = r"\d{1,2}:[0-5]\d(?::[0-5]\d(?:[.,]\d{1,9})?)?(?: ?[ap]\.?m\.?(?!\w))?"
_ZONE = r"(?: ?(?:Z|UTC|GMT)(?!\w)| ?[+-]\d\d:?\d\d(?!\d))?"
_TIME_AFTER = rf"(?:(?:T|t|,? (?:at )?){_CLOCK}{_ZONE})?"
_BEFORE_YEAR = frozenset(
    """in since during of from to until till by before after around about circa year and or between the a an this early
    mid late spring summer autumn fall winter season born died founded established c ca
    copyright""".split()  # noqa: SIM905
)
_END = r"(?![\w]|[-/.]\d)"
_TO_MONTH = re.compile(r"\d{1,2}(?i:st|nd|rd|th)?(?:[ -](?i:of )?|\. ?)\Z")


def _day_before(text: str, place: int) -> int:
    """Where the day may begin that stands before a month; the place of the month where none does."""
    last = place - 2
    if last < 0:
        return place
    if not text[last].isdigit():
        if text[last] not in "tdhTDHfF.":
            return place
        found = _TO_MONTH.search(text, max(0, place - 12), place)
        return place if found is None else found.start()
    return last - 1 if last and text[last - 1].isdigit() else last


PATTERNS: Final = (
    Pattern(
        id="date.iso",
        type=entities.DATE_TIME,
        regex=rf"(?<![\w/-])\d{{4}}([-/.])\d{{1,2}}\1\d{{1,2}}(?!\d){_TIME_AFTER}(?![A-Za-z]|[-/.]\d)",
        trigger=r"\d{4}[-/.]\d{1,2}[-/.]\d",
        reach=10,
        ahead=90,
        dense=True,
        score=0.5,
        reason="date, year first",
        lift=0.0,
        check=dates.year_first,
        confirmed=0.9,
    ),
    Pattern(
        id="date.compact",
        type=entities.DATE_TIME,
        regex=r"(?<![\w.,/$-])(?:19|20)\d\d(?:0\d|1[0-2])[0-3]\d(?:T?[0-2]\d[0-5]\d[0-5]\d)?Z?(?!\w|[-/,.]\d)",
        trigger=r"\b(?:19|20)\d\d[01]\d[0-3]\d",
        reach=10,
        dense=True,
        score=0.1,
        reason="date in one, year first",
        check=dates.compact,
        confirmed=0.35,
    ),
    Pattern(
        id="date.figures",
        type=entities.DATE_TIME,
        regex=rf"(?<![\w/.=~^-])\d{{1,2}}([-/.])\d{{1,2}}\1(?:\d{{4}}|\d\d){_END}(?!-[a-z]){_TIME_AFTER}",
        trigger=r"(?:^|[^\w/.-])\d{1,2}[-/.]\d{1,2}[-/.]\d\d",
        reach=10,
        ahead=90,
        score=0.5,
        reason="date, year last",
        lift=0.0,
        check=dates.year_last,
        confirmed=0.75,
    ),
    Pattern(
        id="date.named-month",
        type=entities.DATE_TIME,
        regex=(
            r"[0-9JFMASONDjfmasond](?<![\w/.-][\s\S])(?i:"
            rf"{_DAY_ON}(?:[ -](?:of )?|\. ?){_MONTH}(?!\w)\.?(?:(?:,? |-){_YEAR}(?!\d)|-\d\d(?!\d))?{_TIME_AFTER}"
            rf"|{_MONTH_ON}(?:\.?[ -]{_DAY}(?!\d|[.,]\d|:)(?:,? {_YEAR}(?!\d))?{_TIME_AFTER}"
            rf"|\.?,?[ -](?:of )?{_YEAR}(?!\w|[.,]\d)))"
        ),
        trigger=rf"(?i)\b{_MONTH_BEGINS}",  # the whole date as a trigger costs ten times as much
        back=3,
        lead=_day_before,
        score=0.5,
        reason="date with the month's name",
        lift=0.0,
        check=bool,  # the expression knows no day but 1…31
        confirmed=0.85,
    ),
    Pattern(
        id="date.year",
        type=entities.DATE_TIME,
        regex=(
            r"(?<![\w$€£#/.:+-])(?:1[89]\d\d|20[0-4]\d)(?:(?:-| to )(?:(?:19|20)\d\d|\d\d(?!\d)))?"
            r"(?!\w|[,.:]\d|[/-]|[ ]?[%°€$£])"
        ),
        trigger=rf"\b(?:{'|'.join(sorted(_BEFORE_YEAR))})\.?[ ,(]{{1,2}}(?:1[89]|20)\d\d\b",
        reach=6,
        back=4,
        ahead=24,
        ignore_case=True,
        score=0.65,
        reason="year after a word that announces one",
        lift=0.0,
        after=_BEFORE_YEAR,
    ),
    Pattern(
        id="date.month-figures",
        type=entities.DATE_TIME,
        regex=r"(?<![\w/.-])(?:0?[1-9]|1[0-2])/(?:19|20)\d\d(?![\w/])",
        trigger=r"(?:^|[^\w/.-])\d{1,2}/(?:19|20)\d\d\b",
        reach=9,
        score=0.5,
        reason="month and year in figures",
        lift=0.0,
    ),
    Pattern(
        id="date.two-figures",
        type=entities.DATE_TIME,
        regex=r"(?<![\w/.-])\d{1,2}/\d{1,2}(?![\w/])",
        trigger=r"(?:^|[^\w/.-])\d{1,2}/\d{1,2}\b",
        reach=7,
        score=0.1,
        reason="two figures that can be day and month",
        check=dates.two_figures,
        lift=0.45,
    ),
    Pattern(
        id="date.weekday",
        type=entities.DATE_TIME,
        regex=r"(?<!\w)(?:mon|tues|wednes|thurs|fri|satur|sun)day(?!\w)",
        trigger=r"\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b",
        reach=10,
        ignore_case=True,
        digitless=True,
        score=0.6,
        reason="day of the week",
        lift=0.0,
    ),
    Pattern(
        id="date.clock",
        type=entities.DATE_TIME,
        regex=rf"(?<![\w:.]){_CLOCK}(?![\w:]|\.\d)",
        trigger=r"(?:^|[^\w:.])\d{1,2}:[0-5]\d\b",
        reach=6,
        ignore_case=True,
        score=0.4,
        reason="time of day",
        lift=0.2,
    ),
    Pattern(
        id="date.clock-12",
        type=entities.DATE_TIME,
        regex=r"(?<![\w:.])(?:1[0-2]|0?[1-9])(?::[0-5]\d)? ?[ap](?:\.m\.|m)(?!\w)",
        trigger=r"\d ?[ap]\.?m\b",
        reach=10,
        ignore_case=True,
        score=0.6,
        reason="time of day",
        lift=0.0,
    ),
)
