"""Dates and times in figures and English words (ISO 8601, RFC 3339, everyday forms)."""

from __future__ import annotations

import re

from consentry.sanitize.checks.calendar import day_of_month

_FIGURES = re.compile(r"\d+")


def _year(year: int) -> bool:
    return 1800 <= year <= 2199


def year_first(text: str) -> bool:
    """Year, month and day, in that order, at the beginning."""
    year, month, day = map(int, _FIGURES.findall(text)[:3])
    return _year(year) and day_of_month(day, month, year)


def compact(text: str) -> bool:
    """YYYYMMDD in one."""
    return 1900 <= int(text[:4]) <= 2100 and day_of_month(int(text[6:8]), int(text[4:6]), int(text[:4]))


def year_last(text: str) -> bool:
    """Day and month in either order, then the year with two or four figures."""
    figures = _FIGURES.findall(text)[:3]
    first, second, year = map(int, figures)
    if len(figures[2]) == 4 and not _year(year):
        return False
    if len(figures[2]) == 2 and "." in text[:3]:
        return day_of_month(first, second)  # nobody writes the month first with dots: `4.17.21` is a version
    return day_of_month(first, second) or day_of_month(second, first)


def two_figures(text: str) -> bool:
    """Two short figures of which one can be a month and one a day."""
    first, second = map(int, _FIGURES.findall(text))
    return day_of_month(first, second) or day_of_month(second, first)
