"""All pattern tables, in the order in which they are matched."""

from __future__ import annotations

from typing import Final

from consentry.sanitize.patterns.pattern import Pattern
from consentry.sanitize.patterns.tables import (
    addresses,
    africa,
    americas,
    asia,
    dates,
    europe,
    germany,
    india,
    machines,
    mailboxes,
    money,
    network,
    pacific,
    people,
    phones,
    places,
    uk,
    us,
)

_PLACES = (
    network, mailboxes, machines, money, phones, dates, people, places, addresses, us, uk, europe, germany, americas,
    india, asia, pacific, africa,
)  # fmt: skip

ALL: Final[tuple[Pattern, ...]] = tuple(row for table in _PLACES for row in table.PATTERNS)

BASE64: Final = Pattern(
    id="wrapped.base64",
    type="",
    regex=r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16,1048576}+={0,2}",
    trigger=r"(?:^|[^A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{16}",
    score=0.0,
    reason="base64",
    reach=26,
    ahead=1 << 21,
)
"""Not a finding: what it matches is decoded and looked at again."""
