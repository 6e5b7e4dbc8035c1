"""What chats say in the same words, whatever their markup. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from consentry.channels.card import Card
from consentry.consent.states import RequestState
from consentry.policy.model import Assurance

TITLES = {
    RequestState.PENDING: "Consent asked",
    RequestState.APPROVED: "Approved",
    RequestState.DENIED: "Denied",
    RequestState.EXPIRED: "Expired, so denied",
    RequestState.WITHDRAWN: "Withdrawn",
}
SUMMED = frozenset({"findings", "rows", "files", "secrets", "destroys", "external", "public", "destructive"})
"""Facts that the first lines of a card count."""


def waiting(cards: Sequence[Card]) -> str:
    """How many of a list still wait for somebody."""
    count = sum(1 for card in cards if card.pending)
    return f"{count} of {len(cards)} waiting" if count else f"All {len(cards)} are decided"


def hint(card: Card, whole: bool) -> str | None:
    """Why a message has no button to approve, where it has none."""
    if not whole:
        return "It cannot be shown here as a whole, so it is approved on its page."
    if not card.whole:
        return "Some of it is masked or left out here, so it is approved on its page."
    if card.assurance is not Assurance.CHAT:
        return f"Its rule asks for sign-in by {card.assurance.value}, so it is approved on its page."
    return None
