"""Why: the verdict on one action, and for every policy whether it matched and, where it did not, at what it stopped.

Cedar tells which policies matched. Where one did not, its head and then its conditions are put to Cedar one by one,
each on top of those before it, and the first that does not hold is the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from consentry.actions import Action, Json
from consentry.policy.cedar import PolicySet, handle_of
from consentry.policy.entities import TYPE
from consentry.policy.model import Facts, Judgement, Resource, Roster
from consentry.policy.source import Policy

_Ask = Callable[[Mapping[str, Mapping[str, Json]]], tuple[frozenset[str], frozenset[str]]]
_ANY: Mapping[str, Json] = {"op": "All"}
_BARE = re.compile(r'"(?:\\.|[^"\\])*"|(?<![\w)])\(([A-Za-z_][\w.]*)\)')


class State(StrEnum):
    """How one policy took the action."""

    MATCHED = "matched"
    OTHER_OPERATION = "other-operation"
    NO_MATCH = "no-match"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Explained:
    """One policy and why it matched or did not. `determining`: the verdict rests on it."""

    id: str
    file: str
    line: int
    permits: bool
    text: str
    state: State
    why: str
    determining: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """The judgement on one action, with every policy of the set, those that decided first."""

    action: Action
    judgement: Judgement
    policies: tuple[Explained, ...]

    def to_json(self) -> dict[str, Json]:
        return {
            "digest": self.action.digest,
            "verdict": self.judgement.verdict.value,
            "reasons": [{"policy": one.policy, "text": one.text} for one in self.judgement.reasons],
            "obligations": self.judgement.obligations.to_json(),
            "policy_version": self.judgement.policy_version,
            "policies": [
                {
                    "id": one.id,
                    "file": one.file,
                    "line": one.line,
                    "effect": "permit" if one.permits else "forbid",
                    "text": one.text,
                    "state": one.state.value,
                    "why": one.why,
                    "determining": one.determining,
                }
                for one in self.policies
            ],
        }


def explain(
    policies: PolicySet, action: Action, facts: Facts, *, resource: Resource, roster: Roster, now_ms: int
) -> Explanation:
    """Judge `action` and say what each policy made of it. Meant for people: tens of milliseconds, not microseconds."""

    def ask(trees: Mapping[str, Mapping[str, Json]]) -> tuple[frozenset[str], frozenset[str]]:
        return policies.ask_alone(trees, action, facts, resource=resource, roster=roster, now_ms=now_ms)

    judgement = policies.judge(action, facts, resource=resource, roster=roster, now_ms=now_ms)
    deciding = {reason.policy for reason in judgement.reasons}
    judged = not deciding & {"facts-invalid", "unknown-operation"}
    found = []
    for one in policies.policies:
        state, why = _state(one, action, ask) if judged else (State.FAILED, "nothing could be judged")
        found.append(_explained(one, state, why, deciding))
    order = {State.FAILED: 1, State.MATCHED: 2, State.NO_MATCH: 3, State.OTHER_OPERATION: 4}
    found.sort(key=lambda one: 0 if one.determining else order[one.state])
    return Explanation(action, judgement, tuple(found))


def _explained(policy: Policy, state: State, why: str, deciding: set[str]) -> Explained:
    rule = policy.rule
    return Explained(rule.id, rule.file, rule.line, rule.permits, rule.reason, state, why, rule.id in deciding)


def _state(policy: Policy, action: Action, ask: _Ask) -> tuple[State, str]:
    if not policy.scope.covers(action.operation, TYPE[action.actor.kind]):
        return State.OTHER_OPERATION, "is about other operations or other kinds of actors"
    steps = dict(_steps(policy.tree))
    matched, failed = ask({name: tree for name, (tree, _) in steps.items()})
    for name, (_, words) in steps.items():
        if name in failed:
            return State.FAILED, f"{words} could not be evaluated"
        if name not in matched:
            return State.NO_MATCH, f"{words} does not hold"
    return State.MATCHED, "its head and all its conditions hold"


def _steps(tree: Mapping[str, Json]) -> Iterator[tuple[str, tuple[Mapping[str, Json], str]]]:
    """The policy rebuilt part by part, each step with all parts before it, and the words for what it adds."""
    built: dict[str, Json] = {
        "effect": "permit",
        "principal": tree["principal"],
        "action": _ANY,
        "resource": _ANY,
        "conditions": [],
    }
    yield "principal", (dict(built), "what it says of the principal")
    built["resource"] = tree["resource"]
    yield "resource", (dict(built), "what it says of the resource")
    done: list[Json] = []
    for kind, body in _parts(tree["conditions"]):
        done = [*done, {"kind": kind, "body": body}]
        words = f"`{text_of(body)}`" if kind == "when" else f"`unless {{ {text_of(body)} }}`"
        yield f"condition{len(done)}", ({**built, "conditions": done}, words)


def _parts(conditions: Json) -> Iterator[tuple[str, Json]]:
    assert isinstance(conditions, Sequence)
    for one in conditions:
        assert isinstance(one, Mapping)
        if one["kind"] == "when":
            yield from (("when", part) for part in _conjuncts(one["body"]))
        else:
            yield "unless", one["body"]


def _conjuncts(node: Json) -> Iterator[Json]:
    both = node.get("&&") if isinstance(node, Mapping) and len(node) == 1 else None
    if isinstance(both, Mapping):
        yield from _conjuncts(both["left"])
        yield from _conjuncts(both["right"])
    else:
        yield node


def text_of(body: Json) -> str:
    """A condition in Cedar's own words."""
    tree: dict[str, Json] = {
        "effect": "permit",
        "principal": _ANY,
        "action": _ANY,
        "resource": _ANY,
        "conditions": [{"kind": "when", "body": body}],
    }
    text = str(handle_of({"it": tree}))
    inside = text[text.index("when {") + len("when {") : text.rindex("}")].strip()
    while (plain := _BARE.sub(lambda match: match[1] or match[0], inside)) != inside:
        inside = plain
    return inside


def render(explanation: Explanation) -> str:
    """The explanation as text for a terminal."""
    judgement = explanation.judgement
    lines = [f"{judgement.verdict.value}: {explanation.action.operation} on {_shown(explanation.action.resource)}"]
    lines += [f"  because {reason.text} [{reason.policy}]" for reason in judgement.reasons]
    lines += [f"  {line}" for line in _obligations(judgement)]
    lines.append("")
    others = 0
    for one in explanation.policies:
        if one.state is State.OTHER_OPERATION:
            others += 1
            continue
        mark = {State.MATCHED: "+", State.NO_MATCH: "-", State.FAILED: "!"}[one.state]
        effect = "permit" if one.permits else "forbid"
        lines.append(f"{mark} {effect} {one.id} ({one.file}:{one.line}): {one.why}")
    lines.append(f"{others} other policies are about other operations or other kinds of actors")
    lines.append(f"policy version {judgement.policy_version}")
    return "\n".join(lines)


def _obligations(judgement: Judgement) -> Iterator[str]:
    told = judgement.obligations
    for number, stage in enumerate(told.stages, 1):
        who = " and ".join(stage.reviewers)
        yield f"stage {number}: {stage.quorum} of {who}, signed in at least by {stage.assurance.value}"
    if told.stages:
        yield f"a request expires after {_span(told.expires_ms)}, its grant after {_span(told.grant_ms)}"
    if told.break_glass is not None:
        yield f"break-glass: {' and '.join(told.break_glass)}"
    if told.masks:
        yield f"masked: {', '.join(told.masks)}"


def _shown(text: str) -> str:
    """Control, bidi and invisible characters as escapes: a resource's name is the caller's text."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def _span(milliseconds: int) -> str:
    """As policies write it: `30m`, `7d`."""
    seconds = milliseconds // 1000
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
