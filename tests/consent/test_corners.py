"""Corners of the gate that stories do not reach: who was represented, what time has ended, what was undone."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select

from consentry.consent import sweeping
from consentry.consent.errors import AlreadyVoted, Expired, NotGranted, Void
from consentry.consent.model import RequestQuery
from consentry.consent.states import GrantState
from consentry.errors import InvalidInput
from consentry.store import tables


async def test_a_roster_of_a_transaction_that_failed_is_never_believed(world):
    """Its number is given again, to other people."""

    def fails(tx):
        tx.execute(delete(tables.memberships))
        tx.roster_changed()
        world.gate._core.directory.current(tx)
        raise InvalidInput("no")

    with pytest.raises(InvalidInput):
        await world.gate.store.write(fails)
    await world.change(lambda tx: None)
    assert "per_ada" in (await world.gate.roster()).members("group:stewards")


async def test_who_was_represented_has_voted(world):
    decision = await world.submit("secret.rotate")
    now = world.gate.store.clock_ms()
    await world.gate.delegate(world.voter("ada"), "per_gus", now, now + 600_000)
    await world.vote(decision, "gus")
    with pytest.raises(AlreadyVoted):
        await world.vote(decision, "ada")


async def test_a_delegate_who_became_an_author_carries_nothing(world):
    decision = await world.submit()
    now = world.gate.store.clock_ms()
    await world.gate.delegate(world.voter("ada"), "per_gus", now, now + 600_000)
    await world.vote(decision, "gus")
    await world.change(lambda tx: tx.execute(tables.agents.update().values(owner_id="per_gus")))
    with pytest.raises(Void):
        await world.claim(decision)


async def test_what_has_expired_cannot_be_revoked(world):
    """A final state stays: time came first."""
    decision = await world.approved("s3.policy")
    world.clock.advance(minutes=2)
    await world.gate.revoke_grant(decision.grant_id, world.voter("ada"))
    assert (await world.gate.grant(decision.grant_id)).state is GrantState.EXPIRED
    assert (await world.entries(decision.action_id))[-1] == "grant.expired"


async def test_a_claimed_change_of_policy_lapses_with_its_lease(world):
    files = {
        "a.cedar": '@id("c") @review("group:admins") permit(principal, action == Action::"policy.change", resource);'
    }
    decision = await world.submit("policy.change", by=world.person("gus"), files=files)
    await world.vote(decision, "eve")
    claim = await world.claim(decision, world.person("gus"))
    world.clock.advance(minutes=6)
    with pytest.raises(Expired):
        await world.gate.apply_policy(claim.id, world.person("gus"))


async def test_a_reminder_is_not_held_up_by_many_that_were_sent(world):
    decision = await world.submit("s3.delete", rows=1)
    row = await world.gate.store.read(lambda tx: tx.execute(select(tables.requests)).one()._asdict())

    def many(tx):
        """Older ones, reminded of already, which will never escalate."""
        done = {"reminded_at": 1, "obligations": row["obligations"].replace('"escalation"', '"no"')}
        for number in range(sweeping.BATCH + 1):
            tx.insert(tables.requests, {**row, **done, "id": f"req_0000000{number}", "digest": f"{number:064}"})

    await world.gate.store.write(many)
    world.clock.advance(minutes=6)
    await world.gate.store.write(lambda tx: sweeping.sweep(tx, world.gate._core))
    assert "request.reminded" in await world.entries(decision.action_id)


async def test_a_refusal_keeps_nothing_of_the_one_before(world):
    decision = await world.submit()
    depths = []
    for _ in range(3):
        with pytest.raises(NotGranted) as caught:
            await world.claim(decision)
        depths.append(len(caught.traceback))
    assert depths[0] == depths[-1]


async def test_pages_of_requests_hold_each_of_them_once(world):
    """Also where newer ones are decided and older ones wait."""
    decisions = [await world.submit(rows=number) for number in range(5)]
    for decided in decisions[1:4]:
        await world.vote(decided, "ada", "deny")
    found, before = [], None
    while page := await world.gate.requests(RequestQuery(person="per_bob", before_id=before, limit=2)):
        found += [request.id for request in page]
        before = min(request.id for request in page)
    assert sorted(found) == sorted(decision.request_id for decision in decisions)
