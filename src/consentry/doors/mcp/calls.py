"""Tool calls and reads through the gate: submit, wait as the client can, claim, and have it performed once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from consentry.actions import Action, Json, JsonObject, Operand, new_id
from consentry.consent.errors import AlreadyClaimed, Expired, NotGranted, UnknownAction, Void
from consentry.consent.model import Decision
from consentry.doors.errors import LensFailed
from consentry.doors.mcp import lens, pausing
from consentry.doors.mcp.catalog import Tool
from consentry.doors.mcp.client import Channel
from consentry.doors.mcp.config import Server
from consentry.doors.mcp.errors import (
    INVALID_PARAMS,
    UPSTREAM_FAILED,
    RpcError,
)
from consentry.doors.mcp.keeper import Keeper
from consentry.doors.mcp.pausing import Rung
from consentry.doors.mcp.performing import READING, Effect, Performer, said
from consentry.doors.mcp.runs import Run, Runs
from consentry.doors.mcp.sealing import Seals
from consentry.doors.mcp.state import State, input_responses
from consentry.doors.mcp.visit import Visit
from consentry.errors import traced
from consentry.policy.model import Facts

log = logging.getLogger("consentry.mcp")
OUR_META = "io.modelcontextprotocol/"
TRACE = frozenset({"traceparent", "tracestate", "baggage"})


class Calls:
    """For all visits at one door."""

    def __init__(
        self,
        keeper: Keeper,
        seals: Seals,
        performer: Performer,
        runs: Runs,
        *,
        types: lens.Types | None,
        stopping: asyncio.Event,
    ) -> None:
        self.runs = runs
        self._keeper = keeper
        self._seals = seals
        self._performer = performer
        self._types = types
        self._stopping = stopping

    # What comes in.

    async def call(self, visit: Visit, params: JsonObject, channel: Channel) -> JsonObject:
        """`tools/call`. Raises `RpcError`."""
        name, arguments = params.get("name"), params.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, Mapping):
            raise RpcError(INVALID_PARAMS, "`name` must be a string and `arguments` an object")
        if name in (pausing.WAIT, pausing.CANCEL):
            return await self._own(visit, name, arguments, channel, params)
        if (resumed := await self._resume(visit, "tools/call", params, channel)) is not None:
            return resumed
        tool = await self._tool(visit, name)
        if tool is None:
            return pausing.failure(f"there is no tool `{name[:128]}`")  # where most servers say it, and models read it
        action = Action(
            visit.caller.actor,
            lens.OPERATION,
            visit.server.resource,
            {"tool": tool.name, "arguments": arguments, **self._extras(visit, params)},
            (lens.operand(visit.server, tool.name, tool.definition),),
        )
        facts = self._facts(visit.server, tool, arguments)
        return await self._through(visit, action, facts, "tools/call", params, channel)

    async def read(self, visit: Visit, params: JsonObject, channel: Channel) -> JsonObject:
        """`resources/read`, which is a read like any other. Raises `RpcError`."""
        uri = params.get("uri")
        if not isinstance(uri, str):
            raise RpcError(INVALID_PARAMS, "`uri` must be a string")
        if (resumed := await self._resume(visit, "resources/read", params, channel)) is not None:
            return resumed
        arguments = {"uri": uri, **self._extras(visit, params)}
        action = Action(visit.caller.actor, READING, visit.server.resource, arguments)
        facts = Facts({"lens": "mcp", "server": visit.server.resource, "path": uri})
        return await self._through(visit, action, facts, "resources/read", params, channel)

    async def plain(self, visit: Visit, method: str, params: JsonObject, channel: Channel) -> JsonObject:
        """What passes without being an action of its own, with its rounds. Raises `RpcError`."""
        run, name = None, new_id("run")
        passed = dict(params)
        if "requestState" in params:
            state = self._seals.opened(visit, method, params)
            if state.kind == "plain":
                name, run = state.value, self.runs.find(state.value)
                if run is not None:
                    run.answer(input_responses(params))
            passed["requestState"] = state.value
        if run is None:
            run = Run(parks=visit.client.modern, stays=False)
            self.runs.add(run, name)
            run.begin(self._performer.plainly(visit, run, Effect(method, passed, None, False)))
        await run.settled(channel)
        return self._seals.answer(visit, run, State("plain", name), method, params)

    def _facts(self, server: Server, tool: Tool, arguments: JsonObject) -> Facts:
        try:
            return lens.facts(server, tool.name, tool.definition, arguments, self._types)
        except LensFailed:
            raise
        except Exception as error:
            log.error("lens_failed", extra=traced(error))
            raise LensFailed("the call could not be scanned, so it is denied; see the log") from None

    async def _tool(self, visit: Visit, name: str) -> Tool | None:
        prefix = visit.server.prefix
        return await visit.catalog.find(name.removeprefix(prefix)) if name.startswith(prefix) else None

    def _extras(self, visit: Visit, params: JsonObject) -> dict[str, Json]:
        """What else reaches the server and may change what it does: bound as well (threat B4 turned around)."""
        found: dict[str, Json] = {}
        meta = params.get("_meta")
        own = {} if not isinstance(meta, Mapping) else {
            name: item
            for name, item in meta.items()
            if name not in TRACE and name != "progressToken" and not name.startswith(OUR_META)
        }  # fmt: skip
        if own:
            found["meta"] = own
        if "inputResponses" in params:
            found["input"] = input_responses(params)
        if "requestState" in params:
            found["state"] = self._seals.opened(visit, _method(params), params).value
        return found

    # Through the gate.

    async def _through(
        self, visit: Visit, action: Action, facts: Facts, method: str, params: JsonObject, channel: Channel
    ) -> JsonObject:
        decision = await self._keeper.submit(visit.caller, action, facts)
        if decision.claim is not None:
            run = await self._performer.perform(visit, action, decision, decision.claim, stays=False)
            return await self._collect(visit, run, decision.action_id, method, params, channel)
        return await self._continue(visit, decision, method, params, channel, first=True)

    async def _continue(
        self, visit: Visit, decision: Decision, method: str, params: JsonObject, channel: Channel, *, first: bool
    ) -> JsonObject:
        """Wherever the action stands: wait, run, attach to a run, or say how it ended."""
        meta = params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, Mapping) else None
        rung = pausing.rung(visit.client, token)
        if decision.waiting and first and method == "tools/call" and rung is Rung.TASK:
            return pausing.begun(decision, self._keeper.url(decision), now_ms=self._keeper.now_ms())
        if decision.waiting and not (first and rung is Rung.LINK):
            decision = await self._hold(visit, decision, token, channel)
        if decision.waiting:
            return await self._paused(visit, decision, rung, method, params)
        run = await self.take_up(visit, decision)
        if run is None:
            return said(method, pausing.ended(await self._keeper.decision(decision.action_id)))
        return await self._collect(visit, run, decision.action_id, method, params, channel)

    async def _hold(self, visit: Visit, decision: Decision, token: Json, channel: Channel) -> Decision:
        """Hold the answer back for people, with a sign of life now and then, for as long as clients wait."""
        clock = asyncio.get_running_loop().time
        until, beats = clock() + visit.server.hold_s, 0
        text = pausing.waiting_text(decision, self._keeper.url(decision))
        while decision.waiting and (left := until - clock()) > 0 and not self._stopping.is_set():
            if token is not None:
                progress: JsonObject = {"progressToken": token, "progress": beats, "message": text}
                await channel.notify("notifications/progress", progress)
                beats += 1
            decision = await self._wait(decision, min(left, visit.server.beat_s))
        return decision

    async def _wait(self, decision: Decision, seconds: float) -> Decision:
        """Until the action is decided, the time is up, or the door is about to close."""
        waiting = asyncio.create_task(self._keeper.wait(decision.action_id, seconds))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else decision
        finally:
            for task in (waiting, stopping):
                task.cancel()
            await asyncio.gather(waiting, stopping, return_exceptions=True)

    async def _paused(
        self, visit: Visit, decision: Decision, rung: Rung, method: str, params: JsonObject
    ) -> JsonObject:
        url = self._keeper.url(decision)
        if rung is Rung.LINK or (method != "tools/call" and visit.client.modern and visit.client.opens_links):
            state = self._seals.seal(visit, State("action", decision.action_id), method, params)
            return pausing.input_required(decision, url, state)
        if method != "tools/call":
            text = pausing.waiting_text(decision, url)
            raise RpcError(UPSTREAM_FAILED + 1, text, {"id": decision.action_id, "url": url})
        tool = await self._tool(visit, str(params.get("name")))
        return pausing.pending(decision, url, as_error=tool is not None and tool.promises_structure)

    async def take_up(self, visit: Visit, decision: Decision) -> Run | None:
        """The run of an action: the one there is, or a new one where the grant is open; `None` where it ended."""
        run = self.runs.find(decision.action_id, decision.request_id)
        if run is not None or not decision.granted:
            return run
        action = await self._keeper.action(decision.action_id)
        try:
            operands = await self._operands_now(visit, action)
            claim = await self._keeper.claim(decision.action_id, visit.caller, operands)
        except (AlreadyClaimed, Expired, NotGranted, Void):
            return self.runs.find(decision.action_id, decision.request_id)
        return await self._performer.perform(visit, action, decision, claim, stays=True)

    async def _operands_now(self, visit: Visit, action: Action) -> tuple[Operand, ...]:
        """The tool's definition, read anew: one that has changed voids the grant (threat B9)."""
        if action.operation != lens.OPERATION:
            return action.operands
        tool = await visit.catalog.find(str(action.arguments["tool"]), fresh=True)
        return () if tool is None else (lens.operand(visit.server, tool.name, tool.definition),)

    async def _collect(
        self, visit: Visit, run: Run, action_id: str, method: str, params: JsonObject, channel: Channel
    ) -> JsonObject:
        """The result of a run, or what it asks of a client that answers in rounds."""
        await run.settled(channel)
        return self._seals.answer(visit, run, State("run", action_id), method, params)

    async def _resume(self, visit: Visit, method: str, params: JsonObject, channel: Channel) -> JsonObject | None:
        """A later round of a call that we paused or that asked something; `None` for a first round."""
        if "requestState" not in params:
            return None
        state = self._seals.opened(visit, method, params)
        if state.kind == "upstream":
            return None  # goes on as an action of its own, with all that is new in it
        decision = await self.mine(visit, state.value)
        run = self.runs.find(decision.action_id, decision.request_id)
        if run is not None:
            run.answer(input_responses(params))
        return await self._continue(visit, decision, method, params, channel, first=False)

    # The door's own tools.

    async def _own(
        self, visit: Visit, name: str, arguments: JsonObject, channel: Channel, params: JsonObject
    ) -> JsonObject:
        identifier = arguments.get("id")
        if not isinstance(identifier, str) or len(arguments) != 1:
            return pausing.failure("`id` must be the id that a pending result gave, and the only argument")
        try:
            decision = await self.mine(visit, identifier)
        except UnknownAction as error:
            return pausing.failure(f"{error} [{error.code}]")
        if name == pausing.CANCEL:
            return await self._cancel(visit, decision)
        meta = params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, Mapping) else None
        decision = await self._hold(visit, decision, token, channel)
        if decision.waiting:
            return pausing.pending(decision, self._keeper.url(decision), as_error=False)
        run = await self.take_up(visit, decision)
        if run is None:
            return pausing.ended(await self._keeper.decision(decision.action_id))
        return await self._collect(visit, run, decision.action_id, "tools/call", params, channel)

    async def _cancel(self, visit: Visit, decision: Decision) -> JsonObject:
        if decision.request_id is None or not decision.waiting:
            return pausing.failure("this call no longer waits for anybody")
        await self._keeper.withdraw(decision.request_id, visit.caller)
        return {"content": [{"type": "text", "text": "The call was withdrawn."}], "isError": False}

    async def mine(self, visit: Visit, action_id: str) -> Decision:
        """The decision on an action of this very caller at this very server. Raises `UnknownAction` (threat B14)."""
        action = await self._keeper.action(action_id)
        if action.actor != visit.caller.actor or action.resource != visit.server.resource:
            raise UnknownAction(f"there is no call `{action_id[:40]}` of yours")
        return await self._keeper.decision(action_id)


def _method(params: JsonObject) -> str:
    return "tools/call" if "name" in params else "resources/read"
