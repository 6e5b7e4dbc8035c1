"""Example cases: those that ship hold, and one that does not says what differs."""

from __future__ import annotations

from pathlib import Path

import pytest

from consentry.policy import cases
from consentry.policy.cedar import PolicySet
from consentry.policy.problems import PolicyInvalid

POLICIES = PolicySet.load(
    {
        "a.cedar": """
            @id("one") @review("group:a,group:b") @quorum("2") @expires("30m") @mask("A") @break_glass("group:c")
            permit (principal, action == Action::"dataset.export", resource);
            @id("two") @review("group:c") @stage("2") @assurance("passkey")
            permit (principal, action == Action::"sql.ddl", resource);
            @id("three") @review("group:d")
            permit (principal, action == Action::"sql.ddl", resource);
            @id("four") permit (principal in Group::"readers", action == Action::"dataset.read", resource);
        """
    }
)
PEOPLE = '[people]\n"ana@example.com" = ["readers"]\n'


def case(operation: str, expect: str, fields: str = "") -> str:
    return (
        f'{PEOPLE}\n[[case]]\nname = "it"\nprincipal = "person:ana@example.com"\noperation = "{operation}"\n'
        f'resource = "x"\n{fields}\n[case.expect]\n{expect}\n'
    )


def differences(text: str) -> dict[str, tuple[object, object]]:
    (outcome,) = cases.run(POLICIES, {"cases/it.toml": text})
    assert outcome.passed == (not outcome.differences)
    return {one.what: (one.expected, one.got) for one in outcome.differences}


def test_the_cases_of_the_starter_set_hold() -> None:
    outcomes = cases.run(PolicySet.starter(), cases.starter())
    assert len(outcomes) >= 20
    assert [one for one in outcomes if not one.passed] == []


def test_every_starter_policy_has_a_case_that_it_decides() -> None:
    decided = {
        reason.policy
        for outcome in cases.run(PolicySet.starter(), cases.starter())
        if outcome.judgement is not None
        for reason in outcome.judgement.reasons
    }
    assert PolicySet.starter().rules.keys() - decided == set()


@pytest.mark.parametrize(
    ("operation", "expect", "wrong"),
    [
        ("dataset.read", 'verdict = "allow"', {}),
        ("dataset.read", 'verdict = "allow"\nreasons = ["four"]\nlevel = "L1"\nmasks = []\nbreak_glass = []', {}),
        ("dataset.read", 'verdict = "deny"', {"verdict": ("deny", "allow")}),
        ("dataset.read", 'verdict = "allow"\nreasons = []', {"reasons": ([], ["four"])}),
        ("dataset.export", 'verdict = "review"\nreviewers = ["group:b", "group:a"]\nquorum = 2\nexpires = "30m"', {}),
        (
            "dataset.export",
            'verdict = "review"\nreviewers = ["group:a"]\nquorum = 1\nexpires = "31m"\nassurance = "chat"',
            {
                "reviewers": (["group:a"], ["group:a", "group:b"]),
                "quorum": (1, 2),
                "expires": (1_860_000, 1_800_000),
                "assurance": ("chat", "session"),
            },
        ),
        ("dataset.export", 'verdict = "review"\nmasks = ["B"]', {"masks": (["B"], ["A"])}),
        ("dataset.export", 'verdict = "review"\ngrant_expires = "1m"', {"grant_expires": (60_000, 900_000)}),
        ("dataset.export", 'verdict = "review"\nbreak_glass = []', {"break_glass": ([], ["group:c"])}),
        ("dataset.export", 'verdict = "review"\nlevel = "L2"', {"level": ("L2", "L1")}),
        ("sql.ddl", 'verdict = "review"\nquorum = 1', {"stages": (1, 2)}),
        ("sql.ddl", 'verdict = "review"\nstages = [{ reviewers = ["group:d"] }, { assurance = "passkey" }]', {}),
        ("sql.ddl", 'verdict = "review"\nstages = [{ quorum = 1 }, { quorum = 2 }]', {"stages[2].quorum": (2, 1)}),
        ("sql.ddl", 'verdict = "review"\nstages = [{}]', {"stages": (1, 2)}),
    ],
)
def test_what_is_expected_is_compared(operation: str, expect: str, wrong: dict[str, tuple[object, object]]) -> None:
    assert differences(case(operation, expect)) == wrong


def test_a_case_that_is_no_action_fails() -> None:
    text = case("dataset.read", 'verdict = "deny"')
    assert "case" in differences(text.replace('"dataset.read"', '"NOT AN OPERATION"'))
    assert "case" in differences(text.replace("person:ana", "human:ana"))


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("[[case]", "case-syntax", "not TOML"),
        ("", "case-form", "`case`"),
        (case("dataset.read", ""), "case-form", "verdict"),
        (case("dataset.read", 'verdict = "maybe"'), "case-form", "verdict"),
        (case("dataset.read", 'verdict = "deny"\nexpires = "soon"'), "case-form", "expires"),
        (case("dataset.read", 'verdict = "deny"\nreason = []'), "case-form", "reason"),
        (case("dataset.read", 'verdict = "deny"', "fact = {}"), "case-form", "fact"),
    ],
)
def test_a_case_file_that_is_wrong_is_refused(text: str, code: str, words: str) -> None:
    with pytest.raises(PolicyInvalid) as caught:
        cases.run(POLICIES, {"cases/it.toml": text})
    (problem,) = caught.value.problems
    assert (problem.code, problem.file) == (code, "cases/it.toml")
    assert words in problem.text


def test_the_report_shows_what_differs() -> None:
    outcomes = cases.run(POLICIES, {"cases/it.toml": case("dataset.read", 'verdict = "deny"\nreasons = []')})
    assert cases.render(outcomes).splitlines() == [
        "FAIL cases/it.toml: it",
        "       verdict",
        "         - expected deny",
        "         + got      allow",
        "       reasons",
        "         - expected none",
        "         + got      four",
        "1 case, 1 failed",
    ]
    assert outcomes[0].to_json()["passed"] is False


def test_case_files_lie_beside_the_policies(tmp_path: Path) -> None:
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "a.toml").write_text("a")
    (tmp_path / "cases" / "b.txt").write_text("b")
    assert cases.from_directory(tmp_path) == {"cases/a.toml": "a"}
