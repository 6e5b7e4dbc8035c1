"""The order of the verbs, against a gate that is a plain model. The real gate is in test_against_the_server.py."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from consentry.actions import Operand
from consentry.client import (
    Claim,
    Denied,
    Expired,
    Misused,
    NotAdmitted,
    OperandChanged,
    OutcomeNotRecorded,
    Revoked,
    StillPending,
    Unreachable,
    Void,
    Withdrawn,
    current_claim,
)
from consentry.client.guard import Guard
from consentry.client.model import ClaimGiven, Decision, Status
from consentry.client.runners import CallersLoop, OwnLoop
from consentry.client.transport import Ask


@dataclass
class Model:
    """A gate that answers one action with `states`, one after the other."""

    states: list[str]
    asked: list[Ask] = field(default_factory=list)
    settled: list[tuple[str, Status, str | None]] = field(default_factory=list)
    claims: int = 0
    settling: Exception | None = None
    on_submit: Callable[[], None] = lambda: None
    credentials: dict[str, str] | None = None

    def _decision(self) -> Decision:
        state = self.states[0] if len(self.states) == 1 else self.states.pop(0)
        reasons = ({"policy": "p", "text": "stewards sign exports"},)
        return Decision.model_validate(
            {
                "id": "act_1",
                "digest": "ab" * 32,
                "verdict": "review",
                "state": state,
                "reasons": reasons,
                "request_id": "req_1",
                "url": "http://127.0.0.1/requests/req_1",
            }
        )

    async def submit(self, ask: Ask) -> Decision:
        self.asked.append(ask)
        decision = self._decision()
        self.on_submit()
        return decision

    async def decision(self, action_id: str, wait_s: float) -> Decision:
        await asyncio.sleep(0)
        return self._decision()

    async def claim(self, action_id: str, operands: tuple[Operand, ...]) -> ClaimGiven:
        if operands != self.asked[-1].operands:
            raise OperandChanged("an operand changed", action_id=action_id)
        self.claims += 1
        return ClaimGiven(claim_id="clm_1", lease_until=datetime(2026, 1, 1, tzinfo=UTC), credentials=self.credentials)

    async def settle(self, claim_id: str, status: Status, summary: str | None) -> None:
        if self.settling is not None:
            raise self.settling
        self.settled.append((claim_id, status, summary))

    async def withdraw(self, request_id: str, reason: str | None) -> None: ...

    async def receipt(self, action_id: str) -> bytes:
        return b"{}"

    async def close(self) -> None: ...


@pytest.fixture
def runners() -> Iterator[list[OwnLoop]]:
    opened: list[OwnLoop] = []
    yield opened
    for one in opened:
        one.close()


@pytest.fixture
def guard(runners: list[OwnLoop]) -> Callable[[Model], Guard]:
    def make(model: Model) -> Guard:
        runners.append(OwnLoop(lambda: model))
        return Guard(runners[-1], None)

    return make


MakeGuard = Callable[[Model], Guard]


def test_an_allowed_action_happens_once_and_its_outcome_is_recorded(guard: MakeGuard) -> None:
    model = Model(["allowed"])
    with guard(model).admit("secret.rotate", resource="vault/db", arguments={"length": 32}) as claim:
        assert claim.digest == "ab" * 32
        claim.summary = "rotated"
    assert model.settled == [("clm_1", "succeeded", "rotated")]
    assert model.asked[0].arguments == {"length": 32}


async def test_the_same_from_async_code_on_another_loop(guard: MakeGuard) -> None:
    model = Model(["pending", "pending", "approved"])
    async with guard(model).admit("secret.rotate", resource="vault/db"):
        assert model.claims == 1
    assert model.settled == [("clm_1", "succeeded", None)]


async def test_the_same_on_the_callers_own_loop() -> None:
    model = Model(["pending", "approved"])
    async with Guard(CallersLoop(lambda: model), None).admit("secret.rotate", resource="vault/db"):
        pass
    assert model.settled == [("clm_1", "succeeded", None)]


async def test_sync_code_on_the_callers_loop_is_told_which_client_to_use() -> None:
    model = Model(["allowed"])
    with (
        pytest.raises(Misused, match="use `Consentry`"),
        Guard(CallersLoop(lambda: model), None).admit("secret.rotate", resource="vault/db"),
    ):
        pytest.fail("the body ran")
    assert model.claims == 0


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("denied", Denied),
        ("expired", Expired),
        ("withdrawn", Withdrawn),
        ("revoked", Revoked),
        ("void", Void),
        ("claimed", NotAdmitted),
        ("succeeded", NotAdmitted),
        ("failed", NotAdmitted),
        ("unknown", NotAdmitted),
        ("a state of the future", NotAdmitted),
    ],
)
def test_invariant_1_no_other_state_lets_the_body_run(guard: MakeGuard, state: str, kind: type[NotAdmitted]) -> None:
    model = Model(["pending", state])
    with pytest.raises(kind) as caught, guard(model).admit("secret.rotate", resource="vault/db"):
        pytest.fail("the body ran")
    assert type(caught.value) is kind
    assert (caught.value.action_id, caught.value.request_id) == ("act_1", "req_1")
    assert model.claims == 0


def test_a_denial_carries_its_reasons(guard: MakeGuard) -> None:
    with (
        pytest.raises(Denied, match="stewards sign exports") as caught,
        guard(Model(["denied"])).admit("dataset.export", resource="customers"),
    ):
        pytest.fail("the body ran")
    assert [reason.policy for reason in caught.value.reasons] == ["p"]


def test_an_exception_is_recorded_by_its_type_and_never_by_its_text(guard: MakeGuard) -> None:
    model = Model(["allowed"])

    def rotate() -> None:
        with guard(model).admit("secret.rotate", resource="vault/db") as claim:
            claim.summary = "about to"
            raise ValueError("ada@example.org hunter2")

    with pytest.raises(ValueError, match="hunter2"):
        rotate()
    assert model.settled == [("clm_1", "failed", "ValueError")]


def test_failure_can_be_said_without_an_exception(guard: MakeGuard) -> None:
    model = Model(["allowed"])
    with guard(model).admit("secret.rotate", resource="vault/db") as claim:
        claim.failed, claim.summary = True, "exit 3"
    assert model.settled == [("clm_1", "failed", "exit 3")]


def test_an_outcome_that_cannot_be_reported_is_said_aloud(guard: MakeGuard) -> None:
    model = Model(["allowed"], settling=Unreachable("gone"))

    def rotate() -> None:
        with guard(model).admit("secret.rotate", resource="vault/db"):
            pass

    with pytest.raises(OutcomeNotRecorded, match="it will show as `unknown`") as caught:
        rotate()
    assert caught.value.claim_id == "clm_1"


def test_an_outcome_that_cannot_be_reported_does_not_hide_the_error(guard: MakeGuard) -> None:
    model = Model(["allowed"], settling=Unreachable("gone"))

    def rotate() -> None:
        with guard(model).admit("secret.rotate", resource="vault/db"):
            raise KeyError("mine")

    with pytest.raises(KeyError) as caught:
        rotate()
    assert "could not be reported" in caught.value.__notes__[0]


def test_waiting_runs_out_for_the_caller_only(guard: MakeGuard) -> None:
    with (
        pytest.raises(StillPending, match="its request `req_1` stays open"),
        guard(Model(["pending"])).admit("secret.rotate", resource="vault/db", wait_s=0.0),
    ):
        pytest.fail("the body ran")


async def test_cancelling_the_body_still_records_it(guard: MakeGuard) -> None:
    model = Model(["allowed"])
    inside = asyncio.Event()

    async def rotate() -> None:
        async with guard(model).admit("secret.rotate", resource="vault/db"):
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(rotate())
    await inside.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert model.settled == [("clm_1", "failed", "CancelledError")]


def test_people_are_pointed_to_once(runners: list[OwnLoop]) -> None:
    model, seen = Model(["pending", "pending", "approved"]), list[str | None]()
    runners.append(OwnLoop(lambda: model))
    with Guard(runners[-1], lambda decision: seen.append(decision.url)).admit("secret.rotate", resource="x"):
        pass
    assert seen == ["http://127.0.0.1/requests/req_1"]


def test_b1_an_operand_changed_while_people_thought_stops_the_action(guard: MakeGuard, tmp_path: Path) -> None:
    plan = tmp_path / "plan.out"
    plan.write_bytes(b"good")
    model = Model(["pending", "approved"], on_submit=lambda: plan.write_bytes(b"evil") and None)
    with pytest.raises(OperandChanged), guard(model).admit("terraform.apply", resource="prod", operands={"plan": plan}):
        pytest.fail("the body ran")
    assert model.claims == 0


def test_b1_the_body_reads_what_was_hashed(guard: MakeGuard, tmp_path: Path) -> None:
    plan = tmp_path / "plan.out"
    plan.write_bytes(b"good")
    with guard(Model(["allowed"])).admit("terraform.apply", resource="prod", operands={"plan": plan}) as claim:
        plan.write_bytes(b"evil")
        with claim.open("plan") as source:
            assert source.read() == b"good"
        copy = claim.path("plan")
        assert copy.read_bytes() == b"good"
    assert not copy.exists()


def test_a_guarded_function_runs_once_per_call_with_what_was_bound(guard: MakeGuard) -> None:
    model, ran = Model(["allowed"]), list[list[int]]()

    @guard(model).action("dataset.export", resource=lambda to: to)
    def export(rows: list[int], to: str) -> int:
        """Its own text."""
        ran.append(rows)
        return len(rows)

    assert export([1, 2], to="s3://x") == 2
    assert ran == [[1, 2]]
    assert (model.asked[0].resource, model.asked[0].arguments) == ("s3://x", {"rows": [1, 2], "to": "s3://x"})
    assert (export.__name__, export.__doc__) == ("export", "Its own text.")


async def test_a_guarded_coroutine_function_stays_one(guard: MakeGuard) -> None:
    model = Model(["pending", "approved"])

    @guard(model).action("dataset.export", resource="customers")
    async def export(to: str) -> str:
        await asyncio.sleep(0)
        return to

    assert asyncio.iscoroutinefunction(export)
    assert await export("x") == "x"
    assert model.settled == [("clm_1", "succeeded", None)]


def test_b1_a_guarded_function_gets_a_copy_of_the_file_that_was_hashed(guard: MakeGuard, tmp_path: Path) -> None:
    script = tmp_path / "migrate.sql"
    script.write_bytes(b"select 1")

    @guard(Model(["allowed"])).action("sql.write", resource="crm")
    def migrate(file: Path) -> tuple[bytes, bool]:
        script.write_bytes(b"drop table customers")
        return file.read_bytes(), file == script

    assert migrate(script) == (b"select 1", False)


def test_the_claim_and_its_credentials_reach_the_function(guard: MakeGuard) -> None:
    seen = list[Claim | None]()

    @guard(Model(["allowed"], credentials={"PGPASSWORD": "short-lived"})).action("sql.write", resource="crm")
    def migrate() -> None:
        seen.append(current_claim())

    migrate()
    assert seen[0] is not None
    assert seen[0].credentials == {"PGPASSWORD": "short-lived"}
    assert "short-lived" not in repr(seen[0])
    assert current_claim() is None


def test_a_denied_call_never_enters_the_function(guard: MakeGuard) -> None:
    @guard(Model(["denied"])).action("dataset.export", resource="customers")
    def export() -> None:
        pytest.fail("the function ran")

    with pytest.raises(Denied):
        export()


def test_one_client_serves_many_threads(guard: MakeGuard) -> None:
    model = Model(["allowed"])
    gate = guard(model)

    def rotate() -> None:
        with gate.admit("secret.rotate", resource="vault/db"):
            pass

    threads = [threading.Thread(target=rotate) for _ in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(model.settled) == 16


def test_a_closed_client_opens_again(runners: list[OwnLoop]) -> None:
    model = Model(["allowed"])
    runners.append(OwnLoop(lambda: model))
    gate = Guard(runners[-1], None)
    for _ in range(2):
        with gate.admit("secret.rotate", resource="vault/db"):
            pass
        runners[-1].close()
    assert len(model.settled) == 2
