"""What a transform is: a value and what it is, in; what stands in its place, out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a value that is to be transformed: its entity type, and whose it is where that is known."""

    type: str
    subtype: str | None = None
    subject: str = ""


class Transform(Protocol):
    """One way to take a value's place. Pure: the same value, type and key give the same text.

    `of` raises `CannotTransform` where the value has not the shape that the transform needs; the plan then falls back
    to the type's placeholder. `made` says whether the whole of a value is what this transform would itself have
    written, so that a second pass leaves it.
    """

    def of(self, value: str, about: About) -> str: ...

    def made(self, value: str, about: About) -> bool: ...


class CannotTransform(Exception):
    """The value does not fit the transform. Never leaves the package."""
