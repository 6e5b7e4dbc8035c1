"""Cards, accounts, wallets."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from consentry.sanitize import entities
from consentry.sanitize.checks import money
from consentry.sanitize.patterns.pattern import Pattern


def _iban() -> str:
    """Countries by length, so that a match never takes the next word with it."""
    by_length: defaultdict[int, list[str]] = defaultdict(list)
    for country, length in money.IBAN_LENGTHS.items():
        by_length[length].append(country)
    shapes = (
        rf"(?:{'|'.join(countries)})\d\d(?:[ -]?[A-Z0-9]){{{length - 4}}}" for length, countries in by_length.items()
    )
    return rf"(?<![A-Za-z0-9])(?:{'|'.join(shapes)})(?![A-Za-z0-9])"


PATTERNS: Final = (
    Pattern(
        id="card.plain",
        type=entities.CREDIT_CARD,
        regex=r"(?<![\w.])\d{12,19}(?!\w|\.\d)",
        trigger=r"\b\d{12,19}\b",
        reach=20,
        dense=True,
        score=0.4,
        reason="payment card number",
        check=money.card,
        confirmed=0.9,
        lift=0.5,
    ),
    Pattern(
        id="card.grouped",
        type=entities.CREDIT_CARD,
        regex=r"(?<![\w.-])\d{4}([ -])(?:\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?|\d{6}\1\d{4,5})(?!\w|[-.]\d)",
        trigger=r"\d{4}[ -]\d{4,6}[ -]\d{4}",
        reach=24,
        dense=True,
        score=0.7,
        reason="payment card number",
        lift=0.0,
        check=money.card,
        confirmed=0.95,
    ),
    Pattern(
        id="iban",
        type=entities.IBAN_CODE,
        regex=_iban(),
        trigger=r"(?:^|[^A-Za-z0-9])[a-z]{2}\d\d[ -]?[a-z0-9]{2}",
        reach=8,
        ahead=100,
        ignore_case=True,
        score=0.5,
        reason="bank account number",
        lift=0.0,
        check=money.iban,
        confirmed=0.98,
    ),
    Pattern(
        id="crypto.base58",
        type=entities.CRYPTO,
        regex=r"(?<!\w)(?=\w{0,24}\d)[13LM9ADT][1-9A-HJ-NP-Za-km-z]{25,34}(?!\w)",
        trigger=r"\b[13LM9ADT][1-9A-HJ-NP-Za-km-z]{25,34}\b",
        reach=36,
        score=0.1,
        reason="wallet address",
        lift=0.0,
        check=money.base58check,
        confirmed=0.98,
    ),
    Pattern(
        id="crypto.bech32",
        type=entities.CRYPTO,
        regex=r"(?<!\w)(?:bc|tb|ltc)1[02-9ac-hj-np-z]{11,87}+(?!\w)",
        trigger=r"\b(?:bc|tb|ltc)1[02-9ac-hj-np-z]{11}",
        reach=16,
        ahead=110,
        ignore_case=True,
        score=0.1,
        reason="wallet address",
        lift=0.0,
        check=money.bech32,
        confirmed=0.98,
    ),
    Pattern(
        id="crypto.ethereum",
        type=entities.CRYPTO,
        regex=r"(?<!\w)0x[0-9a-f]{40}(?!\w)",
        trigger=r"0x[0-9a-f]{40}\b",
        ignore_case=True,
        ahead=48,
        score=0.7,
        reason="wallet address",
        lift=0.0,
    ),
)
