"""Whether numbers can be a date."""

from __future__ import annotations

_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def day_of_month(day: int, month: int, year: int | None = None) -> bool:
    """Whether the month has that day; 29 February unless the year is known not to be a leap year."""
    if not (1 <= month <= 12 and 1 <= day <= _DAYS[month - 1]):
        return False
    if year is None or (day, month) != (29, 2):
        return True
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def yymmdd(text: str) -> bool:
    """Whether six digits, year first and century unknown, can be a date."""
    return day_of_month(int(text[4:6]), int(text[2:4]))


def ddmmyy(text: str) -> bool:
    """Whether six digits, day first and century unknown, can be a date."""
    return day_of_month(int(text[0:2]), int(text[2:4]))
