"""Explaining: every policy says whether it matched, and at what it stopped."""

from __future__ import annotations

import pytest

from consentry.actions import Action, Actor, Kind
from consentry.policy.cedar import PolicySet
from consentry.policy.explain import Explanation, State, explain, render
from consentry.policy.model import Facts, Resource, Roster

HEAD = "principal, action, resource"


def ask(roster: Roster, text: str, facts: dict[str, object], resource: str = "x") -> Explanation:
    action = Action(Actor(Kind.AGENT, "agt_exporter"), "dataset.export", resource)
    policies = PolicySet.load({"a.cedar": text})
    return explain(policies, action, Facts(facts), resource=Resource(resource), roster=roster, now_ms=0)


@pytest.mark.parametrize(
    ("policy", "state", "why"),
    [
        (f"permit ({HEAD});", State.MATCHED, "its head and all its conditions hold"),
        ('permit (principal, action == Action::"sql.ddl", resource);', State.OTHER_OPERATION, "other operations"),
        ("permit (principal is Person, action, resource);", State.OTHER_OPERATION, "other kinds of actors"),
        ('permit (principal == Agent::"other", action, resource);', State.NO_MATCH, "what it says of the principal"),
        ('permit (principal in Group::"admins", action, resource);', State.NO_MATCH, "what it says of the principal"),
        ('permit (principal, action, resource == Resource::"y");', State.NO_MATCH, "what it says of the resource"),
        (
            f"permit ({HEAD}) when {{ context.facts.findings.scanned && context.facts.findings.total > 5 }};",
            State.NO_MATCH,
            "`context.facts.findings.total > 5` does not hold",
        ),
        (
            f"permit ({HEAD}) when {{ context.facts has rows && context.facts.rows > 5 }};",
            State.NO_MATCH,
            "`context.facts has rows` does not hold",
        ),
        (
            f'permit ({HEAD}) when {{ true }} when {{ context.origin == "(person)" }};',
            State.NO_MATCH,
            '`context.origin == "(person)"` does not hold',
        ),
        (
            f"forbid ({HEAD}) unless {{ context.chain.owned }};",
            State.NO_MATCH,
            "`unless { context.chain.owned }` does not hold",
        ),
        (
            f"forbid ({HEAD}) when {{ context.facts.findings.total + 9223372036854775807 > 0 }};",
            State.FAILED,
            "could not be evaluated",
        ),
    ],
)
def test_each_policy_says_why(roster: Roster, policy: str, state: State, why: str) -> None:
    facts = {"findings": {"total": 3, "types": [], "scanned": True}}
    (one,) = ask(roster, f'@id("it") {policy}', facts).policies
    assert one.state is state
    assert why in one.why


def test_the_policies_that_decided_come_first(roster: Roster) -> None:
    text = f"""
        @id("other") permit (principal, action == Action::"sql.ddl", resource);
        @id("yes") permit ({HEAD});
        @id("no") @reason("never") forbid ({HEAD});
        @id("almost") permit ({HEAD}) when {{ context.facts has rows }};
    """
    explanation = ask(roster, text, {})
    assert [(one.id, one.determining) for one in explanation.policies] == [
        ("no", True), ("yes", False), ("almost", False), ("other", False),
    ]  # fmt: skip
    assert explanation.judgement.reasons[0].policy == "no"
    shown = render(explanation)
    assert "deny: dataset.export on x" in shown
    assert "because never [no]" in shown
    assert "1 other policies are about other operations" in shown


def test_facts_that_do_not_fit_are_explained(roster: Roster) -> None:
    explanation = ask(roster, f'@id("yes") permit ({HEAD});', {"rows": "many"})
    assert explanation.judgement.reasons[0].policy == "facts-invalid"
    assert [(one.state, one.determining) for one in explanation.policies] == [(State.FAILED, False)]


def test_explaining_does_not_change_the_verdict(roster: Roster) -> None:
    starter = PolicySet.starter()
    action = Action(Actor(Kind.AGENT, "agt_exporter"), "dataset.export", "x")
    facts = Facts({"findings": {"total": 3, "types": ["PERSON"], "scanned": True}})
    judged = starter.judge(action, facts, resource=Resource("x"), roster=roster, now_ms=0)
    explained = explain(starter, action, facts, resource=Resource("x"), roster=roster, now_ms=0)
    assert explained.judgement == judged
    assert {one.id for one in explained.policies if one.determining} == {one.policy for one in judged.reasons}
    assert len(explained.policies) == len(starter.policies)
    document = explained.to_json()
    assert document["verdict"] == "review"
    assert len(document["policies"]) == len(starter.policies)


def test_d6_a_resource_cannot_forge_the_report(roster: Roster) -> None:
    shown = render(ask(roster, f'@id("yes") permit ({HEAD});', {}, "x\nallow: \u202eevil\u200b"))
    assert "\\nallow: \\u202eevil\\u200b" in shown
