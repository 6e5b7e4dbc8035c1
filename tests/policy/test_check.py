"""A rule that nobody could satisfy is found before it stops somebody (A11)."""

from __future__ import annotations

import pytest

from consentry.policy.cedar import PolicySet
from consentry.policy.check import check, why_unsatisfiable
from consentry.policy.model import (
    Escalation,
    Judgement,
    Membership,
    Obligations,
    Person,
    Roster,
    Stage,
    Verdict,
)
from consentry.policy.problems import Severity

HEAD = "permit (principal, action, resource)"


def people(**groups: str) -> Roster:
    """`people(a="x y")`: a roster in which x and y are in group a. A capital letter marks somebody who has left."""
    names = sorted({name for text in groups.values() for name in text.split()})
    return Roster(
        version=1,
        persons=[Person(name, f"{name}@example.com", name, active=name.islower()) for name in names],
        memberships=[Membership(group, name, 0) for group, text in groups.items() for name in text.split()],
    )


@pytest.mark.parametrize(
    ("marks", "roster", "codes"),
    [
        pytest.param('@review("group:a")', people(a="x y"), [], id="enough"),
        pytest.param('@review("group:a")', people(b="x"), ["rule-unsatisfiable"], id="no-such-group"),
        pytest.param('@review("group:a")', people(a="X Y"), ["rule-unsatisfiable"], id="everybody-has-left"),
        pytest.param('@review("group:a") @quorum("2")', people(a="x Y"), ["rule-unsatisfiable"], id="too-few"),
        pytest.param('@review("group:a")', people(a="x"), ["rule-fragile"], id="one-person"),
        pytest.param('@review("group:a") @quorum("2")', people(a="x y"), ["rule-fragile"], id="just-enough"),
        pytest.param(
            '@review("group:a,group:b")', people(a="x", b="x"), ["rule-unsatisfiable"], id="one-person-in-both"
        ),
        pytest.param('@review("group:a,group:b")', people(a="x y z", b="x y z"), [], id="three-people-in-both"),
        pytest.param('@review("person:x@example.com")', people(a="x"), ["rule-fragile"], id="a-person"),
        pytest.param('@review("person:q@example.com")', people(a="x"), ["rule-unsatisfiable"], id="no-such-person"),
        pytest.param('@review("anyone") @quorum("2")', people(a="x y z"), [], id="anyone"),
        pytest.param('@review("group:a") @escalate("5m group:b")', people(b="x y"), [], id="widened-in-time"),
        pytest.param(
            '@review("group:a") @escalate("2h group:b")', people(b="x y"), ["rule-unsatisfiable"], id="widened-too-late"
        ),
        pytest.param('@mask("A")', people(), [], id="asks-nobody"),
    ],
)
def test_a11_rules_that_nobody_can_satisfy(marks: str, roster: Roster, codes: list[str]) -> None:
    found = check(PolicySet.load({"a.cedar": f'@id("x") {marks} {HEAD};'}), roster)
    assert [one.code for one in found] == codes
    for one in found:
        assert (one.file, one.policy, one.line) == ("a.cedar", "x", 1)
        assert (one.severity is Severity.ERROR) == (one.code == "rule-unsatisfiable")


def review(*stages: Stage, expires_ms: int = 3_600_000) -> Judgement:
    return Judgement(Verdict.REVIEW, (), Obligations(stages=stages, expires_ms=expires_ms), "v")


A, B = Stage(("group:a",)), Stage(("group:b",))


@pytest.mark.parametrize(
    ("judgement", "roster", "excluded", "possible"),
    [
        pytest.param(review(A), people(a="x y"), {"x"}, True, id="somebody-else"),
        pytest.param(review(A), people(a="x"), {"x"}, False, id="only-the-asker"),
        pytest.param(review(A), people(a="x Y"), {"x"}, False, id="the-other-has-left"),
        pytest.param(review(Stage(("group:a",), 2)), people(a="x y z"), {"x"}, True, id="two-others"),
        pytest.param(review(Stage(("group:a",), 2)), people(a="x y"), {"x"}, False, id="one-other"),
        pytest.param(review(A, B), people(a="x", b="x"), set(), False, id="one-person-for-two-stages"),
        pytest.param(review(A, B), people(a="x", b="x y"), set(), True, id="two-people-for-two-stages"),
        pytest.param(review(A, B), people(a="x y", b="x y"), {"y"}, False, id="two-stages-one-excluded"),
        pytest.param(review(Stage(("group:a", "group:b"))), people(a="x y", b="y"), set(), True, id="matched"),
        pytest.param(
            review(Stage(("group:a",), escalation=Escalation(5, "group:b"))), people(b="y"), set(), True, id="widened"
        ),
        pytest.param(
            review(Stage(("group:a",), escalation=Escalation(5, "group:b")), expires_ms=5),
            people(b="y"),
            set(),
            False,
            id="expires-before-it-is-widened",
        ),
        pytest.param(review(), people(a="x"), set(), False, id="a-review-by-nobody"),
    ],
)
def test_a11_why_unsatisfiable(judgement: Judgement, roster: Roster, excluded: set[str], possible: bool) -> None:
    assert (why_unsatisfiable(judgement, roster, frozenset(excluded)) is None) == possible


def test_a5_a_linked_identity_of_the_asker_does_not_count() -> None:
    roster = Roster(
        version=1,
        persons=[Person("x", "x@example.com", "X"), Person("x2", "x2@example.com", "X", merged_into="x")],
        memberships=[Membership("a", "x2", 0)],
    )
    assert why_unsatisfiable(review(A), roster, frozenset({"x"})) is not None
    assert why_unsatisfiable(review(A), roster, frozenset({"x2"})) is not None
    assert why_unsatisfiable(review(A), roster, frozenset()) is None


def test_the_text_says_the_way_out() -> None:
    text = why_unsatisfiable(review(A), people(a="x"), frozenset({"x"}))
    assert text == (
        "needs 1 of `group:a`, and there is nobody who has no part in this action: "
        "invite somebody and add them: consentry groups add a EMAIL"
    )


@pytest.mark.parametrize("verdict", [Verdict.ALLOW, Verdict.DENY])
def test_only_reviews_can_be_unsatisfiable(verdict: Verdict) -> None:
    assert why_unsatisfiable(Judgement(verdict, (), Obligations(), "v"), people(), frozenset()) is None


def test_a_fresh_install_is_told_what_it_lacks() -> None:
    found = check(PolicySet.starter(), people(admins="kim"))
    assert {one.code for one in found} == {"rule-unsatisfiable", "rule-fragile"}
    assert all("data-stewards" in one.text for one in found if one.code == "rule-unsatisfiable")
    assert check(PolicySet.starter(), people(**{"admins": "kim lee", "data-stewards": "sam sol"})) == []
