"""Texts that no text column holds are refused, by name, on both databases; everything else comes back as it was."""

from __future__ import annotations

import pytest

from consentry.actions import Action
from consentry.consent.model import (
    Ballot,
    BallotVerdict,
    HistoryQuery,
    OutcomeStatus,
    RequestQuery,
    Submission,
)
from consentry.consent.settling import Settlement
from consentry.consent.standing import StandingPattern
from consentry.errors import ConsentryError, InvalidInput
from consentry.policy.model import Facts
from consentry.store import UnfitText, tables

UNFIT = {"NUL": "a\x00b", "lone surrogate": "a\ud800b", "second half": "\udfff"}
FITS = "tab\tnew\nline \x01 \u202e e\u0301 \U0001f600 \ufffd 'quote\" \\u0000"


async def _vote(world, text: str) -> None:
    asked = await world.submit()
    shown = (await world.gate.preview(asked.request_id)).digest
    await world.gate.vote(asked.request_id, world.voter("ada"), Ballot(BallotVerdict.DENY, shown, text))


async def _withdraw(world, text: str) -> None:
    await world.gate.withdraw((await world.submit()).request_id, world.agent, text)


async def _settle(world, text: str) -> None:
    claim = await world.claim(await world.approved())
    await world.gate.settle(claim.id, world.agent, OutcomeStatus.FAILED, text)


async def _settle_all(world, text: str) -> None:
    claim = await world.claim(await world.approved())
    (problem,) = await world.gate.settle_all([Settlement(claim.id, world.agent, OutcomeStatus.FAILED, text)])
    if problem is not None:
        raise problem


async def _break_glass(world, text: str) -> None:
    await world.gate.break_glass(world.submission(by=world.person("dan")), world.voter("dan"), text)


async def _close_review(world, text: str) -> None:
    await _break_glass(world, "it burns")
    review = (await world.gate.post_reviews())[0]
    await world.gate.close_post_review(review.id, world.voter("ada"), text)


async def _standing(world, text: str, resource: str = "customers") -> str:
    pattern = StandingPattern("agt_etl", "dataset.export", resource, {})
    grant = await world.gate.create_standing(pattern, world.voter("ada"), uses=1, expires_ms=60_000, reason=text)
    return grant.id


async def _revoke(world, text: str) -> None:
    await world.gate.revoke_grant(await _standing(world, "nightly"), world.voter("ada"), text)


async def _submit(world, **rest: str) -> None:
    action = Action(world.agent, "dataset.export", rest.pop("resource", "customers"), {})
    await world.gate.submit(Submission(action, Facts(), **rest))  # type: ignore[arg-type]


PLACES = {
    "caller's reason": lambda world, text: _submit(world, reason=text),
    "resource": lambda world, text: _submit(world, resource=text),
    "idempotency key": lambda world, text: _submit(world, idempotency_key=text),
    "reason of a vote": _vote,
    "reason of a withdrawal": _withdraw,
    "summary of an outcome": _settle,
    "summary among many": _settle_all,
    "reason of broken glass": _break_glass,
    "note of a review": _close_review,
    "reason of a standing grant": _standing,
    "resource of a standing grant": lambda world, text: _standing(world, "nightly", text),
    "reason of a revocation": _revoke,
    "resource of a search": lambda world, text: world.gate.requests(RequestQuery(resource=text)),
    "actor of a search": lambda world, text: world.gate.history(HistoryQuery(actor=text)),
}


@pytest.mark.parametrize("place", PLACES)
async def test_what_cannot_be_kept_is_refused_and_nothing_is_done(world, place) -> None:
    for text in UNFIT.values():
        with pytest.raises(InvalidInput) as refused:
            await PLACES[place](world, text)
        assert refused.value.code in ("unfit_text", "not_exact_json", "invalid_action")
        assert text not in str(refused.value)
        str(refused.value).encode("utf-8")


@pytest.mark.parametrize("place", PLACES)
async def test_everything_else_is_kept(world, place) -> None:
    await PLACES[place](world, FITS)


async def test_what_was_said_comes_back_to_the_character(world) -> None:
    asked = await world.gate.submit(world.submission(reason=FITS, nul="a\x00b"))
    await world.vote(asked, "ada")
    request = await world.gate.request(asked.request_id)
    assert request.caller_reason == FITS
    assert request.action.arguments == {"nul": "a\x00b"}
    await world.gate.receipt(asked.action_id)


async def test_arguments_are_exact_json_or_none(world) -> None:
    with pytest.raises(InvalidInput):
        await world.submit(half="\ud800")


async def test_an_id_with_nul_is_no_defect(world) -> None:
    for ask in (world.gate.request, world.gate.decision, world.gate.grant):
        with pytest.raises(ConsentryError) as refused:
            await ask("x\x00y")
        assert refused.value.status < 500


async def test_an_operation_that_writes_nul_is_told_so_by_the_store(world) -> None:
    def rename(tx) -> None:
        tx.execute(tables.persons.update().values(name="a\x00b"))

    if world.settings.store_url.startswith("sqlite"):  # which keeps it
        await world.gate.store.write(rename)
        return
    with pytest.raises(UnfitText):
        await world.gate.store.write(rename)
