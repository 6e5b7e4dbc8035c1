"""OpenAI Agents SDK: a call that waits is an interruption of the run, and approving that decides nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from agents import (
    Agent,
    FunctionTool,
    Model,
    ModelBehaviorError,
    ModelResponse,
    RunConfig,
    Runner,
    RunState,
    ToolGuardrailFunctionOutput,
    Usage,
    UserError,
    function_tool,
    tool_input_guardrail,
)
from agents.tool_context import ToolContext
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from consentry import AsyncConsentry, Consentry
from consentry.client import StillPending
from consentry.client.integrations.openai_agents import guard
from consentry.client.integrations.tools import ToolGate

Desk = Any  # of conftest.py
QUIET = RunConfig(tracing_disabled=True)


class Scripted(Model):
    """A model that says what it was told to say, and keeps what it was shown."""

    def __init__(self, *replies: object) -> None:
        self.replies, self.seen = list(replies), []

    async def get_response(self, *args: Any, input: Any, **kwargs: Any) -> ModelResponse:
        self.seen.append(input)
        return ModelResponse(output=[self.replies.pop(0)], usage=Usage(), response_id=None)

    def stream_response(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
        raise NotImplementedError

    def told(self) -> str:
        """What the tool answered."""
        return next(str(one["output"]) for one in self.seen[-1] if one.get("type") == "function_call_output")


def calling(arguments: str = '{"table": "users", "ids": [1, 2]}') -> ResponseFunctionToolCall:
    return ResponseFunctionToolCall(arguments=arguments, call_id="call-1", name="delete_rows", type="function_call")


def saying(text: str) -> ResponseOutputMessage:
    content = ResponseOutputText(annotations=[], text=text, type="output_text")
    return ResponseOutputMessage(id="m", content=[content], role="assistant", status="completed", type="message")


@pytest.fixture
def delete_rows(desk: Desk) -> FunctionTool:
    @function_tool
    def delete_rows(table: str, ids: list[int]) -> str:
        """Delete rows of a table."""
        desk.ran.append((table, ids))
        if table == "broken":
            raise OSError("no such table")
        return "gone"

    return delete_rows


@pytest.fixture
def model() -> Scripted:
    return Scripted(calling(), saying("done"))


@pytest.fixture
def agent(gate: Consentry, desk: Desk, delete_rows: FunctionTool, model: Scripted) -> Agent:
    return Agent("cleaner", tools=[guard(delete_rows, ToolGate(gate, desk.resource))], model=model)


async def paused(agent: Agent, desk: Desk) -> dict[str, Any]:
    """Run until the interruption; the state as an application keeps it."""
    result = await Runner.run(agent, "clean up", run_config=QUIET)
    assert [one.name for one in result.interruptions] == ["delete_rows"]
    return json.loads(json.dumps(result.to_state().to_json()))


async def approved(agent: Agent, kept: dict[str, Any]) -> RunState:
    state = await RunState.from_json(agent, kept)
    for one in state.get_interruptions():
        state.approve(one, always_approve=True)
    return state


async def test_a_call_interrupts_is_consented_to_and_runs_once(agent: Agent, desk: Desk, model: Scripted) -> None:
    kept = await paused(agent, desk)
    assert desk.ran == []
    assert desk.bound() == {"table": "users", "ids": [1, 2]}
    await asyncio.to_thread(desk.vote, "approve")
    result = await Runner.run(agent, await approved(agent, kept), run_config=QUIET)
    assert result.final_output == "done"
    assert (desk.ran, desk.states(), model.told()) == ([("users", [1, 2])], ["succeeded"], "gone")


async def test_c1_an_approval_in_the_state_does_not_run_it(agent: Agent, desk: Desk) -> None:
    kept = await paused(agent, desk)
    for _ in range(2):
        with pytest.raises(UserError) as stopped:
            await Runner.run(agent, await approved(agent, kept), run_config=QUIET)
        assert isinstance(stopped.value.__cause__, StillPending)
    assert desk.ran == []
    assert desk.states() == ["pending"]


async def test_b6_a_denial_stays_one(agent: Agent, desk: Desk, model: Scripted) -> None:
    kept = await paused(agent, desk)
    await asyncio.to_thread(desk.vote, "deny")
    for _ in range(2):
        model.replies = [saying("I may not")]
        result = await Runner.run(agent, await approved(agent, kept), run_config=QUIET)
        assert result.final_output == "I may not"
        assert "said so" in model.told()
    assert desk.ran == []
    assert desk.states() == ["denied"]


async def test_b5_edited_arguments_are_another_action(agent: Agent, desk: Desk) -> None:
    kept = await paused(agent, desk)
    await asyncio.to_thread(desk.vote, "approve")
    edited = json.loads(json.dumps(kept).replace("[1, 2]", "[1, 2, 3]"))
    assert edited != kept
    with pytest.raises(ModelBehaviorError):  # the SDK's own check comes first
        await Runner.run(agent, await approved(agent, edited), run_config=QUIET)
    arguments = '{"table": "users", "ids": [1, 2, 3]}'
    context = ToolContext(None, tool_name="delete_rows", tool_call_id="call-1", tool_arguments=arguments)
    with pytest.raises(StillPending):  # ours, without it
        await agent.tools[0].on_invoke_tool(context, arguments)
    assert desk.ran == []
    assert desk.states() == ["approved", "pending"]
    assert desk.bound()["ids"] == [1, 2, 3]


async def test_c2_resumes_of_one_state_run_it_once(agent: Agent, desk: Desk, model: Scripted) -> None:
    kept = await paused(agent, desk)
    await asyncio.to_thread(desk.vote, "approve")
    model.replies = [saying("done")] * 4
    states = [await approved(agent, kept) for _ in range(4)]
    await asyncio.gather(*(Runner.run(agent, state, run_config=QUIET) for state in states))
    assert desk.ran == [("users", [1, 2])]


async def test_b8_a_guardrail_sees_the_call_before_the_gate(
    gate: Consentry, desk: Desk, delete_rows: FunctionTool
) -> None:
    seen: list[int] = []

    @tool_input_guardrail
    def guardrail(data: Any) -> ToolGuardrailFunctionOutput:
        seen.append(len(desk.actions()))
        return ToolGuardrailFunctionOutput.reject_content("not today")

    delete_rows.tool_input_guardrails = [guardrail]
    via = ToolGate(gate, desk.resource, operation="sql.select", wait_s=None)
    model = Scripted(calling(), saying("done"))
    await Runner.run(Agent("cleaner", tools=[guard(delete_rows, via)], model=model), "go", run_config=QUIET)
    assert (seen, desk.ran, desk.states(), model.told()) == ([0], [], [], "not today")


async def test_b3_what_runs_is_what_was_read(gate: Consentry, desk: Desk, delete_rows: FunctionTool) -> None:
    via = ToolGate(gate, desk.resource, operation="sql.select")
    model = Scripted(calling('{"table": "a", "ids": [], "table": "users"}'), saying("done"))
    await Runner.run(Agent("cleaner", tools=[guard(delete_rows, via)], model=model), "go", run_config=QUIET)
    assert desk.ran == []
    assert "twice" in model.told() or "duplicate" in model.told()


async def test_a_failure_is_recorded_as_one_and_told(gate: Consentry, desk: Desk, delete_rows: FunctionTool) -> None:
    via = ToolGate(gate, desk.resource, operation="sql.select")
    model = Scripted(calling('{"table": "broken", "ids": []}'), saying("done"))
    await Runner.run(Agent("cleaner", tools=[guard(delete_rows, via)], model=model), "go", run_config=QUIET)
    assert "An error occurred" in model.told()
    assert desk.states() == ["failed"]


async def test_a_tools_own_question_is_still_asked(gate: Consentry, desk: Desk, delete_rows: FunctionTool) -> None:
    delete_rows.needs_approval = True
    via = ToolGate(gate, desk.resource, operation="sql.select")
    agent = Agent("cleaner", tools=[guard(delete_rows, via)], model=Scripted(calling(), saying("done")))
    result = await Runner.run(agent, "go", run_config=QUIET)
    assert len(result.interruptions) == 1
    assert desk.states() == []


def test_sync_runs(gate: Consentry, desk: Desk, delete_rows: FunctionTool) -> None:
    via = ToolGate(gate, desk.resource, operation="sql.select")
    agent = Agent("cleaner", tools=[guard(delete_rows, via)], model=Scripted(calling(), saying("done")))
    assert Runner.run_sync(agent, "go", run_config=QUIET).final_output == "done"
    assert desk.states() == ["succeeded"]


async def test_on_the_callers_loop(agate: AsyncConsentry, desk: Desk, delete_rows: FunctionTool) -> None:
    agent = Agent("cleaner", tools=[guard(delete_rows, ToolGate(agate, desk.resource))], model=Scripted(calling()))
    await paused(agent, desk)
    assert desk.states() == ["pending"]


async def test_the_example_runs(documented: Callable[[str], list], desk: Desk, model: Scripted) -> None:
    first, later = documented("OpenAI Agents SDK")
    names: dict[str, Any] = {"model": model, "perform": desk.perform}
    await eval(first, names)
    await asyncio.to_thread(desk.vote, "approve")
    await eval(later, names)
    await names["gate"].close()
    assert names["result"].final_output == "done"
    assert desk.ran == [("users", [1, 2])]
