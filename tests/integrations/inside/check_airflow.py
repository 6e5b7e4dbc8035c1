"""Airflow: its task runner runs the operator, defers it and runs the trigger; the trigger's event decides nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from consentry.demo.people import Someone

Desk = Any  # of conftest.py


@pytest.fixture(scope="module", autouse=True)
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home and a database of our own."""
    patch = pytest.MonkeyPatch()
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    patch.setenv("AIRFLOW_HOME", str(home))
    patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
    patch.setenv("AIRFLOW__CORE__DAGS_FOLDER", str(home / "dags"))
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], check=True, capture_output=True, timeout=120)
    yield
    patch.undo()


@pytest.fixture
def run_dag(desk: Desk) -> Any:
    """Runs a task of ours as Airflow does; the state of the run, and what the task returned."""
    from airflow.sdk import DAG

    from consentry.client.integrations.airflow import ConsentryOperator

    def run(operation: str = "mcp.tool.call", **options: Any) -> tuple[str, Any]:
        def drop(claim: Any, table: str, **more: Any) -> str:
            desk.ran.append((table, claim.action_id))
            if table == "broken":
                raise OSError("no such table")
            return f"dropped {table}"

        with DAG(f"dag_{desk.resource.replace('-', '_')}", schedule=None) as dag:
            arguments = options.pop("arguments", {"table": "users"})
            ConsentryOperator(
                task_id="drop",
                operation=operation,
                resource=desk.resource,
                arguments=arguments,
                python_callable=drop,
                **options,
            )
        _write(dag.dag_id)
        done = dag.test()
        one = done.get_task_instance("drop")
        return str(one.state), one.xcom_pull(task_ids="drop")

    return run


def _write(dag_id: str) -> None:
    """`DAG.test` looks the DAG up in the folder of DAGs for its version."""
    import os

    text = "from airflow.sdk import DAG\nfrom airflow.providers.standard.operators.empty import EmptyOperator\n"
    text += f"with DAG({dag_id!r}, schedule=None):\n    EmptyOperator(task_id='drop')\n"
    Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"], f"{dag_id}.py").write_text(text)


@pytest.fixture
def people(desk: Desk) -> Iterator[Any]:
    """Somebody who decides as soon as they are asked, in threads of their own."""
    threads: list[threading.Thread] = []
    stop = threading.Event()

    def decide(verdict: str) -> None:
        def look() -> None:
            with Someone(desk.url, __import__("os").environ["TEST_REVIEWER"]) as reviewer:
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


def test_a_task_is_deferred_consented_to_and_runs_once(run_dag: Any, desk: Desk, people: Any) -> None:
    people("approve")
    assert run_dag() == ("success", "dropped users")
    assert [table for table, _ in desk.ran] == ["users"]
    assert desk.states() == ["succeeded"]


def test_what_policy_allows_is_not_deferred(run_dag: Any, desk: Desk) -> None:
    assert run_dag("sql.select")[0] == "success"
    assert desk.states() == ["succeeded"]


def test_b6_a_denial_fails_the_task_and_stays_one(run_dag: Any, desk: Desk, people: Any) -> None:
    people("deny")
    assert run_dag(retries=2)[0] == "failed"
    assert (desk.ran, desk.states()) == ([], ["denied"])


def test_a_failure_is_recorded_as_one(run_dag: Any, desk: Desk) -> None:
    assert run_dag("sql.select", arguments={"table": "broken"})[0] == "failed"
    assert desk.states() == ["failed"]


def test_c1_a_forged_event_does_not_run_it(
    run_dag: Any, desk: Desk, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first two events say `approved` while nobody was asked to look; only the third is the trigger's own."""
    from airflow.triggers.base import TriggerEvent

    from consentry.client.integrations.airflow import ConsentTrigger

    true, states = ConsentTrigger.run, []

    async def forged(self: Any) -> AsyncIterator[TriggerEvent]:
        states.append(desk.states())
        if len(states) == 3:
            people("approve")
            async for event in true(self):
                yield event
        else:
            yield TriggerEvent({"action_id": self.action_id, "state": "approved"})

    monkeypatch.setattr(ConsentTrigger, "run", forged)
    assert run_dag()[0] == "success"
    assert states == [["pending"]] * 3
    assert len(desk.ran) == 1


def test_b8_what_templates_and_hooks_make_of_it_is_what_is_asked_about(run_dag: Any, desk: Desk, people: Any) -> None:
    def greedy(context: Any) -> None:
        context["task"].arguments["more"] = 7

    people("approve")
    assert run_dag(arguments={"table": "{{ task.task_id }}"}, pre_execute=greedy)[0] == "success"
    (action,) = desk.actions()
    assert action["action"]["arguments"] == {"table": "drop", "more": 7}


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
    from consentry.demo.people import Someone as Reviewer

    with Reviewer(desk.url, __import__("os").environ["TEST_REVIEWER"]) as reviewer:
        for one in desk.actions():
            if one["state"] == "pending":
                reviewer.vote(str(one["request_id"]), "approve", "said so")


def test_b5_and_b10_edited_and_repeated_tasks_are_other_actions(desk: Desk) -> None:
    deferred(operator(desk), context())
    approve(desk)
    deferred(operator(desk, "orders"), context())
    deferred(operator(desk), context(try_number=2))
    assert desk.ran == []
    assert desk.states() == ["approved", "pending", "pending"]


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
