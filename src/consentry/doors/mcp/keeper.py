"""The gate as this door needs it: the verbs but `vote`, which is not for agents, and a look ahead for lists."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from consentry.actions import Action, Operand
from consentry.consent.gate import Gate
from consentry.consent.model import Claim, Decision, Submission
from consentry.consent.settling import Settlement
from consentry.doors.mcp.client import Caller
from consentry.errors import ConsentryError
from consentry.policy.model import Facts, Resource, Verdict

DOOR = "mcp"


class Keeper(Protocol):
    """Errors are those of `consentry.consent.errors`."""

    def now_ms(self) -> int:
        """The gate's clock, in milliseconds since the epoch."""

    async def submit(self, caller: Caller, action: Action, facts: Facts) -> Decision:
        """Judge an action, and claim it at once where policy allows it outright."""

    async def decision(self, action_id: str) -> Decision:
        """Where an action stands."""

    async def action(self, action_id: str) -> Action:
        """The action as it is stored."""

    async def wait(self, action_id: str, timeout_s: float) -> Decision:
        """The decision once it is no longer pending, or that of the timeout."""

    async def claim(self, action_id: str, caller: Caller, operands: tuple[Operand, ...]) -> Claim:
        """Use the grant, once; `operands` are hashed anew."""

    async def settle(self, outcomes: Sequence[Settlement]) -> Sequence[ConsentryError | None]:
        """See `doors.outcomes.Settle`."""

    def settle_along(self, outcome: Settlement) -> bool:
        """See `doors.outcomes.Along`."""

    async def withdraw(self, request_id: str, caller: Caller) -> None:
        """Take a request back."""

    async def could_be(self, action: Action, facts: Facts) -> bool:
        """Whether policy would do anything but deny this action. Nothing is recorded."""

    def url(self, decision: Decision) -> str | None:
        """Where people decide."""


class GateKeeper:
    """A keeper in front of the gate of this process. `origin` is the address that people use."""

    def __init__(self, gate: Gate, origin: str, check: Callable[[str], Awaitable[None]]) -> None:
        """`check` raises where a session does not hold any more."""
        self._gate = gate
        self._origin = origin
        self._check = check

    def now_ms(self) -> int:
        return self._gate.store.clock_ms()

    async def submit(self, caller: Caller, action: Action, facts: Facts) -> Decision:
        return await self._gate.submit(Submission(action, facts, session=caller.session, door=DOOR), claim=True)

    async def decision(self, action_id: str) -> Decision:
        return await self._gate.decision(action_id)

    async def action(self, action_id: str) -> Action:
        return await self._gate.action(action_id)

    async def wait(self, action_id: str, timeout_s: float) -> Decision:
        return await self._gate.wait(action_id, timeout_s=timeout_s)

    async def claim(self, action_id: str, caller: Caller, operands: tuple[Operand, ...]) -> Claim:
        if caller.session is not None:  # people may have taken long, and ended it meanwhile
            await self._check(caller.session)
        return await self._gate.claim(action_id, caller.actor, operands=operands)

    async def settle(self, outcomes: Sequence[Settlement]) -> Sequence[ConsentryError | None]:
        return await self._gate.settle_all(outcomes)

    def settle_along(self, outcome: Settlement) -> bool:
        return self._gate.settle_along(outcome)

    async def withdraw(self, request_id: str, caller: Caller) -> None:
        await self._gate.withdraw(request_id, caller.actor, "withdrawn by the caller at the door")

    async def could_be(self, action: Action, facts: Facts) -> bool:
        judgement = (await self._gate.current_policies()).judge(
            action,
            facts,
            resource=self._gate.resources.get(action.resource) or Resource(action.resource),
            roster=await self._gate.roster(),
            now_ms=self.now_ms(),
        )
        return judgement.verdict is not Verdict.DENY

    def url(self, decision: Decision) -> str | None:
        return None if decision.request_id is None else f"{self._origin}/requests/{decision.request_id}"
