"""Cards, accounts and wallets.

Sources: ISO/IEC 7812 issuer ranges as the schemes publish them; the SWIFT IBAN registry (release 99) and the SEPA
list of experimental IBANs; Bitcoin's base58check, BIP 173 and BIP 350.
"""

from __future__ import annotations

import hashlib
from typing import Final

from consentry.sanitize.checks.arithmetic import alphanumeric, digits, luhn, mod_97, repeated

IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip
"""Country → length in characters."""

_BASE58 = {letter: index for index, letter in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")}
_BASE58_VERSIONS = frozenset((0x00, 0x05, 0x16, 0x1E, 0x30, 0x32, 0x41))  # BTC, P2SH, DOGE ×2, LTC ×2, TRON
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32_CONSTANTS = (1, 0x2BC830A3)


def _issuer(number: str) -> bool:
    """Whether a card scheme issues numbers that begin and are as long as this."""
    length, two, three, four = len(number), int(number[:2]), int(number[:3]), int(number[:4])
    if number[0] == "4":
        return length in (13, 16, 18, 19)  # Visa
    if 51 <= two <= 55 or 2221 <= four <= 2720 or 2200 <= four <= 2204:
        return length == 16  # Mastercard, Mir
    if two in (34, 37):
        return length == 15  # American Express
    if two in (36, 38, 39) or 300 <= three <= 305:
        return 14 <= length <= 19  # Diners Club
    if 3528 <= four <= 3589:
        return 16 <= length <= 19  # JCB
    if four in (2131, 1800):
        return length == 15  # JCB, the older ranges
    return two == 50 or 56 <= two <= 69 or two in (81, 82)  # Maestro, Discover, UnionPay, RuPay


def card(text: str) -> bool | None:
    """A payment card: Luhn, and an issuer range for the common lengths; what is rarer is only possible.

    Thirteen digits from 1 are milliseconds since 1970.
    """
    numbers = digits(text)
    if not 12 <= len(numbers) <= 19 or repeated(numbers) or not luhn(numbers) or (len(numbers), numbers[0]) == (13, 1):
        return False
    return (len(numbers) >= 14 and _issuer("".join(map(str, numbers)))) or None


def iban(text: str) -> bool:
    """An account number: a registered country, its length, and MOD 97-10."""
    code = alphanumeric(text)
    return IBAN_LENGTHS.get(code[:2]) == len(code) and mod_97(code[4:] + code[:4]) == 1


def base58check(text: str) -> bool:
    """A Bitcoin-like address: base58 with a known version byte and a double SHA-256 checksum."""
    number = 0
    for letter in text:
        number = number * 58 + _BASE58[letter]
    if number.bit_length() > 200:
        return False
    content = number.to_bytes(25, "big")
    body, checksum = content[:21], content[21:]
    return body[0] in _BASE58_VERSIONS and hashlib.sha256(hashlib.sha256(body).digest()).digest()[:4] == checksum


def bech32(text: str) -> bool:
    """A segregated-witness address: one case, BIP 173 or BIP 350 checksum."""
    if text not in (text.lower(), text.upper()):
        return False
    prefix, _, data = text.lower().rpartition("1")
    state = 1
    expanded = [ord(one) >> 5 for one in prefix] + [0] + [ord(one) & 31 for one in prefix]
    for number in expanded + [_BECH32.find(one) for one in data]:
        if number < 0:
            return False
        top = state >> 25
        state = (state & 0x1FFFFFF) << 5 ^ number
        for bit, generator in enumerate(_BECH32_GENERATOR):
            state ^= generator if top >> bit & 1 else 0
    return state in _BECH32_CONSTANTS
