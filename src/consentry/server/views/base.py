"""What all models of the API share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from consentry.actions import Json


class Body(BaseModel):
    """Something that comes in. Unknown members are errors, and nothing is converted from another type."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, strict=True)


class Query(BaseModel):
    """The query of a URL, where everything is text to begin with."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True)


class View(BaseModel):
    """Something that goes out."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


def _storable(text: str) -> str:
    """Refuse what no text column holds: NUL, and halves of characters."""
    if "\x00" in text:
        raise ValueError("must not hold the character NUL")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("must not hold a lone surrogate, which is no character") from None
    return text


Storable = AfterValidator(_storable)
Name = Annotated[str, Field(min_length=1, max_length=1024), Storable]
"""A name that is matched exactly."""
Words = Annotated[str, Field(min_length=1, max_length=4000), Storable]
"""What a person or caller says in their own words. Kept erasable, shown as payload."""
Id = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$")]
"""One of our ids, or a name of ours."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Time = Annotated[
    str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$", json_schema_extra={"format": "date-time"})
]
"""UTC to the millisecond: `2026-01-02T03:04:05.678Z`."""
if TYPE_CHECKING:
    JsonMap: TypeAlias = dict[str, Json]
else:
    JsonMap = dict[str, object]
"""A JSON object. Its values are exact JSON already (`actions.json`), so they are not looked at a second time."""


def time_text(at_ms: int) -> str:
    """Milliseconds since the epoch as the API spells them."""
    seconds, rest = divmod(at_ms, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=256)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()[:19]


def time_or_none(at_ms: int | None) -> str | None:
    return None if at_ms is None else time_text(at_ms)


def time_ms(text: str) -> int:
    """The other way round. Raises `ValueError`."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("needs a time zone, such as `Z`")
    return int(at.timestamp() * 1000)


def plain(value: Json) -> Json:
    """JSON from inside (mapping proxies, tuples) as plain JSON."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value]
