# mypy: disable-error-code="import-not-found,misc,no-any-return"
"""Claude Agent SDK: `Hooks(via).options(options)`.

`PreToolUse` asks the gate early and answers `deny`, `defer` or `ask`, never `allow`. `ask` brings the call to the
permission callback, which comes after every hook and so sees what will run (threat B8): there the claim is taken, and
the call goes ahead with exactly the input that it is for. `PostToolUse` records the outcome. A deferred call that is
resumed comes through the same way again.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Literal

from claude_agent_sdk import (
    CanUseTool,
    ClaudeAgentOptions,
    HookContext,
    HookInput,
    HookMatcher,
    PermissionResultAllow,
    PermissionResultDeny,
    ToolPermissionContext,
)
from claude_agent_sdk.types import HookJSONOutput, PermissionResult

from consentry.actions import NotExact
from consentry.client.clients import AsyncConsentry
from consentry.client.crossing import refusal
from consentry.client.errors import Misused, StillPending
from consentry.client.integrations.tools import REFUSALS, ToolCall, ToolGate, exact
from consentry.client.model import Decision

REFUSED = (*REFUSALS, NotExact)


class Hooks:
    """One for each client. `tools` is a matcher of the SDK (`"Bash|Write"`, `"mcp__crm__.*"`); `None` gates all.

    `pause` says what becomes of a call that waits for people: `defer` stops the run, to be resumed by its session;
    `deny` tells the model to ask again later, which finds the same request only where it is the same call.
    """

    def __init__(self, via: ToolGate, *, tools: str | None = None, pause: Literal["defer", "deny"] = "defer") -> None:
        if not isinstance(via.gate, AsyncConsentry):
            raise Misused("the Claude Agent SDK is async: give the `ToolGate` an `AsyncConsentry`")
        self._via, self._gate = via, via.gate
        self._tools = tools
        self._pause = pause
        self._asked: dict[str, str] = {}
        self._claims: dict[str, str] = {}
        self._others: CanUseTool | None = None

    def options(self, options: ClaudeAgentOptions) -> ClaudeAgentOptions:
        """The same options with the gate in them. Raises `Misused` for those that would let a call around it."""
        if options.permission_mode == "bypassPermissions" or options.permission_prompt_tool_name:
            raise Misused("`bypassPermissions` and a permission prompt tool go around the gate: leave them out")
        self._others = options.can_use_tool
        hooks = dict(options.hooks or {})
        timeout = 60.0 + (self._via.wait_s or 0.0) if self._via.wait_s is not None else 86_400.0
        for event, hook in (
            ("PreToolUse", self.before),
            ("PostToolUse", self.after),
            ("PostToolUseFailure", self.failed),
        ):
            block = "block" if event == "PreToolUse" else None
            mine = HookMatcher(matcher=self._tools, hooks=[hook], timeout=timeout, on_failure=block)
            hooks[event] = [*hooks.get(event, []), mine]
        return replace(options, hooks=hooks, can_use_tool=self.permit)

    async def before(self, given: HookInput, tool_use_id: str | None, context: HookContext) -> HookJSONOutput:
        """`PreToolUse`."""
        call_id = str(tool_use_id or given["tool_use_id"])
        try:
            decision = await self._decided(self._call(given["tool_name"], given["tool_input"], call_id))
        except StillPending as pending:
            return _answer(self._pause, f"{pending}; people decide at {pending.url}")
        except REFUSED as error:
            return _answer("deny", str(error))
        if not decision.granted:
            return _answer("deny", str(refusal(decision)))
        self._asked[call_id] = decision.id
        return _answer("ask", "consented to; the permission callback takes the claim")

    async def permit(self, tool: str, given: dict[str, object], context: ToolPermissionContext) -> PermissionResult:
        """The permission callback: the last word before the tool runs."""
        call_id = str(context.tool_use_id)
        if self._asked.pop(call_id, None) is None:  # not one of ours
            if self._others is not None:
                return await self._others(tool, given, context)
            return PermissionResultDeny(message="nobody here may permit this")
        taken = copy.deepcopy(given)
        try:
            call = self._call(tool, taken, call_id)
            decision = await self._via.ask(call)
            if not decision.granted:
                return PermissionResultDeny(message=str(refusal(decision)))
            claim = await self._gate.claim(decision.id, operands={call.operand.name: call.operand})
        except REFUSED as error:
            return PermissionResultDeny(message=str(error))
        self._claims[call_id] = claim.claim_id
        return PermissionResultAllow(updated_input=taken)

    async def after(self, given: HookInput, tool_use_id: str | None, context: HookContext) -> HookJSONOutput:
        """`PostToolUse`."""
        if claim := self._claims.pop(str(tool_use_id or given["tool_use_id"]), None):
            await self._gate.settle(claim, "succeeded")
        return {}

    async def failed(self, given: HookInput, tool_use_id: str | None, context: HookContext) -> HookJSONOutput:
        """`PostToolUseFailure`."""
        if claim := self._claims.pop(str(tool_use_id or given["tool_use_id"]), None):
            await self._gate.settle(claim, "failed")
        return {}

    async def _decided(self, call: ToolCall) -> Decision:
        decision = await self._via.ask(call)
        return await self._gate.wait(decision.id, wait_s=self._via.wait_s) if decision.waiting else decision

    def _call(self, tool: str, given: dict[str, object], call_id: str) -> ToolCall:
        arguments = {name: exact(name, value) for name, value in given.items()}
        return ToolCall(tool=tool, arguments=arguments, id=call_id, definition={"name": tool})


def _answer(decision: Literal["deny", "defer", "ask"], reason: str) -> HookJSONOutput:
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": decision,
            "permissionDecisionReason": reason,
        }
    }
