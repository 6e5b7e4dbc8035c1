"""Waiting for people, as far as HTTP can: what callers are told, and how they come back. Pure.

`202` for who asked for it (RFC 7240), else the answer is held back, with comments where it is a stream of events, else
`409` with where people decide; the same call later continues, and runs once.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from consentry.actions import Json
from consentry.consent.model import ActionState, Decision
from consentry.doors.http.errors import Denied, NotPerformed, Pending
from consentry.errors import ConsentryError

RETRY_S = 5
COMMENT = b": waiting for consent\n\n"

_ENDED = {
    ActionState.EXPIRED: "time ran out before anybody consented, so this request was denied",
    ActionState.WITHDRAWN: "this request was withdrawn",
    ActionState.REVOKED: "the consent to this request was revoked",
    ActionState.VOID: "the consent to this request no longer holds, since something that it rested on has changed: "
    "send it again",
    ActionState.CLAIMED: "this request is under way for another caller of the same: it is performed once",
    ActionState.SUCCEEDED: "this request was performed once already, and succeeded: send it again to ask anew",
    ActionState.FAILED: "this request was performed once already, and failed: send it again to ask anew",
    ActionState.UNKNOWN: "this request was begun, and how it ended is unknown: look before you send it again",
}
_PERFORMED = (ActionState.CLAIMED, ActionState.SUCCEEDED, ActionState.FAILED, ActionState.UNKNOWN)


def reasons(decision: Decision) -> list[Json]:
    return [{"policy": one.policy, "text": one.text} for one in decision.reasons]


def members(decision: Decision, url: str | None, status_url: str) -> dict[str, Json]:
    """What every answer about an action says of it."""
    found: dict[str, Json] = {
        "id": decision.action_id,
        "state": decision.state.value,
        "reasons": reasons(decision),
        "status_url": status_url,
    }
    if url is not None:
        found["url"] = url
    if decision.decided_reason:
        found["decided_reason"] = decision.decided_reason
    return found


def ended(decision: Decision) -> ConsentryError:
    """Why a request is not going to be performed."""
    if decision.state is ActionState.DENIED:
        texts = [reason.text.rstrip(".") for reason in decision.reasons if reason.text]
        if decision.decided_reason:
            texts.append(f"the person who decided said: {decision.decided_reason}")
        return Denied(f"this request was denied: {'; '.join(texts)}" if texts else "this request was denied")
    text = _ENDED.get(decision.state, "this request is not going to be performed")
    return NotPerformed(text) if decision.state in _PERFORMED else Denied(text)


def pending(decision: Decision, url: str | None) -> Pending:
    texts = [reason.text.rstrip(".") for reason in decision.reasons if reason.text]
    why = f" ({'; '.join(texts)})" if texts else ""
    return Pending(f"people have to consent at {url}{why}: then send exactly the same request again; it runs once")


def accepted(members: Mapping[str, Json]) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of a `202`."""
    body = orjson.dumps(dict(members))
    return [
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        ("location", str(members["status_url"])),
        ("preference-applied", "respond-async"),
        ("retry-after", str(RETRY_S)),
        ("cache-control", "no-store"),
    ], body
