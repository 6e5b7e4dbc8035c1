"""Secrets: credentials with a shape of their own, private keys, and values under names that promise a secret."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentry.sanitize.detector import Detector

__all__ = ["detector"]


@cache
def detector() -> Detector:
    """The one detector of secrets of this process; its search is compiled on first use."""
    from consentry.sanitize.secrets.scanner import SecretDetector

    return SecretDetector()
