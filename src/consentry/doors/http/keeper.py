"""The gate as this door needs it: the verbs but `vote`, which is not for callers, and a look ahead."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from consentry.actions import Action, Actor
from consentry.consent.gate import Gate
from consentry.consent.model import Claim, Decision, Submission
from consentry.consent.settling import Settlement
from consentry.errors import ConsentryError
from consentry.policy.model import Facts, Resource, Verdict

DOOR = "http"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and from which session."""

    actor: Actor
    session: str | None = None


class Keeper(Protocol):
    """Errors are those of `consentry.consent.errors`."""

    async def submit(self, caller: Caller, action: Action, facts: Facts) -> Decision:
        """Judge an action, and claim it at once where policy allows it outright."""

    async def decision(self, action_id: str) -> Decision:
        """Where an action stands."""

    async def wait(self, action_id: str, timeout_s: float) -> Decision:
        """The decision once it is no longer pending, or that of the timeout."""

    def hold(self, caller: Caller) -> AbstractContextManager[None]:
        """A place to hold the caller's answer in. Raises a `ConsentryError` where the caller's share is used up."""

    async def claim(self, action_id: str, caller: Caller) -> Claim:
        """Use the grant, once. Raises `NotSignedIn` where the session that asked has ended meanwhile."""

    async def settle(self, outcomes: Sequence[Settlement]) -> Sequence[ConsentryError | None]:
        """See `doors.outcomes.Settle`."""

    def settle_along(self, outcome: Settlement) -> bool:
        """See `doors.outcomes.Along`."""

    async def would_allow(self, action: Action, facts: Facts) -> bool:
        """Whether policy would allow this action outright. Nothing is recorded."""

    def request_url(self, decision: Decision) -> str | None:
        """Where people decide."""

    def status_url(self, decision: Decision) -> str:
        """Where the caller can ask how its action stands."""


class GateKeeper:
    """A keeper in front of the gate of this process. `origin` is the address that people and programs use."""

    def __init__(
        self,
        gate: Gate,
        origin: str,
        hold: Callable[[str], AbstractContextManager[None]],
        check: Callable[[str], Awaitable[None]],
    ) -> None:
        """`hold` gives the caller of an id a place; `check` raises where a session does not hold any more."""
        self._gate = gate
        self._origin = origin
        self._hold = hold
        self._check = check

    async def submit(self, caller: Caller, action: Action, facts: Facts) -> Decision:
        return await self._gate.submit(Submission(action, facts, session=caller.session, door=DOOR), claim=True)

    async def decision(self, action_id: str) -> Decision:
        return await self._gate.decision(action_id)

    async def wait(self, action_id: str, timeout_s: float) -> Decision:
        return await self._gate.wait(action_id, timeout_s=timeout_s)

    def hold(self, caller: Caller) -> AbstractContextManager[None]:
        return self._hold(caller.actor.id)

    async def claim(self, action_id: str, caller: Caller) -> Claim:
        if caller.session is not None:  # people may have taken long, and ended it meanwhile
            await self._check(caller.session)
        return await self._gate.claim(action_id, caller.actor)

    async def settle(self, outcomes: Sequence[Settlement]) -> Sequence[ConsentryError | None]:
        return await self._gate.settle_all(outcomes)

    def settle_along(self, outcome: Settlement) -> bool:
        return self._gate.settle_along(outcome)

    async def would_allow(self, action: Action, facts: Facts) -> bool:
        judgement = (await self._gate.current_policies()).judge(
            action,
            facts,
            resource=self._gate.resources.get(action.resource) or Resource(action.resource),
            roster=await self._gate.roster(),
            now_ms=self._gate.store.clock_ms(),
        )
        return judgement.verdict is Verdict.ALLOW

    def request_url(self, decision: Decision) -> str | None:
        return None if decision.request_id is None else f"{self._origin}/requests/{decision.request_id}"

    def status_url(self, decision: Decision) -> str:
        return f"{self._origin}/v1/actions/{decision.action_id}"
