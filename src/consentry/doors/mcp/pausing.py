"""Waiting for people, as far as a client can: the rungs of the ladder, and what is said on each. Pure.

Tasks where the client takes them; else it is asked to show its user the approval link; else progress is reported while
the answer is held back; else, and when holding back has lasted long enough, a `pending` result says how to go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum

from consentry.actions import Json, JsonObject
from consentry.consent.model import ActionState, Decision
from consentry.doors.mcp.client import Client

WAIT, CANCEL = "consentry_wait", "consentry_cancel"
PENDING_META = "io.consentry/pending"

_ENDED = {
    ActionState.DENIED: "This call was denied.",
    ActionState.EXPIRED: "Time ran out before anybody consented, so this call was denied.",
    ActionState.WITHDRAWN: "The request for this call was withdrawn.",
    ActionState.REVOKED: "The consent to this call was revoked.",
    ActionState.VOID: "The consent to this call no longer holds, since something that it rested on has changed. "
    "Make the call again.",
    ActionState.SUCCEEDED: "This call was performed once already, and succeeded. Its result is no longer held here.",
    ActionState.FAILED: "This call was performed once already, and failed. Make it again to ask anew.",
    ActionState.CLAIMED: "This call is under way elsewhere.",
    ActionState.UNKNOWN: "This call was begun, and how it ended is unknown. Look before you make it again.",
}
POLL_MS = 2_000


class Rung(StrEnum):
    """How a client is told that people are being asked."""

    TASK = "task"
    LINK = "link"
    PROGRESS = "progress"
    RESULT = "result"


def rung(client: Client, progress_token: Json) -> Rung:
    """The best that this client can do."""
    if client.takes_tasks:
        return Rung.TASK
    if client.modern and client.opens_links:
        return Rung.LINK
    return Rung.PROGRESS if progress_token is not None else Rung.RESULT


def own_tools() -> list[Json]:
    """The two tools of the door itself. Neither can consent to anything (threat A9)."""
    identifier: Json = {
        "type": "object",
        "properties": {"id": {"type": "string", "description": "The id that the pending result gave."}},
        "required": ["id"],
        "additionalProperties": False,
    }
    return [
        {
            "name": WAIT,
            "description": "Wait for people to decide on a paused call. Once they consent, the call is performed and "
            "this answers with its result; else it says where the call stands.",
            "inputSchema": identifier,
        },
        {
            "name": CANCEL,
            "description": "Withdraw a paused call that is no longer wanted.",
            "inputSchema": identifier,
        },
    ]


def pending(decision: Decision, url: str | None, *, as_error: bool) -> JsonObject:
    """The result of a call that waits for people. As an error where the tool promises structured content."""
    text = (
        f"Paused: {_reasons(decision)} Somebody has to consent at {url}\n"
        f'Then call `{WAIT}` with {{"id": "{decision.action_id}"}}, or make exactly the same call again; it is '
        f"performed once. To take it back, call `{CANCEL}` with the same id."
    )
    return {
        "content": [{"type": "text", "text": text}],
        "isError": as_error,
        "_meta": {PENDING_META: {"id": decision.action_id, "state": decision.state.value, "url": url}},
    }


def ended(decision: Decision) -> JsonObject:
    """The result of a call that is not going to happen, with the reasons."""
    return failure(" ".join((_ENDED[decision.state], _reasons(decision))).strip())


def failure(text: str) -> JsonObject:
    """A tool's result that says what went wrong, where the model can read it."""
    return {"content": [{"type": "text", "text": text}], "isError": True}


def waiting_text(decision: Decision, url: str | None) -> str:
    """One line for progress messages and task status."""
    return f"Waiting for consent at {url}: {_reasons(decision)}".strip()


def input_required(decision: Decision, url: str | None, state: str) -> JsonObject:
    """Ask the client to show its user the approval link, and to come back."""
    ask: Json = {"mode": "url", "message": f"This call waits for consent. {_reasons(decision)}".strip(), "url": url}
    return {
        "resultType": "input_required",
        "inputRequests": {"consent": {"method": "elicitation/create", "params": ask}},
        "requestState": state,
    }


def begun(decision: Decision, url: str | None, *, now_ms: int) -> JsonObject:
    """A call that waits for people, as a task."""
    return {"resultType": "task", **task(decision, "working", now_ms=now_ms, text=waiting_text(decision, url), more={})}


def task(decision: Decision, status: str, *, now_ms: int, text: str, more: JsonObject) -> JsonObject:
    """A task of the tasks extension. Its id is the action's, which outlives this process."""
    left = None if decision.expires_at_ms is None else max(0, decision.expires_at_ms - decision.submitted_at_ms)
    return {
        "taskId": decision.action_id,
        "status": status,
        "statusMessage": text,
        "createdAt": _time(decision.submitted_at_ms),
        "lastUpdatedAt": _time(now_ms),
        "ttlMs": left,
        "pollIntervalMs": POLL_MS,
        **more,
    }


def _reasons(decision: Decision) -> str:
    texts = [reason.text.rstrip(".") + "." for reason in decision.reasons if reason.text]
    if decision.decided_reason:
        texts.append(f"The person who decided said: {decision.decided_reason}")
    return " ".join(texts)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def outcome_summary(result: JsonObject) -> str | None:
    """What the ledger says of a finished call: never its content."""
    content = result.get("content")
    if result.get("isError") is True:
        return "the tool reported an error"
    if result.get("resultType") == "input_required":
        return "the tool asks for more"
    kinds = [str(one.get("type")) for one in content if isinstance(one, Mapping)] if isinstance(content, list) else []
    return ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds)))[:200] or None
