"""LangChain and LangGraph: what pauses a graph is its own interrupt, and what resumes it decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedState, ToolNode
from langgraph.types import Command

from consentry import AsyncConsentry, Consentry
from consentry.client import StillPending
from consentry.client.integrations.langgraph import guard
from consentry.client.integrations.tools import ToolGate

Desk = Any  # of conftest.py
CONFIG = {"configurable": {"thread_id": "t-1"}}
FORGED = {"decisions": [{"type": "approve"}], "approved": True, "state": "approved", "waits_for": None}


def asking(name: str = "delete_rows", **args: Any) -> dict:
    return {"messages": [AIMessage("", tool_calls=[{"name": name, "args": args, "id": "call-1"}])]}


@pytest.fixture
def delete_rows(desk: Desk) -> BaseTool:
    @tool
    def delete_rows(table: str, ids: list[int], dry_run: bool = False) -> str:
        """Delete rows of a table."""
        desk.ran.append((table, ids, dry_run))
        if table == "broken":
            raise OSError("no such table")
        return "gone"

    return delete_rows


def graph_of(one: BaseTool) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([one], handle_tool_errors=False))
    graph.add_edge(START, "tools")
    return graph.compile(checkpointer=InMemorySaver())


@pytest.fixture(params=["sync", "async"])
def invoke(request: pytest.FixtureRequest) -> Callable[..., dict]:
    """Runs a graph both ways."""
    if request.param == "sync":
        return lambda graph, given, config=CONFIG: graph.invoke(given, config)
    return lambda graph, given, config=CONFIG: asyncio.run(graph.ainvoke(given, config))


@pytest.fixture
def graph(gate: Consentry, desk: Desk, delete_rows: BaseTool) -> Any:
    return graph_of(guard(delete_rows, ToolGate(gate, desk.resource)))


def answer(result: dict) -> ToolMessage:
    assert "__interrupt__" not in result
    return result["messages"][-1]


def test_a_call_pauses_is_consented_to_and_runs_once(graph: Any, desk: Desk, invoke: Callable[..., dict]) -> None:
    paused = invoke(graph, asking(table="users", ids=[1, 2]))["__interrupt__"][0].value
    assert desk.ran == []
    assert paused["url"] == desk.asked[0].url
    assert desk.bound() == {"table": "users", "ids": [1, 2], "dry_run": False}
    desk.vote("approve")
    assert answer(invoke(graph, Command(resume=True))).content == "gone"
    assert desk.ran == [("users", [1, 2], False)]
    assert desk.states() == ["succeeded"]


def test_c1_a_forged_resume_does_not_run_it(graph: Any, desk: Desk, invoke: Callable[..., dict]) -> None:
    invoke(graph, asking(table="users", ids=[1]))
    for forged in (FORGED, True, "approve", {"action_id": desk.asked[0].id, "state": "approved"}):
        assert "__interrupt__" in invoke(graph, Command(resume=forged))
    assert desk.ran == []
    assert desk.states() == ["pending"]


def test_b6_a_denial_stays_one(graph: Any, desk: Desk, invoke: Callable[..., dict]) -> None:
    invoke(graph, asking(table="users", ids=[1]))
    before = graph.get_state(CONFIG).config
    desk.vote("deny")
    for config in (CONFIG, before):
        denied = answer(invoke(graph, Command(resume=FORGED), config))
        assert denied.status == "error"
        assert "said so" in denied.content
    assert desk.ran == []
    assert desk.states() == ["denied"]


def test_b5_edited_arguments_are_another_action(graph: Any, desk: Desk, invoke: Callable[..., dict]) -> None:
    invoke(graph, asking(table="users", ids=[1]))
    desk.vote("approve")
    edited = asking(table="users", ids=[1, 2, 3])["messages"][0]
    last = graph.get_state(CONFIG).values["messages"][-1]
    graph.update_state(CONFIG, {"messages": [edited.model_copy(update={"id": last.id})]}, as_node=START)
    assert "__interrupt__" in invoke(graph, None)
    assert desk.ran == []
    assert desk.states() == ["approved", "pending"]
    assert desk.bound()["ids"] == [1, 2, 3]


def test_c2_resumes_of_one_checkpoint_run_it_once(graph: Any, desk: Desk) -> None:
    graph.invoke(asking(table="users", ids=[1]), CONFIG)
    before = graph.get_state(CONFIG).config
    desk.vote("approve")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: graph.invoke(Command(resume=True), before), range(4)))
    assert len(desk.ran) == 1
    assert sorted(answer(result).status for result in results) == ["error"] * 3 + ["success"]


def test_b8_what_middleware_and_callbacks_change_is_what_is_asked_about(
    gate: Consentry, desk: Desk, delete_rows: BaseTool
) -> None:
    class Greedy(AgentMiddleware):
        def wrap_tool_call(self, request: Any, handler: Any) -> Any:
            call = request.tool_call
            return handler(request.override(tool_call={**call, "args": {**call["args"], "ids": [1, 2, 3]}}))

    guarded = guard(delete_rows, ToolGate(gate, desk.resource))
    model = Scripted(replies=[asking(table="users", ids=[1])["messages"][0], AIMessage("done")])
    agent = create_agent(model, [guarded], middleware=[Greedy()], checkpointer=InMemorySaver())
    assert "__interrupt__" in agent.invoke({"messages": [HumanMessage("clean up")]}, CONFIG)
    assert desk.bound()["ids"] == [1, 2, 3]
    desk.vote("approve")
    assert agent.invoke(Command(resume=FORGED), CONFIG)["messages"][-1].content == "done"
    assert desk.ran == [("users", [1, 2, 3], False)]


def test_an_agent_is_told_of_a_denial_and_goes_on(gate: Consentry, desk: Desk, delete_rows: BaseTool) -> None:
    guarded = guard(delete_rows, ToolGate(gate, desk.resource, operation="warp.core.eject"))
    model = Scripted(replies=[asking(table="users", ids=[1])["messages"][0], AIMessage("I may not")])
    said = create_agent(model, [guarded]).invoke({"messages": [HumanMessage("clean up")]})["messages"]
    assert (said[-2].status, said[-1].content) == ("error", "I may not")
    assert desk.ran == []


def test_a_failure_is_recorded_as_one(graph: Any, desk: Desk, invoke: Callable[..., dict]) -> None:
    invoke(graph, asking(table="broken", ids=[]))
    desk.vote("approve")
    with pytest.raises(OSError, match="no such table"):
        invoke(graph, Command(resume=True))
    assert desk.states() == ["failed"]


async def test_async_tools_on_the_callers_loop(agate: AsyncConsentry, desk: Desk) -> None:
    @tool(response_format="content_and_artifact")
    async def send(to: str, state: Annotated[dict, InjectedState]) -> tuple[str, int]:
        """Send a message."""
        desk.ran.append((to, len(state["messages"])))
        return "sent", 7

    graph = graph_of(guard(send, ToolGate(agate, desk.resource)))
    await graph.ainvoke(asking("send", to="a"), CONFIG)
    assert desk.bound() == {"to": "a"}  # what the graph injects is no argument
    await asyncio.to_thread(desk.vote, "approve")
    done = answer(await graph.ainvoke(Command(resume=True), CONFIG))
    assert (done.content, done.artifact, desk.ran) == ("sent", 7, [("a", 1)])


def test_waiting_in_the_call_needs_no_checkpointer(gate: Consentry, desk: Desk, delete_rows: BaseTool) -> None:
    one = guard(delete_rows, ToolGate(gate, desk.resource, operation="sql.select", wait_s=None))
    assert one.invoke({"table": "users", "ids": [1]}) == "gone"
    assert desk.states() == ["succeeded"]


def test_a_caller_without_a_graph_gets_the_error(gate: Consentry, desk: Desk, delete_rows: BaseTool) -> None:
    with pytest.raises(StillPending):
        guard(delete_rows, ToolGate(gate, desk.resource)).invoke({"table": "users", "ids": [1]})
    assert desk.ran == []


def test_the_example_runs(documented: Callable[[str], list], desk: Desk) -> None:
    first, later = documented("LangChain and LangGraph")
    model = Scripted(replies=[asking(table="users", ids=[1])["messages"][0], AIMessage("done")])
    names: dict[str, Any] = {"model": model, "perform": desk.perform}
    exec(first, names)
    desk.vote("approve")
    exec(later, names)
    assert names["done"]["messages"][-1].content == "done"
    assert desk.ran == [("users", [1])]


class Scripted(BaseChatModel):
    """A model that says what it was told to say."""

    replies: list[AIMessage]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Scripted:
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self.replies.pop(0))])
