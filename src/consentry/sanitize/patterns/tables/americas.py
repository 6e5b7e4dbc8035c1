"""Identifiers of Canada and Brazil."""

from __future__ import annotations

from typing import Final

from consentry.sanitize.checks import world
from consentry.sanitize.patterns.pattern import Pattern

PATTERNS: Final = (
    Pattern(
        id="ca.sin",
        type="CA_SIN",
        regex=r"(?<![\w.-])\d{3}([ -])\d{3}\1\d{3}(?!\w|[-.]\d)",
        trigger=r"\b\d{3}[ -]\d{3}[ -]\d{3}\b",
        reach=13,
        dense=True,
        score=0.1,
        reason="social insurance number",
        check=world.ca_sin,
        confirmed=0.55,
    ),
    Pattern(
        id="ca.sin.plain",
        type="CA_SIN",
        regex=r"(?<![\w.,-])\d{9}(?!\w|[-.,]\d)",
        trigger=r"\b\d{9}\b",
        reach=10,
        dense=True,
        score=0.05,
        reason="social insurance number",
        check=world.ca_sin,
        confirmed=0.3,
    ),
    Pattern(
        id="br.cpf",
        type="BR_CPF",
        regex=r"(?<![\w.-])(?:\d{3}\.\d{3}\.\d{3}-\d\d|\d{11})(?!\w|[-.]\d)",
        trigger=r"\b(?:\d{3}\.\d{3}\.\d{3}-\d\d|\d{11})\b",
        reach=15,
        dense=True,
        score=0.05,
        reason="taxpayer number",
        check=world.br_cpf,
        confirmed=0.6,
    ),
    Pattern(
        id="br.cnpj",
        type="BR_CNPJ",
        regex=r"(?<![\w.-])\d\d\.\d{3}\.\d{3}/\d{4}-\d\d(?!\w|[-.]\d)",
        trigger=r"\b\d\d\.\d{3}\.\d{3}/\d{4}-\d\d\b",
        reach=20,
        dense=True,
        score=0.3,
        reason="company number",
        check=world.br_cnpj,
        confirmed=0.9,
    ),
)
