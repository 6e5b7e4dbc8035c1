"""Tool calls and reads through the gate: submit, wait as the client can, claim, perform once, mask, settle."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from consentry.actions import Action, Json, JsonObject, Operand, new_id
from consentry.consent.errors import AlreadyClaimed, Expired, GateError, NotGranted, UnknownAction, Void
from consentry.consent.model import ActionState, Claim, Decision, OutcomeStatus
from consentry.doors.mcp import lens, pausing
from consentry.doors.mcp.catalog import Catalog, Tool
from consentry.doors.mcp.client import Caller, Channel, Client
from consentry.doors.mcp.config import Server
from consentry.doors.mcp.errors import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    UPSTREAM_FAILED,
    RpcError,
    UpstreamFailed,
)
from consentry.doors.mcp.keeper import Keeper
from consentry.doors.mcp.link import Link
from consentry.doors.mcp.masking import Clean, Unreadable, mask
from consentry.doors.mcp.pausing import Rung
from consentry.doors.mcp.runs import Run, Runs
from consentry.doors.mcp.state import Sealer, State, fingerprint, input_responses
from consentry.doors.mcp.wire import TASKS
from consentry.errors import ConsentryError
from consentry.policy.model import Facts

log = logging.getLogger("consentry.mcp")
READING = "dataset.read"
ROUNDS = 16
"""How often an upstream server of the present revision may ask an earlier client for more within one call."""
STATE_MS = 86_400_000
POLL_MS = 2_000
SETTLE_S = 0.05
"""How long outcomes are gathered before they are written: one disk write for many, none in the way of the next call."""
OUR_META = "io.modelcontextprotocol/"
TRACE = frozenset({"traceparent", "tracestate", "baggage"})


@dataclass(frozen=True, slots=True)
class Visit:
    """One caller with one kind of client at one upstream server."""

    server: Server
    caller: Caller
    client: Client
    link: Link
    catalog: Catalog


@dataclass(frozen=True, slots=True)
class Effect:
    """What is to be performed once claimed: rebuilt from the stored action, so that it can be nothing else (B8)."""

    method: str
    params: JsonObject
    schema: JsonObject | None
    structured: bool


class Calls:
    """For all visits at one door. `cleaner` gives, for entity types, what masks them in a text."""

    def __init__(
        self,
        keeper: Keeper,
        sealer: Sealer,
        *,
        types: lens.Types | None,
        cleaner: Callable[[tuple[str, ...]], Clean],
        stopping: asyncio.Event,
    ) -> None:
        self._stopping = stopping
        self._keeper = keeper
        self._sealer = sealer
        self._types = types
        self._cleaner = cleaner
        self._runs = Runs()
        self._outcomes: list[tuple[str, Caller, OutcomeStatus, str | None]] = []
        self._settling: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()

    async def close(self) -> None:
        await self._runs.close()
        self._closing.set()
        if self._settling is not None:
            await self._settling

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
            state = self._opened(visit, method, params)
            if state.kind == "plain":
                name, run = state.value, self._runs.find(state.value)
                if run is not None:
                    run.answer(input_responses(params))
            passed["requestState"] = state.value
        if run is None:
            run = Run(parks=visit.client.modern, stays=False)
            self._runs.add(run, name)
            run.begin(self._plainly(visit, run, Effect(method, passed, None, False)))
        await run.settled(channel)
        if run.done:
            return self._sealed(visit, run.result(), method, params)
        sealed = self._seal(visit, State("plain", name), method, params)
        return {"resultType": "input_required", "inputRequests": run.input_requests(), "requestState": sealed}

    async def _plainly(self, visit: Visit, run: Run, effect: Effect) -> JsonObject:
        try:
            return await self._rounds(visit, effect, _Governed(self, visit, run, None))
        except UpstreamFailed as error:
            raise RpcError(UPSTREAM_FAILED, str(error), {"code": error.code}) from None

    def _facts(self, server: Server, tool: Tool, arguments: JsonObject) -> Facts:
        try:
            return lens.facts(server, tool.name, tool.definition, arguments, self._types)
        except lens.LensFailed:
            raise
        except Exception as error:
            log.error("lens_failed", exc_info=error)
            raise lens.LensFailed("the call could not be scanned, so it is denied; see the log") from None

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
            found["state"] = self._opened(visit, _method(params), params).value
        return found

    def _opened(self, visit: Visit, method: str, params: JsonObject) -> State:
        return self._sealer.open(
            str(params["requestState"]), visit.caller.actor, fingerprint(method, params), self._keeper.now_ms()
        )

    # Through the gate.

    async def _through(
        self, visit: Visit, action: Action, facts: Facts, method: str, params: JsonObject, channel: Channel
    ) -> JsonObject:
        decision = await self._keeper.submit(visit.caller, action, facts)
        if decision.claim is not None:
            run = await self._perform(visit, action, decision, decision.claim, stays=False)
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
            return await self._as_task(visit, decision)
        if decision.waiting and not (first and rung is Rung.LINK):
            decision = await self._hold(visit, decision, token, channel)
        if decision.waiting:
            return await self._paused(visit, decision, rung, method, params)
        run = await self._take_up(visit, decision)
        if run is None:
            return self._said(method, pausing.ended(await self._keeper.decision(decision.action_id)))
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
            state = self._seal(visit, State("action", decision.action_id), method, params)
            return pausing.input_required(decision, url, state)
        if method != "tools/call":
            text = pausing.waiting_text(decision, url)
            raise RpcError(UPSTREAM_FAILED + 1, text, {"id": decision.action_id, "url": url})
        tool = await self._tool(visit, str(params.get("name")))
        return pausing.pending(decision, url, as_error=tool is not None and tool.promises_structure)

    async def _take_up(self, visit: Visit, decision: Decision) -> Run | None:
        """The run of an action: the one there is, or a new one where the grant is open; `None` where it ended."""
        run = self._runs.find(decision.action_id, decision.request_id)
        if run is not None or not decision.granted:
            return run
        action = await self._keeper.action(decision.action_id)
        try:
            operands = await self._operands_now(visit, action)
            claim = await self._keeper.claim(decision.action_id, visit.caller, operands)
        except (AlreadyClaimed, Expired, NotGranted, Void):
            return self._runs.find(decision.action_id, decision.request_id)
        return await self._perform(visit, action, decision, claim, stays=True)

    async def _operands_now(self, visit: Visit, action: Action) -> tuple[Operand, ...]:
        """The tool's definition, read anew: one that has changed voids the grant (threat B9)."""
        if action.operation != lens.OPERATION:
            return action.operands
        tool = await visit.catalog.find(str(action.arguments["tool"]), fresh=True)
        return () if tool is None else (lens.operand(visit.server, tool.name, tool.definition),)

    # Performing.

    async def _perform(self, visit: Visit, action: Action, decision: Decision, claim: Claim, *, stays: bool) -> Run:
        run = Run(parks=visit.client.modern, stays=stays)
        effect = await self._effect(visit, action)
        self._runs.add(run, decision.action_id, decision.request_id)
        run.begin(self._run(visit, run, effect, decision, claim))
        return run

    async def _effect(self, visit: Visit, action: Action) -> Effect:
        arguments = action.arguments
        meta = arguments.get("meta")
        more: dict[str, Json] = {} if meta is None else {"_meta": meta}
        if "input" in arguments:
            more["inputResponses"] = arguments["input"]
        if "state" in arguments:
            more["requestState"] = arguments["state"]
        if action.operation == READING:
            return Effect("resources/read", {"uri": arguments["uri"], **more}, None, False)
        tool = await visit.catalog.find(str(arguments["tool"]))
        named = {"name": arguments["tool"], "arguments": arguments["arguments"]}
        schema = None if tool is None else tool.schema
        return Effect("tools/call", {**named, **more}, schema, tool is not None and tool.promises_structure)

    async def _run(self, visit: Visit, run: Run, effect: Effect, decision: Decision, claim: Claim) -> JsonObject:
        """The effect, its masking and its outcome. An outcome that nobody knows is not reported: it is `unknown`."""
        status: OutcomeStatus | None = OutcomeStatus.FAILED
        summary: str | None = None
        try:
            masks = decision.obligations.masks
            clean = self._cleaner(masks) if masks else None
            channel = _Governed(self, visit, run, clean)
            result = await self._rounds(visit, effect, channel)
            failed = result.get("isError") is True
            status, summary = (
                OutcomeStatus.FAILED if failed else OutcomeStatus.SUCCEEDED,
                pausing.outcome_summary(result),
            )
            return await self._masked(visit, result, clean)
        except Unreadable as error:
            return self._said(effect.method, pausing.failure(f"{error} [{error.code}]"))
        except UpstreamFailed as error:
            status, summary = (None, None) if error.sent else (OutcomeStatus.FAILED, "the server could not be reached")
            raise RpcError(UPSTREAM_FAILED, str(error), {"code": error.code}) from None
        except RpcError as error:
            summary = f"the server answered with error {error.number}"
            raise await self._masked_error(error, decision) from None
        except asyncio.CancelledError:
            status = None
            raise
        except Exception as error:
            status = None
            log.error("run_failed", exc_info=error)
            raise RpcError(INTERNAL_ERROR, "the call failed inside the door; see the log") from None
        finally:
            if status is not None:
                self._settle(visit, claim, status, summary)

    async def _rounds(self, visit: Visit, effect: Effect, channel: Channel) -> JsonObject:
        """The call; for a client of an earlier revision also the rounds in which the server asks for more."""
        params = effect.params
        for _ in range(ROUNDS):
            result = await visit.link.request(effect.method, _tokened(params), channel=channel, schema=effect.schema)
            asked = result.get("inputRequests")
            if visit.client.modern or result.get("resultType") != "input_required":
                return result
            answers: dict[str, Json] = {}
            for key, one in asked.items() if isinstance(asked, Mapping) else ():
                ask = one if isinstance(one, Mapping) else {}
                about = ask.get("params")
                answers[key] = await channel.ask(str(ask.get("method")), about if isinstance(about, Mapping) else {})
            params = {**effect.params, "inputResponses": answers}
            if "requestState" in result:
                params["requestState"] = result["requestState"]
        raise RpcError(UPSTREAM_FAILED, "the upstream server keeps asking for more")

    async def _masked(self, visit: Visit, result: JsonObject, clean: Clean | None) -> JsonObject:
        """The result as policy lets it out. Whatever goes wrong here, nothing passes (threat E9)."""
        if clean is None:
            return result
        try:
            masked = await asyncio.to_thread(mask, result, clean, pass_unreadable=visit.server.pass_unreadable)
        except Unreadable:
            raise
        except Exception as error:
            log.error("masking_failed", exc_info=error)
            raise Unreadable("the result could not be masked, so it is not given out; see the log") from None
        assert isinstance(masked, Mapping)
        return masked

    async def _masked_error(self, error: RpcError, decision: Decision) -> RpcError:
        if not decision.obligations.masks:
            return error
        return RpcError(error.number, "the server answered with an error; its text is masked")

    def _settle(self, visit: Visit, claim: Claim, status: OutcomeStatus, summary: str | None) -> None:
        """Report the outcome while the answer is already on its way; those of one moment are written together."""
        self._outcomes.append((claim.id, visit.caller, status, summary))
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self._settle_soon())

    async def _settle_soon(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                await self._closing.wait()
        while self._outcomes:
            outcomes, self._outcomes = self._outcomes, []
            found = await asyncio.gather(*(self._keeper.settle(*one) for one in outcomes), return_exceptions=True)
            for error in found:
                if isinstance(error, ConsentryError):
                    log.error("outcome_not_recorded", extra={"code": error.code})
                elif error is not None:
                    log.error("outcome_not_recorded", exc_info=error)

    # What goes out.

    async def _collect(
        self, visit: Visit, run: Run, action_id: str, method: str, params: JsonObject, channel: Channel
    ) -> JsonObject:
        """The result of a run, or what it asks of a client that answers in rounds."""
        await run.settled(channel)
        if run.done:
            return self._sealed(visit, run.result(), method, params)
        state = self._seal(visit, State("run", action_id), method, params)
        return {"resultType": "input_required", "inputRequests": run.input_requests(), "requestState": state}

    def _sealed(self, visit: Visit, result: JsonObject, method: str, params: JsonObject) -> JsonObject:
        """A server's own state is carried inside ours, so that it can neither be forged nor used elsewhere (H5)."""
        if result.get("resultType") != "input_required" or "requestState" not in result:
            return result
        state = self._seal(visit, State("upstream", str(result["requestState"])), method, params)
        return {**result, "requestState": state}

    def _seal(self, visit: Visit, state: State, method: str, params: JsonObject) -> str:
        expires = self._keeper.now_ms() + STATE_MS
        return self._sealer.seal(state, visit.caller.actor, fingerprint(method, params), expires)

    async def _resume(self, visit: Visit, method: str, params: JsonObject, channel: Channel) -> JsonObject | None:
        """A later round of a call that we paused or that asked something; `None` for a first round."""
        if "requestState" not in params:
            return None
        state = self._opened(visit, method, params)
        if state.kind == "upstream":
            return None  # goes on as an action of its own, with all that is new in it
        decision = await self._mine(visit, state.value)
        run = self._runs.find(decision.action_id, decision.request_id)
        if run is not None:
            run.answer(input_responses(params))
        return await self._continue(visit, decision, method, params, channel, first=False)

    def _said(self, method: str, result: JsonObject) -> JsonObject:
        """What is said in a tool's result is an error to whoever did not call a tool."""
        if method == "tools/call":
            return result
        content = result["content"]
        assert isinstance(content, list)
        raise RpcError(INVALID_PARAMS, str(content[0]["text"]))

    # The door's own tools, and tasks.

    async def _own(
        self, visit: Visit, name: str, arguments: JsonObject, channel: Channel, params: JsonObject
    ) -> JsonObject:
        identifier = arguments.get("id")
        if not isinstance(identifier, str) or len(arguments) != 1:
            return pausing.failure("`id` must be the id that a pending result gave, and the only argument")
        try:
            decision = await self._mine(visit, identifier)
        except UnknownAction as error:
            return pausing.failure(f"{error} [{error.code}]")
        if name == pausing.CANCEL:
            return await self._cancel(visit, decision)
        meta = params.get("_meta")
        token = meta.get("progressToken") if isinstance(meta, Mapping) else None
        decision = await self._hold(visit, decision, token, channel)
        if decision.waiting:
            return pausing.pending(decision, self._keeper.url(decision), as_error=False)
        run = await self._take_up(visit, decision)
        if run is None:
            return pausing.ended(await self._keeper.decision(decision.action_id))
        return await self._collect(visit, run, decision.action_id, "tools/call", params, channel)

    async def _cancel(self, visit: Visit, decision: Decision) -> JsonObject:
        if decision.request_id is None or not decision.waiting:
            return pausing.failure("this call no longer waits for anybody")
        await self._keeper.withdraw(decision.request_id, visit.caller)
        return {"content": [{"type": "text", "text": "The call was withdrawn."}], "isError": False}

    async def _mine(self, visit: Visit, action_id: str) -> Decision:
        """The decision on an action of this very caller at this very server. Raises `UnknownAction` (threat B14)."""
        action = await self._keeper.action(action_id)
        if action.actor != visit.caller.actor or action.resource != visit.server.resource:
            raise UnknownAction(f"there is no call `{action_id[:40]}` of yours")
        return await self._keeper.decision(action_id)

    async def _as_task(self, visit: Visit, decision: Decision) -> JsonObject:
        return {"resultType": "task", **self._task(decision, None)}

    async def task(self, visit: Visit, method: str, params: JsonObject) -> JsonObject:
        """`tasks/get`, `tasks/update`, `tasks/cancel`. Raises `RpcError`."""
        if not visit.client.takes_tasks:
            needs: Json = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
            raise RpcError(MISSING_CAPABILITY, "the client does not declare the tasks extension", needs)
        try:
            decision = await self._mine(visit, str(params.get("taskId")))
        except UnknownAction as error:
            raise RpcError(INVALID_PARAMS, str(error)) from None
        run = self._runs.find(decision.action_id, decision.request_id)
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
        return self._task(decision, run or await self._take_up(visit, decision))

    def _task(self, decision: Decision, run: Run | None) -> JsonObject:
        status, text, more = self._task_state(decision, run)
        return pausing.task(decision, status, now_ms=self._keeper.now_ms(), poll_ms=POLL_MS, text=text, more=more)

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

    async def judge_sampling(self, visit: Visit, params: JsonObject) -> Claim:
        """A server asks the client's model something: an action like any other. Raises `RpcError` unless allowed."""
        action = Action(visit.caller.actor, lens.SAMPLING, visit.server.resource, {"request": params})
        decision = await self._keeper.submit(
            visit.caller, action, lens.sampling_facts(visit.server, params, self._types)
        )
        if decision.claim is None:
            raise RpcError(INVALID_PARAMS, "policy does not let this server ask the client's model")
        return decision.claim

    def settle(self, visit: Visit, claim: Claim, *, failed: bool) -> None:
        """The outcome of a question to the client's model."""
        self._settle(visit, claim, OutcomeStatus.FAILED if failed else OutcomeStatus.SUCCEEDED, None)


class _Governed:
    """The way back to the client, for a server: what it may ask is the settings' and policy's word."""

    def __init__(self, calls: Calls, visit: Visit, run: Run, clean: Clean | None) -> None:
        self._calls = calls
        self._visit = visit
        self._run = run
        self._clean = clean

    async def notify(self, method: str, params: JsonObject) -> None:
        if self._clean is not None:
            with contextlib.suppress(Exception):  # a message that cannot be masked is left out
                masked = mask({**params, "progressToken": None}, self._clean, pass_unreadable=False)
                assert isinstance(masked, Mapping)
                kept = {name: item for name, item in masked.items() if name != "progressToken"}
                token = {"progressToken": params["progressToken"]} if "progressToken" in params else {}
                await self._run.notify(method, {**kept, **token})
            return
        await self._run.notify(method, params)

    async def ask(self, method: str, params: JsonObject) -> JsonObject:
        part = {"sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots"}
        if part.get(method) not in self._visit.server.ask or not self._visit.client.answers(method):
            raise RpcError(METHOD_NOT_FOUND, "the client does not answer this")
        if method != "sampling/createMessage":
            return await self._run.ask(method, params)
        try:
            claim = await self._calls.judge_sampling(self._visit, params)
        except GateError as error:
            raise RpcError(INVALID_PARAMS, f"{error} [{error.code}]") from None
        failed = True
        try:
            answer = await self._run.ask(method, params)
            failed = False
            return answer
        finally:
            self._calls.settle(self._visit, claim, failed=failed)


def _method(params: JsonObject) -> str:
    return "tools/call" if "name" in params else "resources/read"


def _tokened(params: JsonObject) -> JsonObject:
    """Ask for progress of every call: what for is the channel's business."""
    meta = params.get("_meta")
    return {**params, "_meta": {**(meta if isinstance(meta, Mapping) else {}), "progressToken": 0}}
