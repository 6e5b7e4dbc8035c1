"""Results on their way out: what policy says to mask is masked, and what cannot be read does not pass unread.

`masks` are the entity types of the verdict's obligations. Without any, results pass as they are.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping

from consentry.actions import Json, JsonObject
from consentry.actions.texts import LONG_NUMBER
from consentry.consent.errors import GateError

Clean = Callable[[str], str]
"""A text to the same text with what is to be masked transformed. May raise anything: then nothing passes."""

_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/yaml", "application/x-ndjson")
_OPAQUE = frozenset({"image", "audio"})
_LARGEST_EXACT = 1e19
_NAMES = frozenset({"type", "role", "mimeType", "resultType", "jsonrpc"})
"""Members whose values are the protocol's own words, where they look like some."""
_WORD = re.compile(r"[a-z]{1,40}(?:[._/+-][a-z0-9]{1,40}){0,5}|2\.0")
"""Anything else is data, whatever its name: tools choose the names in their results themselves (threat E1)."""


class Unreadable(GateError):
    """The result has a part that cannot be looked into, and policy masks what this tool gives out."""

    code = "unreadable_result"


def mask(value: Json, clean: Clean, *, pass_unreadable: bool) -> Json:
    """A value with every text in it cleaned: keys, long numbers and embedded resources included.

    Raises `Unreadable` for pictures, sounds and binary parts unless they may pass.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return _number(value, clean)
    if isinstance(value, Mapping):
        return _object(value, clean, pass_unreadable)
    return [mask(one, clean, pass_unreadable=pass_unreadable) for one in value]


def _number(value: float, clean: Clean) -> Json:
    if abs(value) < LONG_NUMBER:
        return value
    # A column with gaps comes as fractions: 4111111111111111.0.
    text = str(int(value)) if float(value).is_integer() and abs(value) < _LARGEST_EXACT else str(value)
    cleaned = clean(text)
    return value if cleaned == text else cleaned


def _object(value: JsonObject, clean: Clean, pass_unreadable: bool) -> JsonObject:
    if value.get("type") in _OPAQUE and isinstance(value.get("data"), str):
        if not pass_unreadable:
            raise Unreadable("the result holds a picture or a sound, and results of this tool are masked")
        return value
    result: dict[str, Json] = {}
    for key, item in value.items():
        if key in _NAMES and isinstance(item, str) and _WORD.fullmatch(item):
            result[key] = item
        elif key == "blob" and isinstance(item, str) and "uri" in value:
            result[key] = _blob(item, value.get("mimeType"), clean, pass_unreadable)
        else:
            result[clean(key) if len(key) > 3 else key] = mask(item, clean, pass_unreadable=pass_unreadable)
    return result


def _blob(data: str, media: Json, clean: Clean, pass_unreadable: bool) -> str:
    """A binary resource: read where it is text after all."""
    try:
        raw = base64.b64decode(data, validate=True)
        if not (isinstance(media, str) and media.startswith(_TEXT_TYPES)):
            raise UnicodeError
        return base64.b64encode(clean(raw.decode("utf-8")).encode("utf-8")).decode("ascii")
    except (binascii.Error, UnicodeError):
        if pass_unreadable:
            return data
        raise Unreadable("the result holds binary data, and results of this tool are masked") from None
