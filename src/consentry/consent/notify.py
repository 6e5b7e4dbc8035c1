"""Tell outside parties: rows in the outbox, committed with the change that they tell of. Ids and counts only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from consentry.actions import Json, new_id
from consentry.consent.rows import dump
from consentry.store import Tx, tables

ANNOUNCED: Mapping[str, str] = {
    "request.opened": "people are asked",
    "request.joined": "the same was asked again, for chats alone: a webhook for every repeat would be noise",
    "request.vote": "somebody voted, and more is needed",
    "request.stage": "the next stage is asked",
    "request.reminded": "nobody has decided for as long as policy says",
    "request.escalated": "others are asked as well",
    "request.approved": "it may happen",
    "request.denied": "it may not",
    "request.expired": "nobody decided in time",
    "request.withdrawn": "whoever asked took it back",
    "grant.claimed": "what people consented to begins, for webhooks alone",
    "claim.unknown": "nobody said in time what became of it",
    "standing.created": "somebody consented beforehand to a bounded family of actions",
    "breakglass.used": "somebody acted without consent, and has to answer for it",
}
"""Everything that outside parties are told, by its kind."""
CHAT = "channel:"


def webhooks(targets: Sequence[str]) -> list[str]:
    """The targets that are no chats."""
    return [target for target in targets if not target.startswith(CHAT)]


def chats(targets: Sequence[str]) -> list[str]:
    """The targets that are chats, where messages show how things stand."""
    return [target for target in targets if target.startswith(CHAT)]


def announce(tx: Tx, targets: Sequence[str], kind: str, fields: dict[str, Json]) -> None:
    """One row for each target. `fields` hold no sensitive value: they leave the house (invariant 10)."""
    assert kind in ANNOUNCED, kind
    for target in targets:
        payload: dict[str, Json] = {"type": kind, "time": tx.time, "data": fields}
        tx.insert(
            tables.outbox,
            {
                "id": new_id("out"),
                "target": target,
                "kind": kind,
                "payload": dump(payload),
                "attempts": 0,
                "next_at": tx.now_ms,
                "done_at": None,
                "last_error": None,
            },
        )
