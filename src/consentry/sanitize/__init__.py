"""Find personal data and secrets, and transform them. Usable alone: nothing here knows the gate or the server.

>>> from consentry.sanitize import Sanitizer
>>> Sanitizer.default(names=False).scan("write to ada@example.org")
[Finding(type='EMAIL_ADDRESS', start=9, end=24, …)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentry.sanitize.detector import Context, Detector, DetectorFailed
    from consentry.sanitize.engine import Engine
    from consentry.sanitize.finding import Finding, resolve
    from consentry.sanitize.sanitizer import Sanitized, Sanitizer
    from consentry.sanitize.stream import Piece, scan_stream

_HOME = {
    "Context": "detector",
    "Detector": "detector",
    "DetectorFailed": "detector",
    "Engine": "engine",
    "Finding": "finding",
    "Piece": "stream",
    "Sanitized": "sanitizer",
    "Sanitizer": "sanitizer",
    "resolve": "finding",
    "scan_stream": "stream",
}

__all__ = [
    "Context",
    "Detector",
    "DetectorFailed",
    "Engine",
    "Finding",
    "Piece",
    "Sanitized",
    "Sanitizer",
    "resolve",
    "scan_stream",
]


def __getattr__(name: str) -> object:
    """Imports the part that holds `name` when it is first asked for."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{home}"), name)
