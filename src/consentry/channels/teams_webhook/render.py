"""Cards that say what is asked, and where to decide. Pure.

Nothing of the payload stands there but names that were masked: a channel is read by many.
"""

from __future__ import annotations

from datetime import UTC, datetime

from consentry.channels.card import WHO, WHY, Card
from consentry.channels.model import NoteKind, Role
from consentry.channels.teams.text import Element, code, line, run
from consentry.channels.wording import TITLES

LONGEST = 400
_NOTES = {
    NoteKind.REMINDED: "Still waiting for a decision",
    NoteKind.ESCALATED: "Escalated: more people may decide now",
    NoteKind.UNKNOWN: "The outcome of an approved action is unknown",
}


def message(card: Card, message_id: str, role: Role, kind: NoteKind | None = None) -> Element:
    """What is posted to the workflow: a message with one card."""
    title = _NOTES[kind] if kind is not None else "Glass broken" if role is Role.GLASS else TITLES[card.state]
    body = [
        {"type": "TextBlock", "id": message_id, "text": title, "style": "heading", "wrap": True, "weight": "bolder"},
        line(code(card.operation), run(" on "), code(_short(card.resource))),
    ]
    for part in card.parts:
        if part.title in (WHO, WHY):
            body += [line(run(f"{row.label[:LONGEST]}: "), code(_short(row.value))) for row in part.rows[:8]]
    if card.data:
        body.append(line(run(_short(card.data))))
    if card.pending:
        when = f"{datetime.fromtimestamp(card.expires_at_ms // 1000, UTC):%Y-%m-%d %H:%M} UTC"
        body.append(line(run(_short(f"asked of {', '.join(card.asked)} · expires {when}"))))
    verb = "Look at it and decide" if card.pending else "Look at it"
    shown = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.5",
        "fallbackText": f"{title}. Open it at {card.url}",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": [{"type": "Action.OpenUrl", "title": verb, "url": card.url}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": shown}
    return {"type": "message", "attachments": [attachment]}


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST else f"{flat[:LONGEST]}…"
