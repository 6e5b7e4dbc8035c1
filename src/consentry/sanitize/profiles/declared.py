"""The operator's own patterns and words as a detector, and the words that are never findings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

from consentry.sanitize import entities
from consentry.sanitize.detector import NO_CONTEXT, Context
from consentry.sanitize.finding import Finding
from consentry.sanitize.profiles.profile import Profile

_CERTAIN: Final = 1.0


class Scans(Protocol):
    """Looks at texts: an `Engine`, or one with an allow list around it."""

    def scan(self, text: str, context: Context = NO_CONTEXT) -> list[Finding]: ...

    def scan_many(self, texts: Sequence[str], contexts: Sequence[Context] | None = None) -> list[list[Finding]]: ...


class DeclaredDetector:
    """`INTERNAL_ID` patterns and the deny list of a profile."""

    name = "declared"

    def __init__(self, profile: Profile) -> None:
        self._patterns = [(one, re.compile(one.pattern)) for one in profile.internal_ids]
        self._types_of = {one.value.casefold(): one.type for one in profile.deny}
        words = sorted((re.escape(one.value) for one in profile.deny), key=len, reverse=True)
        self._words = re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE) if words else None

    @property
    def types(self) -> frozenset[str]:
        return frozenset(self._types_of.values()) | ({entities.INTERNAL_ID} if self._patterns else frozenset())

    def scan(self, text: str, context: Context) -> list[Finding]:
        out = [
            Finding(
                entities.INTERNAL_ID, *found.span(), one.score, self.name, f"declared pattern `{one.name}`", one.name
            )
            for one, pattern in self._patterns
            for found in pattern.finditer(text)
            if found.end() > found.start()
        ]
        if self._words is not None:
            for found in self._words.finditer(text):
                entity = self._types_of.get(found.group().casefold(), entities.INTERNAL_ID)
                out.append(Finding(entity, *found.span(), _CERTAIN, self.name, "on the deny list"))
        return out


class Allowing:
    """Scans, and drops findings whose whole value is on the allow list (case is not looked at)."""

    def __init__(self, inner: Scans, allow: frozenset[str]) -> None:
        self._inner = inner
        self._allow = allow

    def scan(self, text: str, context: Context = NO_CONTEXT) -> list[Finding]:
        return self._drop(text, self._inner.scan(text, context))

    def scan_many(self, texts: Sequence[str], contexts: Sequence[Context] | None = None) -> list[list[Finding]]:
        found = self._inner.scan_many(texts, contexts)
        return [self._drop(text, mine) if mine else mine for text, mine in zip(texts, found, strict=True)]

    def _drop(self, text: str, findings: list[Finding]) -> list[Finding]:
        return [one for one in findings if text[one.start : one.end].casefold() not in self._allow]


def with_lists(engine: Scans, profile: Profile) -> Scans:
    """The engine behind the profile's allow list."""
    return Allowing(engine, profile.allow) if profile.allow else engine
