"""The tasks extension: a paused call as a task, whose id is the action's and outlives a restart."""

from __future__ import annotations

from consentry.actions import Json, JsonObject
from consentry.consent.errors import UnknownAction
from consentry.consent.model import ActionState, Decision
from consentry.doors.mcp import pausing
from consentry.doors.mcp.calls import Calls
from consentry.doors.mcp.errors import INVALID_PARAMS, MISSING_CAPABILITY, RpcError
from consentry.doors.mcp.keeper import Keeper
from consentry.doors.mcp.runs import Run
from consentry.doors.mcp.state import input_responses
from consentry.doors.mcp.visit import Visit
from consentry.doors.mcp.wire import TASKS


class Tasks:
    """Answers what clients ask of their tasks."""

    def __init__(self, calls: Calls, keeper: Keeper) -> None:
        self._calls = calls
        self._keeper = keeper

    async def answer(self, visit: Visit, method: str, params: JsonObject) -> JsonObject:
        """`tasks/get`, `tasks/update`, `tasks/cancel`. Raises `RpcError`."""
        if not visit.client.takes_tasks:
            needs: Json = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
            raise RpcError(MISSING_CAPABILITY, "the client does not declare the tasks extension", needs)
        try:
            decision = await self._calls.mine(visit, str(params.get("taskId")))
        except UnknownAction as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None
        run = self._calls.runs.find(decision.action_id, decision.request_id)
        if method == "tasks/update":
            if run is not None:
                run.answer(input_responses(params))
            return {}
        if method == "tasks/cancel":
            if decision.waiting and decision.request_id is not None:
                await self._keeper.withdraw(decision.request_id, visit.caller)
            elif run is not None and run.task is not None:
                run.task.cancel()
            return {}
        return self._task(decision, run or await self._calls.take_up(visit, decision))

    def _task(self, decision: Decision, run: Run | None) -> JsonObject:
        status, text, more = self._task_state(decision, run)
        return pausing.task(decision, status, now_ms=self._keeper.now_ms(), text=text, more=more)

    def _task_state(self, decision: Decision, run: Run | None) -> tuple[str, str, JsonObject]:
        if run is not None and run.done:
            try:
                return "completed", "The call was performed.", {"result": run.result()}
            except RpcError as error:
                return "failed", "The call failed.", {"error": error.to_json()}
        if run is not None:
            asks = run.input_requests()
            if asks:
                return "input_required", "The server asks for more.", {"inputRequests": asks}
            return "working", "The call is under way.", {}
        if decision.waiting:
            return "working", pausing.waiting_text(decision, self._keeper.url(decision)), {}
        if decision.state is ActionState.WITHDRAWN:
            return "cancelled", "The request for this call was withdrawn.", {}
        if decision.state is ActionState.CLAIMED:
            return "working", "The call is under way.", {}
        return "completed", "The call was not performed.", {"result": pausing.ended(decision)}
