"""Values that stand alone under a key or column that names what they are."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from consentry.sanitize.detector import Context
from consentry.sanitize.finding import Finding

LONGEST: Final = 80
_KEYS: Final = (
    (
        "PERSON",
        re.compile(
            r"(?:first|last|middle|full|given|family|maiden|legal|display|customer|client|patient|employee|contact|owner|person|user|"
            r"author|manager|holder|cardholder|recipient|sender|guest|student|passenger|applicant|spouse|father|mother)_?names?$"
            r"|^(?:sur|fore|nick)name$|^(?:account|card)_?holder$|^maiden$|^(?:f|l)name$"
        ),
    ),
    (
        "LOCATION",
        re.compile(r"(?:^|_)(?:city|town|country|state|county|province|birth_?place|place_of_birth|municipality)$"),
    ),
    ("ORGANIZATION", re.compile(r"(?:^|_)(?:company|employer|organi[sz]ation|company_name|business_name)$")),
)
_VALUE: Final = re.compile(r"\s*([^\W\d_][\w .,'’()&-]*?)\s*", re.UNICODE)


def by_key(text: str, context: Context, found: list[Finding], detector: str) -> list[Finding]:
    """The findings of a value under its key: what the key says goes before what the tagger reads into it."""
    kind = _said(context) if len(text) <= LONGEST else None
    value = _VALUE.fullmatch(text) if kind else None
    if kind is None or value is None or len(value[1]) < 2 or any(one.type == kind for one in found):
        return found
    return [Finding(kind, value.start(1), value.end(1), 0.8, detector, "stands under a key that says what it is")]


def _said(context: Context) -> str | None:
    return _meaning(context.key) if context.value and context.key else None


@lru_cache(maxsize=4096)
def _meaning(key: str) -> str | None:
    key = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_").replace(" ", "_")
    return next((label for label, pattern in _KEYS if pattern.search(key)), None)
