"""Names, places and organisations: a small tagger that ships with the package, and what the document adds to it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from consentry.sanitize.detector import Detector

__all__ = ["detector", "detector_with"]


@cache
def detector() -> Detector:
    """The one detector of names of this process. Raises `ModelUnusable` where the model is missing or altered."""
    from consentry.sanitize.names.model import shipped
    from consentry.sanitize.names.tagger import NameDetector

    return NameDetector(shipped())


def detector_with(larger_model: Path) -> Detector:
    """A detector that asks the token-classification model in the folder `larger_model` about spans it is unsure of.

    Raises `ModelUnusable`, or `InvalidInput` where the folder or the extra `onnx` is missing.
    """
    from consentry.sanitize.names.model import shipped
    from consentry.sanitize.names.onnx import OnnxJudge
    from consentry.sanitize.names.tagger import NameDetector

    return NameDetector(shipped(), second=OnnxJudge(larger_model))
