"""The rules of entries: each invariant of consent broken once, and found by someone who has only the log."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from consentry.ledger.entry import decode_entry, encode_entry
from consentry.ledger.report import Outcome
from consentry.ledger.rules import Rules

TIME = "2026-01-02T03:04:05.678Z"
Event = tuple[str, dict[str, object]]
Edit = Callable[[list[Event]], None]
OTHER = "f" * 64


def codes(events: list[Event], *, whole_log: bool = True) -> list[str]:
    rules = Rules(whole_log=whole_log)
    found = []
    for index, (name, fields) in enumerate(events):
        entry = decode_entry(encode_entry(name, TIME, fields))  # type: ignore[arg-type]
        found += [finding.code for finding in rules.read(index, entry)]
    return found


def at(events: list[Event], name: str) -> int:
    return next(n for n, event in enumerate(events) if event[0] == name)


def test_a_story_that_keeps_the_rules(story: Callable[[str], list[Event]]) -> None:
    assert codes(story("act1") + story("act2")) == []


def change(name: str, **fields: object) -> Edit:
    def edit(events: list[Event]) -> None:
        where = at(events, name)
        events[where] = (name, {**events[where][1], **fields})

    return edit


def drop(name: str) -> Edit:
    return lambda events: events.pop(at(events, name)) and None


def twice(name: str, **fields: object) -> Edit:
    def edit(events: list[Event]) -> None:
        where = at(events, name)
        events.insert(where + 1, (name, {**events[where][1], **fields}))

    return edit


def after(name: str, *more: Event) -> Edit:
    def edit(events: list[Event]) -> None:
        where = at(events, name) + 1
        events[where:where] = more

    return edit


def before(name: str, *more: Event) -> Edit:
    def edit(events: list[Event]) -> None:
        where = at(events, name)
        events[where:where] = more

    return edit


R, G, C = "req_act1", "gr_act1", "cl_act1"
VOTE = {"request": R, "person": "pe_late", "verdict": "approve", "shown": "e" * 64, "assurance": 2}
JOIN = {"request": R, "action": "act9", "digest": "d" * 64, "authors": ["pe_steward"]}


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (change("grant.claimed", digest=OTHER), "digest_differs"),
        (change("grant.opened", digest=OTHER), "digest_differs"),
        (change("request.approved", digest=OTHER), "digest_differs"),
        (change("request.vote", digest=OTHER), "digest_differs"),
        (change("grant.settled", digest=OTHER), "digest_differs"),
        (change("request.vote", person="pe_author"), "author_voted"),
        (before("request.vote", ("request.joined", JOIN)), "author_voted"),
        (after("request.vote", ("request.joined", JOIN)), "quorum_missed"),
        (after("request.opened", ("request.joined", {**JOIN, "digest": OTHER})), "digest_differs"),
        (twice("request.vote"), "voted_twice"),
        (after("request.approved", ("request.vote", VOTE)), "vote_after_decision"),
        (after("request.approved", ("request.denied", {"request": R})), "decided_twice"),
        (after("request.opened", ("request.expired", {"request": R})), "vote_after_decision"),
        (drop("request.vote"), "quorum_missed"),
        (change("request.vote", verdict="deny"), "approved_over_denial"),
        (change("request.opened", quorum=2), "quorum_missed"),
        (change("request.opened", quorum=0), None),
        (change("request.approved", approvers=["pe_other"]), "approver_unknown"),
        (
            after("request.vote", ("request.vote_void", {"request": R, "person": "pe_steward", "cause": "left"})),
            "quorum_missed",
        ),
        (
            after("request.opened", ("request.vote_void", {"request": R, "person": "pe_x", "cause": "left"})),
            "vote_unknown",
        ),
        (twice("request.opened"), "request_reopened"),
        (drop("request.opened"), "request_unknown"),
        (drop("request.approved"), "not_approved"),
        (drop("grant.opened"), "grant_unknown"),
        (drop("grant.claimed"), "not_claimed"),
        (twice("grant.opened"), "grant_reopened"),
        (twice("grant.claimed"), "claimed_twice"),
        (twice("grant.claimed", claim="cl_other"), "overused"),
        (before("grant.claimed", ("grant.revoked", {"grant": G})), "claim_after_end"),
        (before("grant.claimed", ("grant.expired", {"grant": G})), "claim_after_end"),
        (before("grant.claimed", ("grant.void", {"grant": G, "cause": "policy"})), "claim_after_end"),
        (after("grant.settled", ("grant.settled", {"claim": C, "status": "failed"})), "settled_twice"),
        (change("grant.settled", claim="cl_other"), "not_claimed"),
    ],
)
def test_each_broken_rule_is_named(story: Callable[[str], list[Event]], edit: Edit, code: str | None) -> None:
    events = story("act1")
    edit(events)
    assert codes(events)[:1] == ([code] if code else [])


def test_a_claim_after_an_unknown_outcome_may_be_settled_by_people(story: Callable[[str], list[Event]]) -> None:
    events = story("act1")
    before("grant.settled", ("grant.settled", {"claim": C, "status": "unknown"}))(events)
    assert codes(events) == []


def test_a_voided_vote_may_be_cast_again(story: Callable[[str], list[Event]]) -> None:
    events = story("act1")
    void = ("request.vote_void", {"request": R, "person": "pe_steward", "cause": "group"})
    after("request.vote", void, ("request.vote", {**VOTE, "person": "pe_steward"}))(events)
    assert codes(events) == []


def test_allowed_actions_are_claimed_once_and_as_allowed(judged: Callable[..., dict[str, object]]) -> None:
    allowed = ("action.allowed", judged("act1"))
    claim = ("grant.claimed", {"claim": C, "action": "act1", "digest": "d" * 64})
    assert codes([allowed, claim]) == []
    assert codes([claim]) == ["not_allowed"]
    assert codes([allowed, (claim[0], {**claim[1], "digest": OTHER})]) == ["digest_differs"]
    assert codes([allowed, claim, (claim[0], {**claim[1], "claim": "cl_2"})]) == ["overused"]
    assert codes([("action.denied", judged("act1")), claim]) == ["not_allowed"]
    assert codes([allowed, ("action.allowed", judged("act1", OTHER))]) == ["digest_differs"]


def test_grants_follow_from_something() -> None:
    grant = {"grant": G, "action": "act1", "digest": "d" * 64, "uses": 1}
    pattern = {"standing": "st_1", "operation": "sql.select", "pattern": "a" * 64, "uses": 5, "expires": TIME}
    used = {"breakglass": "bg_1", "person": "pe_1", "action": "act1", "digest": "d" * 64}
    used |= {"operation": "sql.ddl", "resource": "b" * 64, "reason": "c" * 64}
    assert codes([("grant.opened", grant)]) == ["not_allowed"]
    assert codes([("grant.opened", {**grant, "standing": "st_1"})]) == ["standing_unknown"]
    assert codes([("standing.created", pattern), ("grant.opened", {**grant, "standing": "st_1"})]) == []
    assert codes([("grant.opened", {**grant, "breakglass": "bg_1"})]) == ["breakglass_unknown"]
    assert codes([("breakglass.used", used), ("grant.opened", {**grant, "breakglass": "bg_1"})]) == []
    other = {**grant, "breakglass": "bg_1", "digest": OTHER}
    assert codes([("breakglass.used", used), ("grant.opened", other)]) == ["digest_differs"]
    review = {"breakglass": "bg_1", "person": "pe_1"}
    assert codes([("breakglass.used", used), ("breakglass.reviewed", review)]) == ["author_voted"]
    assert codes([("breakglass.used", used), ("breakglass.reviewed", {**review, "person": "pe_2"})]) == []
    assert codes([("breakglass.reviewed", review)]) == ["breakglass_unknown"]


def test_what_a_receipt_lacks_is_unverifiable_and_in_a_whole_log_tampered() -> None:
    claim = encode_entry("grant.claimed", TIME, {"claim": C, "action": "act1", "digest": "d" * 64, "grant": G})
    for whole_log, outcome in ((True, Outcome.TAMPERED), (False, Outcome.UNVERIFIABLE)):
        found = Rules(whole_log=whole_log).read(0, decode_entry(claim))
        assert [(f.code, f.outcome, f.where) for f in found] == [("grant_unknown", outcome, "entry 0")]
