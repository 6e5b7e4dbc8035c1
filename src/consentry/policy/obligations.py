"""The strictest of several rules: how the obligations of all determining permits become one set. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from consentry.policy.annotations import Rule
from consentry.policy.model import Escalation, Level, Obligations, Stage

_DEFAULT = Obligations()
_RANK = {level: rank for rank, level in enumerate(Level)}


def combine(permits: Sequence[Rule]) -> Obligations:
    """The obligations of the permits that matched, strictest first.

    Reviewer sets and masks add up, quorum and assurance take the highest, times the shortest. What a rule leaves out
    counts as the default. Widening (escalation, break-glass) loosens, so it needs every rule that asks for a review.
    """
    asking = [rule for rule in permits if rule.asks]
    return Obligations(
        stages=tuple(_stage([rule for rule in asking if rule.stage == number]) for number in _numbers(asking)),
        expires_ms=min((rule.expires_ms or _DEFAULT.expires_ms for rule in asking), default=_DEFAULT.expires_ms),
        grant_ms=_grant_ms(permits),
        masks=_unique(mask for rule in permits for mask in rule.masks),
        level=_level(permits, reviewed=bool(asking)),
        break_glass=_break_glass(asking),
    )


def _numbers(asking: Sequence[Rule]) -> list[int]:
    return sorted({rule.stage for rule in asking})


def _stage(rules: Sequence[Rule]) -> Stage:
    return Stage(
        reviewers=_unique(reviewer for rule in rules for reviewer in rule.reviewers),
        quorum=max(rule.quorum for rule in rules),
        assurance=max((rule.assurance for rule in rules), key=lambda assurance: assurance.rank),
        remind_after_ms=min((rule.remind_ms for rule in rules if rule.remind_ms is not None), default=None),
        escalation=_escalation(rules),
    )


def _escalation(rules: Sequence[Rule]) -> Escalation | None:
    """Widening only where every rule of the stage widens to the same set, after the longest of their times."""
    asked = [rule.escalation for rule in rules if rule.escalation is not None]
    if len(asked) < len(rules) or len({one.widen_to for one in asked}) != 1:
        return None
    return max(asked, key=lambda one: one.after_ms)


def _break_glass(asking: Sequence[Rule]) -> tuple[str, ...] | None:
    if not asking or any(rule.break_glass is None for rule in asking):
        return None
    return _unique(one for rule in asking for one in rule.break_glass or ())


def _grant_ms(permits: Sequence[Rule]) -> int:
    stated = [rule.grant_ms for rule in permits if rule.grant_ms is not None]
    silent = any(rule.asks and rule.grant_ms is None for rule in permits)
    return min(stated + ([_DEFAULT.grant_ms] if silent or not stated else []))


def _level(permits: Sequence[Rule], *, reviewed: bool) -> Level:
    """L0 is for routine actions only: allowed outright, and every rule says so."""
    if not reviewed and permits and all(rule.level is Level.L0 for rule in permits):
        return Level.L0
    return max([Level.L1, *(rule.level for rule in permits if rule.level is not None)], key=_RANK.__getitem__)


def _unique(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(items))
