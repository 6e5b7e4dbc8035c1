# mypy: disable-error-code="import-not-found,misc,no-any-return"
"""OpenAI Agents SDK: `guard` a function tool.

A call that waits for people is an interruption of the run. Approving it in the run's state lets the SDK come back to
the tool, no more: the gate is asked again there, about the arguments that will run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeAlias

from agents import FunctionTool, RunContextWrapper
from agents.tool import maybe_invoke_function_tool_failure_error_function
from agents.tool_context import ToolContext

from consentry.actions import JsonObject, NotExact, canonical, parse_object
from consentry.client.errors import StillPending
from consentry.client.integrations.tools import REFUSALS, ToolCall, ToolGate, exact

Waits: TypeAlias = Callable[[RunContextWrapper[object], dict[str, object], str], Awaitable[bool]]
LONGEST = 1 << 24
"""Bytes of a call's arguments that are read."""

Invoke: TypeAlias = Callable[[ToolContext[object], str], Awaitable[object]]


def guard(tool: FunctionTool, via: ToolGate) -> FunctionTool:
    """The same tool, each call of which is an action. Hooks and input guardrails run before the gate.

    Where a run is resumed as approved and people have not consented yet, it ends by a `UserError` that `StillPending`
    caused: resume it again later, from the same state. A `needs_approval` of the tool's own asks as it did.
    """
    return dataclasses.replace(tool, needs_approval=_waits(tool, via), on_invoke_tool=_guarded(tool, via))


def _waits(tool: FunctionTool, via: ToolGate) -> Waits:
    async def waits(context: RunContextWrapper[object], arguments: dict[str, object], call_id: str) -> bool:
        own = tool.needs_approval
        if own is True or (callable(own) and await own(context, arguments, call_id)):
            return True
        if via.wait_s != 0:
            return False  # the call itself waits
        try:
            bound = {name: exact(name, value) for name, value in arguments.items()}
            return (await via.ask(_call(tool, bound, call_id))).waiting
        except REFUSALS:
            return False  # the tool tells the model why

    return waits


def _guarded(tool: FunctionTool, via: ToolGate) -> Invoke:
    # Without its failure handler, so that a failure is recorded as one; the handler speaks afterwards.
    bare = dataclasses.replace(tool, _failure_error_function=None, _use_default_failure_error_function=False)

    async def run(context: ToolContext[object], arguments: str) -> object:
        async with AsyncExitStack() as stack:
            try:
                bound = parse_object(arguments or "{}", what="arguments", limit=LONGEST)
                await stack.enter_async_context(via.admission(_call(tool, bound, context.tool_call_id)))
            except StillPending:
                raise
            except (*REFUSALS, NotExact) as refusal:
                return str(refusal)
            return await bare.on_invoke_tool(context, canonical(bound).decode())

    async def invoke(context: ToolContext[object], arguments: str) -> object:
        try:
            return await run(context, arguments)
        except StillPending:
            raise
        except Exception as error:
            told = await maybe_invoke_function_tool_failure_error_function(
                function_tool=tool, context=context, error=error
            )
            if told is None:
                raise
            return told

    return invoke


def _call(tool: FunctionTool, arguments: JsonObject, call_id: str) -> ToolCall:
    definition: JsonObject = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.params_json_schema,
    }
    return ToolCall(tool=tool.name, arguments=arguments, id=call_id, definition=definition)
