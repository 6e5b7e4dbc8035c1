"""What a token says about itself: checksums, decoded headers, variety of characters.

Each check takes the matched value and answers whether it can be what its shape claims.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable
from typing import Final

from consentry.sanitize.secrets import noise

_EXAMPLE: Final = re.compile(
    r"(?i)example|sample|your[-_]?(?:key|token|api|secret)|placeholder|likeareal|thisisnot|xxxxx|redacted|fakesig|faketoken"
)
_COUNTING: Final = re.compile(
    r"(?i)abcdef|bcdefg|012345|123456|234567|345678|456789|987654|876543|765432|654321|543210|fedcba"
)
_BECH32: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def anything(value: str) -> bool:
    """The shape alone is proof enough, unless the value says that it is an example."""
    return not _EXAMPLE.search(value)


def varied(value: str) -> bool:
    """Random enough for an issued token: no example words, no counting, no repetition."""
    return not _EXAMPLE.search(value) and not _COUNTING.search(value) and not noise.is_repetitive(value)


def long_enough(least: int) -> Callable[[str], bool]:
    """A check for values of at least `least` characters that are varied and hold a digit and a letter."""

    def check(value: str) -> bool:
        return len(value) >= least and anything(value) and noise.has_digit_and_letter(value)

    return check


def aws_access_key(value: str) -> bool:
    """Twenty characters with at least one digit or little wordiness, and not one of AWS's documented examples."""
    return (
        anything(value)
        and not _COUNTING.search(value)
        and (any(c.isdigit() for c in value[4:]) or not noise.reads_as_words(value[4:]))
    )


def hex_digits(value: str) -> bool:
    """A prefix of two capitals followed by lower-case hex that holds both letters and digits in variety."""
    return varied(value) and noise.has_digit_and_letter(value[2:])


def _decoded(text: str) -> bytes | None:
    body = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def jwt(value: str) -> bool:
    """A compact JWS or JWE: header and payload decode, the header to an object with `alg` (RFC 7515 section 4.1.1)."""
    if _EXAMPLE.search(value):
        return False
    header, payload, *_ = value.split(".")
    raw = _decoded(header)
    if raw is None or (body := _decoded(payload)) is None:
        return False
    try:
        fields = json.loads(raw)
    except (ValueError, RecursionError):
        return False
    if not isinstance(fields, dict) or not isinstance(fields.get("alg"), str):
        return False
    return "enc" in fields or body.lstrip()[:1] in (b"{", b"[")


def atlassian_pat(value: str) -> bool:
    """A Jira or Confluence personal access token: base64 of a 9 to 13 digit number, a colon and random bytes."""
    raw = _decoded(value)
    return (
        raw is not None
        and len(raw) == 33
        and re.match(rb"[1-9][0-9]{9,12}:", raw) is not None
        and len(set(raw[13:])) > 8
    )


def jfrog_reference(value: str) -> bool:
    """An Artifactory reference token: base64 of `reftkn:<two digits>:<expiry>:<random>`."""
    raw = _decoded(value)
    return raw is not None and re.match(rb"reftkn:\d{2}:\d{10}:[A-Za-z0-9]{10,}", raw) is not None


def discord_bot(value: str) -> bool:
    """A bot token: the first part decodes to the digits of a snowflake."""
    raw = _decoded(value.split(".")[0])
    return raw is not None and raw.isdigit() and len(raw) >= 16


def dropbox_long(value: str) -> bool:
    """A long-lived Dropbox token: varied on both sides of its ten fixed letters."""
    return anything(value) and noise.has_digit_and_letter(value[:11]) and noise.entropy(value[21:]) > 4.0


def salesforce_id(value: str) -> bool:
    """An organisation id with mixed characters rather than zeros or hex."""
    return len(set(value)) >= 8 and "00000" not in value and not noise.HEX.fullmatch(value)


def okta(value: str) -> bool:
    """A 42-character API token with upper case, lower case and digits in variety."""
    return (
        varied(value)
        and noise.entropy(value) > 4.3
        and any(c.isupper() for c in value)
        and any(c.islower() for c in value)
        and sum(c.isdigit() for c in value) >= 4
    )


def bech32(value: str) -> bool:
    """The bech32 checksum of an age identity (BIP 173)."""
    prefix, _, data = value.lower().rpartition("1")
    numbers = [ord(c) >> 5 for c in prefix] + [0] + [ord(c) & 31 for c in prefix]
    numbers += [_BECH32.find(c) for c in data]
    if min(numbers) < 0:
        return False
    check = 1
    for number in numbers:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ number
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            check ^= generator if top >> bit & 1 else 0
    return check == 1


def wechat(value: str) -> bool:
    """A WeChat application id: `wx` and 16 hex digits in variety."""
    return varied(value) and noise.has_digit_and_letter(value[2:]) and not re.search(r"(.)\1{3}|dead|beef|cafe", value)


def base32_seed(value: str) -> bool:
    """A one-time-password seed standing alone: base32 with digits strewn among the letters, not hex and not words."""
    if _EXAMPLE.search(value) or noise.HEX.fullmatch(value) or _COUNTING.search(value):
        return False
    digits = sum(c.isdigit() for c in value)
    runs = len(re.findall(r"[2-7]+", value))
    return runs >= 2 and digits <= len(value) // 2 and noise.entropy(value) >= 3.2 and noise.wordiness(value) < 0.75
