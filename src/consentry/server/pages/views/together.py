"""Requests that are decided on one page. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from consentry.server.batch import Answer
from consentry.server.pages.views.request import RequestView


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one word: taken, or why not."""

    taken: bool
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """One request on the page. With `passkey`, its approval takes a passkey, and so its own page."""

    request: RequestView
    passkey: bool
    outcome: Outcome | None
    chosen: str


def outcome(answer: Answer | None) -> Outcome | None:
    """What is said in a request's place after a word on it."""
    if answer is None:
        return None
    if answer.error is not None:
        return Outcome(False, str(answer.error))
    verb = "approved" if answer.word.verdict.value == "approve" else "denied"
    return Outcome(True, f"You {verb} it.")
