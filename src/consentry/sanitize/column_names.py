"""What column names say: a table of words, the type they stand for, and the shape that the values must have."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from consentry.sanitize import entities as e

Families = frozenset[str]
_ANY: Final[Families] = frozenset({"text", "integer", "decimal", "temporal", "binary", "boolean"})
_TEXT: Final[Families] = frozenset({"text", "binary"})
_NUMBER: Final[Families] = frozenset({"text", "integer", "decimal"})
_DATE: Final[Families] = frozenset({"text", "temporal", "integer"})


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


PERSON_TABLES: Final = _set(
    "customer client user userdata member employee staff person people patient subscriber contact lead guest student "
    "teacher passenger applicant candidate donor tenant resident owner borrower insured doctor account profile "
    "participant voter driver worker"
)

_SPLIT: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+|[^\W\d_a-zA-Z]+")


def words_of(name: str) -> tuple[str, ...]:
    """`BillingPostalCode`, `billing_postal_code` and `billing.postal-code` alike: the words in lower case."""
    return tuple(found.lower() for found in _SPLIT.findall(name))


@dataclass(frozen=True, slots=True)
class NameRule:
    """Names made of `words` in this order, anywhere in the name, stand for `type`.

    `shape` must be seen in most values. `needs` names words of which one must stand in another column; `people` asks
    for a table about people. A name with one of `unless` is not meant.
    """

    words: tuple[str, ...]
    type: str | None
    role: Literal["direct", "quasi", "sensitive"]
    weight: float
    families: Families
    shape: re.Pattern[str] | None = None
    people: bool = False
    needs: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()


def match_name(words: tuple[str, ...], people: bool, others: frozenset[str]) -> NameRule | None:
    """The rule that fits a column's words best: the longest, then the heaviest. `others` are words of other columns."""
    by_first = _by_first_word()
    near = sorted(at for word in set(words) for at in by_first.get(word, ()))
    fitting = [RULES[at] for at in near if _fits(RULES[at], words, people, others)]
    return max(fitting, key=lambda rule: (sum(map(len, rule.words)), rule.weight), default=None)


@cache
def _by_first_word() -> dict[str, list[int]]:
    """Places in `RULES`, so that each name is held against the few that could fit it."""
    places: dict[str, list[int]] = {}
    for at, rule in enumerate(RULES):
        places.setdefault(rule.words[0], []).append(at)
    return places


def _fits(rule: NameRule, words: tuple[str, ...], people: bool, others: frozenset[str]) -> bool:
    size = len(rule.words)
    if not any(words[at : at + size] == rule.words for at in range(len(words) - size + 1)):
        return False
    if (_NOT_A_VALUE | rule.unless) & (set(words) - set(rule.words)):
        return False
    if rule.people and not people:
        return False
    return not rule.needs or not rule.needs.isdisjoint(others)


_NOT_A_VALUE: Final = _set(
    "count num total is has flag type kind status verified valid validated enabled opt optin format length len avg sum "
    "min max pct percent rate ratio hash digest hashed score version template source campaign domain"
)
"""Words that turn a name into one about the thing: `email_verified`, `phone_type`, `address_count`."""

_LETTERS: Final = re.compile(r"^\s*(?![a-z_]+(?:[./:@=][a-z_]+)+\s*$).*[^\W\d_]", re.DOTALL)
_MOSTLY_LETTERS: Final = re.compile(r"^\D{1,60}$|^[^\W\d_][^\d]{1,50}\d?$")
_MAIL: Final = re.compile(r"@|^\s*$")
_PHONE: Final = re.compile(r"^(?:[^\d]*\d){5,17}[^\d]*$")
_CARD: Final = re.compile(r"^\s*(?:\d[ -]?){11,18}\d(?:\.0)?\s*$")
_ADDRESS4: Final = re.compile(r"\d+\.\d+\.\d+\.\d+|[0-9a-fA-F]*:[0-9a-fA-F:]+")
_POSTAL: Final = re.compile(r"^(?=.*[\d*])[\w* .-]{3,11}$")
_STREET: Final = re.compile(r"[^\W\d_]{2}.*[\s\d]|[\s\d].*[^\W\d_]{2}", re.DOTALL)
_GENDER: Final = re.compile(
    r"^(?:m|f|d|x|u|w|male|female|man|woman|other|non-?binary|diverse|divers|unknown|männlich|weiblich|mujer|hombre|homme|femme|0|1|2|9)$",
    re.IGNORECASE,
)
_SEEN_DATE: Final = re.compile(r"\d{4}|\d{1,2}[-/.]\d{1,2}|\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)", re.I)
_AGE: Final = re.compile(r"^\s*(?:\d{1,3}(?:\.0*)?|\d{1,3}\s*-\s*\d{1,3}|\d{2,3}\+)\s*(?:years?|y)?\s*$")
_NINE: Final = re.compile(r"^\s*\d{3}[- ]?\d{2}[- ]?\d{4}\s*$")
_SOLID: Final = re.compile(r"\w{3}")
_HOST: Final = re.compile(r"\.\w|://")
_MAC: Final = re.compile(r"(?:[0-9a-fA-F]{2}[:-]?){5}[0-9a-fA-F]{2}")
_IBAN: Final = re.compile(r"^[A-Za-z]{2}\d{2}[ \w]{10,40}$")
_DEGREES: Final = re.compile(r"^-?\d{1,3}(?:\.\d+)?$")
_PLACE: Final = frozenset({"city", "town", "country", "zip", "postal", "postcode", "address", "street", "county"})

_Row = tuple[str, str | None, Literal["direct", "quasi", "sensitive"], float, Families, re.Pattern[str] | None]

_PLAIN: Final[tuple[_Row, ...]] = (
    ("first name", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("firstname", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("fname", e.PERSON, "direct", 0.85, _TEXT, _LETTERS),
    ("lname", e.PERSON, "direct", 0.85, _TEXT, _LETTERS),
    ("given name", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("forename", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("middle name", e.PERSON, "direct", 0.85, _TEXT, _LETTERS),
    ("last name", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("lastname", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("surname", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("family name", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("maiden name", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("full name", e.PERSON, "direct", 0.85, _TEXT, _LETTERS),
    ("fullname", e.PERSON, "direct", 0.85, _TEXT, _LETTERS),
    ("display name", e.PERSON, "direct", 0.65, _TEXT, _LETTERS),
    ("person name", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("customer name", e.PERSON, "direct", 0.8, _TEXT, _LETTERS),
    ("client name", e.PERSON, "direct", 0.75, _TEXT, _LETTERS),
    ("contact name", e.PERSON, "direct", 0.85, _TEXT, _LETTERS),
    ("employee name", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("patient name", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("student name", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("cardholder", e.PERSON, "direct", 0.8, _TEXT, _LETTERS),
    ("account holder", e.PERSON, "direct", 0.8, _TEXT, _LETTERS),
    ("nachname", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("vorname", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("apellido", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("apellidos", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("prenom", e.PERSON, "direct", 0.9, _TEXT, _LETTERS),
    ("email", e.EMAIL_ADDRESS, "direct", 0.85, _TEXT, _MAIL),
    ("e mail", e.EMAIL_ADDRESS, "direct", 0.85, _TEXT, _MAIL),
    ("mail", e.EMAIL_ADDRESS, "direct", 0.7, _TEXT, _MAIL),
    ("email address", e.EMAIL_ADDRESS, "direct", 0.9, _TEXT, _MAIL),
    ("phone", e.PHONE_NUMBER, "direct", 0.85, _NUMBER, _PHONE),
    ("phone number", e.PHONE_NUMBER, "direct", 0.9, _NUMBER, _PHONE),
    ("telephone", e.PHONE_NUMBER, "direct", 0.85, _NUMBER, _PHONE),
    ("tel", e.PHONE_NUMBER, "direct", 0.75, _NUMBER, _PHONE),
    ("telefon", e.PHONE_NUMBER, "direct", 0.85, _NUMBER, _PHONE),
    ("mobile", e.PHONE_NUMBER, "direct", 0.75, _NUMBER, _PHONE),
    ("cell", e.PHONE_NUMBER, "direct", 0.7, _NUMBER, _PHONE),
    ("msisdn", e.PHONE_NUMBER, "direct", 0.9, _NUMBER, _PHONE),
    ("fax", e.PHONE_NUMBER, "direct", 0.85, _NUMBER, _PHONE),
    ("credit card", e.CREDIT_CARD, "direct", 0.85, _NUMBER, _CARD),
    ("creditcard", e.CREDIT_CARD, "direct", 0.85, _NUMBER, _CARD),
    ("card number", e.CREDIT_CARD, "direct", 0.85, _NUMBER, _CARD),
    ("card no", e.CREDIT_CARD, "direct", 0.8, _NUMBER, _CARD),
    ("cardnumber", e.CREDIT_CARD, "direct", 0.85, _NUMBER, _CARD),
    ("ccn", e.CREDIT_CARD, "direct", 0.75, _NUMBER, _CARD),
    ("cc", e.CREDIT_CARD, "direct", 0.7, _NUMBER, _CARD),
    ("pan", e.CREDIT_CARD, "direct", 0.7, _NUMBER, _CARD),
    ("ssn", "US_SSN", "direct", 0.9, _NUMBER, _NINE),
    ("social security", "US_SSN", "direct", 0.9, _NUMBER, _NINE),
    ("social security number", "US_SSN", "direct", 0.9, _NUMBER, _NINE),
    ("iban", e.IBAN_CODE, "direct", 0.9, _TEXT, _IBAN),
    ("passport", "US_PASSPORT", "direct", 0.8, _NUMBER, _SOLID),
    ("passport number", "US_PASSPORT", "direct", 0.85, _NUMBER, _SOLID),
    ("nhs number", "UK_NHS", "direct", 0.9, _NUMBER, _PHONE),
    ("driver license", "US_DRIVER_LICENSE", "direct", 0.85, _NUMBER, _SOLID),
    ("drivers license", "US_DRIVER_LICENSE", "direct", 0.85, _NUMBER, _SOLID),
    ("ip", e.IP_ADDRESS, "direct", 0.8, _TEXT, _ADDRESS4),
    ("ip address", e.IP_ADDRESS, "direct", 0.85, _TEXT, _ADDRESS4),
    ("ipaddress", e.IP_ADDRESS, "direct", 0.85, _TEXT, _ADDRESS4),
    ("mac address", e.MAC_ADDRESS, "direct", 0.85, _TEXT, _MAC),
    ("address", e.STREET_ADDRESS, "direct", 0.8, _TEXT, _STREET),
    ("street", e.STREET_ADDRESS, "direct", 0.8, _TEXT, _STREET),
    ("street address", e.STREET_ADDRESS, "direct", 0.9, _TEXT, _STREET),
    ("addr", e.STREET_ADDRESS, "direct", 0.75, _TEXT, _STREET),
    ("home address", e.STREET_ADDRESS, "direct", 0.9, _TEXT, _STREET),
    ("username", e.USERNAME, "direct", 0.85, _TEXT, _SOLID),
    ("user name", e.USERNAME, "direct", 0.8, _TEXT, _SOLID),
    ("login", e.USERNAME, "direct", 0.7, _TEXT, _SOLID),
    ("screen name", e.USERNAME, "direct", 0.75, _TEXT, _SOLID),
    ("password", e.SECRET, "direct", 0.9, _TEXT, None),
    ("passwd", e.SECRET, "direct", 0.9, _TEXT, None),
    ("pwd", e.SECRET, "direct", 0.8, _TEXT, None),
    ("api key", e.SECRET, "direct", 0.9, _TEXT, None),
    ("apikey", e.SECRET, "direct", 0.9, _TEXT, None),
    ("access token", e.SECRET, "direct", 0.9, _TEXT, None),
    ("refresh token", e.SECRET, "direct", 0.9, _TEXT, None),
    ("client secret", e.SECRET, "direct", 0.9, _TEXT, None),
    ("private key", e.SECRET, "direct", 0.9, _TEXT, None),
    ("vin", e.VEHICLE_ID, "direct", 0.8, _TEXT, _SOLID),
    ("license plate", e.VEHICLE_ID, "direct", 0.85, _TEXT, _SOLID),
    ("city", e.LOCATION, "quasi", 0.85, _TEXT, _LETTERS),
    ("town", e.LOCATION, "quasi", 0.8, _TEXT, _LETTERS),
    ("country", e.LOCATION, "quasi", 0.85, _TEXT, _LETTERS),
    ("county", e.LOCATION, "quasi", 0.75, _TEXT, _LETTERS),
    ("birthplace", e.LOCATION, "quasi", 0.85, _TEXT, _LETTERS),
    ("place of birth", e.LOCATION, "quasi", 0.85, _TEXT, _LETTERS),
    ("latitude", e.LOCATION, "quasi", 0.75, _NUMBER, _DEGREES),
    ("longitude", e.LOCATION, "quasi", 0.75, _NUMBER, _DEGREES),
    ("postal code", e.POSTAL_CODE, "quasi", 0.85, _NUMBER, _POSTAL),
    ("postcode", e.POSTAL_CODE, "quasi", 0.85, _NUMBER, _POSTAL),
    ("zip", e.POSTAL_CODE, "quasi", 0.8, _NUMBER, _POSTAL),
    ("zipcode", e.POSTAL_CODE, "quasi", 0.85, _NUMBER, _POSTAL),
    ("zip code", e.POSTAL_CODE, "quasi", 0.85, _NUMBER, _POSTAL),
    ("plz", e.POSTAL_CODE, "quasi", 0.8, _NUMBER, _POSTAL),
    ("birthdate", e.DATE_TIME, "quasi", 0.9, _DATE, _SEEN_DATE),
    ("birth date", e.DATE_TIME, "quasi", 0.9, _DATE, _SEEN_DATE),
    ("date of birth", e.DATE_TIME, "quasi", 0.9, _DATE, _SEEN_DATE),
    ("dob", e.DATE_TIME, "quasi", 0.9, _DATE, _SEEN_DATE),
    ("birthday", e.DATE_TIME, "quasi", 0.9, _DATE, _SEEN_DATE),
    ("birth year", e.DATE_TIME, "quasi", 0.8, _DATE, _SEEN_DATE),
    ("death date", e.DATE_TIME, "quasi", 0.85, _DATE, _SEEN_DATE),
    ("date of death", e.DATE_TIME, "quasi", 0.85, _DATE, _SEEN_DATE),
    ("hire date", e.DATE_TIME, "quasi", 0.8, _DATE, _SEEN_DATE),
    ("hired", e.DATE_TIME, "quasi", 0.75, _DATE, _SEEN_DATE),
    ("termination date", e.DATE_TIME, "quasi", 0.75, _DATE, _SEEN_DATE),
    ("admission date", e.DATE_TIME, "quasi", 0.8, _DATE, _SEEN_DATE),
    ("discharge date", e.DATE_TIME, "quasi", 0.8, _DATE, _SEEN_DATE),
    ("gender", e.GENDER, "quasi", 0.85, _ANY, _GENDER),
    ("sex", e.GENDER, "quasi", 0.85, _ANY, _GENDER),
    ("nationality", e.NRP, "quasi", 0.85, _TEXT, _LETTERS),
    ("ethnicity", e.NRP, "sensitive", 0.85, _TEXT, None),
    ("race", e.NRP, "sensitive", 0.7, _TEXT, _LETTERS),
    ("religion", e.NRP, "sensitive", 0.85, _TEXT, None),
    ("company", e.ORGANIZATION, "quasi", 0.8, _TEXT, _LETTERS),
    ("employer", e.ORGANIZATION, "quasi", 0.85, _TEXT, _LETTERS),
    ("organization", e.ORGANIZATION, "quasi", 0.8, _TEXT, _LETTERS),
    ("organisation", e.ORGANIZATION, "quasi", 0.8, _TEXT, _LETTERS),
    ("website", e.URL, "quasi", 0.75, _TEXT, _HOST),
    ("homepage", e.URL, "quasi", 0.75, _TEXT, _HOST),
    ("salary", None, "sensitive", 0.85, _NUMBER, None),
    ("income", None, "sensitive", 0.8, _NUMBER, None),
    ("wage", None, "sensitive", 0.8, _NUMBER, None),
    ("diagnosis", None, "sensitive", 0.85, _ANY, None),
    ("medication", None, "sensitive", 0.8, _ANY, None),
    ("disability", None, "sensitive", 0.8, _ANY, None),
    ("job title", None, "quasi", 0.85, _TEXT, None),
    ("occupation", None, "quasi", 0.85, _TEXT, None),
    ("profession", None, "quasi", 0.85, _TEXT, None),
    ("marital status", None, "quasi", 0.85, _ANY, None),
)


def _rule(
    row: _Row, people: bool = False, needs: frozenset[str] = frozenset(), unless: frozenset[str] = frozenset()
) -> NameRule:
    words, entity, role, weight, families, shape = row
    return NameRule(tuple(words.split()), entity, role, weight, families, shape, people, needs, unless)


_KEYS: Final = frozenset({"id", "key", "fk", "pk", "uuid", "guid", "code"})

RULES: Final[tuple[NameRule, ...]] = (
    *(_rule(row, unless=_KEYS - set(row[0].split())) for row in _PLAIN),
    _rule(
        ("name", e.PERSON, "direct", 0.75, _TEXT, _MOSTLY_LETTERS),
        people=True,
        unless=_KEYS
        | _set(
            "company product file table event brand organization organisation team group role plan city country state "
            "street store host device app project department user host domain"
        ),
    ),
    _rule(("state", e.LOCATION, "quasi", 0.8, _TEXT, _LETTERS), needs=_PLACE, unless=_KEYS),
    _rule(("province", e.LOCATION, "quasi", 0.8, _TEXT, _LETTERS), unless=_KEYS),
    _rule(("region", e.LOCATION, "quasi", 0.75, _TEXT, _LETTERS), needs=_PLACE, unless=_KEYS),
    _rule(("location", e.LOCATION, "quasi", 0.75, _TEXT, _LETTERS), people=True, unless=_KEYS),
    _rule(("age", e.AGE, "quasi", 0.8, _NUMBER, _AGE), unless=_KEYS),
    _rule(
        ("registration", e.DATE_TIME, "quasi", 0.75, _DATE, _SEEN_DATE), people=True, unless=_KEYS | {"number", "no"}
    ),
    _rule(("registered", e.DATE_TIME, "quasi", 0.75, _DATE, _SEEN_DATE), people=True, unless=_KEYS),
    _rule(("signup", e.DATE_TIME, "quasi", 0.75, _DATE, _SEEN_DATE), people=True, unless=_KEYS),
    _rule(("joined", e.DATE_TIME, "quasi", 0.75, _DATE, _SEEN_DATE), people=True, unless=_KEYS),
    _rule(("last login", e.DATE_TIME, "quasi", 0.75, _DATE, _SEEN_DATE), people=True, unless=_KEYS),
    _rule(("title", None, "quasi", 0.75, _TEXT, None), people=True, unless=_KEYS),
    _rule(("country code", e.LOCATION, "quasi", 0.8, _TEXT, _LETTERS), unless=_KEYS - {"code"}),
)

NEEDED: Final[frozenset[str]] = frozenset().union(*(rule.needs for rule in RULES))
"""Words for which rules look in the names of other columns."""
