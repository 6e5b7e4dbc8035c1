"""Check-digit schemes that many identifiers share.

Sources: ISO/IEC 7812-1 annex B (Luhn); ISO/IEC 7064 (MOD 97-10, MOD 11,10); Verhoeff, Error Detecting Decimal Codes
(1969).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_WORTH = bytes(code - 48 if 48 <= code < 58 else 0 for code in range(256))
_NO_DIGITS = bytes(code for code in range(256) if not 48 <= code < 58)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

_DIHEDRAL = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_PERMUTED = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)


def digits(text: str) -> list[int]:
    """The ASCII digits in a text, separators left out."""
    return list(text.encode("ascii", "ignore").translate(_WORTH, _NO_DIGITS))


def alphanumeric(text: str) -> str:
    """The ASCII letters (upper-cased) and digits in a text, separators left out."""
    return "".join(one for one in text if one.isascii() and one.isalnum()).upper()


def value(character: str) -> int:
    """0…9 for digits and 10…35 for A…Z, as ISO 7064 and ICAO 9303 count."""
    return int(character, 36)


def weighted(numbers: Iterable[int], weights: Sequence[int]) -> int:
    """The sum of products, as far as the shorter of the two goes."""
    return sum(number * weight for number, weight in zip(numbers, weights, strict=False))


def repeated(numbers: Sequence[int]) -> bool:
    """Whether all digits are the same: filler, never issued."""
    return len(set(numbers)) == 1


def luhn(numbers: Sequence[int]) -> bool:
    """Whether the last digit is the Luhn check digit of the others."""
    total = sum(numbers[-1::-2]) + sum(map(_DOUBLED.__getitem__, numbers[-2::-2]))
    return total % 10 == 0


def mod_97(text: str) -> int:
    """The remainder of the number that letters and digits spell (A = 10 … Z = 35)."""
    return int("".join(str(value(one)) for one in text)) % 97


def mod_11_10(numbers: Sequence[int]) -> bool:
    """Whether the last digit is the ISO 7064 MOD 11,10 check digit of the others."""
    product = 10
    for number in numbers[:-1]:
        total = (number + product) % 10 or 10
        product = total * 2 % 11
    return (product + numbers[-1]) % 10 == 1


def verhoeff(numbers: Sequence[int]) -> bool:
    """Whether the last digit is the Verhoeff check digit of the others."""
    state = 0
    for place, number in enumerate(reversed(numbers)):
        state = _DIHEDRAL[state][_PERMUTED[place % 8][number]]
    return state == 0


def icao_9303(text: str) -> int:
    """The check digit of a machine-readable document: weights 7, 3, 1 over 0…9, A…Z."""
    return weighted(map(value, text), (7, 3, 1) * (len(text) // 3 + 1)) % 10
