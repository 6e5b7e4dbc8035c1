"""The names of what can be found: Presidio's where Presidio has one, and the same manner where it has none."""

from __future__ import annotations

from typing import Final

# People, places, groups
PERSON: Final = "PERSON"
LOCATION: Final = "LOCATION"
ORGANIZATION: Final = "ORGANIZATION"
STREET_ADDRESS: Final = "STREET_ADDRESS"
POSTAL_CODE: Final = "POSTAL_CODE"
NRP: Final = "NRP"
TITLE: Final = "TITLE"
AGE: Final = "AGE"
GENDER: Final = "GENDER"
USERNAME: Final = "USERNAME"
DATE_TIME: Final = "DATE_TIME"

# Reachability and machines
EMAIL_ADDRESS: Final = "EMAIL_ADDRESS"
PHONE_NUMBER: Final = "PHONE_NUMBER"
URL: Final = "URL"
IP_ADDRESS: Final = "IP_ADDRESS"
MAC_ADDRESS: Final = "MAC_ADDRESS"
VEHICLE_ID: Final = "VEHICLE_ID"

# Money
CREDIT_CARD: Final = "CREDIT_CARD"
IBAN_CODE: Final = "IBAN_CODE"
CRYPTO: Final = "CRYPTO"

# What must never leave, and what the operator declares
SECRET: Final = "SECRET"  # noqa: S105
INTERNAL_ID: Final = "INTERNAL_ID"

PRIORITY: Final = (
    SECRET,
    INTERNAL_ID,
    EMAIL_ADDRESS,
    CREDIT_CARD,
    IBAN_CODE,
    CRYPTO,
    URL,
    MAC_ADDRESS,
    IP_ADDRESS,
    STREET_ADDRESS,
    PERSON,
    PHONE_NUMBER,
    DATE_TIME,
    ORGANIZATION,
    LOCATION,
    POSTAL_CODE,
    USERNAME,
    NRP,
    TITLE,
    AGE,
    GENDER,
)
"""Which type wins where score and length are the same. National identifiers (not listed) come after the first eight."""

_RANK: Final = {name: rank for rank, name in enumerate(PRIORITY)}
_NATIONAL_RANK: Final = _RANK[IP_ADDRESS] + 0.5


def rank(entity: str) -> float:
    """The place of a type in `PRIORITY`; smaller wins."""
    return _RANK.get(entity, _NATIONAL_RANK)
