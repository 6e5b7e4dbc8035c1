"""Claimed calls, performed once: the call itself with its rounds, the masking of what it answers, and its outcome."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from consentry.actions import Action, Json, JsonObject
from consentry.consent.errors import GateError
from consentry.consent.model import Claim, Decision, OutcomeStatus
from consentry.doors.errors import UpstreamFailed
from consentry.doors.mcp import lens, pausing
from consentry.doors.mcp.client import Channel
from consentry.doors.mcp.errors import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, UPSTREAM_FAILED, RpcError
from consentry.doors.mcp.keeper import Keeper
from consentry.doors.mcp.masking import Clean, Unreadable, mask
from consentry.doors.mcp.runs import Run, Runs
from consentry.doors.mcp.visit import Visit
from consentry.doors.outcomes import Outcomes
from consentry.errors import traced

log = logging.getLogger("consentry.mcp")
READING = "dataset.read"
ROUNDS = 16
"""How often an upstream server of the present revision may ask an earlier client for more within one call."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What is to be performed once claimed: rebuilt from the stored action, so that it can be nothing else (B8)."""

    method: str
    params: JsonObject
    schema: JsonObject | None
    structured: bool


class Performer:
    """For all visits at one door. `cleaner` gives, for entity types, what masks them in a text."""

    def __init__(
        self,
        keeper: Keeper,
        runs: Runs,
        outcomes: Outcomes,
        *,
        types: lens.Types | None,
        cleaner: Callable[[tuple[str, ...]], Clean],
    ) -> None:
        self._keeper = keeper
        self._runs = runs
        self._outcomes = outcomes
        self._types = types
        self._cleaner = cleaner

    async def perform(self, visit: Visit, action: Action, decision: Decision, claim: Claim, *, stays: bool) -> Run:
        """Begin the effect of a claimed action; callers come to the run for its result."""
        run = Run(parks=visit.client.modern, stays=stays)
        effect = await self._effect(visit, action)
        self._runs.add(run, decision.action_id, decision.request_id)
        run.begin(self._run(visit, run, effect, decision, claim))
        return run

    async def plainly(self, visit: Visit, run: Run, effect: Effect) -> JsonObject:
        """What is no action of its own. Raises `RpcError`."""
        try:
            return await self._rounds(visit, effect, Governed(self, visit, run, None))
        except UpstreamFailed as error:
            raise RpcError(UPSTREAM_FAILED, str(error), {"code": error.code}) from None

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
            channel = Governed(self, visit, run, clean)
            result = await self._rounds(visit, effect, channel)
            failed = result.get("isError") is True
            status, summary = (
                OutcomeStatus.FAILED if failed else OutcomeStatus.SUCCEEDED,
                pausing.outcome_summary(result),
            )
            return await self._masked(visit, result, clean)
        except Unreadable as error:
            return said(effect.method, pausing.failure(f"{error} [{error.code}]"))
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
            log.error("run_failed", extra=traced(error))
            raise RpcError(INTERNAL_ERROR, "the call failed inside the door; see the log") from None
        finally:
            if status is not None:
                self._outcomes.tell(claim, visit.caller.actor, status, summary)

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
            log.error("masking_failed", extra=traced(error))
            raise Unreadable("the result could not be masked, so it is not given out; see the log") from None
        assert isinstance(masked, Mapping)
        return masked

    async def _masked_error(self, error: RpcError, decision: Decision) -> RpcError:
        if not decision.obligations.masks:
            return error
        return RpcError(error.number, "the server answered with an error; its text is masked")

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
        status = OutcomeStatus.FAILED if failed else OutcomeStatus.SUCCEEDED
        self._outcomes.tell(claim, visit.caller.actor, status, None)


class Governed:
    """The way back to the client, for a server: what it may ask is the settings' and policy's word."""

    def __init__(self, by: Performer, visit: Visit, run: Run, clean: Clean | None) -> None:
        self._by = by
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
            claim = await self._by.judge_sampling(self._visit, params)
        except GateError as error:
            raise RpcError(INVALID_PARAMS, f"{error} [{error.code}]") from None
        failed = True
        try:
            answer = await self._run.ask(method, params)
            failed = False
            return answer
        finally:
            self._by.settle(self._visit, claim, failed=failed)


def said(method: str, result: JsonObject) -> JsonObject:
    """What is said in a tool's result is an error to whoever did not call a tool."""
    if method == "tools/call":
        return result
    content = result["content"]
    assert isinstance(content, list)
    raise RpcError(INVALID_PARAMS, str(content[0]["text"]))


def _tokened(params: JsonObject) -> JsonObject:
    """Ask for progress of every call: what for is the channel's business."""
    meta = params.get("_meta")
    return {**params, "_meta": {**(meta if isinstance(meta, Mapping) else {}), "progressToken": 0}}
