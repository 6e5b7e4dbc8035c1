"""How approvals were broken elsewhere (threats.md, A to C): each line tried on the gate itself, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, insert, update

from consentry.actions import Action, Actor, Kind, Operand
from consentry.consent import gate as gate_module
from consentry.consent.bounds import Bound, InvalidPattern, leaves, name_of
from consentry.consent.errors import (
    AlreadyClaimed,
    AlreadyDecided,
    AlreadyVoted,
    Expired,
    GateError,
    NotAllowed,
    NotEligible,
    NotGranted,
    OperandChanged,
    UnknownAction,
    Void,
)
from consentry.consent.lasting import GlassHolds
from consentry.consent.model import ActionState, Ballot, BallotVerdict, OutcomeStatus, Submission, Voter
from consentry.consent.standing import Signed, StandingPattern
from consentry.consent.states import RequestState
from consentry.errors import ConsentryError
from consentry.policy.model import Assurance, Facts, Verdict
from consentry.policy.problems import PolicyInvalid
from consentry.store import tables

DAY = 86_400_000


def pattern(**bounds: Bound) -> StandingPattern:
    return StandingPattern("agt_etl", "dataset.export", "customers", bounds)


async def test_a1_every_verb_that_can_consent_goes_through_one_check(world):
    """The verbs of the gate are enumerated: a new one must be looked at here."""
    verbs = {name for name in vars(gate_module.Gate) if not name.startswith("_") and name not in READS}
    assert verbs == {
        "submit",
        "wait",
        "vote",
        "claim",
        "settle",
        "settle_all",
        "settle_along",
        "withdraw",
        "break_glass",
        "close_post_review",
        "create_standing",
        "simulate_standing",
        "revoke_grant",
        "delegate",
        "end_delegation",
        "apply_policy",
        "erase",
        "rotate_key",
    }


READS = {
    "open", "close", "settings", "policies", "resources", "waiting", "decision", "action", "request", "requests",
    "history", "grants", "grant", "post_reviews", "delegations", "roster", "similar", "preview", "current_policies",
    "why_not", "may_see", "checkpoint_now", "receipt", "ledger_file", "ledger_keys", "export_bundle", "ledger_size",
    "events", "health", "replay",
}  # fmt: skip


@pytest.mark.parametrize("who", ["fay", "ada"])
async def test_a2_neither_persons_of_the_chain_nor_owners_of_its_agents_vote(world, who):
    def add_fay(tx):
        tx.execute(insert(tables.memberships), {"group_name": "stewards", "person_id": "per_fay", "since": 1})

    await world.change(add_fay)
    decision = await world.submit(by=replace(world.agent, acting_for=world.person("ada")))
    with pytest.raises(NotEligible):
        await world.vote(decision, who)


async def test_a3_administrators_have_no_exemption(world):
    def promote(tx):
        for group in ("admins", "stewards"):
            tx.execute(delete(tables.memberships).where(tables.memberships.c.person_id == "per_fay"))
            tx.execute(insert(tables.memberships), {"group_name": group, "person_id": "per_fay", "since": 1})

    await world.change(promote)
    decision = await world.submit()
    with pytest.raises(NotEligible):
        await world.vote(decision, "fay")


async def test_a5_linked_identities_are_one_person(world):
    """A second record of the requester, merged into the first, may not approve; nor may two records vote twice."""

    def merge(tx):
        tx.execute(update(tables.persons).where(tables.persons.c.id == "per_bob").values(merged_into="per_ada"))

    await world.change(merge)
    own = await world.submit(by=replace(world.agent, acting_for=world.person("ada")))
    with pytest.raises(NotEligible):
        await world.vote(own, "bob")
    decision = await world.submit("secret.rotate")
    await world.vote(decision, "ada")
    with pytest.raises(AlreadyVoted):
        await world.vote(decision, "bob")


async def test_a6_a7_who_triggers_it_again_becomes_an_author_and_their_vote_falls_away(world):
    """The chain is part of the digest, so a repeat has the same chain; but its agent may have got another owner."""
    decision = await world.submit("secret.rotate", n=1)
    await world.vote(decision, "ada")

    def give_to_ada(tx):
        tx.execute(update(tables.agents).values(owner_id="per_ada"))

    await world.change(give_to_ada)
    await world.submit("secret.rotate", n=1)
    request = await world.vote(decision, "bob")
    assert request.state is RequestState.PENDING
    assert [vote.person for vote in request.votes] == ["per_bob"]
    with pytest.raises(NotEligible):
        await world.vote(decision, "ada")
    assert (await world.vote(decision, "cyd")).state is RequestState.APPROVED
    assert "request.vote_void" in await world.entries(decision.action_id)


async def test_a8_one_person_in_two_groups_satisfies_one_of_them(world):
    decision = await world.submit("iam.role.assign")
    assert (await world.vote(decision, "bob")).state is RequestState.PENDING
    assert (await world.vote(decision, "ada")).state is RequestState.APPROVED


async def test_a8_more_than_enough_is_enough_and_approves_once(world):
    decision = await world.submit("secret.rotate")
    results = await asyncio.gather(
        *(world.vote(decision, name) for name in ("ada", "bob", "cyd")), return_exceptions=True
    )
    assert sum(isinstance(one, AlreadyDecided) for one in results) <= 1
    assert (await world.gate.request(decision.request_id)).state is RequestState.APPROVED
    assert (await world.entries(decision.action_id)).count("grant.opened") == 1


@pytest.mark.parametrize("identifier", ["agt_etl", "per_nobody", ""])
async def test_a9_agents_and_unknown_ids_cannot_vote(world, identifier):
    decision = await world.submit()
    preview = await world.gate.preview(decision.request_id)
    voter = Voter(identifier, Assurance.PASSKEY, "api", "s")
    with pytest.raises(NotEligible):
        await world.gate.vote(decision.request_id, voter, Ballot(BallotVerdict.APPROVE, preview.digest))


async def test_a10_nothing_in_the_action_is_policy(world):
    decision = await world.submit(approved=True, verdict="allow", policy="permit(principal, action, resource);")
    assert decision.state is ActionState.PENDING


async def test_a11_a_rule_that_nobody_can_satisfy_denies_with_the_way_out(world):
    decision = await world.submit("k8s.write")
    assert decision.state is ActionState.DENIED
    assert decision.reasons[0].policy == "nobody-can-review"
    assert "consentry groups add ghosts" in decision.reasons[0].text


async def test_a11_a_change_of_policy_to_such_a_rule_is_refused(world):
    text = '@id("x") @review("group:nobody") permit (principal, action, resource);'
    with pytest.raises(PolicyInvalid):
        await world.submit("policy.change", by=world.person("eve"), files={"a.cedar": text})


async def test_a12_membership_newer_than_the_request_does_not_count(world):
    decision = await world.submit()

    def join(tx):
        tx.execute(
            insert(tables.memberships), {"group_name": "stewards", "person_id": "per_gus", "since": tx.now_ms + 1}
        )

    await world.change(join)
    with pytest.raises(NotEligible, match="joined the reviewers after"):
        await world.vote(decision, "gus")


@pytest.mark.parametrize("how", ["disabled", "removed"])
async def test_a12_a_removed_approver_no_longer_carries_the_grant(world, how):
    decision = await world.approved()

    def remove(tx):
        if how == "disabled":
            tx.execute(update(tables.persons).where(tables.persons.c.id == "per_ada").values(active=False))
        else:
            tx.execute(delete(tables.memberships).where(tables.memberships.c.person_id == "per_ada"))

    await world.change(remove)
    with pytest.raises(Void):
        await world.claim(decision)
    assert (await world.gate.decision(decision.action_id)).state is ActionState.VOID
    assert "grant.void" in await world.entries(decision.action_id)


async def test_a12_a_voter_who_left_before_the_quorum_does_not_count_towards_it(world):
    decision = await world.submit("secret.rotate")
    await world.vote(decision, "ada")

    def remove(tx):
        tx.execute(delete(tables.memberships).where(tables.memberships.c.person_id == "per_ada"))

    await world.change(remove)
    assert (await world.vote(decision, "bob")).state is RequestState.PENDING
    assert (await world.vote(decision, "cyd")).state is RequestState.APPROVED
    await world.claim(decision)


async def test_a12_an_earlier_stage_is_asked_again_when_its_voter_left(world):
    decision = await world.submit("terraform.apply")
    await world.vote(decision, "ada")

    def remove(tx):
        tx.execute(delete(tables.memberships).where(tables.memberships.c.person_id == "per_ada"))

    await world.change(remove)
    with pytest.raises(NotEligible):
        await world.vote(decision, "dan")
    await world.vote(decision, "cyd")
    assert (await world.vote(decision, "dan")).state is RequestState.APPROVED


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("arguments", {"rows": 2}),
        ("arguments", {"rows": "1"}),
        ("arguments", {"rows": 1, "to": " "}),
        ("resource", "customers "),
        ("operation", "dataset.read"),
        ("operands", (Operand("script", "b" * 64),)),
        ("context", {"host": "other"}),
    ],
)
async def test_b1_b2_b3_b5_any_difference_is_another_action(world, change, value):
    base = world.submission(rows=1)
    approved = await world.gate.submit(base)
    await world.vote(approved, "ada")
    other = await world.gate.submit(Submission(replace(base.action, **{change: value}), Facts()))
    assert other.digest != approved.digest
    assert other.request_id != approved.request_id


async def test_b4_the_gates_own_fields_in_arguments_are_data(world):
    decision = await world.submit(state="approved", grant_id="grt_1", votes=[{"person": "per_ada"}], _consentry={})
    assert decision.state is ActionState.PENDING
    with pytest.raises(NotGranted):
        await world.claim(decision)


async def test_b6_a_denial_is_final(world):
    decision = await world.submit()
    await world.vote(decision, "ada", "deny")
    with pytest.raises(AlreadyDecided):
        await world.vote(decision, "bob")
    with pytest.raises(NotGranted):
        await world.claim(decision)


async def test_b10_withdrawing_and_asking_again_starts_anew(world):
    first = await world.approved(rows=1)
    again = await world.submit(rows=2)
    await world.gate.withdraw(again.request_id, world.agent)
    third = await world.submit(rows=2)
    assert third.request_id != again.request_id
    assert third.state is ActionState.PENDING
    assert first.state is ActionState.APPROVED


TIGHTER = """
@id("exports") @review("group:stewards") @quorum("2") permit (principal, action == Action::"dataset.export", resource);
@id("change") @review("group:admins") permit (principal, action == Action::"policy.change", resource);
"""
LOOSER = """
@id("exports") permit (principal, action == Action::"dataset.export", resource);
@id("change") @review("group:admins") permit (principal, action == Action::"policy.change", resource);
"""
DENYING = """
@id("change") @review("group:admins") permit (principal, action == Action::"policy.change", resource);
"""


async def change_policy(world, text: str) -> None:
    eve = world.person("eve")
    decision = await world.submit("policy.change", by=eve, files={"a.cedar": text})
    assert decision.state is ActionState.PENDING
    with pytest.raises(NotEligible):
        await world.vote(decision, "eve")
    await world.vote(decision, "gus")
    claim = await world.gate.claim(decision.action_id, eve)
    await world.gate.apply_policy(claim.id, eve)


@pytest.mark.parametrize("text", [TIGHTER, DENYING])
async def test_b11_a_tightened_policy_voids_what_was_approved(world, text):
    decision = await world.approved()
    await change_policy(world, text)
    with pytest.raises(Void):
        await world.claim(decision)


async def test_b11_a_looser_policy_does_not_widen_a_request(world):
    decision = await world.submit()
    await change_policy(world, LOOSER)
    with pytest.raises(NotGranted):
        await world.claim(decision)
    await world.vote(decision, "ada")
    await world.claim(decision)


async def test_b11_a_policy_that_now_denies_ends_the_request_at_the_next_vote(world):
    decision = await world.submit()
    await change_policy(world, DENYING)
    with pytest.raises(AlreadyDecided):
        await world.vote(decision, "ada")
    assert (await world.gate.decision(decision.action_id)).state is ActionState.DENIED


async def test_b11_what_was_allowed_is_judged_again_at_the_claim(world):
    decision = await world.submit("dataset.read")
    await change_policy(world, DENYING)
    with pytest.raises(Void):
        await world.claim(decision)


@pytest.mark.parametrize(
    "near_miss",
    [
        {"rows": 11, "to": "vendor/a"},
        {"rows": -1, "to": "vendor/a"},
        {"rows": "10", "to": "vendor/a"},
        {"rows": True, "to": "vendor/a"},
        {"rows": 10, "to": "vendor"},
        {"rows": 10, "to": "vendor/../x"},
        {"rows": 10},
        {"rows": 10, "to": "vendor/a", "more": 1},
    ],
)
async def test_b12_a_standing_grant_is_no_wider_than_it_says(world, near_miss):
    family = pattern(rows=Bound("at_most", 10), to=Bound("prefix", "vendor/"))
    await world.gate.create_standing(family, world.voter("ada"), uses=5, expires_ms=DAY, reason="nightly")
    inside = await world.submit(rows=10, to="vendor/a")
    assert inside.state is ActionState.APPROVED
    assert (await world.submit(**near_miss)).state is ActionState.PENDING


QUERY = Operand("mcp:shop/query", "ab" * 32)
CALL = {"tool": "query", "arguments": {"table": "orders", "limit": 5}}
INSIDE = StandingPattern(
    "agt_etl",
    "dataset.export",
    "customers",
    {
        "tool": Bound("equals", "query"),
        "/arguments/table": Bound("one_of", ["orders", "stock"]),
        "/arguments/limit": Bound("at_most", 100),
    },
    (QUERY,),
    {"run": Bound("prefix", "nightly/")},
)


RUN = {"run": "nightly/7"}


def call(arguments=CALL, operands=(QUERY,), context=RUN) -> Action:
    return Action(Actor(Kind.AGENT, "agt_etl"), "dataset.export", "customers", arguments, operands, context)


def test_b12_a_pattern_reaches_into_objects_and_pins_operands():
    assert INSIDE.admits(call())
    assert INSIDE.admits(call({"tool": "query", "arguments": {"table": "stock", "limit": 0}}))


@pytest.mark.parametrize(
    "near_miss",
    [
        {"operands": ()},
        {"operands": (Operand(QUERY.name, "cd" * 32),)},
        {"operands": (QUERY, Operand("plan.out", "cd" * 32))},
        {"operands": (Operand("mcp:shop/erase", QUERY.sha256),)},
        {"context": {}},
        {"context": {"run": "nightly/7", "ticket": "D-1"}},
        {"context": {"run": "daily/7"}},
        {"arguments": {**CALL, "more": {}}},
        {"arguments": {"tool": "query", "arguments": {}}},
        {"arguments": {"tool": "query", "arguments": {"table": "orders"}}},
        {"arguments": {"tool": "query", "arguments": {"table": "orders", "limit": 5, "more": {}}}},
        {"arguments": {"tool": "query", "arguments": {"table": {"orders": 1}, "limit": 5}}},
        {"arguments": {"tool": "query", "arguments": {"table": ["orders"], "limit": 5}}},
        {"arguments": {"tool": "query", "arguments": [{"table": "orders", "limit": 5}]}},
        {"arguments": {"tool": "query", "/arguments/table": "orders", "/arguments/limit": 5}},
        {"arguments": {"tool": "query", "arguments/table": "orders", "arguments": {"limit": 5}}},
    ],
)
def test_b12_what_no_bound_covers_is_outside(near_miss):
    assert not INSIDE.admits(call(**near_miss))


@pytest.mark.parametrize(
    "names",
    [
        ("a", "/a"),
        ("a", "/a/b"),
        ("/a", "/a/b/c"),
        ("/a~2b",),
        ("/a~",),
        ("/~~01",),
        ("/x" * 65,),
        tuple(map(str, range(1001))),
    ],
)
def test_b12_bounds_about_the_same_value_are_refused(names):
    with pytest.raises(InvalidPattern):
        StandingPattern("agt_etl", "dataset.export", "customers", {name: Bound("equals", 1) for name in names})


@given(
    st.recursive(
        st.none() | st.integers(-9, 9) | st.text("/~ab", max_size=3),
        lambda inner: st.dictionaries(st.text("/~ab", max_size=3), inner, max_size=3),
        max_leaves=8,
    )
)
def test_b12_a_pattern_around_an_action_admits_it_and_nothing_beside_it(value):  # fmt: skip
    arguments = {"x": value}
    bounds = {name_of(place): Bound("equals", leaf) for place, leaf in leaves(arguments).items()}
    around = StandingPattern("agt_etl", "dataset.export", "customers", bounds)
    assert around.admits(call(arguments, (), {}))
    assert StandingPattern.from_json(around.to_json()) == around
    assert not around.admits(call({"x": value, "y": 1}, (), {}))
    assert not around.admits(call({"x": {"": value}}, (), {}))
    assert not around.admits(call({"x": [value]}, (), {}))


def test_b12_an_older_grant_means_what_it_meant():
    """Names that begin with a slash were names before they were pointers."""
    arguments = '{"/home/~me":{"equals":1},"to":{"prefix":"a/"}}'
    pattern = f'{{"actor":"agt_etl","arguments":{arguments},"operation":"x.y","resource":"y"}}'
    signed = Signed.decode(f'{{"assurance":"session","pattern":{pattern}}}')
    action = Action(Actor(Kind.AGENT, "agt_etl"), "x.y", "y", {"/home/~me": 1, "to": "a/b"})
    assert signed.pattern.admits(action)
    assert not signed.pattern.admits(replace(action, arguments={"home": {"~me": 1}, "to": "a/b"}))
    assert Signed.decode(signed.encode()) == signed
    assert Signed.decode(Signed(INSIDE, Assurance.SESSION).encode()).pattern == INSIDE


async def test_b12_a_use_of_a_standing_grant_is_void_when_an_operand_changed(world):
    pinned = StandingPattern("agt_etl", "dataset.export", "customers", {}, (QUERY,))
    await world.gate.create_standing(pinned, world.voter("ada"), uses=5, expires_ms=DAY, reason="nightly")
    action = Action(world.agent, "dataset.export", "customers", {}, (QUERY,))
    decision = await world.gate.submit(Submission(action, Facts()))
    assert decision.state is ActionState.APPROVED
    with pytest.raises(OperandChanged):
        await world.gate.claim(decision.action_id, world.agent, operands=(Operand(QUERY.name, "cd" * 32),))


async def test_b12_a_standing_grant_ends_by_count(world):
    await world.gate.create_standing(pattern(), world.voter("ada"), uses=2, expires_ms=DAY, reason="nightly")
    decisions = [await world.submit() for _ in range(3)]
    await world.claim(decisions[0])
    await world.claim(decisions[1])
    with pytest.raises(Void):
        await world.claim(decisions[2])
    assert (await world.submit()).state is ActionState.PENDING


async def test_b12_a_standing_grant_ends_by_time_and_by_revocation(world):
    grant = await world.gate.create_standing(pattern(), world.voter("ada"), uses=9, expires_ms=DAY, reason="nightly")
    before = await world.submit()
    revoked = await world.gate.revoke_grant(grant.id, world.voter("ada"), "enough")
    assert revoked.state.value == "revoked"
    with pytest.raises(Void):
        await world.claim(before)
    await world.gate.create_standing(pattern(), world.voter("ada"), uses=9, expires_ms=DAY, reason="nightly")
    world.clock.advance(minutes=24 * 60 + 1)
    assert (await world.submit()).state is ActionState.PENDING


async def test_b12_a_simulation_shows_what_it_would_have_let_through(world):
    inside = await world.submit(rows=3)
    await world.submit(rows=30)
    found = await world.gate.simulate_standing(pattern(rows=Bound("at_most", 10)))
    assert found == (inside.action_id,)


@pytest.mark.parametrize("signer", ["fay", "dan"])
async def test_b12_a_standing_grant_is_worth_no_more_than_its_signers_vote(world, signer):
    """The owner of the agent cannot sign at all; somebody who is no reviewer can, and it opens nothing."""
    signing = world.gate.create_standing(pattern(), world.voter(signer), uses=9, expires_ms=DAY, reason="x")
    if signer == "fay":
        with pytest.raises(NotEligible):
            await signing
        return
    await signing
    assert (await world.submit()).state is ActionState.PENDING


@pytest.mark.parametrize("bad", [{"uses": 0}, {"uses": 10**6}, {"expires_ms": 365 * DAY}, {"expires_ms": 0}])
async def test_b12_a_standing_grant_without_bounds_is_refused(world, bad):
    limits = {"uses": 1, "expires_ms": DAY, **bad}
    with pytest.raises(InvalidPattern):
        await world.gate.create_standing(pattern(), world.voter("ada"), reason="x", **limits)


def test_b12_no_wildcards():
    with pytest.raises(InvalidPattern):
        StandingPattern("agt_etl", "*", "customers")


async def test_b14_an_id_alone_opens_nothing(world):
    decision = await world.approved()
    with pytest.raises(UnknownAction):
        await world.gate.claim(decision.action_id, Actor(Kind.AGENT, "agt_guess"))


async def test_c2_many_claims_one_effect(world):
    decision = await world.approved()
    replica = await world.reopen()
    tries = [gate.claim(decision.action_id, world.agent) for gate in (world.gate, replica) for _ in range(50)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(not isinstance(one, Exception) for one in results) == 1
    assert all(isinstance(one, AlreadyClaimed) for one in results if isinstance(one, Exception))


async def test_c3_a_claim_that_never_reports_becomes_unknown_and_is_told(world):
    decision = await world.approved()
    await world.claim(decision)
    world.clock.advance(minutes=6)
    from consentry.consent import sweeping

    await world.gate.store.write(lambda tx: sweeping.sweep(tx, world.gate._core))
    assert (await world.entries(decision.action_id))[-1] == "grant.settled"
    assert (await world.gate.health()).unknown == 1


async def test_c4_deny_beats_approve(world):
    """Whichever of the two comes first ends it, and a denial is never overrun by approvals that came with it."""
    decision = await world.submit("secret.rotate")
    await world.vote(decision, "ada")
    results = await asyncio.gather(
        world.vote(decision, "cyd", "deny"), world.vote(decision, "bob"), return_exceptions=True
    )
    state = (await world.gate.request(decision.request_id)).state
    assert (state, sum(isinstance(one, AlreadyDecided) for one in results)) in [
        (RequestState.DENIED, 1),
        (RequestState.APPROVED, 1),
    ]


async def test_c5_an_approval_after_expiry_is_refused_before_any_sweeper_came(world):
    decision = await world.submit()
    world.clock.advance(minutes=30, seconds=1)
    with pytest.raises(Expired):
        await world.vote(decision, "ada")


async def test_c6_a_decision_reaches_a_waiter_on_another_replica(world):
    replica = await world.reopen()
    decision = await world.submit()
    waiter = asyncio.create_task(replica.wait(decision.action_id, timeout_s=60))
    while not replica.waiting:
        await asyncio.sleep(0)
    await world.vote(decision, "ada")
    assert (await waiter).state is ActionState.APPROVED


async def test_c6_a_restart_loses_nothing(world):
    decision = await world.submit()
    await world.vote(decision, "ada")
    replica = await world.reopen()
    assert (await replica.decision(decision.action_id)).state is ActionState.APPROVED


async def test_c7_items_are_independent(world):
    one, two = await world.submit(n=1), await world.submit(n=2)
    await world.vote(one, "ada", "deny")
    await world.vote(two, "ada")
    await world.claim(two)
    with pytest.raises(NotGranted):
        await world.claim(one)


async def test_c8_the_claim_is_the_actors_own_chain(world):
    chain = replace(world.agent, acting_for=world.person("dan"))
    decision = await world.submit(by=chain)
    await world.vote(decision, "ada")
    with pytest.raises(UnknownAction):
        await world.claim(decision, world.agent)
    await world.claim(decision, chain)


async def test_break_glass_skips_people_and_leaves_a_review_for_somebody_else(world):
    dan = world.person("dan")
    submission = world.submission(by=dan)
    decision = await world.gate.break_glass(submission, world.voter("dan"), "customers are down")
    claim = await world.gate.claim(decision.action_id, dan)
    await world.gate.settle(claim.id, dan, OutcomeStatus.SUCCEEDED)
    (review,) = await world.gate.post_reviews()
    with pytest.raises(NotEligible):
        await world.gate.close_post_review(review.id, world.voter("dan"), "fine")
    closed = await world.gate.close_post_review(review.id, world.voter("ada"), "looked at it")
    assert closed.closed_by == "per_ada"
    assert (await world.entries(decision.action_id))[:2] == ["breakglass.used", "grant.opened"]


@pytest.mark.parametrize(
    ("operation", "who", "error"),
    [
        ("dataset.export", "ada", GlassHolds),
        ("secret.rotate", "dan", GlassHolds),
        ("terraform.destroy", "dan", GlassHolds),
        ("dataset.read", "dan", GlassHolds),
    ],
)
async def test_break_glass_is_bounded_by_policy(world, operation, who, error):
    submission = world.submission(operation, by=world.person(who))
    with pytest.raises(error):
        await world.gate.break_glass(submission, world.voter(who), "now")


async def test_break_glass_is_not_for_agents_or_for_others(world):
    for actor in (world.agent, world.person("ada"), replace(world.agent, acting_for=world.person("dan"))):
        with pytest.raises(GateError):
            await world.gate.break_glass(world.submission(by=actor), world.voter("dan"), "now")


async def test_a_delegate_votes_for_who_is_away_and_is_bound_by_the_same_rules(world):
    await world.gate.delegate(world.voter("cyd"), "per_gus", 0, (await now(world)) + DAY)
    decision = await world.submit("secret.rotate")
    request = await world.vote(decision, "gus")
    assert [(vote.person, vote.counts_for) for vote in request.votes] == [("per_gus", "per_cyd")]
    with pytest.raises(ConsentryError):
        await world.vote(decision, "cyd")
    own = await world.submit(by=replace(world.agent, acting_for=world.person("gus")))
    with pytest.raises(NotEligible):
        await world.vote(own, "gus")
    absent = await world.submit(by=replace(world.agent, acting_for=world.person("cyd")))
    with pytest.raises(NotEligible):
        await world.vote(absent, "gus")


async def test_a_delegation_ends(world):
    made = await world.gate.delegate(world.voter("cyd"), "per_gus", 0, (await now(world)) + DAY)
    await world.gate.end_delegation(made.id, world.voter("cyd"))
    decision = await world.submit()
    with pytest.raises(NotEligible):
        await world.vote(decision, "gus")


async def test_reminders_and_escalation_widen_who_may_decide(world):
    from consentry.consent import sweeping

    decision = await world.submit("s3.delete")
    with pytest.raises(NotEligible):
        await world.vote(decision, "dan")
    world.clock.advance(minutes=11)
    await world.gate.store.write(lambda tx: sweeping.sweep(tx, world.gate._core))
    assert {"request.reminded", "request.escalated"} <= set(await world.entries(decision.action_id))
    assert (await world.vote(decision, "dan")).state is RequestState.APPROVED
    await world.claim(decision)


async def test_only_those_concerned_revoke(world):
    decision = await world.approved()
    with pytest.raises(NotAllowed):
        await world.gate.revoke_grant(decision.grant_id, world.voter("dan"))
    await world.gate.revoke_grant(decision.grant_id, world.voter("ada"), "changed my mind")
    with pytest.raises(NotGranted):
        await world.claim(decision)


async def test_policy_verdicts_come_back_as_they_were(world):
    decision = await world.submit("secret.rotate")
    again = await world.gate.decision(decision.action_id)
    assert again.verdict is Verdict.REVIEW
    assert again.obligations == decision.obligations
    assert again.reasons == decision.reasons


async def now(world) -> int:
    return await world.gate.store.read(lambda tx: tx.now_ms)


async def test_a_stored_action_reads_back_as_the_same_action(world):
    action = Action(world.agent, "dataset.export", "customers", {"π": 1.5, "a": [None, True, "\u202e"]})
    decision = await world.gate.submit(Submission(action, Facts()))
    assert (await world.gate.action(decision.action_id)).digest == action.digest


@pytest.mark.parametrize(
    "char",
    ["\u180b", "\u180f", "\U0001d159", "\U00016fe4", "\u3164", "\u202e", "\u200b", "\xad", "\ufe0f", "\U000e0041"],
)
async def test_d6_what_shows_as_nothing_is_shown_as_an_escape(world, char):
    decision = await world.submit(reason=f"a{char}b", **{f"c{char}d": f"e{char}f"})
    text = (await world.gate.preview(decision.request_id)).text
    escape = f"\\u{{{ord(char):04x}}}"
    assert char not in text
    assert all(f"{one}{escape}{two}" in text for one, two in ("ab", "cd", "ef"))


async def test_d6_deep_arguments_do_not_swell_the_preview(world):
    """Indents of sixty levels before each of many small things would make megabytes of kilobytes."""
    value = [1, "\u202e"] * 20_000
    for _ in range(55):
        value = [value]
    decision = await world.submit(deep=value)
    action = await world.gate.action(decision.action_id)
    text = (await world.gate.preview(decision.request_id)).text
    assert len(text) < 5 * len(action.canonical)
    assert text.count("1") >= 20_000
    assert "\u202e" not in text
