"""Names, places and organisations: a small tagger that ships with the package, and what the document adds to it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentry.sanitize.detector import Detector

__all__ = ["detector"]


@cache
def detector() -> Detector:
    """The one detector of names of this process. Raises `ModelUnusable` where the model is missing or altered."""
    from consentry.sanitize.names.model import shipped
    from consentry.sanitize.names.tagger import NameDetector

    return NameDetector(shipped())
