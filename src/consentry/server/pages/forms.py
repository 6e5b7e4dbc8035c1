"""Forms as browsers post them: urlencoded, in UTF-8, each name once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from starlette.requests import Request

from consentry.actions.json import TooLarge
from consentry.errors import InvalidInput

MAX_FORM = 1 << 20
FORM = "application/x-www-form-urlencoded"


class InvalidForm(InvalidInput):
    """The form lacks something, or holds it in another shape."""

    code = "invalid_form"


@dataclass(frozen=True, slots=True)
class Form:
    """The fields that came, exactly as they were typed: nothing is trimmed."""

    fields: Mapping[str, str]

    def text(self, name: str) -> str:
        """A field that must not be blank. Raises `InvalidForm`."""
        value = self.fields.get(name, "")
        if not value.strip():
            raise InvalidForm(f"`{name}` is empty: fill it in")
        return value

    def optional(self, name: str) -> str | None:
        """A field, or `None` where it is blank."""
        value = self.fields.get(name, "")
        return value if value.strip() else None

    def whole(self, name: str, *, least: int, most: int) -> int:
        """A whole number within limits. Raises `InvalidForm`."""
        value = self.fields.get(name, "").strip()
        if not (value.isascii() and value.isdecimal() and len(value) < 16 and least <= int(value) <= most):
            raise InvalidForm(f"`{name}` must be a whole number from {least} to {most}")
        return int(value)


async def read_form(request: Request) -> Form:
    """The posted form. Raises `InvalidForm` or `TooLarge`."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != FORM:
        raise InvalidForm(f"a form is sent as `{FORM}`: post it from the page")
    data = bytearray()
    async for part in request.stream():
        data += part
        if len(data) > MAX_FORM:
            raise TooLarge(f"the form is larger than {MAX_FORM} bytes: send less")
    return Form(parse_pairs(bytes(data)))


def parse_pairs(data: bytes) -> dict[str, str]:
    """Names to values; browsers end lines with CR LF, which becomes LF. Raises `InvalidForm`."""
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, max_num_fields=200, errors="strict")
    except (ValueError, UnicodeError):
        raise InvalidForm("the form is not urlencoded UTF-8") from None
    if len(dict(pairs)) != len(pairs):
        raise InvalidForm("the form names the same field twice")
    return {name: value.replace("\r\n", "\n") for name, value in pairs}
