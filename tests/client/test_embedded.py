"""The gate in this process: same verbs, same invariants. People decide through another opening of the same data."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consentry import Consentry, Denied
from consentry.client import AlreadyClaimed, Decision, Misused, OperandChanged, StillPending
from consentry.consent.model import Ballot, BallotVerdict
from consentry.errors import ConsentryError
from consentry.identity.directory import Directory
from consentry.server.build import open_services
from consentry.server.services import Services
from consentry.server.settings import load


@pytest.fixture(autouse=True)
def _no_settings_of_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.startswith("CONSENTRY_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def gate(data: Path) -> Iterator[Consentry]:
    with Consentry.embedded(data) as one:
        yield one


def beside(data: Path, work: Callable[[Services], object]) -> None:
    """Do something as a second process on the same data would."""

    async def run() -> None:
        async with open_services(load(data_dir=data)) as services:
            await work(services)  # type: ignore[misc]

    asyncio.run(run())


async def sign_in(directory: Directory, email: str, *groups: str) -> tuple[str, object]:
    invited = await directory.invite(None, email, groups=groups)
    signed = await directory.sign_in(invited.token)
    return invited.person, signed.session.voter("api")


def votes(
    data: Path, email: str, *groups: str, verdict: BallotVerdict = BallotVerdict.APPROVE
) -> Callable[[Decision], None]:
    def told(decision: Decision) -> None:
        async def cast(services: Services) -> None:
            _, voter = await sign_in(services.directory, email, *groups)
            request = await services.gate.request(str(decision.request_id))
            await services.gate.vote(request.id, voter, Ballot(verdict, request.shown_digest, "said so"))  # type: ignore[arg-type]

        beside(data, cast)

    return told


def stewards(data: Path) -> None:
    """A steward, from before any request."""

    async def invite(services: Services) -> None:
        await services.directory.first_administrator("admin@localhost")
        await services.directory.invite(None, "joon@example.org", groups=("data-stewards",))

    beside(data, invite)


def test_an_allowed_action_happens_and_leaves_a_receipt(gate: Consentry) -> None:
    with gate.admit("sql.select", resource="crm", arguments={"sql": "select 1"}) as claim:
        pass
    assert gate.decision(claim.action_id).state == "succeeded"
    assert b"consentry receipt v1" in gate.receipt(claim.action_id)
    with pytest.raises(AlreadyClaimed):
        gate.claim(claim.action_id)


def test_a11_what_nobody_could_consent_to_is_denied_with_the_way_out(gate: Consentry) -> None:
    with (
        pytest.raises(Denied, match="consentry groups add data-stewards EMAIL"),
        gate.admit("dataset.export", resource="customers"),
    ):
        pytest.fail("the body ran")


def test_somebody_consents_beside_and_the_waiter_learns(data: Path) -> None:
    stewards(data)
    with Consentry.embedded(data) as gate:
        decision = gate.submit("dataset.export", resource="customers")
        assert decision.state == "pending"
        votes(data, "joon@example.org")(decision)
        assert gate.wait(decision.id, wait_s=20).state == "approved"
        claim = gate.claim(decision.id)
        gate.settle(claim.claim_id, "succeeded")


def test_a2_the_owner_of_the_embedded_service_cannot_consent(data: Path) -> None:
    stewards(data)
    with Consentry.embedded(data) as gate:
        decision = gate.submit("dataset.export", resource="customers")
        with pytest.raises(ConsentryError) as caught:
            votes(data, "admin@localhost", "data-stewards")(decision)
        assert caught.value.code == "not_eligible"
        with pytest.raises(StillPending):
            gate.wait(decision.id, wait_s=0)


def test_a12_a_steward_made_after_the_request_cannot_consent(data: Path) -> None:
    stewards(data)
    with Consentry.embedded(data) as gate:
        decision = gate.submit("dataset.export", resource="customers")
        with pytest.raises(ConsentryError) as caught:
            votes(data, "late@example.org", "data-stewards")(decision)
        assert caught.value.code == "not_eligible"


def test_b1_an_operand_changed_after_submission_is_refused_at_the_claim(gate: Consentry, tmp_path: Path) -> None:
    file = tmp_path / "query.sql"
    file.write_bytes(b"select 1")
    decision = gate.submit("sql.select", resource="crm", operands={"query": file})
    file.write_bytes(b"select *")
    with pytest.raises(OperandChanged):
        gate.claim(decision.id, operands={"query": file})


def test_the_token_is_kept_for_its_owner_only_and_serves_again(data: Path) -> None:
    for _ in range(2):
        with Consentry.embedded(data) as gate:
            gate.submit("sql.select", resource="crm")
    mode = (data / "embedded.token").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_lost_token_is_replaced(data: Path) -> None:
    with Consentry.embedded(data) as gate:
        gate.submit("sql.select", resource="crm")
    (data / "embedded.token").unlink()
    with Consentry.embedded(data) as gate:
        gate.submit("sql.select", resource="crm")


async def test_async_code_uses_it_from_its_own_loop(gate: Consentry) -> None:
    @gate.action("sql.select", resource="crm")
    async def select(sql: str) -> str:
        await asyncio.sleep(0)
        return sql

    assert await asyncio.gather(*(select(f"select {index}") for index in range(10))) == [
        f"select {index}" for index in range(10)
    ]


def test_settings_that_are_wrong_are_said_and_nothing_is_left_open(data: Path, tmp_path: Path) -> None:
    (tmp_path / "consentry.toml").write_text("[server]\nprot = 1\n")
    with Consentry.embedded(data) as gate, pytest.raises(ConsentryError, match="prot"):
        gate.submit("sql.select", resource="crm")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_it_refuses_to_be_used_across_a_fork(gate: Consentry, monkeypatch: pytest.MonkeyPatch) -> None:
    gate.submit("sql.select", resource="crm")
    monkeypatch.setattr("consentry.client.runners.os.getpid", lambda: -1)
    with pytest.raises(Misused, match="open it after forking"):
        gate.submit("sql.select", resource="crm")
    monkeypatch.undo()
