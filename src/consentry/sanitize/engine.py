"""Runs detectors over a text, joins what they found, and fails the whole call when one of them fails."""

from __future__ import annotations

from collections.abc import Sequence

from consentry.sanitize.detector import NO_CONTEXT, Context, Detector, DetectorFailed, ManyDetector
from consentry.sanitize.finding import Finding, resolve


class Engine:
    """Detectors in a fixed order and the score under which a finding is not reported."""

    def __init__(self, detectors: Sequence[Detector], min_score: float = 0.5) -> None:
        self._detectors = tuple(detectors)
        self.min_score = min_score

    @property
    def types(self) -> frozenset[str]:
        """Every entity type that some detector can report."""
        return frozenset().union(*(detector.types for detector in self._detectors))

    def scan(self, text: str, context: Context = NO_CONTEXT) -> list[Finding]:
        """The findings of one text, in reading order, none overlapping.

        Raises `DetectorFailed` when any detector raises.
        """
        found: list[Finding] = []
        for detector in self._detectors:
            try:
                found += detector.scan(text, context)
            except Exception as error:
                raise _failed(detector) from error
        return self._settle(found, len(text))

    def scan_many(self, texts: Sequence[str], contexts: Sequence[Context] | None = None) -> list[list[Finding]]:
        """The findings of each text, as `scan` would report them one by one; made for many short cells."""
        about = [NO_CONTEXT] * len(texts) if contexts is None else contexts
        found: list[list[Finding]] = [[] for _ in texts]
        for detector in self._detectors:
            for mine, more in zip(found, _scan_many(detector, texts, about), strict=True):
                mine += more
        return [self._settle(mine, len(text)) for mine, text in zip(found, texts, strict=True)]

    def _settle(self, found: list[Finding], length: int) -> list[Finding]:
        return resolve([one for one in found if one.score >= self.min_score], length)


def _scan_many(detector: Detector, texts: Sequence[str], contexts: Sequence[Context]) -> list[list[Finding]]:
    try:
        if isinstance(detector, ManyDetector):
            return detector.scan_many(texts, contexts)
        return [detector.scan(text, context) for text, context in zip(texts, contexts, strict=True)]
    except Exception as error:
        raise _failed(detector) from error


def _failed(detector: Detector) -> DetectorFailed:
    return DetectorFailed(f"the detector `{detector.name}` failed, so nothing of the text is returned; see the cause")
