"""Outcomes of many claims in one operation are those of one by one."""

from __future__ import annotations

import asyncio

import pytest

from consentry.actions import Action, Actor, Kind
from consentry.consent.model import OutcomeStatus, Submission
from consentry.consent.settling import Settlement
from consentry.policy.model import Facts
from consentry.server.build import open_services
from consentry.server.settings import Settings

POLICY = '@id("a") @reason("x") {level} permit (principal, action == Action::"http.request", resource);'


@pytest.fixture(params=["", '@level("L0")'], ids=["L1", "L0"])
async def begun(request, tmp_path):
    """A gate, an actor, and ten of its claims."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "a.cedar").write_text(POLICY.format(level=request.param))
    settings = Settings.model_validate({"data_dir": tmp_path / "data", "policy": {"dir": folder}})
    async with open_services(settings) as services:
        owner = await services.directory.invite(None, "mara@example.org")
        token = (await services.directory.create_agent(None, "bot", owner.person)).token
        actor = (await services.directory.authenticate(token)).actor
        claims = []
        for number in range(10):
            action = Action(actor, "http.request", "shop", {"n": number})
            decision = await services.gate.submit(Submission(action, Facts({"lens": "http"})), claim=True)
            claims.append((decision.action_id, decision.claim.id))
        yield services.gate, actor, claims


async def test_each_gets_its_outcome_and_its_entry(begun):
    gate, actor, claims = begun
    told = [
        Settlement(claim, actor, OutcomeStatus.FAILED if number % 3 else OutcomeStatus.SUCCEEDED, f"said {number}")
        for number, (_, claim) in enumerate(claims)
    ]
    assert await gate.settle_all(told) == (None,) * 10
    for number, (action, _) in enumerate(claims):
        decision = await gate.decision(action)
        assert decision.state.value == ("failed" if number % 3 else "succeeded")
        assert decision.claim.summary == f"said {number}"
        assert b"grant.settled" in await gate.receipt(action)


async def test_what_cannot_be_settled_does_not_disturb_the_others(begun):
    gate, actor, claims = begun
    ids = [claim for _, claim in claims]
    await gate.settle(ids[0], actor, OutcomeStatus.SUCCEEDED, "first")
    other = Actor(Kind.AGENT, "somebody else")
    told = [
        Settlement(ids[0], actor, OutcomeStatus.FAILED),
        Settlement("clm_none", actor, OutcomeStatus.FAILED),
        Settlement(ids[1], other, OutcomeStatus.FAILED),
        Settlement(ids[2], actor, OutcomeStatus.SUCCEEDED),
        Settlement(ids[2], actor, OutcomeStatus.FAILED),
    ]
    codes = [None if one is None else one.code for one in await gate.settle_all(told)]
    assert codes == ["already_settled", "unknown_action", "unknown_action", None, "already_settled"]
    states = [(await gate.decision(action)).state.value for action, _ in claims[:3]]
    assert states == ["succeeded", "claimed", "succeeded"]


async def test_whoever_waits_is_woken(begun):
    gate, actor, claims = begun
    action, claim = claims[0]
    assert (await gate.decision(action)).state.value == "claimed"
    await asyncio.gather(*(gate.settle_all([Settlement(one, actor, OutcomeStatus.SUCCEEDED)]) for _, one in claims))
    assert (await gate.wait(action, timeout_s=5)).state.value == "succeeded"
    assert (await gate.decision(action)).claim.id == claim
