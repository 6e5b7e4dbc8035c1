"""docs/policy.md says what the code does: every table is compared, every example is run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from consentry.policy import cases, schema
from consentry.policy.annotations import ANNOTATIONS, BUILT_IN
from consentry.policy.cedar import PolicySet
from consentry.policy.context import DECLARED
from consentry.policy.explain import explain, render
from consentry.policy.model import Facts
from consentry.policy.scenario import read_question

PAGE = (Path(__file__).parents[2] / "docs" / "policy.md").read_text("utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def table(heading: str) -> list[list[str]]:
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip("` ") for cell in row] for row in rows[1:]]


def attributes(record: str, prefix: str = "") -> set[tuple[str, str]]:
    """The attributes of a record type of the shipped schema, with their types."""
    found = re.search(rf"^type {record} = \{{(.*?)^\}};", schema.shipped(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return {(prefix + name, kind) for name, kind in re.findall(r"^  (\w+\??): ([\w<>]+),", found[1], re.MULTILINE)}


def test_every_annotation_is_told_as_it_is() -> None:
    told = [(row[0], row[1], row[2]) for row in table("Annotations")]
    assert told == [(f"@{one.name}", f'@{one.name}("{one.example}")', one.meaning) for one in ANNOTATIONS.values()]


def test_every_fact_is_told() -> None:
    rows = table("Facts")
    assert {(row[0], row[1]) for row in rows} == attributes("Facts") | attributes("Findings", "findings.")
    assert all(row[2] for row in rows)


def test_everything_in_the_context_is_told() -> None:
    told = {(row[0], row[1]) for row in table("What a rule can look at")}
    assert told == (
        attributes("Context")
        | attributes("Chain", "chain.")
        | attributes("Declared", "declared.")
        | attributes("Time", "time.")
    )


def test_the_declared_names_are_those_that_are_passed_on() -> None:
    assert {name for name, _ in attributes("Declared")} == {"keys"} | {f"{name}?" for name in DECLARED}


def test_every_reason_of_the_engine_is_told() -> None:
    assert {row[0] for row in table("Reasons that the engine gives")} == BUILT_IN


def test_the_example_rule_is_the_one_that_its_case_expects() -> None:
    policies = PolicySet.load({"exports.cedar": block("cedar")})
    (outcome,) = cases.run(policies, {"cases/exports.toml": block("toml")})
    assert outcome.differences == ()


def test_the_example_question_is_explained() -> None:
    policies = PolicySet.load({"exports.cedar": block("cedar")})
    question = read_question(json.loads(block("json")), "action.json")
    shown = render(
        explain(
            policies,
            question.action(),
            Facts(question.facts),
            resource=question.where(),
            roster=question.roster(),
            now_ms=question.now_ms(),
        )
    )
    assert shown.startswith("review: dataset.export on s3://partner/customers.csv")


def test_the_example_schema_adds_what_it_says() -> None:
    policy = """@id("x") permit (principal, action == Action::"warehouse.publish", resource)
        when { context.facts has extra && context.facts.extra has region && context.facts.extra.region == "eu" };"""
    PolicySet.load({"a.cedar": policy}, block("cedarschema"))


def test_every_expectation_of_a_case_is_told() -> None:
    section = PAGE.split("Only what a case expects is compared:")[1].split("A case may also give")[0]
    assert set(re.findall(r"`(\w+)`", section)) == set(cases.Expectation.model_fields)


@pytest.mark.parametrize("command", ["check", "test", "explain", "replay"])
def test_every_command_is_shown(command: str) -> None:
    assert f"\nconsentry policy {command}" in PAGE
