"""Outcomes of many claims in one operation are those of one by one."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from consentry.actions import Action, Actor, Kind
from consentry.consent import journaling
from consentry.consent.lasting import ADMINS
from consentry.consent.model import OutcomeStatus, Submission, Voter
from consentry.consent.settling import Settlement
from consentry.identity.model import ADMINISTRATORS
from consentry.ledger.entry import decode_entry
from consentry.ledger.keys import parse_keys
from consentry.ledger.receipt import Receipt
from consentry.ledger.verify import verify_receipt
from consentry.policy.model import Assurance, Facts
from consentry.server.build import open_services
from consentry.server.settings import Settings
from consentry.store import StoreUnavailable

POLICY = '@id("a") @reason("x") {level} permit (principal, action == Action::"http.request", resource);'


@pytest.fixture(params=["", '@level("L0")'], ids=["L1", "L0"])
async def begun(request, tmp_path):
    async with gate_with_claims(tmp_path, request.param) as found:
        yield found


@pytest.fixture
async def journaled(tmp_path, monkeypatch):
    monkeypatch.setattr(journaling, "GATHER_SECONDS", 60.0)  # nothing leaves the journal before it is asked for
    async with gate_with_claims(tmp_path, '@level("L0")') as found:
        yield found


@contextlib.asynccontextmanager
async def gate_with_claims(tmp_path, level):
    """A gate, an actor, and ten of its claims."""
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "a.cedar").write_text(POLICY.format(level=level))
    settings = Settings.model_validate({"data_dir": tmp_path / "data", "policy": {"dir": folder}})
    async with open_services(settings) as services:
        owner = await services.directory.invite(None, "mara@example.org", groups=(ADMINISTRATORS,))
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


async def test_an_outcome_that_is_told_in_time_is_written_with_its_action(journaled):
    gate, actor, claims = journaled
    assert gate.settle_along(Settlement(claims[0][1], actor, OutcomeStatus.SUCCEEDED, "answered 200"))
    assert gate.settle_along(Settlement(claims[1][1], actor, OutcomeStatus.FAILED, "answered 500"))
    for (action, _), state, said in zip(
        claims, ("succeeded", "failed"), ("answered 200", "answered 500"), strict=False
    ):
        await gate.action(action)  # which waits for the journal
        decision = await gate.decision(action)
        assert (decision.state.value, decision.claim.summary) == (state, said)
        receipt = Receipt.decode(await gate.receipt(action))
        assert [decode_entry(one.entry).type for one in receipt.entries] == [
            "action.journaled",
            "grant.claimed",
            "grant.settled",
        ]


async def test_what_is_not_the_outcome_of_a_journaled_action_is_not_taken_along(journaled):
    gate, actor, claims = journaled
    claim = claims[0][1]
    somebody = Actor(Kind.AGENT, "somebody else")
    assert not gate.settle_along(Settlement("clm_none", actor, OutcomeStatus.FAILED))
    assert not gate.settle_along(Settlement(claim, somebody, OutcomeStatus.FAILED))
    assert not gate.settle_along(Settlement(claim, actor, OutcomeStatus.FAILED, "a\0b"))
    assert gate.settle_along(Settlement(claim, actor, OutcomeStatus.SUCCEEDED))
    assert not gate.settle_along(Settlement(claim, actor, OutcomeStatus.FAILED)), "the first one stays"
    await gate.action(claims[0][0])
    assert not gate.settle_along(Settlement(claim, actor, OutcomeStatus.FAILED)), "it is written"
    assert (await gate.decision(claims[0][0])).state.value == "succeeded"


async def test_an_outcome_that_comes_while_its_action_is_written_is_not_lost(journaled, monkeypatch):
    gate, actor, claims = journaled
    written = journaling.write

    def and_then_told(tx, batch, told):
        settled = written(tx, batch, told)
        gate.settle_along(Settlement(claims[0][1], actor, OutcomeStatus.SUCCEEDED, "late"))
        return settled

    monkeypatch.setattr(journaling, "write", and_then_told)
    await gate.action(claims[0][0])
    assert (await gate.decision(claims[0][0])).claim.summary == "late"


async def test_g2_an_outcome_that_comes_late_is_told_until_the_store_takes_it(journaled, monkeypatch):
    gate, actor, claims = journaled
    written, settled = journaling.write, journaling.settle_all
    failures = [StoreUnavailable("it is away")]

    def and_then_told(tx, batch, told):
        found = written(tx, batch, told)
        gate.settle_along(Settlement(claims[0][1], actor, OutcomeStatus.SUCCEEDED, "late"))
        return found

    def away_at_first(tx, late):
        if failures:
            raise failures.pop()
        return settled(tx, late)

    monkeypatch.setattr(journaling, "write", and_then_told)
    monkeypatch.setattr(journaling, "settle_all", away_at_first)
    with pytest.raises(StoreUnavailable):
        await gate.action(claims[0][0])
    assert (await gate.decision(claims[0][0])).state.value == "claimed"
    await gate._journal.drain()
    assert (await gate.decision(claims[0][0])).claim.summary == "late"
    entries = [decode_entry(one.entry).type for one in Receipt.decode(await gate.receipt(claims[0][0])).entries]
    assert entries == ["action.journaled", "grant.claimed", "grant.settled"]


async def test_f_erasing_takes_a_summary_that_went_along(journaled):
    gate, actor, claims = journaled
    action, claim = claims[0]
    assert gate.settle_along(Settlement(claim, actor, OutcomeStatus.SUCCEEDED, "answered 200"))
    await gate.action(action)
    keys = parse_keys((await gate.ledger_keys()).decode())
    first = await gate.receipt(action)
    before = Receipt.decode(first)
    assert {one.field: one.value for one in before.disclosures}["summary"] == b"answered 200"
    (person,) = (await gate.roster()).members(ADMINS)
    mara = Voter(person, Assurance.SESSION, "api", "ses_x")
    assert await gate.erase(action, mara, "asked to") == 2
    assert (await gate.decision(action)).claim.summary is None
    second = await gate.receipt(action)
    after = Receipt.decode(second)
    assert verify_receipt(first, keys).outcome.value == "valid"
    assert verify_receipt(second, keys).outcome.value == "valid"
    assert not {"summary", "resource"} & {one.field for one in after.disclosures}
    assert {one.entry for one in before.entries} <= {one.entry for one in after.entries}


async def test_receipts_disclose_the_summary_of_an_outcome(begun):
    gate, actor, claims = begun
    action, claim = claims[0]
    await gate.settle(claim, actor, OutcomeStatus.SUCCEEDED, "said so")
    disclosed = {one.field: one.value for one in Receipt.decode(await gate.receipt(action)).disclosures}
    assert disclosed["summary"] == b"said so"
