"""Whether a value under a telling name is a secret, and how much to believe it."""

from __future__ import annotations

import re
from typing import Final

from consentry.sanitize.secrets import noise
from consentry.sanitize.secrets.keynames import Kind

LEAST: Final[dict[Kind, int]] = {
    "password": 5,
    "secret": 7,
    "token": 8,
    "key": 10,
    "auth": 10,
    "credential": 8,
    "nonce": 8,
    "salt": 8,
}
MOST: Final = 4096
_CHOSEN: Final = re.compile(r"[A-Z][a-z]{3,}\d{2,4}")
"""A word with a year or the like after it, as people choose passwords and nobody names variables."""


def belief(value: str, kind: Kind, *, quoted: bool, name: str = "", literal: bool = False) -> float:
    """The score of `value` as a secret of `kind`; 0.0 where it is none.

    `quoted` says that the value stood in quotes (so it is a literal, never a variable); `name` is its key. `literal`
    says that it stands where nothing but a value can: then a password may be a plain word.
    """
    if not LEAST[kind] <= len(value) <= MOST or noise.is_placeholder(value):
        return 0.0
    if noise.CONSTANT.fullmatch(value) or noise.URLISH.match(value) or noise.is_path(value) or _mirrors(value, name):
        return 0.0
    if not quoted and noise.CALL_OR_INDEX.match(value):
        return 0.0
    if kind != "password":
        return _random(value, kind, quoted=quoted)
    return _password(value, quoted=quoted) or (0.55 if literal and " " not in value else 0.0)


def _mirrors(value: str, name: str) -> bool:
    folded, key = value.lower().strip("_-. "), name.lower().strip("_-. ")
    return bool(key) and (folded in key or (len(folded) <= len(key) + 4 and key in folded))


def _password(value: str, *, quoted: bool) -> float:
    if " " in value and (not quoted or noise.wordiness(value) > 0.6 or value.count(" ") > 3):
        return 0.0
    digits = any(char.isdigit() for char in value)
    symbols = any(not char.isalnum() and char not in "_-. " for char in value)
    if digits or symbols:
        plain = noise.IDENTIFIER.fullmatch(value) is not None and not quoted
        if plain and noise.reads_as_words(value):
            return 0.55 if _CHOSEN.fullmatch(value) else 0.0
        return 0.9 if digits else 0.75 if quoted else 0.6
    if value.isalpha() and (noise.wordiness(value) < 0.55 or (_mixed(value) and noise.wordiness(value) < 0.75)):
        return 0.7 if quoted else 0.55
    return 0.0


def _mixed(value: str) -> bool:
    inner = value[1:]
    return any(char.isupper() for char in inner) and any(char.islower() for char in inner)


def _random(value: str, kind: Kind, *, quoted: bool) -> float:
    if any(char in " \t{}<>|" for char in value) or noise.reads_as_words(value) or noise.is_repetitive(value):
        return 0.0
    if kind in ("key", "nonce", "salt", "auth") and noise.UUID.fullmatch(value):
        return 0.5
    if not any(char.isdigit() for char in value):
        random = value.isascii() and len(value) >= 16 and noise.wordiness(value) < 0.55 and noise.entropy(value) > 3.2
        return 0.6 if random else 0.0
    if not any(char.isalpha() for char in value):
        return 0.5 if len(value) >= 12 and noise.entropy(value) > 2.5 else 0.0
    spread = noise.entropy(value)
    if kind in ("key", "auth", "nonce", "salt") and spread < 2.9:
        return 0.0
    return 0.9 if spread >= 3.3 and len(value) >= 16 else 0.75 if spread >= 2.5 else 0.0
