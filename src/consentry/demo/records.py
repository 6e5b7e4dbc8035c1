"""A table of invented people. Same seed, same bytes; addresses and numbers are of the kinds reserved for examples."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Mapping
from types import MappingProxyType

COLUMNS: Mapping[str, str] = MappingProxyType(
    {
        "name": "PERSON",
        "email": "EMAIL_ADDRESS",
        "phone": "PHONE_NUMBER",
        "street": "STREET_ADDRESS",
        "postal_code": "POSTAL_CODE",
        "birth_date": "DATE_TIME",
    }
)
"""Which columns hold which entity type: declared in the settings and in the profile alike."""

ROWS = 240

_GIVEN = (
    "Alma",
    "Bashir",
    "Chiara",
    "Dov",
    "Elif",
    "Farid",
    "Greta",
    "Hana",
    "Ivo",
    "Jonna",
    "Kwame",
    "Lior",
    "Mirela",
    "Oona",
)
_FAMILY = ("Abara", "Bergqvist", "Castellan", "Dufrene", "Eklund", "Fontaine", "Grigore", "Haddad", "Ilves")
_STREETS = ["Linden", "Harbour", "Mill", "Orchard", "Station", "Chapel", "Garden", "Bridge"]
_CITIES = ["Northhaven", "Eastvale", "Brackwater", "Silverton", "Midfield"]
_PLANS = ["free", "team", "business"]
_NOTES = (
    "asked for an invoice",
    "moved from the old plan",
    "wants to be called back in the morning",
    "prefers e-mail",
    "",
)


def make_csv(rows: int = ROWS, seed: int = 7) -> bytes:
    """The table as CSV in UTF-8, with a header."""
    draw = random.Random(seed)  # noqa: S311 (invented data, meant to be the same each time)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("id", "name", "email", "phone", "street", "postal_code", "city", "birth_date", "plan", "note"))
    for number in range(1, rows + 1):
        given, family = draw.choice(_GIVEN), draw.choice(_FAMILY)
        writer.writerow(
            (
                f"c{number:04d}",
                f"{given} {family}",
                f"{given.lower()}.{family.lower()}{number}@example.org",
                f"+1 202 555 {draw.randrange(100, 200):04d}",
                f"{draw.randrange(1, 180)} {draw.choice(_STREETS)} Street",
                f"{draw.randrange(10_000, 99_999)}",
                draw.choice(_CITIES),
                f"{draw.randrange(1945, 2007)}-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}",
                draw.choice(_PLANS),
                draw.choice(_NOTES),
            )
        )
    return out.getvalue().encode()
