"""Replaying: which past verdicts a candidate would change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consentry.actions import Action, Actor, Kind
from consentry.errors import InvalidInput
from consentry.policy.cedar import PolicySet
from consentry.policy.model import Resource, Roster, Verdict
from consentry.policy.replay import JsonLines, Past, render, replay

CANDIDATE = PolicySet.load(
    {
        "a.cedar": """
            @id("small") permit (principal, action == Action::"dataset.export", resource)
            when { context.facts has rows && context.facts.rows < 10 };
            @id("big") @review("group:a") permit (principal, action == Action::"dataset.export", resource)
            when { context.facts has rows && context.facts.rows >= 10 };
            @id("night") forbid (principal, action, resource) when { context.time.hour < 6 };
            @id("prod") forbid (principal, action, resource) when { resource.hasTag("env") };
        """
    }
)
NOON = 12 * 3_600_000


def past(number: int, verdict: str, rows: int = 5, at_ms: int = NOON, **labels: str) -> Past:
    action = Action(Actor(Kind.AGENT, "agt"), "dataset.export", f"r{number}")
    return Past(
        f"act_{number}",
        action.canonical,
        {"rows": rows},
        Verdict(verdict),
        at_ms,
        Resource(f"r{number}", labels=labels),
    )


def line(one: Past) -> str:
    return json.dumps(
        {
            "id": one.id,
            "canonical": one.canonical.decode(),
            "facts": dict(one.facts),
            "verdict": one.verdict.value,
            "at_ms": one.at_ms,
            "resource": {"name": one.resource.name, "kind": one.resource.kind, "labels": dict(one.resource.labels)},
            "outcome": "succeeded",
        }
    )


HISTORY = [
    past(1, "allow"),
    past(2, "allow", rows=50),
    past(3, "review", rows=50),
    past(4, "deny"),
    past(5, "allow", at_ms=NOON - 8 * 3_600_000),
    past(6, "allow", env="prod"),
]


def test_what_would_change(roster: Roster) -> None:
    result = replay(HISTORY, CANDIDATE, roster)
    assert result.judged == 6
    assert result.policy_version == CANDIDATE.version
    assert [(one.id, one.before.value, one.after.value, one.reasons[0].policy) for one in result.changes] == [
        ("act_2", "allow", "review", "big"),
        ("act_4", "deny", "allow", "small"),
        ("act_5", "allow", "deny", "night"),
        ("act_6", "allow", "deny", "prod"),
    ]


def test_loosened_verdicts_are_shown_first(roster: Roster) -> None:
    shown = render(replay(HISTORY, CANDIDATE, roster)).splitlines()
    assert shown[0].split()[:3] == ["deny", "→", "allow"]
    assert shown[-1] == "6 past actions judged again, 4 would be judged otherwise"


def test_a_file_of_lines_is_a_history(tmp_path: Path, roster: Roster) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text("\n".join(map(line, HISTORY)) + "\n\n")
    read = list(JsonLines(file).since(0))
    assert read == HISTORY
    assert replay(read, CANDIDATE, roster) == replay(HISTORY, CANDIDATE, roster)
    assert [one.id for one in JsonLines(file).since(NOON)] == ["act_1", "act_2", "act_3", "act_4", "act_6"]


def test_a_history_without_resources_takes_the_action_s(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    document = json.loads(line(HISTORY[0]))
    del document["resource"]
    file.write_text(json.dumps(document))
    assert [one.resource for one in JsonLines(file).since(0)] == [Resource("r1")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "line 2"),
        ("[]", "line 2"),
        ('{"id": "a"}', "`line 2` of the history has no usable `canonical`"),
        (line(HISTORY[0]).replace('"allow"', '"perhaps"'), "no usable `verdict`"),
        (line(HISTORY[0]).replace('"id": "act_1"', '"id": "a", "id": "b"'), "same key twice"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "history.jsonl"
    file.write_text(line(HISTORY[0]) + "\n" + text)
    with pytest.raises(InvalidInput, match=words):
        list(JsonLines(file).since(0))


def test_bytes_that_are_no_action_stop_the_replay(roster: Roster) -> None:
    spoilt = Past("act_1", b"{}", {}, Verdict.ALLOW, 0, Resource("x"))
    with pytest.raises(InvalidInput):
        replay([spoilt], CANDIDATE, roster)
