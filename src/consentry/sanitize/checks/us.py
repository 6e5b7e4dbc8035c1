"""Identifiers of the United States.

Sources: SSA POMS RM 10201 (SSN assignment); IRS publication 1915 (ITIN ranges); ABA routing number policy; 45 CFR 162
(NPI, Luhn over the prefix 80840); 21 CFR 1301 and DEA check digit; CMS MBI format; 49 CFR 565 (VIN).
"""

from __future__ import annotations

import re

from consentry.sanitize.checks.arithmetic import digits, luhn, repeated, weighted

_FOUR_DIGITS = re.compile(r"(?:\d\D{0,3}){4}")
_NEVER_ISSUED = frozenset(("078051120", "219099999", "123456789", "987654321"))
_VIN = {
    **{str(digit): digit for digit in range(10)},
    **dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", (*range(1, 9), *range(1, 6), 7, 9, *range(2, 10)), strict=True)),
}
_VIN_WEIGHTS = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def ssn(text: str) -> bool | None:
    """Area, group and serial number in the ranges that were ever assigned."""
    number = "".join(map(str, digits(text)))
    area, group, serial = number[:3], number[3:5], number[5:]
    if area in ("000", "666") or area[0] == "9" or group == "00" or serial == "0000":
        return False
    return None if number not in _NEVER_ISSUED and not repeated(digits(text)) else False


def itin(text: str) -> bool:
    """Nine digits from 9, with a middle pair that the IRS assigns."""
    group = int("".join(map(str, digits(text)))[3:5])
    return 50 <= group <= 65 or 70 <= group <= 88 or 90 <= group <= 92 or 94 <= group <= 99


def routing(text: str) -> bool:
    """A bank's routing number: a Federal Reserve prefix and weights 3, 7, 1."""
    numbers = digits(text)
    district = numbers[0] * 10 + numbers[1]
    known = district <= 12 or 21 <= district <= 32 or 61 <= district <= 72 or district == 80
    return known and not repeated(numbers) and weighted(numbers, (3, 7, 1) * 3) % 10 == 0


def npi(text: str) -> bool:
    """A provider's number: Luhn over the prefix of health applications."""
    numbers = digits(text)
    return not repeated(numbers[:-1]) and luhn([8, 0, 8, 4, 0, *numbers])


def dea(text: str) -> bool:
    """A prescriber's certificate: the last digit is that of odd places plus twice even places."""
    numbers = digits(text)[-7:]
    return (sum(numbers[0:6:2]) + 2 * sum(numbers[1:6:2])) % 10 == numbers[6]


def vin(text: str) -> bool | None:
    """A vehicle's number: the North American check digit in place nine; elsewhere that place is free."""
    number = text.upper()
    if number.isdigit() or number.isalpha():
        return False
    check = weighted((_VIN[one] for one in number), _VIN_WEIGHTS) % 11
    return True if number[8] == ("X" if check == 10 else str(check)) else None


def mixed(text: str) -> bool | None:
    """A document number worth a look: digits enough, not all the same."""
    return None if _FOUR_DIGITS.search(text) and len(set(text)) > 2 else False
