"""Consentry: consent for privileged actions, and proof of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentry.client import AsyncConsentry, Consentry, Denied, Expired, Withdrawn, current_claim
    from consentry.errors import ConsentryError, Unavailable

__version__ = "0.1.0"

__all__ = [
    "AsyncConsentry",
    "Consentry",
    "ConsentryError",
    "Denied",
    "Expired",
    "Unavailable",
    "Withdrawn",
    "current_claim",
]


def __getattr__(name: str) -> object:
    """Imports the SDK when it is first asked for: rooms that stand alone start without it."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home = "consentry.errors" if name in ("ConsentryError", "Unavailable") else "consentry.client"
    return getattr(import_module(home), name)
