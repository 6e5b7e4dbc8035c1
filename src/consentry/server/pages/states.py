"""What each state is called and which colour it has: the one place that decides it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """A word and a tone (`wait`, `good`, `bad`, `odd` or `idle`)."""

    word: str
    tone: str


_LOOKS: Mapping[str, Look] = {
    "allowed": Look("Allowed", "good"),
    "pending": Look("Waiting", "wait"),
    "approved": Look("Approved", "good"),
    "denied": Look("Denied", "bad"),
    "expired": Look("Expired", "idle"),
    "withdrawn": Look("Withdrawn", "idle"),
    "revoked": Look("Revoked", "idle"),
    "void": Look("Void", "idle"),
    "claimed": Look("Claimed", "wait"),
    "succeeded": Look("Succeeded", "good"),
    "failed": Look("Failed", "bad"),
    "unknown": Look("Unknown", "odd"),
    "open": Look("Open", "good"),
    "allow": Look("Allow", "good"),
    "review": Look("Review", "wait"),
    "deny": Look("Deny", "bad"),
    "approve": Look("Approve", "good"),
    "valid": Look("Valid", "good"),
    "tampered": Look("Tampered", "bad"),
    "unverifiable": Look("Unverifiable", "odd"),
    "active": Look("Active", "good"),
    "disabled": Look("Disabled", "idle"),
    "used": Look("Used up", "idle"),
}


def look(state: str) -> Look:
    """How a state is shown; one that is not listed is shown by its own name, without a colour."""
    return _LOOKS.get(state, Look(state.capitalize(), "idle"))
