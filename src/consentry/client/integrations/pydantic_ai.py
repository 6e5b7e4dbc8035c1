# mypy: disable-error-code="import-not-found,misc,no-any-return"
"""pydantic-ai: put a toolset into a `GuardedToolset`.

A call that waits for people is deferred by `ApprovalRequired`, so the agent's output type takes in
`DeferredToolRequests`. A resumed run says that the call was approved; the gate is asked again all the same.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import cast

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ApprovalRequired, ToolFailed
from pydantic_ai.toolsets import ToolsetTool, WrapperToolset

from consentry.actions import JsonObject
from consentry.client.errors import StillPending
from consentry.client.integrations.tools import REFUSALS, ToolCall, ToolGate, asked, exact


@dataclass
class GuardedToolset(WrapperToolset[object]):
    """The same tools, each call of which is an action. Hooks and validators run before the gate (threat B8).

    Other wrappers go around this one, not into it. `unbound` names parameters to leave out. A guarded tool must not
    defer by itself: its one claim would be used up by the pause.
    """

    via: ToolGate
    unbound: Sequence[str] = ()

    async def call_tool(
        self, name: str, tool_args: dict[str, object], ctx: RunContext[object], tool: ToolsetTool[object]
    ) -> object:
        taken = {key: value if key in self.unbound else copy.deepcopy(value) for key, value in tool_args.items()}
        async with AsyncExitStack() as stack:
            try:
                await stack.enter_async_context(self.via.admission(self._call(name, taken, ctx, tool)))
            except StillPending as pending:
                raise ApprovalRequired(metadata=asked(pending)) from None
            except REFUSALS as refusal:
                raise ToolFailed(str(refusal)) from None
            return await super().call_tool(name, taken, ctx, tool)

    def _call(
        self, name: str, taken: dict[str, object], ctx: RunContext[object], tool: ToolsetTool[object]
    ) -> ToolCall:
        shown = tool.tool_def
        definition = {"name": name, "description": shown.description, "parameters": shown.parameters_json_schema}
        return ToolCall(
            tool=name,
            arguments={key: exact(key, value) for key, value in taken.items() if key not in self.unbound},
            id=ctx.tool_call_id or "",
            definition=cast("JsonObject", definition),
            thread=ctx.conversation_id or "",
        )
