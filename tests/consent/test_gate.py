"""The five verbs, told as stories, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from consentry.actions import Actor, Kind, Operand
from consentry.consent.errors import (
    AlreadyClaimed,
    AlreadyDecided,
    AlreadySettled,
    AlreadyVoted,
    AssuranceTooLow,
    Expired,
    IdempotencyMismatch,
    NotEligible,
    NotGranted,
    OperandChanged,
    StaleView,
    UnknownAction,
    UnknownRequest,
    Void,
)
from consentry.consent.model import ActionState, Ballot, BallotVerdict, OutcomeStatus, Submission
from consentry.consent.states import RequestState
from consentry.ledger.verify import verify_path
from consentry.policy.model import Assurance, Facts, Reason, Verdict
from consentry.store import tables


async def test_an_allowed_action_is_claimed_and_settled(world):
    decision = await world.submit("dataset.read")
    assert (decision.verdict, decision.state) == (Verdict.ALLOW, ActionState.ALLOWED)
    claim = await world.claim(decision)
    settled = await world.gate.settle(claim.id, world.agent, OutcomeStatus.SUCCEEDED, "12 rows")
    assert settled.state.value == "succeeded"
    assert await world.entries(decision.action_id) == ["action.allowed", "grant.claimed", "grant.settled"]


async def test_claim_with_submit_is_one_transaction(world):
    decision = await world.submit("dataset.read", claim=True)
    assert decision.state is ActionState.CLAIMED
    assert decision.claim is not None
    with pytest.raises(AlreadyClaimed):
        await world.claim(decision)


async def test_a_denied_action_has_nothing_to_claim(world):
    decision = await world.submit("terraform.destroy")
    assert decision.state is ActionState.DENIED
    assert [reason.policy for reason in decision.reasons] == ["never"]
    with pytest.raises(NotGranted):
        await world.claim(decision)


async def test_the_whole_story(world, tmp_path):
    decision = await world.submit(rows=5, reason="weekly")
    assert decision.state is ActionState.PENDING
    waiter = asyncio.create_task(world.gate.wait(decision.action_id, timeout_s=30))
    with pytest.raises(NotGranted):
        await world.claim(decision)
    request = await world.vote(decision, "ada")
    assert request.state is RequestState.APPROVED
    assert (await waiter).state is ActionState.APPROVED
    claim = await world.claim(decision)
    await world.gate.settle(claim.id, world.agent, OutcomeStatus.SUCCEEDED)
    assert (await world.gate.decision(decision.action_id)).state is ActionState.SUCCEEDED
    (tmp_path / "receipt.json").write_bytes(await world.gate.receipt(decision.action_id))
    (tmp_path / "keys").write_bytes(await world.gate.ledger_keys())
    report = verify_path(tmp_path / "receipt.json", tmp_path / "keys")
    assert (report.outcome.value, report.entries) == ("valid", 6)


async def test_one_denial_ends_it(world):
    decision = await world.submit("secret.rotate")
    await world.vote(decision, "ada")
    request = await world.vote(decision, "bob", "deny")
    assert request.state is RequestState.DENIED
    with pytest.raises(AlreadyDecided):
        await world.vote(decision, "cyd")
    assert (await world.gate.decision(decision.action_id)).state is ActionState.DENIED


async def test_silence_never_consents(world):
    decision = await world.submit()
    world.clock.advance(minutes=31)
    assert (await world.gate.decision(decision.action_id)).state is ActionState.EXPIRED
    with pytest.raises(Expired):
        await world.vote(decision, "ada")
    assert "request.expired" in await world.entries(decision.action_id)
    with pytest.raises(Expired):
        await world.claim(decision)


async def test_a_grant_that_nobody_claims_expires(world):
    decision = await world.approved("s3.policy")
    world.clock.advance(minutes=2)
    with pytest.raises(Expired):
        await world.claim(decision)
    assert "grant.expired" in await world.entries(decision.action_id)


async def test_waiting_ends_by_the_clock_without_a_sweeper(world):
    decision = await world.submit()
    world.clock.advance(minutes=29, seconds=59.9)
    assert (await world.gate.wait(decision.action_id, timeout_s=30)).state is ActionState.EXPIRED


async def test_waiting_gives_up_at_its_timeout(world):
    decision = await world.submit()
    assert (await world.gate.wait(decision.action_id, timeout_s=0.01)).state is ActionState.PENDING
    assert world.gate.waiting == 0


async def test_stages_run_in_order(world):
    decision = await world.submit("terraform.apply")
    with pytest.raises(NotEligible):
        await world.vote(decision, "dan")
    request = await world.vote(decision, "ada")
    assert (request.state, request.stage) == (RequestState.PENDING, 1)
    with pytest.raises(NotEligible):
        await world.vote(decision, "cyd")
    assert (await world.vote(decision, "dan")).state is RequestState.APPROVED
    await world.claim(decision)


async def test_every_set_of_a_stage_must_be_satisfied(world):
    decision = await world.submit("iam.role.assign")
    assert (await world.vote(decision, "ada")).state is RequestState.PENDING
    assert (await world.vote(decision, "dan")).state is RequestState.APPROVED


async def test_a_repeat_joins_and_runs_once(world):
    first = await world.submit(rows=1)
    second = await world.submit(rows=1)
    other = await world.submit(rows=2)
    assert first.request_id == second.request_id != other.request_id
    await world.vote(first, "ada")
    third = await world.submit(rows=1)
    assert (third.request_id, third.state) == (first.request_id, ActionState.APPROVED)
    await world.claim(second)
    for decision in (first, third):
        with pytest.raises(AlreadyClaimed):
            await world.claim(decision)


async def test_an_idempotency_key_answers_with_the_first(world):
    first = await world.submit("dataset.read", key="k1", rows=1)
    again = await world.submit("dataset.read", key="k1", rows=1)
    assert first.action_id == again.action_id
    with pytest.raises(IdempotencyMismatch):
        await world.submit("dataset.read", key="k1", rows=2)


async def test_assurance_is_per_rule(world):
    decision = await world.submit("secret.read")
    with pytest.raises(AssuranceTooLow):
        await world.vote(decision, "ada", assurance=Assurance.SESSION)
    with pytest.raises(AssuranceTooLow):  # no session is as strong as a passkey's signature over this very vote
        await world.vote(decision, "ada", assurance=Assurance.PASSKEY)


async def test_a_vote_names_what_was_shown(world):
    decision = await world.submit()
    ballot = Ballot(BallotVerdict.APPROVE, "0" * 64)
    with pytest.raises(StaleView):
        await world.gate.vote(decision.request_id, world.voter("ada"), ballot)


async def test_a_withdrawn_request_is_over(world):
    decision = await world.submit()
    request = await world.gate.withdraw(decision.request_id, world.agent, "not needed")
    assert request.state is RequestState.WITHDRAWN
    with pytest.raises(AlreadyDecided):
        await world.vote(decision, "ada")


async def test_unsettled_claims_become_unknown_and_can_be_settled_late(world):
    decision = await world.approved()
    claim = await world.claim(decision)
    world.clock.advance(minutes=6)
    assert (await world.gate.decision(decision.action_id)).state is ActionState.UNKNOWN
    with pytest.raises(AlreadyClaimed):
        await world.claim(decision)
    await world.gate.settle(claim.id, world.agent, OutcomeStatus.FAILED, "timed out")
    with pytest.raises(AlreadySettled):
        await world.gate.settle(claim.id, world.agent, OutcomeStatus.SUCCEEDED)


async def test_unknown_things_are_not_found(world):
    with pytest.raises(UnknownAction):
        await world.gate.decision("act_nope")
    with pytest.raises(UnknownRequest):
        await world.gate.request("req_nope")


async def test_operands_are_checked_again_at_the_claim(world):
    pinned = Operand("plan", "a" * 64)
    base = world.submission()
    decision = await world.gate.submit(Submission(replace(base.action, operands=(pinned,)), Facts()))
    await world.vote(decision, "ada")
    with pytest.raises(OperandChanged):
        await world.gate.claim(decision.action_id, world.agent, operands=(Operand("plan", "b" * 64),))
    with pytest.raises(Void):
        await world.gate.claim(decision.action_id, world.agent, operands=(pinned,))


async def test_level_l2_stands_under_a_checkpoint_before_the_claim_returns(world):
    decision = await world.submit("s3.put")
    await world.claim(decision)
    assert (await world.gate.health()).checkpoint_size == await world.gate.ledger_size()


async def test_level_l0_reaches_the_ledger_and_can_be_settled_at_once(world):
    decision = await world.submit("s3.get", claim=True)
    assert (await world.gate.decision(decision.action_id)).state is ActionState.CLAIMED
    await world.gate.settle(decision.claim.id, world.agent, OutcomeStatus.SUCCEEDED)
    assert await world.entries(decision.action_id) == ["action.journaled", "grant.claimed", "grant.settled"]


async def test_webhook_rows_are_written_with_the_change_and_hold_no_payload(world):
    decision = await world.submit(secret="hunter2")
    await world.vote(decision, "ada")
    rows = await world.gate.store.read(
        lambda tx: tx.execute(select(tables.outbox.c.kind, tables.outbox.c.payload).order_by(tables.outbox.c.id)).all()
    )
    assert [row.kind for row in rows] == ["request.opened", "request.approved"]
    assert not any("hunter2" in row.payload or "customers" in row.payload for row in rows)


async def test_one_person_votes_once(world):
    decision = await world.submit("secret.rotate")
    await world.vote(decision, "ada")
    with pytest.raises(AlreadyVoted):
        await world.vote(decision, "ada")


async def test_another_actor_cannot_touch_it(world):
    decision = await world.approved()
    for other in (
        Actor(Kind.AGENT, "agt_other"),
        world.person("ada"),
        replace(world.agent, acting_for=world.person("cyd")),
    ):
        with pytest.raises(UnknownAction):
            await world.claim(decision, other)
    claim = await world.claim(decision)
    with pytest.raises(UnknownAction):
        await world.gate.settle(claim.id, Actor(Kind.AGENT, "agt_other"), OutcomeStatus.SUCCEEDED)


async def test_a_repeat_after_expiry_asks_anew_before_any_sweeper_came(world):
    first = await world.submit(rows=1)
    world.clock.advance(minutes=31)
    second = await world.submit(rows=1)
    assert second.state is ActionState.PENDING
    assert second.request_id != first.request_id
    assert (await world.gate.decision(first.action_id)).state is ActionState.EXPIRED


async def test_a_repeat_with_other_facts_takes_the_earlier_request_back(world):
    """People consented to what was found then; what is found now is another question (invariant 7)."""
    base = world.submission(rows=1)
    first = await world.gate.submit(base)
    more = Facts({"findings": {"total": 9000, "types": ["US_SSN"], "scanned": True}})
    second = await world.gate.submit(replace(base, facts=more))
    assert second.request_id != first.request_id
    assert (await world.gate.decision(first.action_id)).state is ActionState.WITHDRAWN
    await world.vote(second, "ada")
    third = await world.gate.submit(base)
    assert (third.state, third.request_id != second.request_id) == (ActionState.PENDING, True)


async def test_what_a_lens_could_not_read_is_denied_and_recorded(world):
    refusal = Reason("lens-failed", "the arguments could not be scanned")
    for operation, claim in (("dataset.read", False), ("s3.get", True)):
        decision = await world.gate.submit(replace(world.submission(operation), refusal=refusal), claim=claim)
        assert decision.state is ActionState.DENIED
        assert decision.reasons[0] == refusal
        assert await world.entries(decision.action_id) == ["action.denied"]
