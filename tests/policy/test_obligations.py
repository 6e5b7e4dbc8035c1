"""The strictest wins."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.policy.annotations import Rule
from consentry.policy.model import Assurance, Escalation, Level, Obligations, Stage
from consentry.policy.obligations import combine

PLAIN = Rule(id="plain", file="a.cedar", permits=True, reason="plain")
ASKS = replace(PLAIN, id="asks", reviewers=("group:a",))
MINUTE = 60_000


def test_nothing_asked_is_the_default() -> None:
    assert combine([PLAIN]) == Obligations()


@pytest.mark.parametrize(
    ("rules", "stages"),
    [
        pytest.param([PLAIN, ASKS], (Stage(("group:a",)),), id="one-review-is-a-review"),
        pytest.param(
            [ASKS, replace(ASKS, reviewers=("group:b", "group:a"), quorum=3)],
            (Stage(("group:a", "group:b"), 3),),
            id="sets-add-up-and-the-highest-quorum-counts",
        ),
        pytest.param(
            [replace(ASKS, assurance=Assurance.CHAT), replace(ASKS, assurance=Assurance.PASSKEY)],
            (Stage(("group:a",), assurance=Assurance.PASSKEY),),
            id="highest-assurance",
        ),
        pytest.param(
            [replace(ASKS, assurance=Assurance.CHAT), ASKS],
            (Stage(("group:a",), assurance=Assurance.SESSION),),
            id="what-a-rule-leaves-out-is-the-default",
        ),
        pytest.param(
            [replace(ASKS, stage=2, quorum=2), replace(ASKS, reviewers=("group:b",), stage=1)],
            (Stage(("group:b",)), Stage(("group:a",), 2)),
            id="stages-in-order-and-apart",
        ),
        pytest.param(
            [replace(ASKS, remind_ms=5), replace(ASKS, remind_ms=3), ASKS],
            (Stage(("group:a",), remind_after_ms=3),),
            id="earliest-reminder",
        ),
        pytest.param(
            [replace(ASKS, escalation=Escalation(5, "group:c")), replace(ASKS, escalation=Escalation(9, "group:c"))],
            (Stage(("group:a",), escalation=Escalation(9, "group:c")),),
            id="widened-as-late-as-any-rule-says",
        ),
        pytest.param(
            [replace(ASKS, escalation=Escalation(5, "group:c")), ASKS],
            (Stage(("group:a",)),),
            id="not-widened-unless-every-rule-says-so",
        ),
        pytest.param(
            [replace(ASKS, escalation=Escalation(5, "group:c")), replace(ASKS, escalation=Escalation(5, "group:d"))],
            (Stage(("group:a",)),),
            id="not-widened-to-different-sets",
        ),
    ],
)
def test_stages(rules: list[Rule], stages: tuple[Stage, ...]) -> None:
    for order in permutations(rules):
        found = combine(order).stages
        assert {(frozenset(s.reviewers), s.quorum, s.assurance, s.remind_after_ms, s.escalation) for s in found} == {
            (frozenset(s.reviewers), s.quorum, s.assurance, s.remind_after_ms, s.escalation) for s in stages
        }
    assert combine(rules).stages == stages


@pytest.mark.parametrize(
    ("rules", "expires", "grant"),
    [
        ([PLAIN], 60 * MINUTE, 15 * MINUTE),
        ([replace(ASKS, expires_ms=5 * MINUTE)], 5 * MINUTE, 15 * MINUTE),
        ([replace(ASKS, expires_ms=5 * MINUTE), replace(ASKS, expires_ms=7 * MINUTE)], 5 * MINUTE, 15 * MINUTE),
        ([replace(ASKS, expires_ms=99 * MINUTE), ASKS], 60 * MINUTE, 15 * MINUTE),
        ([replace(ASKS, grant_ms=99 * MINUTE)], 60 * MINUTE, 99 * MINUTE),
        ([replace(ASKS, grant_ms=99 * MINUTE), PLAIN], 60 * MINUTE, 99 * MINUTE),
        ([replace(ASKS, grant_ms=99 * MINUTE), ASKS], 60 * MINUTE, 15 * MINUTE),
        ([replace(ASKS, grant_ms=99 * MINUTE), replace(PLAIN, grant_ms=2 * MINUTE)], 60 * MINUTE, 2 * MINUTE),
    ],
)
def test_times_take_the_shortest(rules: list[Rule], expires: int, grant: int) -> None:
    assert (combine(rules).expires_ms, combine(rules).grant_ms) == (expires, grant)


@pytest.mark.parametrize(
    ("levels", "review", "level"),
    [
        ([None], False, Level.L1),
        ([Level.L0], False, Level.L0),
        ([Level.L0, Level.L0], False, Level.L0),
        ([Level.L0, None], False, Level.L1),
        ([Level.L0, Level.L1], False, Level.L1),
        ([Level.L0, Level.L2], False, Level.L2),
        ([Level.L0], True, Level.L1),
        ([Level.L2, None], True, Level.L2),
    ],
)
def test_l0_only_where_every_rule_allows_it_outright(levels: list[Level | None], review: bool, level: Level) -> None:
    rules = [replace(ASKS if review else PLAIN, level=one) for one in levels]
    assert combine(rules).level is level


@pytest.mark.parametrize(
    ("sets", "result"),
    [
        ([None], None),
        ([("group:x",)], ("group:x",)),
        ([("group:x",), None], None),
        ([("group:x",), ("group:y", "group:x")], ("group:x", "group:y")),
    ],
)
def test_break_glass_needs_every_rule_that_asks(
    sets: list[tuple[str, ...] | None], result: tuple[str, ...] | None
) -> None:
    rules = [PLAIN, *(replace(ASKS, break_glass=one) for one in sets)]
    assert combine(rules).break_glass == result


def test_masks_add_up_over_rules_that_ask_and_rules_that_do_not() -> None:
    assert combine([replace(PLAIN, masks=("A", "B")), replace(ASKS, masks=("B", "C"))]).masks == ("A", "B", "C")


rules = st.builds(
    Rule,
    id=st.just("r"),
    file=st.just("f"),
    permits=st.just(True),
    reason=st.just("r"),
    reviewers=st.sampled_from([(), ("group:a",), ("group:b",), ("group:a", "group:b")]),
    quorum=st.integers(1, 3),
    stage=st.integers(1, 2),
    assurance=st.sampled_from(Assurance),
    expires_ms=st.none() | st.integers(1, 10_000_000),
    grant_ms=st.none() | st.integers(1, 10_000_000),
    masks=st.sampled_from([(), ("A",), ("A", "B")]),
    level=st.none() | st.sampled_from([Level.L0, Level.L1, Level.L2]),
    break_glass=st.none() | st.just(("group:x",)) | st.just(("group:y",)),
)


@given(st.lists(rules, min_size=1, max_size=4), rules)
def test_another_matching_permit_never_loosens(some: list[Rule], another: Rule) -> None:
    before, after = combine(some), combine([*some, another])
    assert after.expires_ms <= before.expires_ms or not before.stages
    assert set(before.masks) <= set(after.masks)
    assert list(Level).index(after.level) >= list(Level).index(before.level)
    reviewers = {one for stage in after.stages for one in stage.reviewers}
    assert {one for stage in before.stages for one in stage.reviewers} <= reviewers
    assert len(after.stages) >= len(before.stages)
    if before.stages and before.break_glass is None:
        assert after.break_glass is None
    if before.break_glass is not None and after.break_glass is not None:
        assert set(before.break_glass) <= set(after.break_glass)


@given(st.lists(rules, min_size=1, max_size=4))
def test_obligations_read_back_from_the_store(some: list[Rule]) -> None:
    told = combine(some)
    assert Obligations.from_json(told.to_json()) == told
