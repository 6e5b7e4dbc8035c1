"""What there is to look into in a JSON value. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from consentry.actions.json import Json

LONG_NUMBER: Final = 10**6
"""From here on a number may be somebody's: an account, a telephone, a card."""


def texts(value: Json) -> Iterator[str]:
    """Every string of a JSON value, keys and long numbers included: those may be data, too."""
    stack: list[Json] = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, str):
            yield one
        elif type(one) is dict:
            yield from one
            stack.extend(one.values())
        elif isinstance(one, bool):
            continue
        elif isinstance(one, int | float) and abs(one) >= LONG_NUMBER:
            yield str(one)
        elif isinstance(one, Mapping):
            for key, item in one.items():
                yield key
                stack.append(item)
        elif isinstance(one, list | tuple):
            stack.extend(one)
