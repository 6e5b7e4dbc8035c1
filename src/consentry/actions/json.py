"""Exact JSON: parse strictly, write canonically (RFC 8785).

A digest is only as good as the bytes under it. Parsing refuses what two readers could read differently (duplicate
keys, NaN, lone surrogates, integers that a double cannot hold); writing has one spelling for every value.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import orjson

from consentry.errors import ConsentryError, InvalidInput

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
JsonObject: TypeAlias = Mapping[str, Json]

MAX_INTEGER = 2**53 - 1
"""The largest integer that every JSON reader holds exactly (RFC 7493, section 2.2)."""

_FIRST_EXPONENT = 1e21
"""From here on RFC 8785 writes numbers with an exponent, so that no reader takes them for integers."""

MAX_DEPTH = 64


class NotExact(InvalidInput):
    """The JSON could mean different things to different readers."""

    code = "not_exact_json"


class TooLarge(ConsentryError):
    """The input is over a limit of the settings."""

    code = "too_large"
    status = 413


def parse(data: bytes | str, *, what: str = "body", limit: int = 1 << 20) -> Json:
    """Parse JSON that has one meaning.

    `what` names the input in errors; `limit` is in bytes. Raises `NotExact`, `TooLarge` or `InvalidInput`.
    """
    if len(data) > limit or (isinstance(data, str) and len(data.encode("utf-8", "surrogatepass")) > limit):
        raise TooLarge(f"`{what}` is larger than {limit} bytes: send less, or raise `limits.body`")
    if isinstance(data, bytes) and (plain := _plainly(data)) is not None:
        return plain
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value: Json = _DECODER.decode(text)
    except NotExact:
        raise
    except UnicodeDecodeError as error:
        raise InvalidInput(f"`{what}` is not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise NotExact(f"`{what}` nests deeper than {MAX_DEPTH} levels") from None
    except json.JSONDecodeError as error:
        raise InvalidInput(f"`{what}` is not JSON at line {error.lineno}, column {error.colno}") from None
    except ValueError:  # an integer of more digits than Python converts
        raise NotExact(f"`{what}` holds a number beyond 2^53: send it as a string") from None
    _check(value, what, 0)
    if isinstance(data, str) or "\\u" in text:
        _refuse_surrogates(value, what)
    return value


def _plainly(data: bytes) -> Json:
    """The value where `data` is its plain spelling, as most programs write it; `None` where the long way has to look.

    What is written again to the same bytes had no key twice, no number that is not exact, and no second reading.
    """
    if not _is_plain(data):
        return None
    try:
        value: Json = orjson.loads(data)
        return value if orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER) == data else None
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return None


def parse_object(data: bytes | str, *, what: str = "body", limit: int = 1 << 20) -> dict[str, Json]:
    """`parse`, for inputs that must be an object."""
    value = parse(data, what=what, limit=limit)
    if not isinstance(value, dict):
        raise InvalidInput(f"`{what}` must be a JSON object")
    return value


def canonical(value: Json, *, what: str = "value") -> bytes:
    """The RFC 8785 bytes of `value`.

    Raises `NotExact` for what has no exact JSON form: NaN and infinities, integers beyond 2^53, lone surrogates,
    keys that are not strings, bytes, and any other type.
    """
    try:
        data = orjson.dumps(value, option=_EXACT)
        if _is_plain(data) and orjson.loads(data) == value:
            return data
    except TypeError:
        data = b""  # something is wrong with it: the walk below says what
    try:
        return data if _check(value, what, 0) and data else _write(value).encode("utf-8")
    except UnicodeEncodeError:
        raise NotExact(f"`{what}` holds a lone surrogate, which is no character") from None
    except TypeError as error:  # orjson says why; its text may quote a value, ours does not
        reason = "a lone surrogate" if "surrogate" in str(error) else "a value that JSON cannot hold exactly"
        raise NotExact(f"`{what}` holds {reason}") from None


_EXACT = (
    orjson.OPT_SORT_KEYS
    | orjson.OPT_STRICT_INTEGER
    | orjson.OPT_PASSTHROUGH_DATACLASS
    | orjson.OPT_PASSTHROUGH_DATETIME
    | orjson.OPT_PASSTHROUGH_SUBCLASS
)


_ONE_DIGIT = bytes.maketrans(b"123456789", b"000000000")
"""Makes every digit a `0`, so that two plain searches find what begins a fraction or an exponent."""

_FLOAT = re.compile(rb"[:,\[]-?0+[.e]")
"""A number that has one, as it stands inside of JSON without white space; and strings that hold the like."""


def _is_plain(data: bytes) -> bool:
    """Whether orjson's bytes are RFC 8785's: no float in them, all ASCII, and not too deep. Some strings look like one.

    Types that orjson takes and we do not, such as a UUID, are told by what is read back: it does not equal what was
    written. What looks wrong only because of what a string holds goes the long way, to the same bytes.
    """
    if not data.isascii() or data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        return False
    digits = data.translate(_ONE_DIGIT)
    if b"0." not in digits and b"0e" not in digits:
        return True
    return not digits.startswith((b"-", b"0")) and _FLOAT.search(digits) is None


def _check(value: object, what: str, depth: int) -> bool:
    """Refuse what is not exact JSON; true when orjson's key order and numbers are RFC 8785's for this value.

    orjson sorts keys by code point and RFC 8785 by UTF-16 unit, which agree on ASCII; floats are written differently.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:  # type: ignore[operator]
            raise NotExact(f"`{what}` is an integer beyond 2^53: send it as a string")
        return True
    if kind is float:
        if not math.isfinite(value):  # type: ignore[arg-type]
            raise NotExact(f"`{what}` is not a finite number")
        if MAX_INTEGER < abs(value) < _FIRST_EXPONENT:  # type: ignore[arg-type]
            raise NotExact(
                f"`{what}` is a number beyond 2^53: send it as a string"
            )  # it would be written as an integer
        return False
    if depth >= MAX_DEPTH:
        raise NotExact(f"`{what}` nests deeper than {MAX_DEPTH} levels")
    plain = True
    if kind is dict:
        for key, item in value.items():  # type: ignore[attr-defined]
            if type(key) is not str:
                raise NotExact(f"`{what}` has a key that is not a string")
            if not key.isascii():
                plain = False
            if type(item) is not str and not _check(item, what, depth + 1):
                plain = False
        return plain
    if kind is list or kind is tuple:
        for item in value:  # type: ignore[attr-defined]
            if type(item) is not str and not _check(item, what, depth + 1):
                plain = False
        return plain
    if isinstance(value, Mapping):  # orjson knows only `dict`; our own writer knows every mapping
        _check(dict(value), what, depth)
        return False
    raise NotExact(f"`{what}` holds {kind.__name__}, which is not JSON: encode bytes with `encode_bytes`")


def _refuse_surrogates(value: Json, what: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise NotExact(f"`{what}` holds a lone surrogate, which is no character") from None


def encode_bytes(data: bytes) -> dict[str, Json]:
    """Bytes as JSON without guessing: `{"text": …}` where they are UTF-8, `{"base64": …}` where they are not."""
    import base64

    try:
        return {"text": data.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode("ascii")}


def _no_duplicates(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise NotExact("an object has the same key twice")
    return result


def _no_constant(name: str) -> float:
    raise NotExact(f"`{name}` is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant)


def _write(value: Json) -> str:
    if isinstance(value, Mapping):
        items = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be", "strict"))
        return "{" + ",".join(f"{_string(key)}:{_write(item)}" for key, item in items) + "}"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, int):
        return str(value)
    return "[" + ",".join(_write(item) for item in value) + "]"


def _string(value: str) -> str:
    return orjson.dumps(value).decode("utf-8")


def _number(value: float) -> str:
    """ECMAScript's Number::toString, which RFC 8785 section 3.2.2.3 prescribes."""
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = fraction.rstrip("0") if fraction != "0" else ""
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len((whole + fraction).lstrip("0")))
    digits = digits.rstrip("0")
    count = len(digits)
    if count <= point <= 21:
        return sign + digits + "0" * (point - count)
    if 0 < point <= 21:
        return sign + digits[:point] + "." + digits[point:]
    if -6 < point <= 0:
        return sign + "0." + "0" * -point + digits
    power = point - 1
    head = digits[0] + ("." + digits[1:] if count > 1 else "")
    return f"{sign}{head}e{'+' if power > 0 else '-'}{abs(power)}"
