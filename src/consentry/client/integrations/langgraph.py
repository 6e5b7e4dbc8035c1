# mypy: disable-error-code="import-not-found,misc,no-any-return"
"""LangChain and LangGraph: `guard` a tool, and use it in `create_agent`, a `ToolNode` or by hand.

While people have to decide, the graph pauses by `interrupt`, so it needs a checkpointer. What it is resumed with is
not looked at: the gate is asked again. Middleware, hooks and callbacks all come before the gate (threat B8).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack
from contextvars import ContextVar
from inspect import signature
from typing import cast

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from langchain_core.tools.base import _get_runnable_config_param
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.types import interrupt

from consentry.actions import JsonObject
from consentry.client.errors import StillPending
from consentry.client.integrations.tools import REFUSALS, ToolCall, ToolGate, asked, exact
from consentry.errors import ConsentryError

_call_id: ContextVar[str | None] = ContextVar("consentry_tool_call", default=None)


def guard(tool: BaseTool, via: ToolGate, *, unbound: Sequence[str] = ()) -> BaseTool:
    """The same tool, each call of which is an action. State, stores and runtimes that the graph injects are not bound.

    `unbound` names further parameters to leave out. A guarded tool must not interrupt by itself: its one claim would
    be used up by the pause.
    """
    kept = {name: getattr(tool, name) for name in _KEPT}
    return GuardedTool(**kept, inner=tool, via=via, unbound=frozenset(unbound))


_KEPT = (
    *("name", "description", "args_schema", "return_direct", "response_format", "handle_tool_error"),
    *("handle_validation_error", "tags", "metadata", "extras", "callbacks"),
)


class GuardedTool(BaseTool):
    """See `guard`."""

    inner: BaseTool
    via: ToolGate
    unbound: frozenset[str]

    @property
    def _injected_args_keys(self) -> frozenset[str]:
        return cast("frozenset[str]", self.inner._injected_args_keys)

    def run(self, *args: object, tool_call_id: str | None = None, **kwargs: object) -> object:
        token = _call_id.set(tool_call_id)
        try:
            return super().run(*args, tool_call_id=tool_call_id, **kwargs)
        finally:
            _call_id.reset(token)

    async def arun(self, *args: object, tool_call_id: str | None = None, **kwargs: object) -> object:
        token = _call_id.set(tool_call_id)
        try:
            return await super().arun(*args, tool_call_id=tool_call_id, **kwargs)
        finally:
            _call_id.reset(token)

    @property
    def func(self) -> object:  # where LangGraph looks for what to inject
        return getattr(self.inner, "func", None) or getattr(self.inner, "coroutine", None)

    def _run(self, *args: object, lc_run: RunnableConfig, run_manager: object = None, **kwargs: object) -> object:
        args, kwargs = self._copied(args, kwargs)
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(self.via.admission(self._call(args, kwargs, lc_run)))
                    break
                except StillPending as pending:
                    self._pause(pending)
                except REFUSALS as refusal:
                    return self._refused(refusal)
            return self.inner._run(*args, **kwargs, **_wanted(self.inner._run, lc_run, run_manager))

    async def _arun(
        self, *args: object, lc_run: RunnableConfig, run_manager: object = None, **kwargs: object
    ) -> object:
        args, kwargs = self._copied(args, kwargs)
        async with AsyncExitStack() as stack:
            while True:
                try:
                    await stack.enter_async_context(self.via.admission(self._call(args, kwargs, lc_run)))
                    break
                except StillPending as pending:
                    self._pause(pending)
                except REFUSALS as refusal:
                    return self._refused(refusal)
            inner = self.inner._run if type(self.inner)._arun is BaseTool._arun else self.inner._arun
            return await self.inner._arun(*args, **kwargs, **_wanted(inner, lc_run, run_manager))

    def _copied(
        self, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        """What runs is what was hashed, whatever others do to their references meanwhile."""
        free = self._free()
        return copy.deepcopy(args), {k: v if k in free else copy.deepcopy(v) for k, v in kwargs.items()}

    def _free(self) -> frozenset[str]:
        schema = self.tool_call_schema
        shown = frozenset() if isinstance(schema, dict) else frozenset(schema.model_fields)
        known = frozenset() if isinstance(schema, dict) else frozenset(self.get_input_schema().model_fields)
        return (known - shown) | self._injected_args_keys | self.unbound

    def _call(self, args: Sequence[object], kwargs: Mapping[str, object], config: RunnableConfig) -> ToolCall:
        free = self._free()
        values = dict(zip(self.args, args, strict=False)) | {k: v for k, v in kwargs.items() if k not in free}
        return ToolCall(
            tool=self.name,
            arguments={name: exact(name, value) for name, value in values.items()},
            id=_call_id.get() or "",
            definition=cast("JsonObject", convert_to_openai_tool(self.inner)["function"]),
            thread=str(config.get("configurable", {}).get("thread_id", "")),
        )

    def _pause(self, pending: StillPending) -> None:
        if _call_id.get() is None:  # no graph to pause
            raise pending
        interrupt(asked(pending))

    def _refused(self, refusal: ConsentryError) -> object:
        """To the model, where a model called; to other callers as the error that it is."""
        if (call_id := _call_id.get()) is None:
            raise refusal
        message = ToolMessage(str(refusal), name=self.name, tool_call_id=call_id, status="error")
        return (message, None) if self.response_format == "content_and_artifact" else message


def _wanted(method: Callable[..., object], config: RunnableConfig, run_manager: object) -> dict[str, object]:
    wanted = {"run_manager": run_manager} if "run_manager" in signature(method).parameters else {}
    if name := _get_runnable_config_param(method):
        wanted[name] = config
    return wanted
