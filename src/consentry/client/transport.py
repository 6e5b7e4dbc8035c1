"""What the SDK needs from a gate, wherever it is: over HTTP, or in this process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from consentry.actions import JsonObject, Operand
from consentry.client.model import ClaimGiven, Decision, Status


@dataclass(frozen=True, slots=True)
class Ask:
    """One action as the caller states it. Who acts is not in it: the token says."""

    operation: str
    resource: str
    arguments: JsonObject
    operands: tuple[Operand, ...] = ()
    context: JsonObject = field(default_factory=dict)
    reason: str | None = None
    idempotency_key: str | None = None

    def to_json(self) -> Mapping[str, object]:
        """The body of `POST /v1/actions`; what is not said is left out."""
        body: dict[str, object] = {
            "operation": self.operation,
            "resource": self.resource,
            "arguments": dict(self.arguments),
        }
        if self.operands:
            body["operands"] = [{"name": one.name, "sha256": one.sha256} for one in self.operands]
        if self.context:
            body["context"] = dict(self.context)
        if self.reason is not None:
            body["reason"] = self.reason
        if self.idempotency_key is not None:
            body["idempotency_key"] = self.idempotency_key
        return body


class Transport(Protocol):
    """The five verbs but `vote`, which is not for programs, and what surrounds them.

    Errors: the classes of `client.errors`. Safe to use from many tasks of one event loop.
    """

    async def submit(self, ask: Ask) -> Decision:
        """State an action. Repeats itself only under an idempotency key."""

    async def decision(self, action_id: str, wait_s: float) -> Decision:
        """How the action stands, after at most about `wait_s` seconds if it stays pending."""

    async def claim(self, action_id: str, operands: tuple[Operand, ...]) -> ClaimGiven:
        """Take the right to perform it once. `operands` are hashed anew by the caller."""

    async def settle(self, claim_id: str, status: Status, summary: str | None) -> None:
        """Say what really happened."""

    async def withdraw(self, request_id: str, reason: str | None) -> None:
        """Take a pending request back."""

    async def receipt(self, action_id: str) -> bytes:
        """The JSON of the action's receipt."""

    async def close(self) -> None:
        """Let go of connections."""
