"""What a client carries between the rounds of one call: sealed, for that caller and that call alone (threat H5)."""

from __future__ import annotations

from consentry.actions import JsonObject
from consentry.doors.mcp.keeper import Keeper
from consentry.doors.mcp.runs import Run
from consentry.doors.mcp.state import Sealer, State, fingerprint
from consentry.doors.mcp.visit import Visit

STATE_MS = 86_400_000


class Seals:
    """For all visits at one door."""

    def __init__(self, sealer: Sealer, keeper: Keeper) -> None:
        self._sealer = sealer
        self._keeper = keeper

    def seal(self, visit: Visit, state: State, method: str, params: JsonObject) -> str:
        """A state as the client carries it."""
        expires = self._keeper.now_ms() + STATE_MS
        return self._sealer.seal(state, visit.caller.actor, fingerprint(method, params), expires)

    def opened(self, visit: Visit, method: str, params: JsonObject) -> State:
        """What a client brought back. Raises `RpcError` for what was not given to this caller for this call."""
        return self._sealer.open(
            str(params["requestState"]), visit.caller.actor, fingerprint(method, params), self._keeper.now_ms()
        )

    def answer(self, visit: Visit, run: Run, state: State, method: str, params: JsonObject) -> JsonObject:
        """The result of a run, or what it asks of a client that answers in rounds; `state` leads back to it."""
        if run.done:
            return self._theirs(visit, run.result(), method, params)
        sealed = self.seal(visit, state, method, params)
        return {"resultType": "input_required", "inputRequests": run.input_requests(), "requestState": sealed}

    def _theirs(self, visit: Visit, result: JsonObject, method: str, params: JsonObject) -> JsonObject:
        """A server's own state is carried inside ours, so that it can neither be forged nor used elsewhere."""
        if result.get("resultType") != "input_required" or "requestState" not in result:
            return result
        state = self.seal(visit, State("upstream", str(result["requestState"])), method, params)
        return {**result, "requestState": state}
