"""What a profile says: a rule for each type, what columns hold, the operator's own patterns and lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from consentry.sanitize.transforms import KeyRing, Plan

TransformName = Literal[
    "keep", "redact", "replace", "mask", "hash", "token", "fpe", "date-shift", "generalise", "surrogate"
]
BinaryRule = Literal["refuse", "null", "keep"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A transform and its parameters for one type. `min_score` None means the profile's."""

    transform: TransformName = "replace"
    min_score: float | None = None
    keep_last: int = 0
    keep_first: int = 3
    luhn: Literal["off", "valid"] = "off"
    days: int = 365
    order: Literal["mdy", "dmy"] = "mdy"
    age_band: int = 10
    postal_prefix: int = 3
    bucket: Literal["year", "quarter", "month", "day"] = "month"


@dataclass(frozen=True, slots=True)
class InternalId:
    """A pattern of the operator's own, reported as `INTERNAL_ID` with `name` as its subtype."""

    name: str
    pattern: str
    score: float = 0.9


@dataclass(frozen=True, slots=True)
class Denied:
    """A word or phrase that is always a finding of `type`, whatever stands around it; case is not looked at."""

    value: str
    type: str = "INTERNAL_ID"


@dataclass(frozen=True, slots=True)
class VaultPlace:
    """Where tokens are kept and, by reference, the key that seals them."""

    url: str
    key: str


@dataclass(frozen=True, slots=True)
class Profile:
    """One way to sanitize. Holds references to keys, never keys.

    `columns` maps a column (`email`, `customer.email`, `*.notes`) to an entity type, `keep` (looked at by nobody) or
    `scan` (never taken as a whole). `subject` names the column that says whose row it is. `binary` says what happens
    to bytes that are not text. `tables` False switches column evidence off.
    """

    name: str
    description: str = ""
    key: str | None = None
    names: bool = True
    min_score: float = 0.5
    subject: str | None = None
    binary: BinaryRule = "refuse"
    tables: bool = True
    default: Rule = Rule()
    types: Mapping[str, Rule] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    internal_ids: tuple[InternalId, ...] = ()
    allow: frozenset[str] = frozenset()
    deny: tuple[Denied, ...] = ()
    vault: VaultPlace | None = None

    def plan(self, keys: KeyRing | None = None) -> Plan:
        """The profile's rules with their keys. Make it once a data set: without `key` each plan draws its own.

        Raises `KeyUnusable` where a key cannot be had, `InvalidInput` where tokens are asked for and no vault is named.
        """
        from consentry.sanitize.profiles.build import build_plan

        return build_plan(self, keys)
