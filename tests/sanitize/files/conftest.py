"""A small engine that finds by plain patterns, so that these tests are about files and not about detectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings

from consentry.sanitize import profiles
from consentry.sanitize.detector import Context
from consentry.sanitize.engine import Engine
from consentry.sanitize.files.cleaner import Cleaner, Engines
from consentry.sanitize.files.run import Job, run_tree
from consentry.sanitize.files.tally import FileReport
from consentry.sanitize.finding import Finding
from consentry.sanitize.profiles import DeclaredDetector, Profile, with_lists
from consentry.sanitize.transforms import KeyRing

settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")
KEYS = KeyRing(bytes(range(32)))
PATTERNS = {
    "EMAIL_ADDRESS": re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+"),
    "CREDIT_CARD": re.compile(r"(?<![\d.])4\d{15}(?!\d)"),
    "PHONE_NUMBER": re.compile(r"\+1 \d{3} \d{3} \d{4}"),
    "PERSON": re.compile(r"\bAda Lovelace\b"),
    "SECRET": re.compile(r"-----BEGIN KEY-----[^-]*-----END KEY-----"),
}


class PlainDetector:
    name = "plain"
    types = frozenset(PATTERNS)

    def scan(self, text: str, context: Context) -> list[Finding]:
        return [
            Finding(entity, *found.span(), 0.9, self.name, "pattern")
            for entity, pattern in PATTERNS.items()
            for found in pattern.finditer(text)
        ]


def plain_engines(profile: Profile) -> Engines:
    engine = with_lists(Engine([PlainDetector(), DeclaredDetector(profile)], profile.min_score), profile)
    return Engines(engine, engine)


def cleaner_of(profile: Profile) -> Cleaner:
    return Cleaner(plain_engines(profile), profile.plan(KEYS), profile)


@pytest.fixture
def cleaner_for() -> Callable[[str], Cleaner]:
    return lambda name: cleaner_of(profiles.load(name) if "\n" not in name else profiles.parse(name, "t"))


@pytest.fixture(scope="session")
def make_cleaner() -> Callable[[Profile], Cleaner]:
    return cleaner_of


@pytest.fixture
def cleaner() -> Cleaner:
    return cleaner_of(profiles.load("default"))


Run = Callable[..., FileReport]


@pytest.fixture
def run() -> Run:
    """`run(source, target, profile="default", workers=1, …)` with the plain engine; the one file's report."""

    def go(source: Path, target: Path | None, profile: str = "default", **more: object) -> FileReport:
        chosen = profiles.parse(profile, "t") if "\n" in profile else profiles.load(profile)
        # Workers import what they are given by name, and this file has none: they get the real engine, without names.
        engines = plain_engines if more.get("workers", 1) == 1 else None
        chosen = replace(chosen, names=False)
        job = Job(chosen, keys=KEYS, engines=engines, changes=target is not None, **more)  # type: ignore[arg-type]
        done, refused = run_tree(source, target, job)
        assert not refused
        return done[0]

    return go


@pytest.fixture
def job() -> Callable[..., Job]:
    return lambda profile="default", **more: Job(
        profiles.load(profile), **{"keys": KEYS, "engines": plain_engines, **more}
    )
