"""What logs, code and tables are full of and what is none of the types: times, ids, versions, hashes, prices."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable

import pytest

from consentry.sanitize import Sanitizer

Draw = Callable[[random.Random], str]
KINDS: dict[str, Draw] = {
    "seconds": lambda draw: str(draw.randrange(1_600_000_000, 1_790_000_000)),
    "milliseconds": lambda draw: str(draw.randrange(1_600_000_000_000, 1_790_000_000_000)),
    "microseconds": lambda draw: str(draw.randrange(1_600_000_000_000_000, 1_790_000_000_000_000)),
    "nanoseconds": lambda draw: str(draw.randrange(1_600_000_000_000_000_000, 1_790_000_000_000_000_000)),
    "snowflake": lambda draw: str(draw.randrange(10**18, 19 * 10**17)),
    "nine digits": lambda draw: str(draw.randrange(10**8, 10**9)),
    "ten digits": lambda draw: str(draw.randrange(10**9, 10**10)),
    "twelve digits": lambda draw: str(draw.randrange(10**11, 10**12)),
    "hash": lambda draw: f"{draw.getrandbits(256):064x}",
    "span": lambda draw: f"{draw.getrandbits(64):016x}",
    "uuid": lambda draw: str(uuid.UUID(int=draw.getrandbits(128), version=4)),
    "fraction": lambda draw: repr(draw.random()),
    "price": lambda draw: f"{draw.randrange(1, 999)},{draw.randrange(1000):03d}.{draw.randrange(100):02d}",
}


@pytest.fixture(scope="module")
def sanitizer() -> Sanitizer:
    return Sanitizer.default(names=False)


@pytest.mark.parametrize("kind", KINDS)
def test_numbers_of_machines_are_silent_in_running_text(kind: str, sanitizer: Sanitizer) -> None:
    draw = random.Random(7)
    texts = [f"id={KINDS[kind](draw)} took 3 ms" for _ in range(500)]
    found = [one for some in sanitizer.engine.scan_many(texts) for one in some]
    assert len(found) <= 5, {one.type for one in found}


@pytest.mark.parametrize(
    "text", ["lodash 4.17.21", "Go 1.21.10", "numpy==1.12.22", "pkg~1.2.20", "1.12.22-beta", "Ubuntu 22.04.3"]
)
def test_versions_are_no_dates(text: str, sanitizer: Sanitizer) -> None:
    assert sanitizer.scan(text) == []


@pytest.mark.parametrize("text", ["am 4.5.21", "04.05.2021", "4/17/21", "17-4-21", "2021.04.17"])
def test_dates_stay_dates(text: str, sanitizer: Sanitizer) -> None:
    assert [one.type for one in sanitizer.scan(text)] == ["DATE_TIME"]
