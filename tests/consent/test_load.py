"""How reviews go: hand-made pasts with what must come out, then the same of a real gate on each database."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.actions import Action, Actor, Json, Kind, Operand
from consentry.consent import load_history
from consentry.consent.bounds import Bound
from consentry.consent.load import ENOUGH, Asked, Cast, End, measure, nearest_rank, tally, times
from consentry.consent.load_advice import LEAST, Obstacle, bound_of, propose, shapes
from consentry.consent.model import BallotVerdict
from consentry.consent.standing import StandingPattern
from consentry.policy.model import Assurance

MINUTE = 60_000
NOON = 1_800_014_400_000 - 1_800_014_400_000 % 86_400_000 + 12 * 3_600_000
ETL = Actor(Kind.AGENT, "agt_etl")


def asked(number: int, end: End = End.APPROVED, *, took: int = 1, **more) -> Asked:
    """One request; `took` in minutes, `by` whom, `at` which hour, `rules`, `reviewers`, `arguments`."""
    opened = NOON + number
    by = more.pop("by", "per_ada")
    arguments: dict[str, Json] = more.pop("arguments", {"month": "10"})
    decided = opened + took * MINUTE if end not in (End.PENDING, End.EXPIRED) else None
    verdict = {End.APPROVED: BallotVerdict.APPROVE, End.DENIED: BallotVerdict.DENY}.get(end)
    votes = () if verdict is None else (Cast(by, verdict, more.pop("at", decided)),)
    action = Action(
        ETL, more.pop("operation", "dataset.export"), more.pop("resource", "crm"), arguments,
        more.pop("operands", ()), more.pop("context", {}),
    )  # fmt: skip
    return Asked(
        f"req_{number:04}", (f"act_{number:04}",), action, more.pop("rules", ("exports",)),
        more.pop("reviewers", ("group:stewards",)), end, opened, decided, votes, **more,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "median", "p90"),
    [
        ([], None, None), ([7], 7, 7), ([1, 2], 1, 2), ([3, 1, 2], 2, 3), (list(range(1, 11)), 5, 9),
        (list(range(1, 12)), 6, 10), ([5] * 9 + [500], 5, 5), ([5] * 8 + [500, 600], 5, 500),
    ],
)  # fmt: skip
def test_median_and_nine_of_ten(values, median, p90) -> None:
    found = times(values)
    assert (found.median_ms, found.p90_ms) == (median, p90)
    assert (found.decisions, found.total_ms) == (len(values), sum(values))


@given(st.lists(st.integers(0, 10**9), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_value_that_enough_are_within(values, percent) -> None:
    found = nearest_rank(sorted(values), percent)
    assert found in values
    assert sum(1 for one in values if one <= found) * 100 >= percent * len(values)


def test_each_end_counts_once_and_only_people_decide() -> None:
    found = tally(asked(n, end, took=n) for n, end in enumerate(End))
    assert (found.asked, found.approved, found.denied, found.expired) == (6, 1, 1, 1)
    assert (found.withdrawn, found.overtaken, found.pending, found.unanswered) == (1, 1, 1, 1)
    assert found.times.decisions == found.decided == 2
    assert found.approve_rate == 0.5


def test_what_expired_with_a_vote_was_not_unanswered() -> None:
    one = replace(asked(1, End.EXPIRED), votes=(Cast("per_ada", BallotVerdict.APPROVE, NOON),))
    assert (tally([one]).expired, tally([one]).unanswered) == (1, 0)


def test_nothing_asked_is_no_share_of_nothing() -> None:
    found = measure([], since_ms=0, until_ms=1)
    assert (found.tally.asked, found.tally.approve_rate, found.people, found.rules) == (0, None, (), ())
    assert found.hours == (0,) * 24


def test_rules_and_groups_are_counted_by_name_those_that_ask_most_first() -> None:
    past = [
        asked(1, rules=("exports", "pii"), reviewers=("group:stewards", "group:security"), took=10),
        asked(2, rules=("exports",), took=2),
        asked(3, End.EXPIRED, rules=("exports",)),
        asked(4, End.DENIED, rules=("pii",), reviewers=("group:security",), took=30),
    ]
    found = measure(past, since_ms=0, until_ms=NOON)
    assert [(one.rule, one.tally.asked, one.alone.decisions) for one in found.rules] == [
        ("exports", 3, 1),
        ("pii", 2, 0),
    ]
    assert found.rules[0].alone.total_ms == 2 * MINUTE
    assert [(one.reviewers, one.tally.asked, one.tally.unanswered) for one in found.groups] == [
        ("group:stewards", 3, 1), ("group:security", 2, 0),
    ]  # fmt: skip
    assert found.groups[1].tally.times.p90_ms == 30 * MINUTE


@pytest.mark.parametrize(
    ("ends", "marked"),
    [
        ([End.APPROVED] * ENOUGH, True),
        ([End.APPROVED] * (ENOUGH - 1), False),
        ([End.APPROVED] * ENOUGH + [End.DENIED], False),
        ([End.APPROVED] * ENOUGH + [End.EXPIRED], True),
        ([End.EXPIRED] * ENOUGH, False),
    ],
)
def test_a_rule_is_marked_where_often_nobody_said_no(ends, marked) -> None:
    (rule,) = measure([asked(n, end) for n, end in enumerate(ends)], since_ms=0, until_ms=1).rules
    assert rule.never_denied is marked


def test_who_carries_it_and_at_what_hour() -> None:
    hour = 3_600_000
    midnight = NOON - 12 * hour
    past = [
        asked(n, end, by=by, at=midnight + at)
        for n, (end, by, at) in enumerate(
            [
                (End.APPROVED, "per_ada", 8 * hour), (End.DENIED, "per_ada", 20 * hour - 1),
                (End.APPROVED, "per_ada", 20 * hour), (End.APPROVED, "per_bob", 8 * hour - 1),
            ]
        )
    ]  # fmt: skip
    found = measure(past, since_ms=0, until_ms=NOON)
    rows = [(one.person, one.votes, one.approvals, one.denials, one.share, one.outside) for one in found.people]
    assert rows == [("per_ada", 3, 2, 1, 0.75, 1), ("per_bob", 1, 1, 0, 0.25, 1)]
    assert {hour: n for hour, n in enumerate(found.hours) if n} == {7: 1, 8: 1, 19: 1, 20: 1}


@pytest.mark.parametrize(
    ("values", "bound"),
    [
        (["a", "a"], Bound("equals", "a")),
        ([{"x": 1}, {"x": 1}], Bound("equals", {"x": 1})),
        ([1, True, 1], None),
        (["a", "b", "a", "b"], Bound("one_of", ["a", "b"])),
        (["a", "b", "c"], None),
        ([10, 250, 30], Bound("at_most", 250)),
        ([10, -1, 30], None),
        (["in/2026/a", "in/2026/b", "in/2027/c"], Bound("prefix", "in/")),
        (["in/2026/a", "in/2026/b"], Bound("prefix", "in/2026/")),
        (["/a", "/b", "/c"], None),
        (["in/a", "in/../b", "in/c"], None),
        (["in/a", "in", "in/c"], None),
        ([["a"], ["b"]], None),
    ],
)
def test_a_bound_is_the_narrowest_that_is_repeated_or_kept_within(values, bound) -> None:
    assert bound_of(values) == bound


json_values = st.one_of(
    st.integers(-5, 5), st.sampled_from(["in/a", "in/b", "out/c", "..", ""]), st.booleans(), st.none()
)


@given(st.lists(json_values, min_size=1, max_size=30))
def test_b12_a_bound_admits_all_that_it_was_made_of_and_is_never_open(values) -> None:
    bound = bound_of(values)
    if bound is not None:
        assert all(bound.admits(value) for value in values)
        assert not bound.admits("something else")
        assert not bound.admits(10**6)


def approved(count: int = LEAST, **more) -> list[Asked]:
    return [asked(n, **more) for n in range(count)]


@pytest.mark.parametrize(
    ("past", "obstacle"),
    [
        (approved(LEAST - 1), Obstacle.FEW),
        ([*approved(), asked(9, End.DENIED)], Obstacle.DENIED),
        (approved(one_vote=False), Obstacle.MORE_THAN_ONE_VOTE),
        ([asked(n, operands=(Operand("plan.out", f"{n:064x}"),)) for n in range(LEAST)], Obstacle.PINNED),
        ([asked(n, context={"ticket": f"D{n}"}) for n in range(LEAST)], Obstacle.VARIES),
        ([asked(n, context={"ticket": "D-1"} if n else {}) for n in range(LEAST)], Obstacle.VARIES),
        ([asked(n, arguments={"month": f"m{n}"}) for n in range(LEAST)], Obstacle.VARIES),
        (approved(resource="logs/*"), Obstacle.VARIES),
    ],
)
def test_there_is_no_proposal_where_a_grant_would_not_do(past, obstacle) -> None:
    assert propose(past) is obstacle


def test_a_proposal_is_around_what_was_approved_and_nothing_else() -> None:
    past = [asked(n, arguments={"rows": 10 * n, "to": "lake"}) for n in range(1, 5)]
    past.append(asked(9, End.EXPIRED, arguments={"rows": 10**9, "to": "elsewhere"}))
    pattern = propose(past)
    bounds = {"rows": Bound("at_most", 40), "to": Bound("equals", "lake")}
    assert pattern == StandingPattern("agt_etl", "dataset.export", "crm", bounds)
    assert [pattern.admits(one.action) for one in past] == [True] * 4 + [False]


def test_a_proposal_reaches_into_objects_and_pins_what_was_pinned() -> None:
    pinned = (Operand("mcp:shop/query", "ab" * 32),)
    call = {"tool": "query", "arguments": {"table": "orders", "limit": 10}}
    wide = {"tool": "query", "arguments": {"table": "orders", "limit": 30}}
    more = {"operands": pinned, "context": {"run": "nightly"}}
    pattern = propose([asked(n, arguments=wide if n else call, **more) for n in range(LEAST)])
    assert pattern == StandingPattern(
        "agt_etl",
        "dataset.export",
        "crm",
        {
            "tool": Bound("equals", "query"),
            "/arguments/table": Bound("equals", "orders"),
            "/arguments/limit": Bound("at_most", 30),
        },
        pinned,
        {"run": Bound("equals", "nightly")},
    )
    assert StandingPattern.from_json(pattern.to_json()) == pattern


def test_shapes_are_told_apart_by_all_that_a_pattern_names() -> None:
    past = [
        *approved(3), *[asked(10 + n, resource="lake") for n in range(2)],
        *[asked(20 + n, arguments={"month": "10", "force": True}) for n in range(2)], asked(30, operation="sql.ddl"),
    ]  # fmt: skip
    found = shapes(past)
    assert [(one.resource, one.arguments, one.tally.asked) for one in found] == [
        ("crm", ("month",), 3), ("crm", ("force", "month"), 2), ("lake", ("month",), 2),
    ]  # fmt: skip
    assert (found[0].latest, found[0].action_ids) == ("act_0002", {"act_0000", "act_0001", "act_0002"})


# ---- the same of a real gate ----


async def past_of(world, since_ms: int = 0, limit: int = 2) -> list[Asked]:
    """Everything that was asked, by small pages."""
    roster, found, before = await world.gate.roster(), [], None
    while True:
        page = await world.gate.store.read(lambda tx, before=before: load_history.page(tx, since_ms, before, limit))
        found += [Asked.of(one, roster) for one in page]
        if len(page) < limit:
            return found
        before = page[-1].id


async def test_a_real_past_is_measured(world) -> None:
    first = await world.submit(n=1)
    world.clock.advance(minutes=10)
    await world.vote(first, "ada")
    denied = await world.submit(n=2)
    world.clock.advance(minutes=2)
    await world.vote(denied, "bob", "deny")
    await world.submit(n=3)  # expires, and no sweeper comes by
    half = await world.submit("secret.rotate", n=4)
    await world.vote(half, "ada")
    world.clock.advance(minutes=61)
    gone = await world.submit(n=5)
    await world.gate.withdraw(gone.request_id, world.agent)
    waits = await world.submit(n=6)
    found = measure(await past_of(world), since_ms=0, until_ms=1)
    total = found.tally
    assert (total.asked, total.approved, total.denied, total.expired, total.unanswered) == (6, 1, 1, 2, 1)
    assert (total.withdrawn, total.pending) == (1, 1)
    assert 10 * MINUTE <= total.times.p90_ms < 11 * MINUTE
    assert 2 * MINUTE <= total.times.median_ms < 3 * MINUTE
    assert [(one.rule, one.tally.asked) for one in found.rules] == [("exports", 5), ("two", 1)]
    assert [(one.reviewers, one.tally.asked) for one in found.groups] == [("group:stewards", 6)]
    assert [(one.person, one.approvals, one.denials) for one in found.people] == [("per_ada", 2, 0), ("per_bob", 0, 1)]
    recent = await past_of(world, world.gate.store.clock_ms() - MINUTE)
    assert {one.id for one in recent} == {gone.request_id, waits.request_id}


async def test_what_a_proposal_would_have_let_through_is_what_the_gate_says(world) -> None:
    for rows in (10, 20, 30):
        await world.approved(rows=rows, to="lake")
    outside = await world.submit(rows=31, to="lake")
    other = await world.submit(rows=5, to="elsewhere")
    (shape,) = shapes(await past_of(world))
    assert shape.pattern is not None
    through = set(await world.gate.simulate_standing(shape.pattern))
    assert len(shape.action_ids & through) == 3
    assert not through & {outside.action_id, other.action_id}
    voter = world.voter("ada")
    await world.gate.create_standing(shape.pattern, voter, uses=5, expires_ms=MINUTE, reason="routine")
    assert (await world.submit(rows=25, to="lake")).request_id is None


@pytest.mark.parametrize(
    ("operation", "voters", "one_vote"),
    [("dataset.export", ("ada",), True), ("secret.rotate", ("ada", "bob"), False), ("terraform.apply", (), False),
     ("iam.role.assign", (), False), ("secret.read", (), False)],
)  # fmt: skip
async def test_what_takes_more_than_one_word_is_known(world, operation, voters, one_vote) -> None:
    decision = await world.submit(operation)
    for name in voters:
        await world.vote(decision, name, assurance=Assurance.SESSION)
    (one,) = await past_of(world)
    assert one.one_vote is one_vote


async def test_a_change_of_policy_that_denies_is_nobodys_denial(world) -> None:
    from consentry.consent.core import end_request
    from consentry.consent.rows import load_request
    from consentry.consent.states import RequestEvent

    decision = await world.submit()

    def deny(tx) -> None:
        request = load_request(tx, decision.request_id, lock=True)
        end_request(tx, world.gate._core, request, RequestEvent.POLICY_DENIES, {"cause": "policy_denies"})

    await world.gate.store.write(deny)
    (one,) = await past_of(world)
    assert one.end is End.OVERTAKEN
    assert one.took_ms is None


@pytest.mark.parametrize(
    ("values", "prefix"),
    [
        ([f"lake/2026/{n}" for n in range(4)], "lake/2026/"),
        ([f"s3://bucket/day/{n}" for n in range(4)], "s3://bucket/day/"),
        ([f"/srv/in/{n}.csv" for n in range(4)], "/srv/in/"),
        ([f"s3://bucket-{n}/x" for n in range(4)], None),
        ([f"https://{n}.example/x" for n in range(4)], None),
        ([f"/* app:reports */ DELETE FROM carts WHERE id = {n}" for n in range(4)], None),
        ([f"SELECT a/2 FROM t WHERE id={n}" for n in range(4)], None),
        ([f"lake/{n};rm" for n in range(4)], None),
        ([f"https://a.example/x?to={n}/" for n in range(4)], None),
    ],
)
def test_b12_a_folder_is_proposed_for_paths_alone(values, prefix) -> None:
    assert bound_of(values) == (None if prefix is None else Bound("prefix", prefix))
