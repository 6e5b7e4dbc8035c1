"""Rules that nobody could satisfy. A strict rule that can only be denied gets switched off by its users (A11). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from consentry.policy.annotations import Rule
from consentry.policy.cedar import PolicySet
from consentry.policy.model import Judgement, Roster, Stage, Verdict
from consentry.policy.obligations import combine
from consentry.policy.problems import Problem, Severity
from consentry.policy.quorum import assign


def check(policies: PolicySet, roster: Roster) -> list[Problem]:
    """What is wrong with a loaded policy set for the people there are.

    An error: the active members of a rule's reviewer sets cannot make up its quorum at all. A warning: they can, but
    not for every action, since a person who acts (or owns the agent that acts) has no vote on it.
    """
    problems = []
    for rule in policies.rules.values():
        if not rule.asks:
            continue
        stages = combine([rule]).stages
        why = _shortfall(stages, roster, frozenset(), combine([rule]).expires_ms)
        if why is not None:
            problems.append(_problem(rule, "rule-unsatisfiable", why, Severity.ERROR))
            continue
        needed = _indispensable(stages, roster, combine([rule]).expires_ms)
        if needed:
            text = (
                f"{_everybody(len(needed))} decide, so that an action of their own, or by an agent that they own or "
                "whose token they were shown, is denied. Add somebody to the reviewers"
            )
            problems.append(_problem(rule, "rule-fragile", text, Severity.WARNING))
    return problems


def _everybody(number: int) -> str:
    return "one reviewer alone can" if number == 1 else f"all of {number} reviewers have to"


def why_unsatisfiable(judgement: Judgement, roster: Roster, excluded: frozenset[str]) -> str | None:
    """Why no eligible persons could give the consent that `judgement` asks for, with the way out; `None` if some can.

    `excluded` are the persons who may not vote: those in the action's chain, its agents' owners, and its authors.
    One person counts for one set of one stage. A set that is widened before the request expires counts as widened.
    """
    if judgement.verdict is not Verdict.REVIEW:
        return None
    obligations = judgement.obligations
    return _shortfall(obligations.stages, roster, excluded, obligations.expires_ms)


def _shortfall(stages: Sequence[Stage], roster: Roster, excluded: frozenset[str], expires_ms: int) -> str | None:
    places = [(reviewers, stage) for stage in stages for reviewers in stage.reviewers]
    if not places:
        return "asks for a review without saying by whom: add `@review`"
    gone = frozenset(map(roster.canonical, excluded))
    members = [_eligible(reviewers, stage, roster, expires_ms) - gone for reviewers, stage in places]
    found = assign(members, [stage.quorum for _, stage in places])
    if found.complete:
        return None
    for (reviewers, stage), free, missing in zip(places, members, found.missing, strict=True):
        if missing and len(free) < stage.quorum:
            return _few(reviewers, stage.quorum, len(free), outside=bool(gone))
    names = ", ".join(f"`{reviewers}`" for reviewers, _ in places)
    return f"needs {sum(found.needed)} different people over {names}, and these share too few: add people to them"


def _few(reviewers: str, quorum: int, free: int, *, outside: bool) -> str:
    kind, _, name = reviewers.partition(":")
    who = "nobody" if free == 0 else f"only {free}"
    where = " who has no part in this action" if outside else ""
    way = {
        "group": f"invite somebody and add them: consentry groups add {name} EMAIL",
        "person": "invite them, or name another reviewer in the policy",
    }.get(kind, "invite somebody: consentry people invite EMAIL")
    return f"needs {quorum} of `{reviewers}`, and there is {who}{where}: {way}"


def _eligible(reviewers: str, stage: Stage, roster: Roster, expires_ms: int) -> frozenset[str]:
    members = roster.members(reviewers)
    if stage.escalation is not None and stage.escalation.after_ms < expires_ms:
        members |= roster.members(stage.escalation.widen_to)
    return members


def _indispensable(stages: Sequence[Stage], roster: Roster, expires_ms: int) -> frozenset[str]:
    """The reviewers without whom the rule could not be satisfied; only small sets can have any."""
    places = [(reviewers, stage) for stage in stages for reviewers in stage.reviewers]
    sets = [_eligible(reviewers, stage, roster, expires_ms) for reviewers, stage in places]
    quorums = [stage.quorum for _, stage in places]
    chosen = frozenset[str]().union(*assign(sets, quorums).persons)
    return frozenset(one for one in chosen if not assign([members - {one} for members in sets], quorums).complete)


def _problem(rule: Rule, code: str, text: str, severity: Severity) -> Problem:
    return Problem(code, text, rule.file, rule.id, rule.line, severity)
