"""Identifiers of continental Europe.

Sources: Spain, Orden INT/2058/2008 (NIF, NIE); Italy, DM 23/12/1976 (codice fiscale) and DPR 633/72 (partita IVA);
Poland, PESEL Act; Finland, Decree 128/2010 and 2023 separators; Sweden, SKV 704 and SKV 709; Germany, § 139b AO (IdNr),
VKVV (Versicherungsnummer), § 290 SGB V (KVNR), KBV (LANR); France, INSEE (NIR); Netherlands, BSN eleven-test; Belgium,
Arrêté royal 3 avril 1984; Portugal, NIF; ICAO 9303 for document numbers.
"""

from __future__ import annotations

from consentry.sanitize.checks.arithmetic import (
    alphanumeric,
    digits,
    icao_9303,
    luhn,
    mod_11_10,
    repeated,
    value,
    weighted,
)
from consentry.sanitize.checks.calendar import day_of_month, ddmmyy, yymmdd

_NIF = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_FISCAL_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16,
         10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip
_RVNR = (2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1)


def es_nif(text: str) -> bool:
    """Seven or eight digits and the letter that their remainder by 23 names."""
    code = alphanumeric(text)
    return code[-1] == _NIF[int(code[:-1]) % 23]


def es_nie(text: str) -> bool:
    """As the NIF, with X, Y, Z for 0, 1, 2."""
    code = alphanumeric(text)
    return code[-1] == _NIF[int(str("XYZ".index(code[0])) + code[1:-1]) % 23]


def it_fiscal_code(text: str) -> bool | None:
    """The letter at the end is that of the other fifteen. A wrong one only leaves the code unconfirmed."""
    code = text.upper()
    total = sum(_FISCAL_ODD[one] for one in code[0:15:2])
    total += sum(value(one) if one.isdigit() else value(one) - 10 for one in code[1:15:2])
    return True if "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[total % 26] == code[15] else None


def it_vat(text: str) -> bool:
    """Eleven digits, Luhn."""
    numbers = digits(text)
    return not repeated(numbers) and luhn(numbers)


def pl_pesel(text: str) -> bool:
    """A date of birth whose month tells the century, and weights 1, 3, 7, 9."""
    numbers = digits(text)
    month = (numbers[2] * 10 + numbers[3]) % 20
    dated = day_of_month(numbers[4] * 10 + numbers[5], month)
    return dated and weighted(numbers, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def fi_hetu(text: str) -> bool:
    """A date of birth, a number from 002 on, and a sign from the remainder by 31."""
    number = text[:6] + text[7:10]
    return ddmmyy(text) and int(text[7:10]) >= 2 and _HETU[int(number) % 31] == text[10].upper()


def se_person(text: str) -> bool:
    """A date of birth (coordination numbers add 60 to the day) and Luhn over the last ten digits."""
    numbers = digits(text)[-10:]
    day = numbers[4] * 10 + numbers[5]
    return day_of_month(day - 60 if day > 60 else day, numbers[2] * 10 + numbers[3]) and luhn(numbers)


def se_organisation(text: str) -> bool:
    """A middle pair from 20 on, so that it is no date, and Luhn."""
    numbers = digits(text)
    return numbers[2] >= 2 and numbers[0] in (1, 2, 3, 5, 6, 7, 8, 9) and luhn(numbers)


def de_tax_id(text: str) -> bool:
    """Eleven digits, no digit more than three times in the first ten, MOD 11,10."""
    numbers = digits(text)
    return max(map(numbers[:10].count, numbers[:10])) <= 3 and mod_11_10(numbers)


def de_pension(text: str) -> bool:
    """Area, date of birth, initial and serial number with digit sums of weighted places."""
    code = text.upper()
    letter = f"{value(code[8]) - 9:02d}"
    numbers = digits(code[:8] + letter + code[9:])
    total = sum(sum(divmod(number * weight, 10)) for number, weight in zip(numbers[:12], _RVNR, strict=True))
    return ddmmyy(code[2:8]) and total % 10 == numbers[12]


def de_health(text: str) -> bool:
    """A letter and nine digits; the letter counts as two digits, weights 1 and 2 by digit sum."""
    code = text.upper()
    numbers = digits(f"{value(code[0]) - 9:02d}{code[1:]}")
    total = sum(sum(divmod(number * weight, 10)) for number, weight in zip(numbers[:10], (1, 2) * 5, strict=True))
    return total % 10 == numbers[10]


def de_document(text: str) -> bool | None:
    """A document number: check digit in place nine confirms it; without, letters inside leave it possible."""
    code = text.upper()
    if icao_9303(code[:8]) == value(code[8]):
        return True
    return None if any(one.isalpha() for one in code[1:]) else False


def de_doctor(text: str) -> bool:
    """Six digits, their check digit by weights 4 and 9, and two for the speciality."""
    numbers = digits(text)
    return not repeated(numbers) and (10 - weighted(numbers[:6], (4, 9) * 3) % 10) % 10 == numbers[6]


def de_vat(text: str) -> bool | None:
    """Nine digits after DE, MOD 11,10; a wrong one only leaves the number unconfirmed."""
    numbers = digits(text)
    return None if repeated(numbers) else mod_11_10(numbers) or None


def fr_nir(text: str) -> bool:
    """Thirteen digits (2A and 2B for Corsica) and 97 minus their remainder."""
    code = alphanumeric(text).replace("2A", "19").replace("2B", "18")
    return 1 <= int(code[3:5]) <= 99 and 97 - int(code[:13]) % 97 == int(code[13:15])


def nl_bsn(text: str) -> bool:
    """Nine digits, the eleven-test with -1 for the last."""
    numbers = digits(text)
    return not repeated(numbers) and weighted(numbers, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def be_national(text: str) -> bool:
    """A date of birth, a serial number and 97 minus the remainder (with a 2 in front for those born from 2000 on)."""
    number = "".join(map(str, digits(text)))
    rest = int(number[9:])
    return yymmdd(number) and rest in (97 - int(number[:9]) % 97, 97 - int("2" + number[:9]) % 97)


def pt_nif(text: str) -> bool:
    """Nine digits, weights 9…2, MOD 11."""
    numbers = digits(text)
    check = 11 - weighted(numbers, range(9, 1, -1)) % 11
    return numbers[0] in (1, 2, 3, 5, 6, 8) and (0 if check > 9 else check) == numbers[8]
