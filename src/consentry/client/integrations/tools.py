"""An agent's tool calls as actions: what all frameworks share."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import PurePath
from uuid import UUID

from pydantic import BaseModel

from consentry.actions import Json, JsonObject, NotExact, Operand, canonical
from consentry.client.admission import Admission
from consentry.client.clients import AsyncConsentry, Consentry
from consentry.client.errors import NotAdmitted, NotBindable, Refused, StillPending
from consentry.client.model import Decision
from consentry.client.operands import OperandSource

OPERATION = "mcp.tool.call"
"""Tool calls are judged by the same rules whichever way they come."""

REFUSALS = (NotAdmitted, NotBindable, Refused)
"""What the model is told instead of a result; anything else ends the run."""

_TEXTS = (date, time, Decimal, UUID, PurePath)


@dataclasses.dataclass(frozen=True, slots=True)
class ToolCall:
    """One call as it will run. `definition` is what the model was shown of the tool; its hash is part of the action.

    `id` is the framework's name for this call and `thread` for what it belongs to: together with all that is bound
    they make the key under which a resumed call comes back to its own request, and only to its own.
    """

    tool: str
    arguments: JsonObject
    id: str
    definition: JsonObject
    thread: str = ""

    @property
    def stated(self) -> dict[str, Json]:
        """The action's arguments, as the MCP door states them."""
        return {"tool": self.tool, "arguments": self.arguments}

    @property
    def operand(self) -> Operand:
        """The definition, pinned (threat B9)."""
        digest = hashlib.sha256(b"consentry tool v1\n" + canonical(self.definition, what="tool"))
        return Operand(f"tool:{self.tool}", digest.hexdigest())


@dataclasses.dataclass(frozen=True, slots=True)
class ToolGate:
    """How the tools of one agent pass the gate.

    `resource` names what the tools act on. `wait_s` is how long a call waits for people before it pauses as the
    framework pauses: at once by default, never for `None`.
    """

    gate: Consentry | AsyncConsentry
    resource: str
    operation: str = OPERATION
    wait_s: float | None = 0.0

    def admission(self, call: ToolCall) -> Admission:
        """Inside it the call may run, once. Raises `StillPending` for a pause; see `Guard.admit` for the rest."""
        return self.gate.admit(
            self.operation,
            resource=self.resource,
            arguments=call.stated,
            operands={call.operand.name: call.operand},
            idempotency_key=self.key(call),
            wait_s=self.wait_s,
        )

    async def ask(self, call: ToolCall) -> Decision:
        """What the gate says of the call now, without taking the right to run it. Tells `on_pending` where it waits."""
        pinned: dict[str, OperandSource] = {call.operand.name: call.operand}
        submit: Callable[[], Decision | Awaitable[Decision]] = partial(
            self.gate.submit,
            self.operation,
            resource=self.resource,
            arguments=call.stated,
            operands=pinned,
            idempotency_key=self.key(call),
        )
        answer = submit() if isinstance(self.gate, AsyncConsentry) else await asyncio.to_thread(submit)
        decision = answer if isinstance(answer, Decision) else await answer
        if decision.waiting and self.gate.on_pending is not None:
            self.gate.on_pending(decision)
        return decision

    def key(self, call: ToolCall) -> str:
        """Names this attempt. An edited call has another key, and so is another action (threats B5, B7)."""
        operand = call.operand
        said: list[Json] = [
            call.thread,
            call.id,
            self.operation,
            self.resource,
            call.stated,
            operand.name,
            operand.sha256,
        ]
        return hashlib.sha256(b"consentry tool call v1\n" + canonical(said, what="call")).hexdigest()


def exact(name: str, value: object) -> Json:
    """A copy of an argument as exact JSON: models and dataclasses by field, dates, decimals and paths as their text.

    Raises `NotBindable` for anything else, which could not be shown whole.
    """
    plain = _plain(name, value)
    try:
        canonical(plain, what=name)
    except NotExact as error:
        raise NotBindable(f"{error}; the parameter `{name}` must be exact JSON") from None
    return plain


def _plain(name: str, value: object) -> Json:
    if isinstance(value, Enum):
        return _plain(name, value.value)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, BaseModel):
        fields = {field: getattr(value, field) for field in type(value).model_fields}
        return _plain(name, fields | (value.__pydantic_extra__ or {}))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(name, getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(name, item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    if isinstance(value, _TEXTS):
        return str(value)
    if isinstance(value, timedelta):
        return f"{value.total_seconds()} s"
    raise NotBindable(f"the parameter `{name}` holds something without an exact JSON form: name it in `unbound`")


def asked(pending: StillPending) -> dict[str, Json]:
    """What a framework's pause carries, for whoever shows it; nothing is ever read back from it."""
    return {
        "waits_for": "consent",
        "url": pending.url,
        "action_id": pending.action_id,
        "request_id": pending.request_id,
    }
