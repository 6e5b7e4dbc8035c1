"""Identifiers of other countries.

Sources: Australia, ABR and ATO check digits, Services Australia (Medicare); Canada, Luhn (SIN); India, UIDAI
(Verhoeff), Income Tax Department (PAN); Korea, Resident Registration Act and NTS (BRN); Singapore, ICA (NRIC, FIN)
and ACRA (UEN); Thailand, DOPA; Türkiye, NVİ; South Africa, Identification Act; Nigeria, NIMC; Philippines, BIR;
Brazil, Receita Federal.
"""

from __future__ import annotations

from consentry.sanitize.checks.arithmetic import digits, luhn, repeated, value, verhoeff, weighted
from consentry.sanitize.checks.calendar import yymmdd

_NRIC = {"S": (0, "JZIHGFEDCBA"), "T": (4, "JZIHGFEDCBA"), "F": (0, "XWUTRQPNMLK"), "G": (4, "XWUTRQPNMLK"),
         "M": (3, "XWUTRQPNJLK")}  # fmt: skip
_UEN_OTHER = "ABCDEFGHJKLMNPQRSTUVWX0123456789"
_TH_PROVINCES = frozenset(
    (*range(10, 20), *range(20, 28), *range(30, 50), *range(50, 59), *range(60, 68), *range(70, 78), *range(80, 87),
     *range(90, 97), 99)
)  # fmt: skip
_GST_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def au_abn(text: str) -> bool:
    """Eleven digits; the first less one, weights 10, 1, 3 … 19, divisible by 89."""
    numbers = digits(text)
    total = weighted((numbers[0] - 1, *numbers[1:]), (10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19))
    return numbers[0] > 0 and total % 89 == 0


def au_acn(text: str) -> bool:
    """Nine digits, weights 8…1, complement to ten."""
    numbers = digits(text)
    return (10 - weighted(numbers[:8], range(8, 0, -1)) % 10) % 10 == numbers[8] and any(numbers)


def au_tfn(text: str) -> bool:
    """Nine digits, weighted sum divisible by eleven."""
    numbers = digits(text)
    return weighted(numbers, (1, 4, 3, 7, 5, 8, 6, 9, 10)) % 11 == 0 and not repeated(numbers)


def au_medicare(text: str) -> bool:
    """Ten digits, weights 1, 3, 7, 9; the check digit stands in place nine."""
    numbers = digits(text)
    return weighted(numbers[:8], (1, 3, 7, 9, 1, 3, 7, 9)) % 10 == numbers[8]


def ca_sin(text: str) -> bool:
    """Nine digits, Luhn, not beginning with 0 or 8."""
    numbers = digits(text)
    return numbers[0] not in (0, 8) and not repeated(numbers) and luhn(numbers)


def in_aadhaar(text: str) -> bool:
    """Twelve digits, Verhoeff, no palindrome."""
    numbers = digits(text)
    return numbers != numbers[::-1] and verhoeff(numbers)


def in_gstin(text: str) -> bool | None:
    """Base-36 check sign; a wrong one only leaves the number unconfirmed."""
    code = text.upper()
    total = sum(sum(divmod(value(one) * (1 + place % 2), 36)) for place, one in enumerate(code[:14]))
    return True if _GST_CHARACTERS[-total % 36] == code[14] else None


def in_pan(text: str) -> bool | None:
    """The fourth letter names a kind of holder."""
    return True if text.upper()[3] in "ABCFGHJLPT" else None


def kr_resident(text: str) -> bool | None:
    """A date of birth; the check digit confirms numbers given out before October 2020."""
    return _kr(text, 11)


def kr_foreigner(text: str) -> bool | None:
    """The same, with a check digit counted from 13."""
    return _kr(text, 13)


def _kr(text: str, top: int) -> bool | None:
    numbers = digits(text)
    if not yymmdd("".join(map(str, numbers[:6]))):
        return False
    total = weighted(numbers[:12], (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5))
    return True if (top - total % 11) % 10 == numbers[12] else None


def kr_business(text: str) -> bool:
    """Ten digits, weights 1, 3, 7 and the tens of the last product."""
    numbers = digits(text)
    total = weighted(numbers[:9], (1, 3, 7, 1, 3, 7, 1, 3, 5)) + numbers[8] * 5 // 10
    return (10 - total % 10) % 10 == numbers[9]


def sg_nric(text: str) -> bool | None:
    """Seven digits, weights 2, 7…2, and a letter from the series of the first."""
    code = text.upper()
    if code[0] not in _NRIC:
        return None
    add, letters = _NRIC[code[0]]
    rest = (add + weighted(digits(code), (2, 7, 6, 5, 4, 3, 2))) % 11
    return True if letters[rest] == code[8] else None


def sg_uen(text: str) -> bool:
    """A business, a local company or another entity, each with its check letter."""
    code = text.upper()
    if code[0].isalpha():
        total = weighted(map(_UEN_OTHER.index, code[:9]), (4, 3, 5, 3, 10, 2, 2, 5, 7))
        return _UEN_OTHER[(total - 5) % 11] == code[9]
    numbers = digits(code)
    if len(code) == 9:
        return "XMKECAWLJDB"[weighted(numbers, (10, 4, 9, 3, 8, 2, 7, 1)) % 11] == code[8]
    return "ZKCMDNERGWH"[weighted(numbers, (10, 8, 6, 4, 9, 7, 5, 3, 1)) % 11] == code[9]


def th_tnin(text: str) -> bool:
    """Thirteen digits, a province that exists, weights 13…2, MOD 11."""
    numbers = digits(text)
    known = numbers[1] * 10 + numbers[2] in _TH_PROVINCES and not repeated(numbers)
    return known and (11 - weighted(numbers[:12], range(13, 1, -1)) % 11) % 10 == numbers[12]


def tr_national(text: str) -> bool:
    """Eleven digits, two check digits."""
    numbers = digits(text)
    tenth = (7 * sum(numbers[0:9:2]) - sum(numbers[1:8:2])) % 10
    return numbers[9] == tenth and numbers[10] == sum(numbers[:10]) % 10


def za_id(text: str) -> bool:
    """A date of birth, a citizenship digit of 0…2, Luhn."""
    numbers = digits(text)
    return yymmdd(text) and numbers[10] <= 2 and luhn(numbers)


def ng_nin(text: str) -> bool:
    """Eleven digits, Verhoeff."""
    numbers = digits(text)
    return not repeated(numbers) and verhoeff(numbers)


def ph_tin(text: str) -> bool:
    """Nine digits (and a branch), weights 9…2, MOD 11 in place nine."""
    numbers = digits(text)
    return weighted(numbers[:8], range(9, 1, -1)) % 11 == numbers[8]


def br_cpf(text: str) -> bool:
    """Eleven digits, two check digits MOD 11."""
    numbers = digits(text)
    first = weighted(numbers[:9], range(10, 1, -1)) * 10 % 11 % 10
    second = weighted(numbers[:10], range(11, 1, -1)) * 10 % 11 % 10
    return not repeated(numbers) and numbers[9:] == [first, second]


def br_cnpj(text: str) -> bool:
    """Fourteen digits, two check digits MOD 11."""
    numbers = digits(text)
    weights = (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)
    first, second = -weighted(numbers[:12], weights[1:]) % 11, -weighted(numbers[:13], weights) % 11
    return not repeated(numbers) and numbers[12:] == [first % 10 if first < 10 else 0, second if second < 10 else 0]


def separators_agree(text: str) -> bool:
    """Whether all separators in a number are the same."""
    return len({one for one in text if not one.isalnum()}) <= 1
