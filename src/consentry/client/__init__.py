"""The SDK. `from consentry import Consentry`; everything else is here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from consentry.actions import Operand
    from consentry.client.clients import AsyncConsentry, Consentry
    from consentry.client.crossing import Claim, current_claim
    from consentry.client.errors import (
        AlreadyClaimed,
        Denied,
        Expired,
        Misused,
        NotAdmitted,
        NotBindable,
        OperandChanged,
        OutcomeNotRecorded,
        Refused,
        Revoked,
        StillPending,
        Unreachable,
        Void,
        Withdrawn,
    )
    from consentry.client.model import ClaimGiven, Decision, Reason

_HOME = {
    "AsyncConsentry": "consentry.client.clients",
    "Consentry": "consentry.client.clients",
    "Claim": "consentry.client.crossing",
    "current_claim": "consentry.client.crossing",
    "ClaimGiven": "consentry.client.model",
    "Decision": "consentry.client.model",
    "Reason": "consentry.client.model",
    "Operand": "consentry.actions",
}

__all__ = [
    "AlreadyClaimed",
    "AsyncConsentry",
    "Claim",
    "ClaimGiven",
    "Consentry",
    "Decision",
    "Denied",
    "Expired",
    "Misused",
    "NotAdmitted",
    "NotBindable",
    "Operand",
    "OperandChanged",
    "OutcomeNotRecorded",
    "Reason",
    "Refused",
    "Revoked",
    "StillPending",
    "Unreachable",
    "Void",
    "Withdrawn",
    "current_claim",
]


def __getattr__(name: str) -> object:
    """Imports the part that holds `name` when it is first asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME.get(name, "consentry.client.errors")), name)
