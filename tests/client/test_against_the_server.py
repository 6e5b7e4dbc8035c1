"""The SDK over HTTP against a whole server in another process: the gate's promises, seen by a caller."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from consentry import AsyncConsentry, Consentry, Denied, Withdrawn
from consentry.client import (
    AlreadyClaimed,
    Decision,
    NotAdmitted,
    OperandChanged,
    Refused,
    StillPending,
)
from consentry.demo.people import Someone
from consentry.errors import ConsentryError
from consentry.ledger.report import Outcome
from consentry.ledger.verify import verify_path

House = Any  # of tests/conftest.py

EXPORT = {"resource": "customers", "arguments": {"to": "vendor"}}


class Desk:
    """People who decide as soon as they are told."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.seen: list[Decision] = []
        self.refusals: list[str] = []
        self.errors: list[BaseException] = []

    def does(self, act: Callable[[Decision], object]) -> Callable[[Decision], None]:
        """For `on_pending`: acts from a thread of its own, as people do."""

        def told(decision: Decision) -> None:
            self.seen.append(decision)
            threading.Thread(target=self._try, args=(act, decision)).start()

        return told

    def _try(self, act: Callable[[Decision], object], decision: Decision) -> None:
        try:
            act(decision)
        except BaseException as error:
            self.errors.append(error)

    def votes(self, who: str, verdict: str) -> Callable[[Decision], None]:
        return self.does(lambda decision: self.vote(who, decision, verdict))

    def vote(self, who: str, decision: Decision, verdict: str) -> None:
        with Someone(self.house.url, self.house.tokens[who]) as person:
            person.vote(str(decision.request_id), verdict, "said so")

    def refused(self, who: str, decision: Decision) -> str:
        with pytest.raises(ConsentryError) as caught:
            self.vote(who, decision, "approve")
        return caught.value.code


@pytest.fixture
def desk(house: House) -> Iterator[Desk]:
    one = Desk(house)
    yield one
    assert not one.errors


def gate(house: House, **options: Any) -> Consentry:
    return Consentry(house.url, house.tokens["agent"], **options)


def test_what_policy_allows_happens_and_is_recorded(house: House, tmp_path: Path) -> None:
    with gate(house) as one:
        with one.admit("sql.select", resource="crm", arguments={"sql": "select 1"}) as claim:
            pass
        assert one.decision(claim.action_id).state == "succeeded"
        receipt, key = tmp_path / "receipt.json", tmp_path / "ledger.vkey"
        receipt.write_bytes(one.receipt(claim.action_id))
    with Someone(house.url, "") as anybody:
        key.write_bytes(anybody.raw("/ledger/key"))
    assert verify_path(receipt, key).outcome is Outcome.VALID


def test_what_policy_pauses_happens_once_somebody_else_consents(house: House, desk: Desk) -> None:
    with gate(house, on_pending=desk.votes("joon", "approve")) as one:
        with one.admit("dataset.export", **EXPORT) as claim:
            assert one.decision(claim.action_id).state == "claimed"
        assert one.decision(claim.action_id).state == "succeeded"
        with pytest.raises(AlreadyClaimed):
            one.claim(claim.action_id)


def test_a2_a9_neither_the_owner_nor_the_agent_can_consent(house: House, desk: Desk) -> None:
    codes: list[str] = []

    def try_all(decision: Decision) -> None:
        codes.extend(desk.refused(who, decision) for who in ("mara", "agent"))
        desk.vote("joon", decision, "approve")

    with gate(house, on_pending=desk.does(try_all)) as one, one.admit("dataset.export", **EXPORT):
        pass
    assert codes == ["not_eligible", "not_allowed"]


def test_a_denial_carries_the_voters_words(house: House, desk: Desk) -> None:
    with (
        gate(house, on_pending=desk.votes("joon", "deny")) as one,
        pytest.raises(Denied, match="said so") as caught,
        one.admit("dataset.export", **EXPORT),
    ):
        pytest.fail("the body ran")
    assert caught.value.said == "said so"
    assert caught.value.reasons[0].policy == "pii-export-needs-steward"


def test_default_deny_names_the_rule(house: House) -> None:
    with gate(house) as one, pytest.raises(Denied), one.admit("warp.core.eject", resource="x"):
        pytest.fail("the body ran")


def test_b6_a_denial_is_final(house: House, desk: Desk) -> None:
    with gate(house, on_pending=desk.votes("joon", "deny")) as one:
        with pytest.raises(Denied) as caught, one.admit("dataset.export", **EXPORT, idempotency_key="once"):
            pytest.fail("the body ran")
        with pytest.raises(Denied) as again, one.admit("dataset.export", **EXPORT, idempotency_key="once"):
            pytest.fail("the body ran")
        with pytest.raises(NotAdmitted):
            one.claim(str(caught.value.action_id))
    assert again.value.action_id == caught.value.action_id


def test_withdrawing_releases_the_waiter(house: House, desk: Desk) -> None:
    with gate(house) as other:
        withdraw = desk.does(lambda decision: other.withdraw(str(decision.request_id), "changed my mind"))
        with (
            gate(house, on_pending=withdraw) as one,
            pytest.raises(Withdrawn),
            one.admit("dataset.export", **EXPORT),
        ):
            pytest.fail("the body ran")


def test_a_caller_that_comes_back_finds_its_own_request(house: House, desk: Desk) -> None:
    with gate(house) as one:
        with (
            pytest.raises(StillPending) as first,
            one.admit("dataset.export", **EXPORT, idempotency_key="run-7", wait_s=0),
        ):
            pytest.fail("the body ran")
        desk.vote("joon", one.decision(str(first.value.action_id)), "approve")
        with one.admit("dataset.export", **EXPORT, idempotency_key="run-7") as claim:
            assert claim.action_id == first.value.action_id
        with (
            pytest.raises(NotAdmitted, match="performed at most once"),
            one.admit("dataset.export", **EXPORT, idempotency_key="run-7"),
        ):
            pytest.fail("the body ran twice")


def test_one_key_for_two_actions_is_refused(house: House) -> None:
    with gate(house) as one:
        one.submit("sql.select", resource="crm", arguments={"sql": "1"}, idempotency_key="same")
        with pytest.raises(Refused) as caught:
            one.submit("sql.select", resource="crm", arguments={"sql": "2"}, idempotency_key="same")
    assert caught.value.code == "idempotency_mismatch"


def test_b1_a_script_rewritten_after_consent_does_not_run(house: House, desk: Desk, tmp_path: Path) -> None:
    script = tmp_path / "migrate.sh"
    script.write_bytes(b"echo good")

    def consent_and_rewrite(decision: Decision) -> None:
        script.write_bytes(b"echo evil")
        desk.vote("joon", decision, "approve")

    with (
        gate(house, on_pending=desk.does(consent_and_rewrite)) as one,
        pytest.raises(OperandChanged),
        one.admit("shell.exec", resource="host/a", arguments={"argv": ["sh", "migrate.sh"]}, operands={"s": script}),
    ):
        pytest.fail("the body ran")


def test_b1_an_operand_beside_a_dataset_is_checked_too(house: House, desk: Desk, tmp_path: Path) -> None:
    query = tmp_path / "query.sql"
    query.write_bytes(b"select 1")

    def consent_and_rewrite(decision: Decision) -> None:
        query.write_bytes(b"select *")
        desk.vote("joon", decision, "approve")

    with (
        gate(house, on_pending=desk.does(consent_and_rewrite)) as one,
        pytest.raises(OperandChanged),
        one.admit("dataset.export", **EXPORT, operands={"query": query}),
    ):
        pytest.fail("the body ran")


def test_b5_consent_is_for_one_digest_only(house: House, desk: Desk) -> None:
    with gate(house, on_pending=desk.votes("joon", "approve")) as one, one.admit("dataset.export", **EXPORT):
        other = one.submit("dataset.export", resource="customers", arguments={"to": "vendor "})
        assert other.state == "pending"
        with pytest.raises(NotAdmitted):
            one.claim(other.id)
        one.withdraw(str(other.request_id))


def test_c2_many_claims_of_one_grant_have_one_winner(house: House) -> None:
    with gate(house) as one:
        decision = one.submit("sql.select", resource="crm", arguments={"sql": "select 2"})

        def attempt(_index: int) -> str:
            try:
                return one.claim(decision.id).claim_id
            except AlreadyClaimed:
                return ""

        with ThreadPoolExecutor(16) as pool:
            won = [claim for claim in pool.map(attempt, range(32)) if claim]
    assert len(won) == 1


def test_b14_another_agents_action_is_not_there(house: House) -> None:
    with Someone(house.url, house.tokens["admin"]) as admin:
        other = str(admin.post("/v1/agents", {"name": "other", "owner": "mara@example.org"})["token"])
    with gate(house) as one, Consentry(house.url, other) as two:
        decision = one.submit("sql.select", resource="crm", arguments={"sql": "select 3"})
        for attempt in (lambda: two.decision(decision.id), lambda: two.claim(decision.id)):
            with pytest.raises(Refused) as caught:
                attempt()
            assert caught.value.code in ("unknown_action", "not_granted")


async def test_async_clients_wait_without_threads(house: House, desk: Desk) -> None:
    async with AsyncConsentry(house.url, house.tokens["agent"], on_pending=desk.votes("joon", "approve")) as one:

        @one.action("dataset.export", resource="customers")
        async def export(to: str) -> str:
            await asyncio.sleep(0)
            return to

        assert await asyncio.gather(*(export(f"vendor-{index}") for index in range(5))) == [
            f"vendor-{index}" for index in range(5)
        ]


def test_c6_a_waiter_outlives_the_server(house: House, desk: Desk) -> None:
    """The server is killed while a caller waits; once it is back, somebody consents and the caller learns."""

    def kill_and_consent(decision: Decision) -> None:
        house.stop(kill=True)
        house.start()
        desk.vote("joon", decision, "approve")

    with gate(house, on_pending=desk.does(kill_and_consent)) as one:
        with one.admit("dataset.export", resource="customers", arguments={"to": "after the crash"}) as claim:
            pass
        assert one.decision(claim.action_id).state == "succeeded"


@pytest.mark.parametrize("token", ["", "ag_nothing", "ps_nothing", "no token at all"])
def test_a_token_that_is_none_is_refused(house: House, token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONSENTRY_TOKEN", raising=False)
    with Consentry(house.url, token) as one, pytest.raises(ConsentryError) as caught:
        one.submit("sql.select", resource="crm")
    assert caught.value.code in ("not_signed_in", "misused")
    assert not token or token not in str(caught.value)
