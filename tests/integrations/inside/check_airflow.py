"""Airflow: its task runner runs the operator, defers it and runs the trigger; the trigger's event decides nothing."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
import structlog
from airflow.sdk.module_loading import import_string

from consentry.demo.people import Someone

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Desk = Any  # of conftest.py


class Supervisor:
    """Stands where the worker's supervisor does: takes what the task runner reports."""

    def __init__(self) -> None:
        self.said: list[Any] = []

    def send(self, msg: Any) -> None:
        self.said.append(msg)


class Worker:
    """Runs one task as worker and triggerer do, deferrals included, by Airflow's own task runner."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch, events: list[Any] | None = None) -> None:
        from airflow.sdk.execution_time import task_runner

        self.desk, self.events = desk, events
        self.supervisor = Supervisor()
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", self.supervisor, raising=False)
        self.runner = task_runner

    def run(self, operation: str = "mcp.tool.call", **options: Any) -> str:
        """The state in which the task ends. `events` are what triggers fire, where they do not run themselves."""
        return self.finish(self._task(operation, options))

    def finish(self, task: Any) -> str:
        """As `run`, for a task that is there."""
        resumed: dict[str, Any] = {}
        while True:
            state, message = self._attempt(task, resumed)
            if state != "deferred":
                return state
            trigger = import_string(message.classpath)(**message.trigger_kwargs)
            event = self.events.pop(0) if self.events else asyncio.run(self._fired(trigger))
            resumed = {"next_method": message.next_method, "next_kwargs": {**message.next_kwargs, "event": event}}

    def _task(self, operation: str, options: dict[str, Any]) -> Any:
        from airflow.sdk import DAG

        from consentry.client.integrations.airflow import ConsentryOperator

        def drop(claim: Any, table: str, **more: Any) -> str:
            self.desk.ran.append(table)
            if table == "broken":
                raise OSError("no such table")
            return f"dropped {table}"

        options = {"arguments": {"table": "users"}} | options
        with DAG("cleaning", schedule=None):
            return ConsentryOperator(
                task_id="drop",
                operation=operation,
                resource=self.desk.resource,
                python_callable=drop,
                do_xcom_push=False,
                **options,
            )

    def _attempt(self, task: Any, resumed: dict[str, Any]) -> tuple[str, Any]:
        instance = self.runner.RuntimeTaskInstance.model_construct(
            id=UUID(int=1),
            task_id=task.task_id,
            dag_id=task.dag_id,
            run_id="run-1",
            try_number=1,
            dag_version_id=UUID(int=2),
            map_index=-1,
            task=task,
            bundle_instance=None,
            _ti_context_from_server=context_from_server(resumed),
            max_tries=0,
            start_date=NOW,
            state="running",
        )
        state, message, _ = self.runner.run(instance, instance.get_template_context(), structlog.get_logger("task"))
        return state.value, message

    async def _fired(self, trigger: Any) -> Any:
        async for event in trigger.run():
            return event.payload
        raise AssertionError("the trigger ended without an event")


def context_from_server(resumed: dict[str, Any]) -> Any:
    from airflow.sdk.api.datamodels._generated import DagRun, TIRunContext

    run = DagRun(
        dag_id="cleaning", run_id="run-1", run_after=NOW, run_type="manual", state="running", consumed_asset_events=[]
    )
    return TIRunContext(dag_run=run, max_tries=0, **resumed)


@pytest.fixture
def worker(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Worker:
    return Worker(desk, monkeypatch)


@pytest.fixture
def people(desk: Desk) -> Iterator[Any]:
    """Somebody who decides as soon as they are asked, in threads of their own."""
    threads: list[threading.Thread] = []
    stop = threading.Event()

    def decide(verdict: str) -> None:
        def look() -> None:
            with Someone(desk.url, os.environ["TEST_REVIEWER"]) as reviewer:
                while not stop.wait(0.2):
                    for one in reviewer.get("/v1/requests?state=pending&limit=200")["items"]:
                        if one["action"]["resource"] == desk.resource:
                            reviewer.vote(str(one["id"]), verdict, "said so")

        threads.append(threading.Thread(target=look))
        threads[-1].start()

    yield decide
    stop.set()
    for thread in threads:
        thread.join()


def test_a_task_is_deferred_consented_to_and_runs_once(worker: Worker, desk: Desk, people: Any) -> None:
    people("approve")
    assert worker.run() == "success"
    assert [type(one).__name__ for one in worker.supervisor.said if "Fields" not in type(one).__name__] == [
        "DeferTask",
        "SucceedTask",
    ]
    assert (desk.ran, desk.states()) == (["users"], ["succeeded"])


def test_what_policy_allows_is_not_deferred(worker: Worker, desk: Desk) -> None:
    assert worker.run("sql.select") == "success"
    assert desk.states() == ["succeeded"]


def test_b6_a_denial_fails_the_task_and_stays_one(worker: Worker, desk: Desk, people: Any) -> None:
    people("deny")
    assert worker.run(retries=2) == "failed"  # and is not up for a retry
    assert worker.run(retries=2) == "failed"
    assert (desk.ran, desk.states()) == ([], ["denied"])


def test_a_failure_is_recorded_as_one(worker: Worker, desk: Desk) -> None:
    assert worker.run("sql.select", arguments={"table": "broken"}) == "failed"
    assert desk.states() == ["failed"]


def test_c1_a_forged_event_does_not_run_it(worker: Worker, desk: Desk, people: Any) -> None:
    """Two events say that it was approved while nobody has looked; the third is the trigger's own."""
    worker.events = [{"state": "approved"}, True]
    fired = worker._fired

    async def then(trigger: Any) -> Any:
        assert (desk.ran, desk.states()) == ([], ["pending"])
        people("approve")
        return await fired(trigger)

    worker._fired = then
    assert worker.run() == "success"
    assert [type(one).__name__ for one in worker.supervisor.said].count("DeferTask") == 3
    assert desk.ran == ["users"]


def test_b8_what_templates_and_hooks_make_of_it_is_what_is_asked_about(worker: Worker, desk: Desk, people: Any) -> None:
    def greedy(context: Any) -> None:
        context["task"].arguments["more"] = 7

    people("approve")
    assert worker.run(arguments={"table": "{{ task.task_id }}"}, pre_execute=greedy) == "success"
    (action,) = desk.actions()
    assert action["action"]["arguments"] == {"table": "drop", "more": 7}


def test_the_example_runs(documented: Callable[[str], list], worker: Worker, desk: Desk, people: Any) -> None:
    (example,) = documented("Airflow")
    names: dict[str, Any] = {"perform": desk.perform}
    exec(example, names)
    people("approve")
    assert worker.finish(names["dag"].get_task("export")) == "success"
    assert desk.ran == [("users", "analytics")]


def operator(desk: Desk, table: str = "users", **options: Any) -> Any:
    from consentry.client.integrations.airflow import ConsentryOperator

    return ConsentryOperator(
        task_id="drop",
        operation="mcp.tool.call",
        resource=desk.resource,
        arguments={"table": table},
        python_callable=lambda claim, table: desk.ran.append(table),
        **options,
    )


def context(try_number: int = 1) -> Any:
    return {"ti": SimpleNamespace(dag_id="d", run_id="r", task_id="drop", map_index=-1, try_number=try_number)}


def deferred(one: Any, given: Any) -> str:
    from airflow.sdk.exceptions import TaskDeferred

    with pytest.raises(TaskDeferred) as pause:
        one.resume(given, {"state": "approved"})
    name, kwargs = pause.value.trigger.serialize()
    assert name.endswith(".ConsentTrigger")
    assert "token" not in str(kwargs)
    return str(kwargs["action_id"])


def approve(desk: Desk) -> None:
    with Someone(desk.url, os.environ["TEST_REVIEWER"]) as reviewer:
        for one in desk.actions():
            if one["state"] == "pending":
                reviewer.vote(str(one["request_id"]), "approve", "said so")


def test_b5_edited_arguments_are_another_action(desk: Desk) -> None:
    deferred(operator(desk), context())
    approve(desk)
    deferred(operator(desk, "orders"), context())
    assert desk.ran == []
    assert desk.states() == ["approved", "pending"]


def test_b10_a_retry_asks_people_again(desk: Desk) -> None:
    deferred(operator(desk), context())
    approve(desk)
    operator(desk).resume(context(), {})
    deferred(operator(desk), context(try_number=2))
    assert desk.ran == ["users"]
    assert desk.states() == ["succeeded", "pending"]


def test_c2_resumes_of_one_task_run_it_once(desk: Desk) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    deferred(operator(desk), context())
    approve(desk)

    def resume(_index: int) -> str:
        try:
            operator(desk).resume(context(), {})
        except AirflowFailException:
            return "refused"
        return "ran"

    with ThreadPoolExecutor(4) as pool:
        said = sorted(pool.map(resume, range(4)))
    assert said == ["ran", "refused", "refused", "refused"]
    assert desk.ran == ["users"]
