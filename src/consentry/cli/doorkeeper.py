"""A gate that is elsewhere, as a door in this process needs it: over the server's API."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import orjson

from consentry.actions import Action, Json, JsonObject, Operand
from consentry.consent import errors
from consentry.consent.model import ActionState, Claim, Decision
from consentry.consent.settling import Settlement
from consentry.consent.states import ClaimState
from consentry.errors import ConsentryError
from consentry.policy.model import Facts, Obligations, Reason, Verdict

if TYPE_CHECKING:
    from consentry.client.http import HttpTransport
    from consentry.server.mcp import Caller

LONGEST_S = 30.0
_KNOWN: Mapping[str, type[ConsentryError]] = {
    one.code: one
    for one in (
        errors.AlreadyClaimed,
        errors.AlreadySettled,
        errors.Expired,
        errors.NotGranted,
        errors.OperandChanged,
        errors.UnknownAction,
        errors.UnknownRequest,
        errors.Void,
    )
}


class ApiKeeper:
    """See `doors.mcp.keeper.Keeper`. Facts are the server's own: it reads the arguments, and takes nobody's word."""

    def __init__(self, http: HttpTransport) -> None:
        self._http = http
        self._urls: dict[str, str | None] = {}
        self._actions: dict[str, Action] = {}

    def now_ms(self) -> int:
        return int(time.time() * 1000)

    async def submit(self, caller: Caller, action: Action, facts: Facts) -> Decision:
        body: dict[str, Json] = {
            "operation": action.operation,
            "resource": action.resource,
            "arguments": dict(action.arguments),
            "operands": _operands(action.operands),
            "claim": True,
        }
        decision = self._decision(await self._send("POST", "/v1/actions", body))
        self._actions[decision.action_id] = action
        return decision

    async def decision(self, action_id: str) -> Decision:
        return self._decision(await self._send("GET", f"/v1/actions/{action_id}"))

    async def action(self, action_id: str) -> Action:
        found = self._actions.get(action_id)
        if found is None:
            raise errors.UnknownAction(f"there is no call `{action_id[:40]}` of yours")
        return found

    async def wait(self, action_id: str, timeout_s: float) -> Decision:
        wait = min(timeout_s, LONGEST_S)
        return self._decision(await self._send("GET", f"/v1/actions/{action_id}", slow_s=wait))

    async def claim(self, action_id: str, caller: Caller, operands: tuple[Operand, ...]) -> Claim:
        found = await self._send("POST", f"/v1/actions/{action_id}/claim", {"operands": _operands(operands)})
        return Claim(str(found["claim_id"]), action_id, str(found["grant_id"]), ClaimState.CLAIMED, 0, 0)

    async def settle(self, outcomes: Sequence[Settlement]) -> Sequence[ConsentryError | None]:
        """The API takes outcomes one by one."""
        return [await self._settle(one) for one in outcomes]

    def settle_along(self, outcome: Settlement) -> bool:
        """The journal is the server's."""
        return False

    async def _settle(self, one: Settlement) -> ConsentryError | None:
        body: dict[str, Json] = {"status": one.status.value, "summary": one.summary}
        try:
            await self._send("POST", f"/v1/claims/{one.claim_id}/outcome", body)
        except ConsentryError as error:
            return error
        return None

    async def withdraw(self, request_id: str, caller: Caller) -> None:
        await self._send("POST", f"/v1/requests/{request_id}/withdraw", {})

    async def could_be(self, action: Action, facts: Facts) -> bool:
        """The API has no look ahead that leaves no trace: what is denied is denied when it is called."""
        return True

    def url(self, decision: Decision) -> str | None:
        return self._urls.get(decision.action_id)

    async def _send(
        self, method: str, path: str, body: JsonObject | None = None, *, slow_s: float = 0.0
    ) -> Mapping[str, Json]:
        from consentry.client.http import Repeat

        query = {"wait": f"{slow_s:.1f}"} if slow_s else None
        repeat = Repeat.SAFE if method == "GET" else Repeat.IF_NOT_SENT
        try:
            reply = await self._http.send(method, path, body=body, query=query, repeat=repeat, slow_s=slow_s)
        except ConsentryError as error:
            known = _KNOWN.get(error.code)
            raise (error if known is None else known(str(error))) from None
        found: Mapping[str, Json] = orjson.loads(reply.content)
        return found

    def _decision(self, found: Mapping[str, Json]) -> Decision:
        action_id, outcome, request = str(found["id"]), found.get("outcome"), found.get("request_id")
        url = found.get("url")
        self._urls[action_id] = None if url is None else str(url)
        obligations, reasons = found["obligations"], found["reasons"]
        assert isinstance(obligations, Mapping)
        assert isinstance(reasons, list)
        state = ActionState(str(found["state"]))
        claim = None
        if isinstance(outcome, Mapping) and state is ActionState.CLAIMED:
            grant = str(found.get("grant_id"))
            claim = Claim(str(outcome["claim_id"]), action_id, grant, ClaimState.CLAIMED, 0, 0)
        said = found.get("decided_reason")
        return Decision(
            action_id=action_id,
            digest=str(found["digest"]),
            verdict=Verdict(str(found["verdict"])),
            reasons=tuple(Reason(str(one["policy"]), str(one["text"])) for one in reasons if isinstance(one, Mapping)),
            obligations=Obligations.from_json(obligations),
            state=state,
            policy_version=str(found["policy_version"]),
            submitted_at_ms=_ms(found["submitted_at"]),
            request_id=None if request is None else str(request),
            expires_at_ms=None if found.get("expires_at") is None else _ms(found["expires_at"]),
            claim=claim,
            decided_reason=None if said is None else str(said),
        )


def _operands(operands: tuple[Operand, ...]) -> list[Json]:
    return [{"name": one.name, "sha256": one.sha256} for one in operands]


def _ms(text: Json) -> int:
    from datetime import datetime

    return int(datetime.fromisoformat(str(text)).timestamp() * 1000)
