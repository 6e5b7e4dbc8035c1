"""Format-preserving encryption of cards, phones and other runs of digits: FF1 on the digits, the rest stays."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, Literal

from consentry.errors import InvalidInput
from consentry.sanitize import entities
from consentry.sanitize.transforms.base import About, CannotTransform
from consentry.sanitize.transforms.ff1 import FF1, DomainTooSmall
from consentry.sanitize.transforms.keys import KeyRing

_CARD_LENGTHS: Final = range(12, 20)
_OFF_BY: Final = 5
_PHONE_TAIL: Final = 7
_MOST_LETTERS: Final = 3
_EXTENSION: Final = re.compile(r"(?i)(?:tel|phone|fax|mobile|ext|extension|x)(?![^\W\d_])")


@dataclass(frozen=True, slots=True)
class KeepShape:
    """Encrypts the digits of a value and leaves everything else where it is; `reveal` undoes it exactly.

    A card gets a check digit that is off by five (`luhn="off"`, the default), so that no system takes it for a card
    and a second pass does not find it; with `luhn="valid"` it passes as a card, everywhere. Other values keep their
    first `keep_first` digits as far as seven remain to be encrypted. A value of more than three letters is refused:
    they would stay.

    No map that keeps a format in which every value is a value can be both reversible and idempotent: a phone number
    that was encrypted is a phone number, and a second run encrypts it again.
    """

    keys: KeyRing
    luhn: Literal["off", "valid"] = "off"
    keep_first: int = 3
    _ciphers: dict[str, FF1] = field(default_factory=dict, compare=False, repr=False)

    def of(self, value: str, about: About) -> str:
        digits = _digits(value)
        if sum(map(str.isalpha, _EXTENSION.sub("", value))) > _MOST_LETTERS:
            raise CannotTransform  # letters would stay in clear: a name beside the number, a mailbox with digits in it
        try:
            if about.type == entities.CREDIT_CARD:
                return _refill(value, self._card(digits))
            return _refill(value, self._plain(digits, about, forward=True))
        except DomainTooSmall as error:
            raise CannotTransform from error

    def made(self, value: str, about: About) -> bool:
        if about.type != entities.CREDIT_CARD or self.luhn == "valid":
            return False
        digits = _digits(value)
        return len(digits) in _CARD_LENGTHS and digits[-1] == (_check_digit(digits[:-1]) + _OFF_BY) % 10

    def reveal(self, value: str, about: About) -> str:
        """The value that `of` was given. Seeing it is an action of its own (`pii.reveal`). Raises `InvalidInput`."""
        digits = _digits(value)
        if about.type != entities.CREDIT_CARD:
            return _refill(value, self._plain(digits, about, forward=False))
        off = _OFF_BY if self.luhn == "off" else 0
        if len(digits) not in _CARD_LENGTHS or digits[-1] != (_check_digit(digits[:-1]) + off) % 10:
            raise InvalidInput("the value is not a card that this transform made")
        body = self._cipher(about.type).decrypt(digits[:-1])
        return _refill(value, [*body, _check_digit(body)])

    def _card(self, digits: list[int]) -> list[int]:
        if len(digits) not in _CARD_LENGTHS or digits[-1] != _check_digit(digits[:-1]):
            raise CannotTransform
        body = self._cipher(entities.CREDIT_CARD).encrypt(digits[:-1])
        return [*body, (_check_digit(body) + (_OFF_BY if self.luhn == "off" else 0)) % 10]

    def _plain(self, digits: list[int], about: About, *, forward: bool) -> list[int]:
        keep = max(0, min(self.keep_first, len(digits) - _PHONE_TAIL))
        cipher = self._cipher(about.type)
        head, tail = digits[:keep], digits[keep:]
        tweak = bytes(head)
        return head + (cipher.encrypt(tail, tweak) if forward else cipher.decrypt(tail, tweak))

    def _cipher(self, entity: str) -> FF1:
        cipher = self._ciphers.get(entity)
        if cipher is None:
            cipher = self._ciphers[entity] = FF1(self.keys.key("ff1", entity), 10)
        return cipher


def _digits(value: str) -> list[int]:
    return [int(character) for character in value if character.isdecimal()]


def _refill(value: str, digits: list[int]) -> str:
    """`value` with its decimal digits, in order, replaced by ASCII ones."""
    left = iter(digits)
    return "".join(str(next(left)) if character.isdecimal() else character for character in value)


def _check_digit(digits: list[int]) -> int:
    """The Luhn digit that completes `digits` (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 == 0 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return -total % 10
