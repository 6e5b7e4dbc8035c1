"""What policy allows outright: its grant has no row until something happens to it, and nobody can tell."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from consentry.consent import claiming, sweeping
from consentry.consent.errors import AlreadyClaimed, Expired, NotGranted, UnknownGrant, Void
from consentry.consent.model import ActionState, HistoryQuery
from consentry.consent.policies import put_in_force
from consentry.consent.states import GrantState
from consentry.policy.cedar import PolicySet
from consentry.store import tables


async def rows(world) -> int:
    """How many grants have a row of their own."""
    return await world.gate.store.read(lambda tx: tx.execute(select(func.count()).select_from(tables.grants)).scalar())


async def in_state(world, state: ActionState) -> list[str]:
    return [decision.action_id for _, decision in await world.gate.history(HistoryQuery(state=state))]


async def sweep(world) -> None:
    assert await world.gate.store.read(sweeping.due)
    await world.gate.store.write(lambda tx: sweeping.sweep(tx, world.gate._core))
    assert not await world.gate.store.read(sweeping.due)


async def test_a_grant_of_policy_reads_the_same_before_and_after_it_has_a_row(world):
    decision = await world.submit("dataset.read")
    before = await world.gate.grant(decision.grant_id)
    assert (before.kind, before.state, before.uses_left, before.action_id) == (
        "policy", GrantState.OPEN, 1, decision.action_id,
    )  # fmt: skip
    assert await world.gate.grants() == await world.gate.grants(open_only=True) == (before,)
    assert before.expires_at_ms == decision.expires_at_ms
    assert await rows(world) == 0
    await world.claim(decision)
    after = await world.gate.grant(decision.grant_id)
    assert (after.state, after.uses_left) == (GrantState.CLAIMED, 0)
    assert (after.opened_at_ms, after.expires_at_ms) == (before.opened_at_ms, before.expires_at_ms)
    assert await world.gate.grants() == (after,)
    assert await world.gate.grants(open_only=True) == ()
    assert await rows(world) == 1


@pytest.mark.parametrize("operation", ["dataset.read", "s3.get"])  # at L1, and journaled at L0
async def test_what_is_claimed_with_its_submission_needs_no_row(world, operation):
    decision = await world.submit(operation, claim=True)
    await world.gate.action(decision.action_id)  # which waits for the journal
    grant = await world.gate.grant(decision.grant_id)
    assert (grant.state, grant.uses_left) == (GrantState.CLAIMED, 0)
    assert await world.gate.revoke_grant(decision.grant_id, world.voter("eve")) == grant
    with pytest.raises(AlreadyClaimed):
        await world.claim(decision)
    assert await in_state(world, ActionState.CLAIMED) == [decision.action_id]
    assert await world.gate.grants() == (grant,)
    assert await rows(world) == 0


async def test_a_grant_of_policy_can_be_revoked(world):
    decision = await world.submit("dataset.read")
    await world.gate.revoke_grant(decision.grant_id, world.voter("eve"), "not today")
    with pytest.raises(NotGranted):
        await world.claim(decision)
    assert await in_state(world, ActionState.REVOKED) == [decision.action_id]
    assert await world.entries(decision.action_id) == ["action.allowed", "grant.revoked"]


async def test_a_grant_of_policy_expires_on_read_and_is_written_down_once(world):
    swept, refused = await world.submit("dataset.read", rows=1), await world.submit("dataset.read", rows=2)
    assert set(await in_state(world, ActionState.ALLOWED)) == {swept.action_id, refused.action_id}
    world.clock.advance(minutes=16)
    assert (await world.gate.decision(swept.action_id)).state is ActionState.EXPIRED
    assert (await world.gate.grant(swept.grant_id)).state is GrantState.EXPIRED
    assert set(await in_state(world, ActionState.EXPIRED)) == {swept.action_id, refused.action_id}
    assert await in_state(world, ActionState.ALLOWED) == []
    assert await world.gate.grants(open_only=True) == ()
    with pytest.raises(Expired):
        await world.claim(refused)
    await sweep(world)
    for decision in (swept, refused):
        assert await world.entries(decision.action_id) == ["action.allowed", "grant.expired"]
        assert (await world.gate.decision(decision.action_id)).state is ActionState.EXPIRED
    assert set(await in_state(world, ActionState.EXPIRED)) == {swept.action_id, refused.action_id}


async def _forbid(world) -> None:
    tight = PolicySet.load({"a.cedar": '@id("no") forbid (principal, action == Action::"dataset.read", resource);'})
    await world.gate.store.write(lambda tx: put_in_force(tx, tight, None, by="test"))


async def test_b11_a_tightened_policy_voids_a_grant_of_policy(world):
    decision = await world.submit("dataset.read")
    await _forbid(world)
    with pytest.raises(Void):
        await world.claim(decision)
    assert await world.entries(decision.action_id) == ["action.allowed", "grant.void"]


async def test_c2_who_loses_a_claim_to_a_void_is_told_that_the_grant_is_void(world, monkeypatch):
    """On PostgreSQL two may find the same grant open and its ground gone; one of them ends it."""
    seen_by_both = await world.submit("dataset.read")
    await _forbid(world)
    with pytest.raises(Void):
        await world.claim(seen_by_both)
    reads = iter([seen_by_both])
    real = claiming.load_decision
    monkeypatch.setattr(claiming, "load_decision", lambda tx, one: next(reads, None) or real(tx, one))
    with pytest.raises(Void):
        await world.claim(seen_by_both)
    assert (await world.entries(seen_by_both.action_id)).count("grant.void") == 1


async def test_grants_come_newest_first_whether_or_not_they_have_rows(world):
    first = await world.submit("dataset.read", rows=1)
    world.clock.advance(seconds=1)
    second = await world.approved(rows=2)
    third = await world.submit("dataset.read", rows=3)
    assert {one.id for one in await world.gate.grants()} == {first.grant_id, second.grant_id, third.grant_id}
    ids = [one.id for one in await world.gate.grants()]
    assert ids == sorted(ids, reverse=True)


async def test_b14_no_other_id_leads_to_an_allowed_action(world):
    allowed, denied = await world.submit("dataset.read"), await world.submit("terraform.destroy")
    for other in (allowed.action_id, f"grt_{denied.action_id[4:]}", allowed.grant_id[:-1], "grt_", ""):
        with pytest.raises(UnknownGrant):
            await world.gate.grant(other)
