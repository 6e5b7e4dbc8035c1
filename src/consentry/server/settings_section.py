"""What every table of the settings file is made of."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _duration(value: object) -> object:
    """`30s`, `15m`, `2h`, `7d` in milliseconds."""
    if not isinstance(value, str):
        raise ValueError("must be a text like `30s`, `15m`, `2h` or `7d`")
    number, unit = value[:-1], value[-1:]
    scale = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}.get(unit)
    if scale is None or not number.isdecimal() or not number.isascii() or not 0 < int(number) < 10**6:
        raise ValueError("must be a text like `30s`, `15m`, `2h` or `7d`")
    return int(number) * scale


Duration = Annotated[int, BeforeValidator(_duration)]
"""Milliseconds inside; written with a unit."""


class Section(BaseModel):
    """A table of the settings file: unknown keys are errors, and what a key means stands under it."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=True
    )
