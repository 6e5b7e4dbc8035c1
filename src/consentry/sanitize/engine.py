"""Runs detectors over a text, joins what they found, and fails the whole call when one of them fails."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from consentry.sanitize.detector import NO_CONTEXT, Context, Detector, DetectorFailed, ManyDetector
from consentry.sanitize.finding import Finding, resolve


class Engine:
    """Detectors in a fixed order, the score under which a finding is not reported, and the types that are."""

    def __init__(
        self, detectors: Sequence[Detector], min_score: float = 0.5, types: Collection[str] | None = None
    ) -> None:
        self._detectors = tuple(detectors)
        self._only = None if types is None else frozenset(types)
        self.min_score = min_score

    @property
    def types(self) -> frozenset[str]:
        """Every entity type that can be reported."""
        all_types: frozenset[str] = frozenset().union(*(detector.types for detector in self._detectors))
        return all_types if self._only is None else all_types & self._only

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
        return self._settle(found, text)

    def scan_many(self, texts: Sequence[str], contexts: Sequence[Context] | None = None) -> list[list[Finding]]:
        """The findings of each text, as `scan` would report them one by one; made for many short cells."""
        about = [NO_CONTEXT] * len(texts) if contexts is None else contexts
        found: list[list[Finding]] = [[] for _ in texts]
        for detector in self._detectors:
            for mine, more in zip(found, _scan_many(detector, texts, about), strict=True):
                mine += more
        return [self._settle(mine, text) for mine, text in zip(found, texts, strict=True)]

    def _settle(self, found: list[Finding], text: str) -> list[Finding]:
        if not found:
            return found
        least, only = self.min_score, self._only
        strong = [one for one in found if one[3] >= least]
        return resolve(strong if only is None else [one for one in strong if one.type in only], len(text), text)


def _scan_many(detector: Detector, texts: Sequence[str], contexts: Sequence[Context]) -> list[list[Finding]]:
    try:
        if isinstance(detector, ManyDetector):
            return detector.scan_many(texts, contexts)
        return [detector.scan(text, context) for text, context in zip(texts, contexts, strict=True)]
    except Exception as error:
        raise _failed(detector) from error


def _failed(detector: Detector) -> DetectorFailed:
    return DetectorFailed(f"the detector `{detector.name}` failed, so nothing of the text is returned; see the cause")
