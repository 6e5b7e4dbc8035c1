"""What every detector is: text in, findings out, and nothing hidden when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

from consentry.errors import ConsentryError
from consentry.sanitize.finding import Finding


@dataclass(frozen=True, slots=True)
class Context:
    """What is known about a text besides its characters.

    `key` is the JSON key or column name that the text stands under, `path` the keys above it (outermost first).
    `value` says that the text is one value (a cell, a JSON string), not running prose.
    """

    key: str | None = None
    path: tuple[str, ...] = ()
    value: bool = False


NO_CONTEXT = Context()


class Detector(Protocol):
    """Finds some types in one text.

    `scan` returns spans on the text as given, in any order, overlapping if it must: the engine resolves. It keeps no
    state between calls, is safe to call from several threads, and raises rather than return a part.
    """

    @property
    def name(self) -> str: ...

    @property
    def types(self) -> frozenset[str]: ...

    def scan(self, text: str, context: Context) -> list[Finding]: ...


@runtime_checkable
class ManyDetector(Protocol):
    """A detector that scans many short texts at once faster than one by one. The results are the same."""

    def scan_many(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[list[Finding]]: ...


class DetectorFailed(ConsentryError):
    """A detector broke, so nothing of the text is returned: half sanitized is not sanitized."""

    code: ClassVar[str] = "detector_failed"
    status: ClassVar[int] = 500
