"""Dates written as text: read, moved, made coarser, and written back in the manner they had."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final, Literal

from consentry.sanitize.transforms.base import About, CannotTransform
from consentry.sanitize.transforms.keys import KeyRing

Order = Literal["mdy", "dmy"]
_MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_NAMES: Final = "|".join(f"{month[:3]}(?:{month[3:]})?" if month[3:] else month for month in _MONTHS) + "|sept"
_ISO: Final = re.compile(r"(?P<y>\d{4})(?P<s>[-/.])(?P<m>\d{1,2})(?P=s)(?P<d>\d{1,2})")
_NUMERIC: Final = re.compile(r"(?P<a>\d{1,2})(?P<s>[-/.])(?P<b>\d{1,2})(?P=s)(?P<y>\d{4}|\d{2})(?!\d)")
_DAY_FIRST: Final = re.compile(
    rf"(?P<d>\d{{1,2}})(?P<o>st|nd|rd|th)?(?P<g1>[ -]|(?: of )) ?(?P<n>{_NAMES})\b(?P<g2>\.?,?[ -])(?P<y>\d{{4}})",
    re.IGNORECASE,
)
_MONTH_FIRST: Final = re.compile(
    rf"(?P<n>{_NAMES})(?P<g1>\.? )(?P<d>\d{{1,2}})(?P<o>st|nd|rd|th)?(?P<g2>,? )(?P<y>\d{{4}})", re.IGNORECASE
)
_COMPACT: Final = re.compile(r"(?<!\d)(?P<y>(?:19|20)\d{2})(?P<m>0[1-9]|1[0-2])(?P<d>[0-2]\d|3[01])(?!\d)")
_CLOCK: Final = re.compile(r"\d{1,2}:\d{2}")
_BESIDE: Final = re.compile(
    r"(?:[T ,]*(?:at )?\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)? ?"
    r"(?:[AaPp]\.?[Mm]\.?)? ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}|[A-Z]{3,4})?"
)
"""A time of day and its zone: all that may stay beside a date that is moved."""


@dataclass(frozen=True, slots=True)
class Written:
    """A calendar date inside a value, and how to write another in its place."""

    day: date
    start: int
    end: int
    write: Callable[[date], str]


def read(value: str, order: Order = "mdy") -> Written:
    """The first date of a value. Raises `CannotTransform` where none is understood.

    `order` decides between `3/8/1971` as March and as August, unless one number is over twelve.
    """
    for pattern, build in _READERS:
        found = pattern.search(value)
        if found is not None:
            try:
                return build(found, order)
            except ValueError:
                continue
    raise CannotTransform


def _iso(found: re.Match[str], order: Order) -> Written:
    sep, wide = found["s"], len(found["m"]) > 1 and len(found["d"]) > 1

    def write(day: date) -> str:
        return (
            f"{day.year:04}{sep}{day.month:02}{sep}{day.day:02}"
            if wide
            else f"{day.year}{sep}{day.month}{sep}{day.day}"
        )

    return Written(date(int(found["y"]), int(found["m"]), int(found["d"])), *found.span(), write)


def _numeric(found: re.Match[str], order: Order) -> Written:
    a, b, sep = int(found["a"]), int(found["b"]), found["s"]
    month_first = b > 12 or (order == "mdy" and a <= 12)
    short = len(found["y"]) == 2
    year = int(found["y"]) + ((2000 if int(found["y"]) < 50 else 1900) if short else 0)
    pad = found["a"][0] == "0" or found["b"][0] == "0"

    def write(day: date) -> str:
        parts = (day.month, day.day) if month_first else (day.day, day.month)
        first, second = (f"{part:02}" if pad else str(part) for part in parts)
        return f"{first}{sep}{second}{sep}{day.year % 100:02}" if short else f"{first}{sep}{second}{sep}{day.year:04}"

    month, day = (a, b) if month_first else (b, a)
    return Written(date(year, month, day), *found.span(), write)


def _named(found: re.Match[str], order: Order) -> Written:
    month = next(at for at, name in enumerate(_MONTHS, 1) if name.startswith(found["n"][:3].lower()))
    day_first = found.start("d") < found.start("n")
    long_name = len(found["n"]) > 4

    def write(day: date) -> str:
        name = _MONTHS[day.month - 1].title()
        name = name if long_name else name[:3]
        ordinal = _ordinal(day.day) if found["o"] else ""
        first, second = (f"{day.day}{ordinal}", name) if day_first else (name, f"{day.day}{ordinal}")
        return f"{first}{found['g1']}{second}{found['g2']}{day.year}"

    return Written(date(int(found["y"]), month, int(found["d"])), *found.span(), write)


def _compact(found: re.Match[str], order: Order) -> Written:
    return Written(date(int(found["y"]), int(found["m"]), int(found["d"])), *found.span(), lambda day: f"{day:%Y%m%d}")


def _ordinal(day: int) -> str:
    return "th" if 10 <= day % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


_READERS: Final = (
    (_ISO, _iso),
    (_NUMERIC, _numeric),
    (_DAY_FIRST, _named),
    (_MONTH_FIRST, _named),
    (_COMPACT, _compact),
)


@dataclass(frozen=True, slots=True)
class DateShift:
    """Moves every date of one subject by the same keyed number of days, 1 to `days` either way.

    Intervals within a subject stay true. Times of day stay. Where no subject is known all dates move alike. Like any
    reversible map of dates to dates it is not idempotent: a second run moves again. A value that holds anything but
    one date and a time of day is refused: what is not moved stays in clear.
    """

    keys: KeyRing
    days: int = 365
    order: Order = "mdy"
    _key: list[bytes] = field(default_factory=list, compare=False, repr=False)

    def offset(self, subject: str) -> int:
        """Days by which this subject's dates move; never 0."""
        if not self._key:
            self._key.append(self.keys.key("date-shift"))
        number = int.from_bytes(
            hmac.digest(self._key[0], subject.encode("utf-8", "surrogatepass"), "sha256")[:8], "big"
        )
        magnitude = number // 2 % self.days + 1
        return magnitude if number % 2 else -magnitude

    def of(self, value: str, about: About) -> str:
        written = read(value, self.order)
        if not _BESIDE.fullmatch((value[: written.start] + value[written.end :]).strip(" ,;()[]")):
            raise CannotTransform  # a second date or the day of the week tells by how much; a name is no date at all
        try:
            moved = written.day + timedelta(days=self.offset(about.subject))
        except OverflowError as error:
            raise CannotTransform from error
        return value[: written.start] + written.write(moved) + value[written.end :]

    def made(self, value: str, about: About) -> bool:
        return False


def has_clock(value: str) -> bool:
    """Whether a time of day stands in the value."""
    return _CLOCK.search(value) is not None
