"""`consentry policy`: outputs and exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from consentry.actions import Action, Actor, Kind
from consentry.cli import policy as commands

GOOD = '@id("yes") @review("group:stewards") permit (principal, action == Action::"dataset.export", resource);'
CASE = """
[people]
"ana@example.com" = []
[[case]]
name = "exports wait"
principal = "person:ana@example.com"
operation = "dataset.export"
resource = "x"
[case.expect]
verdict = "VERDICT"
"""
Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONSENTRY_POLICY__DIR", raising=False)
    app = typer.Typer()
    commands.register(app)
    app.command("other")(lambda: None)
    return lambda *words: CliRunner().invoke(app, ["policy", *words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    policies = tmp_path / "rules"
    (policies / "cases").mkdir(parents=True)
    (policies / "a.cedar").write_text(GOOD)
    (policies / "cases" / "a.toml").write_text(CASE.replace("VERDICT", "review"))
    return policies


def test_check_of_the_starter_set(run: Run) -> None:
    result = run("check")
    assert result.exit_code == 0
    assert "policies of the starter set in order" in result.stdout


def test_check_finds_a_folder_called_policies(run: Run, folder: Path, tmp_path: Path) -> None:
    folder.rename(tmp_path / "policies")
    assert "1 policy of `policies`" in run("check").stdout


def test_check_of_a_broken_folder(run: Run, folder: Path) -> None:
    (folder / "b.cedar").write_text('@id("x") @quorom("2") permit (principal, action, resource);')
    result = run("check", "--policies", str(folder))
    assert result.exit_code == 1
    assert "error: b.cedar:1 `x`: `@quorom` is not an annotation" in result.stderr
    result = run("check", "--policies", str(folder), "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["problems"][0]["code"] == "annotation-unknown"


@pytest.mark.parametrize(
    ("people", "code", "problems"),
    [
        ({"people": {"sam@x.org": ["stewards"], "sol@x.org": ["stewards"]}}, 0, []),
        ({"people": {"sam@x.org": ["stewards"]}}, 0, ["rule-fragile"]),
        ({"people": {"sam@x.org": []}}, 1, ["rule-unsatisfiable"]),
    ],
)
def test_check_with_people(
    run: Run, folder: Path, tmp_path: Path, people: object, code: int, problems: list[str]
) -> None:
    (tmp_path / "people.json").write_text(json.dumps(people))
    result = run("check", "--policies", str(folder), "--people", "people.json", "--json")
    assert result.exit_code == code
    document = json.loads(result.stdout)
    assert [one["code"] for one in document["problems"]] == problems
    assert document["ok"] == (code == 0)


def test_check_with_people_that_are_none(run: Run, tmp_path: Path) -> None:
    (tmp_path / "people.json").write_text('{"persons": {}}')
    assert run("check", "--people", "people.json").exit_code == 2
    assert run("check", "--people", "nowhere.toml").exit_code == 2


def test_test(run: Run, folder: Path) -> None:
    result = run("test", "--policies", str(folder))
    assert result.exit_code == 0
    assert "ok   cases/a.toml: exports wait" in result.stdout
    (folder / "cases" / "a.toml").write_text(CASE.replace("VERDICT", "deny"))
    result = run("test", "--policies", str(folder))
    assert result.exit_code == 1
    assert "+ got      review" in result.stdout
    result = run("test", "--policies", str(folder), "--json")
    assert json.loads(result.stdout)["cases"][0]["differences"] == [
        {"what": "verdict", "expected": "deny", "got": "review"}
    ]
    (folder / "cases" / "a.toml").write_text("[[")
    assert run("test", "--policies", str(folder)).exit_code == 1
    (folder / "cases" / "a.toml").unlink()
    assert "no cases" in run("test", "--policies", str(folder)).stderr
    assert run("test").exit_code == 0


QUESTION = {"principal": "person:ana@example.com", "operation": "dataset.export", "resource": "x"}


@pytest.mark.parametrize(
    ("change", "code"), [({}, 0), ({"operation": "sql.ddl"}, 3), ({"principal": "ana"}, 2), ({"fact": {}}, 2)]
)
def test_explain(run: Run, folder: Path, tmp_path: Path, change: dict[str, object], code: int) -> None:
    (tmp_path / "action.json").write_text(json.dumps({**QUESTION, **change}))
    result = run("explain", "action.json", "--policies", str(folder))
    assert result.exit_code == code
    if code == 0:
        assert "+ permit yes (a.cedar:1)" in result.stdout
        document = json.loads(run("explain", "action.json", "--policies", str(folder), "--json").stdout)
        assert document["verdict"] == "review"
    if code == 2:
        assert result.stderr.startswith("error: ")


@pytest.mark.parametrize("text", ["{", '{"a": 1, "a": 2}', "[]"])
def test_explain_of_what_is_no_question(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "action.json").write_text(text)
    assert run("explain", "action.json").exit_code == 2
    assert run("explain", "nowhere.json").exit_code == 2


def test_replay(run: Run, folder: Path, tmp_path: Path) -> None:
    action = Action(Actor(Kind.PERSON, "ana@example.com"), "dataset.export", "x")
    past = {"id": "act_1", "canonical": action.canonical.decode(), "verdict": "allow", "at_ms": 1_700_000_000_000}
    (tmp_path / "h.jsonl").write_text(json.dumps(past))
    words = ("replay", "--history", "h.jsonl", "--policies", str(folder))
    result = run(*words, "--since", "2020-01-01")
    assert result.exit_code == 0
    assert "allow → review dataset.export on 'x'" in result.stdout
    document = json.loads(run(*words, "--since", "2020-01-01", "--json").stdout)
    assert (document["judged"], len(document["changes"])) == (1, 1)
    assert "0 past actions" in run(*words, "--since", "2024-01-01T00:00:00+00:00").stdout
    assert run(*words, "--since", "1s").exit_code == 0
    assert run(*words, "--since", "yesterday").exit_code == 2
    assert run("replay", "--since", "1d", "--history", "nowhere.jsonl").exit_code == 2


def test_a_policy_folder_that_is_not_there(run: Run) -> None:
    for words in (("check",), ("test",)):
        result = run(*words, "--policies", "nowhere")
        assert result.exit_code == 1
        assert "`--policies DIR`" in result.stderr
