"""Identifiers of the United Kingdom.

Sources: NHS Data Dictionary (NHS number); HMRC NIM39110 (NINO prefixes); Royal Mail postcode areas; DVLA INF104
(registration marks) and the driver number rule of DVLA form D1.
"""

from __future__ import annotations

from typing import Final

from consentry.sanitize.checks.arithmetic import alphanumeric, digits, repeated, weighted
from consentry.sanitize.checks.calendar import day_of_month

AREAS: Final = frozenset(
    """
    AB AL B BA BB BD BF BH BL BN BR BS BT BX CA CB CF CH CM CO CR CT CV CW DA DD DE DG DH DL DN DT DY E EC EH EN EX
    FK FY G GL GU GY HA HD HG HP HR HS HU HX IG IM IP IV JE KA KT KW KY L LA LD LE LL LN LS LU M ME MK ML N NE NG NN
    NP NR NW OL OX PA PE PH PL PO PR RG RH RM S SA SE SG SK SL SM SN SO SP SR SS ST SW SY TA TD TF TN TQ TR TS TW UB
    W WA WC WD WF WN WR WS WV YO ZE GIR
    """.split()  # noqa: SIM905
)
"""Postcode areas, with the two of the Girobank and the forces."""


def nhs(text: str) -> bool:
    """Ten digits, MOD 11."""
    numbers = digits(text)
    return not repeated(numbers) and (11 - weighted(numbers, range(10, 1, -1)) % 11) % 11 == numbers[9]


def nino(text: str) -> bool | None:
    """A prefix that is allocated."""
    return False if alphanumeric(text)[:2] in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ") else None


def postcode(text: str) -> bool | None:
    """A postcode area that exists."""
    code = alphanumeric(text)
    area = "".join(code[: 2 if code[1].isalpha() else 1]) if code[:3] != "GIR" else "GIR"
    return None if area in AREAS else False


def driver(text: str) -> bool | None:
    """The date of birth in the number exists (women's months begin at 51)."""
    code = text.upper()
    month, day = int(code[6:8]), int(code[8:10])
    return None if day_of_month(day, month - 50 if month > 50 else month) else False


def registration(text: str) -> bool | None:
    """The age identifier of a mark since 2001: 02…29 or 51…79."""
    age = int(alphanumeric(text)[2:4])
    return None if 2 <= age <= 29 or 51 <= age <= 79 else False
