"""One detector for all tests here, and a scan that answers with the found values by subtype."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from consentry.sanitize import secrets
from consentry.sanitize.detector import NO_CONTEXT, Context
from consentry.sanitize.finding import Finding

Scan = Callable[..., list[Finding]]


@pytest.fixture
def scan() -> Scan:
    def run(text: str, context: Context = NO_CONTEXT) -> list[Finding]:
        return [one for one in secrets.detector().scan(text, context) if one.score >= 0.5]

    return run


@pytest.fixture
def values(scan: Scan) -> Callable[[str], set[tuple[str | None, str]]]:
    def run(text: str) -> set[tuple[str | None, str]]:
        return {(one.subtype, text[one.start : one.end]) for one in scan(text)}

    return run
