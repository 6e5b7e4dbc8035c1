"""Telephone numbers by prefix and length.

Sources: ITU-T E.164 and its list of country calling codes; NANPA (area codes never begin with 0 or 1, nor end in 9X,
exchanges never begin with 0 or 1).
"""

from __future__ import annotations

from consentry.sanitize.checks.arithmetic import digits, repeated
from consentry.sanitize.checks.calendar import day_of_month

_ONE_DIGIT = frozenset("17")
_TWO_DIGITS = frozenset(
    """
    20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86
    90 91 92 93 94 95 98
    """.split()  # noqa: SIM905
)
_THREE_DIGITS = frozenset(
    """
    211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 234 235 236 237 238 239 240 241 242
    243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 261 262 263 264 265 266 267 268 269 290 291
    297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 372 373 374 375 376 377 378 379 380 381 382 383 385
    386 387 389 420 421 423 500 501 502 503 504 505 506 507 508 509 590 591 592 593 594 595 596 597 598 599 670 672
    673 674 675 676 677 678 679 680 681 682 683 685 686 687 688 689 690 691 692 800 808 850 852 853 855 856 870 878
    880 881 882 883 886 888 960 961 962 963 964 965 966 967 968 970 971 972 973 974 975 976 977 979 992 993 994 995
    996 998
    """.split()  # noqa: SIM905
)


def _without_extension(text: str) -> str:
    for mark in ("x", "X", "#", "e", "E"):
        text = text.partition(mark)[0]
    return text


def international(text: str) -> bool:
    """A `+` (or 00, 011), a calling code that exists, and as many digits as E.164 and the code's plans allow."""
    number = "".join(map(str, digits(_without_extension(text))))
    if not text.startswith("+"):
        number = number.removeprefix("011") if number.startswith("011") else number.removeprefix("00")
    if number[:1] == "1":
        national = number[1:]
        return len(national) == 10
    code = next((size for size in (1, 2, 3) if number[:size] in (_ONE_DIGIT, _TWO_DIGITS, _THREE_DIGITS)[size - 1]), 0)
    if not code:
        return False
    return len(number) - code >= 5 and 7 <= len(number) <= 15 + (1 if "(0)" in text else 0)


def north_american(text: str) -> bool | None:
    """Ten digits after an optional 1: confirmed where area code and exchange can exist, else only possible."""
    numbers = digits(_without_extension(text))[-10:]
    assigned = numbers[0] >= 2 and numbers[1] != 9 and numbers[3] >= 2
    return False if repeated(numbers) else assigned or None


def grouped(text: str) -> bool | None:
    """Groups of digits that add up to a subscriber's number and are neither a date nor a card."""
    numbers = digits(_without_extension(text))
    if not 6 <= len(numbers) <= 13 or repeated(numbers):
        return False
    parts = text.replace(".", "-").replace("/", "-").replace(" ", "-").split("-")
    if len(parts) == 3 and len(numbers) in (6, 8) and all(part.isdigit() for part in parts):
        first, second, third = map(int, parts)
        if len(parts[2]) == 4 and day_of_month(min(first, second), max(first, second)) and 1900 <= third <= 2100:
            return False
        if len(parts[0]) == 4 and 1900 <= first <= 2100 and day_of_month(third, second):
            return False
    return None


def national(text: str) -> bool | None:
    """A number with its trunk prefix, nine to eleven digits in groups of the usual sizes."""
    verdict = grouped(text)
    return True if verdict is None and 9 <= len(digits(_without_extension(text))) <= 11 else verdict
