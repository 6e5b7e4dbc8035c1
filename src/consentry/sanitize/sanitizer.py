"""The public face: find, transform, and the same for Arrow batches."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from consentry.sanitize.detector import NO_CONTEXT, Context, Detector
from consentry.sanitize.engine import Engine
from consentry.sanitize.finding import Finding

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

    from consentry.sanitize.files.cleaner import Cleaner
    from consentry.sanitize.profiles import Profile, Scans

DEFAULT_PROFILE = "default"


@dataclass(frozen=True, slots=True)
class Sanitized:
    """A transformed text and what was found in the original; the spans index the original."""

    text: str
    findings: list[Finding]


class Sanitizer:
    """An engine and a profile. Make one and keep it: the compiled patterns and the model live in it."""

    def __init__(
        self, engine: Scans, profile: str | Path | Profile = DEFAULT_PROFILE, codes: Scans | None = None
    ) -> None:
        """`codes` is the engine for columns that hold no names; the same one unless given."""
        self.engine = engine
        self._profile = profile
        self._codes = codes or engine

    @classmethod
    def default(
        cls,
        names: bool = True,
        secrets: bool = True,
        types: Collection[str] | None = None,
        min_score: float = 0.5,
    ) -> Sanitizer:
        """Patterns and validators, secrets unless switched off, names, places and organisations unless switched off.

        `types` limits what is looked for; `min_score` is the least score that is reported.
        """
        return cls(_engine(names, secrets, types, min_score))

    @classmethod
    def profile(cls, name: str | Path) -> Sanitizer:
        """The sanitizer of a built-in profile (`training-data`, `logs`, …) or of a TOML file."""
        from consentry.sanitize import profiles
        from consentry.sanitize.files.engines import build_engines

        profile = profiles.load(name)
        engines = build_engines(profile)
        return cls(engines.full, profile, engines.codes)

    def scan(self, text: str, context: Context = NO_CONTEXT) -> list[Finding]:
        """What is in the text, in reading order, none overlapping. Raises `DetectorFailed`."""
        return self.engine.scan(text, context)

    def sanitize(self, text: str, context: Context = NO_CONTEXT) -> Sanitized:
        """The text with every finding transformed as the profile says. Raises `DetectorFailed`.

        A changed text is looked at again until nothing is left to change, so that sanitizing twice is sanitizing once.
        """
        from consentry.sanitize import transforms

        findings = self.engine.scan(text, context)
        applied = transforms.finish(text, findings, lambda one: self.engine.scan(one, context), self._cleaner.plan)
        return Sanitized(applied.text, findings)

    def batch(self, record_batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with every column sanitized, nested and dictionary columns included; the types stay."""
        from consentry.sanitize.files import arrow

        return arrow.sanitize_batch(record_batch, self._cleaner)

    @cached_property
    def _loaded(self) -> Profile:
        from consentry.sanitize import profiles

        return profiles.load(self._profile) if not isinstance(self._profile, profiles.Profile) else self._profile

    @cached_property
    def _cleaner(self) -> Cleaner:
        """Holds the plan, and with it the keys: without a key in the profile they are drawn once, here."""
        from consentry.sanitize.files.cleaner import Cleaner, Engines

        return Cleaner(Engines(self.engine, self._codes), self._loaded.plan(), self._loaded)


def _engine(names: bool, secrets: bool, types: Collection[str] | None, min_score: float) -> Engine:
    from consentry.sanitize.patterns.detector import PatternDetector

    detectors: list[Detector] = [PatternDetector.default(types, min_score)]
    if secrets:
        from consentry.sanitize import secrets as secret_detectors

        detectors.append(secret_detectors.detector())
    if names:
        from consentry.sanitize import names as name_detectors

        detectors.append(name_detectors.detector())
    return Engine(detectors, min_score, types)
