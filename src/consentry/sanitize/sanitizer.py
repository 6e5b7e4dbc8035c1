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

    from consentry.sanitize.profiles import Profile

DEFAULT_PROFILE = "default"


@dataclass(frozen=True, slots=True)
class Sanitized:
    """A transformed text and what was found in the original; the spans index the original."""

    text: str
    findings: list[Finding]


class Sanitizer:
    """An engine and a profile. Make one and keep it: the compiled patterns and the model live in it."""

    def __init__(self, engine: Engine, profile: str | Path | Profile = DEFAULT_PROFILE) -> None:
        self.engine = engine
        self._profile = profile

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

        profile = profiles.load(name)
        return cls(_engine(True, True, None, profile.min_score), profile)

    def scan(self, text: str, context: Context = NO_CONTEXT) -> list[Finding]:
        """What is in the text, in reading order, none overlapping. Raises `DetectorFailed`."""
        return self.engine.scan(text, context)

    def sanitize(self, text: str, context: Context = NO_CONTEXT) -> Sanitized:
        """The text with every finding transformed as the profile says. Raises `DetectorFailed`."""
        from consentry.sanitize import transforms

        findings = self.engine.scan(text, context)
        return Sanitized(transforms.apply(text, findings, self._loaded.plan()), findings)

    def batch(self, record_batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with every column sanitized, nested and dictionary columns included; the schema stays."""
        from consentry.sanitize.files import arrow

        return arrow.sanitize_batch(record_batch, self._loaded, self.engine)

    @cached_property
    def _loaded(self) -> Profile:
        from consentry.sanitize import profiles

        return profiles.load(self._profile) if not isinstance(self._profile, profiles.Profile) else self._profile


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
