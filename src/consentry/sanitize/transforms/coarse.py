"""Generalising: ages to bands, postal codes to prefixes, moments to buckets, addresses to networks.

Each is a projection: what it writes, it leaves alone the next time.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import urlsplit

from consentry.sanitize import entities
from consentry.sanitize.transforms import dates
from consentry.sanitize.transforms.base import About, CannotTransform

Bucket = Literal["year", "quarter", "month", "day"]
_COARSE_DATE: Final = re.compile(
    r"(?:19|20)\d{2}(?:-(?:Q[1-4]|0[1-9]|1[0-2]|(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])))?"
)
_DEPTH: Final = {"year": (4,), "quarter": (4, 7), "month": (4, 7), "day": (4, 7, 10)}
_YEAR: Final = re.compile(r"(?<!\d)(?:1[89]|20)\d{2}(?!\d)")
_AGE: Final = re.compile(r"(?<!\d)\d{1,3}(?!\d)")
_OLDEST: Final = 90
_AGE_WORDS: Final = re.compile(r"(?:[^\W\d_]{1,12}[ .:-]{0,2}){0,4}")
"""What may stay beside a number of years: `aged 34`, `34 years old`."""
_CODE: Final = re.compile(r"[A-Za-z0-9* -]{3,12}")
BAND: Final = re.compile(r"(?<!\d)(?:\d{1,3}-\d{1,3}(?!\d)|90\+|(?:19|20)\d{2}-[01]\d(?!\d))")
"""What generalising leaves of ages and months: no age to be found in it."""

CUT_CODE: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z0-9]{1,4}[ -]?\*[* -]*")
"""What is left of a postal code: a prefix, then stars."""


@dataclass(frozen=True, slots=True)
class Generalise:
    """`age_band` years a band and everybody of 90 and over together (45 CFR 164.514(b)(2)(i)(C)); the first
    `postal_prefix` characters of a postal code; dates to `bucket`; IPv4 to /24 and IPv6 to /48; URLs to their host.

    Any other type, and any value that is not understood, falls back to its placeholder.
    """

    age_band: int = 10
    postal_prefix: int = 3
    bucket: Bucket = "month"
    order: dates.Order = "mdy"

    def of(self, value: str, about: About) -> str:
        form = _FORMS.get(about.type)
        if form is None:
            raise CannotTransform
        return form(self, value)

    def made(self, value: str, about: About) -> bool:
        try:
            return about.type in _FORMS and self.of(value, about) == value
        except CannotTransform:
            return False

    def age(self, value: str) -> str:
        if BAND.search(value):
            return value
        found = _AGE.search(value)
        if found is None:
            raise CannotTransform
        if not _AGE_WORDS.fullmatch((value[: found.start()] + value[found.end() :]).strip()):
            raise CannotTransform
        years = int(found.group())
        low = years - years % self.age_band
        band = f"{_OLDEST}+" if years >= _OLDEST else f"{low}-{low + self.age_band - 1}"
        return value[: found.start()] + band + value[found.end() :]

    def postal(self, value: str) -> str:
        if not _CODE.fullmatch(value.strip()):
            raise CannotTransform
        out, shown = [], 0
        for character in value:
            solid = character.isalnum()
            out.append("*" if solid and shown >= self.postal_prefix else character)
            shown += solid
        if shown <= self.postal_prefix and "*" not in value:
            raise CannotTransform
        return "".join(out)

    def moment(self, value: str) -> str:
        if _COARSE_DATE.fullmatch(value) and len(value) in _DEPTH[self.bucket]:
            return value
        try:
            day = dates.read(value, self.order).day
        except CannotTransform:
            years = _YEAR.findall(value)
            if len(years) != 1:
                raise
            return str(years[0])
        month = f"{day.year:04}-{day.month:02}"
        quarter = f"{day.year:04}-Q{(day.month + 2) // 3}"
        return {"year": f"{day.year:04}", "quarter": quarter, "month": month, "day": f"{month}-{day.day:02}"}[
            self.bucket
        ]

    def network(self, value: str) -> str:
        try:
            address = ipaddress.ip_address(value.strip().partition("/")[0].partition("%")[0])
        except ValueError as error:
            raise CannotTransform from error
        bits = 24 if address.version == 4 else 48
        text = str(ipaddress.ip_network(f"{address}/{bits}", strict=False).network_address)
        return f"{text}0" if text.endswith("::") else text  # so that every pattern sees where it ends

    def host(self, value: str) -> str:
        try:
            parts = urlsplit(value if "//" in value else f"//{value}")
            name = parts.hostname
        except ValueError as error:
            raise CannotTransform from error
        if not name:
            raise CannotTransform
        return f"{parts.scheme}://{name}/" if parts.scheme else name


_FORMS: Final[dict[str, Callable[[Generalise, str], str]]] = {
    entities.AGE: Generalise.age,
    entities.POSTAL_CODE: Generalise.postal,
    entities.DATE_TIME: Generalise.moment,
    entities.IP_ADDRESS: Generalise.network,
    entities.URL: Generalise.host,
}
