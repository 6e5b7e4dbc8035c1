"""Transforms that need no key: keep, redact, replace with the type, mask."""

from __future__ import annotations

from dataclasses import dataclass

from consentry.sanitize.transforms import marks
from consentry.sanitize.transforms.base import About


@dataclass(frozen=True, slots=True)
class Keep:
    """Leaves the value as it stands."""

    def of(self, value: str, about: About) -> str:
        return value

    def made(self, value: str, about: About) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class Redact:
    """Takes the value out and says that something was here, not what."""

    text: str = marks.REDACTED

    def of(self, value: str, about: About) -> str:
        return self.text

    def made(self, value: str, about: About) -> bool:
        return value == self.text


@dataclass(frozen=True, slots=True)
class Replace:
    """Writes the type in the value's place: `<EMAIL_ADDRESS>`."""

    def of(self, value: str, about: About) -> str:
        return marks.placeholder(about.type)

    def made(self, value: str, about: About) -> bool:
        return value == marks.placeholder(about.type)


@dataclass(frozen=True, slots=True)
class Mask:
    """Covers letters and digits with `char`, all but the last `keep_last`; punctuation stays.

    Never shows more than a quarter of the letters and digits, so that a short value is covered whole.
    """

    keep_last: int = 0
    char: str = "*"

    def of(self, value: str, about: About) -> str:
        solid = sum(character.isalnum() for character in value)
        hidden = solid - min(self.keep_last, solid // 4)
        out = []
        for character in value:
            if character.isalnum():
                out.append(self.char if hidden > 0 else character)
                hidden -= 1
            else:
                out.append(character)
        return "".join(out)

    def made(self, value: str, about: About) -> bool:
        covered = value.count(self.char)
        shown = sum(character.isalnum() and character != self.char for character in value)
        # Stars around a word (`**Ada**`) are not a mask: the shown part is a tail, and at most a quarter of the whole.
        tail = value.rfind(self.char)
        alone = not any(character.isalnum() for character in value[: tail + 1].replace(self.char, ""))
        return covered > 0 and alone and shown <= min(self.keep_last, (covered + shown) // 4)
