"""Retries: repeated where a repeat cannot do the thing twice, and nowhere else. Against a scripted wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.client.errors import AlreadyClaimed, Denied, Expired, OperandChanged, Refused, Unreachable
from consentry.client.http import HttpTransport, is_loopback
from consentry.client.retry import Backoff, poll_s
from consentry.client.transport import Ask
from consentry.errors import ConsentryError

Step = httpx2.Response | type[httpx2.TransportError]

DECISION = {"id": "act_1", "digest": "ab" * 32, "verdict": "allow", "state": "allowed", "news": "of a newer server"}
CLAIM = {"claim_id": "clm_1", "lease_until": "2026-01-02T03:04:05.678Z", "credentials": None}


def ok(document: dict[str, object] | None = None) -> httpx2.Response:
    return httpx2.Response(200, json=document if document is not None else {})


def problem(status: int, code: str, **headers: str) -> httpx2.Response:
    return httpx2.Response(status, json={"code": code, "title": "t", "detail": f"why {code}"}, headers=headers)


class Script:
    """Answers each call with its next step and keeps what was sent."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.sent: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.sent.append(request)
        step = self.steps.pop(0)
        if isinstance(step, httpx2.Response):
            return step
        raise step("scripted", request=request)

    @property
    def bodies(self) -> list[dict[str, object]]:
        return [json.loads(one.content) for one in self.sent]


def transport(script: Script, patience_s: float = 30.0) -> HttpTransport:
    return HttpTransport(
        "http://127.0.0.1:1",
        "ag_token",
        patience_s=patience_s,
        backoff=Backoff(0.0, 0.0),
        wire=httpx2.MockTransport(script),
    )


ASK = Ask("dataset.export", "customers", {"to": "x"})


@pytest.mark.parametrize(
    "failures",
    [
        [httpx2.ConnectError],
        [httpx2.ReadTimeout, httpx2.RemoteProtocolError],
        [httpx2.Response(502), httpx2.Response(503), httpx2.Response(504)],
        [problem(503, "store_unavailable")],
    ],
    ids=["not listening", "broken off", "a proxy without a server", "store away"],
)
async def test_a_submission_is_repeated_under_one_idempotency_key(failures: Sequence[Step]) -> None:
    script = Script(*failures, ok(DECISION))
    wire = transport(script)
    assert (await wire.submit(ASK)).granted
    assert len({str(body["idempotency_key"]) for body in script.bodies}) == 1
    assert len(script.sent) == len(failures) + 1
    await wire.close()


async def test_two_submissions_have_two_keys_and_a_key_of_the_callers_is_kept() -> None:
    script = Script(ok(DECISION), ok(DECISION), ok(DECISION))
    wire = transport(script)
    await wire.submit(ASK)
    await wire.submit(ASK)
    await wire.submit(Ask("dataset.export", "customers", {}, idempotency_key="mine"))
    keys = [body["idempotency_key"] for body in script.bodies]
    assert len(set(keys)) == 3
    assert keys[2] == "mine"
    await wire.close()


@pytest.mark.parametrize("broken", [httpx2.ReadTimeout, httpx2.ReadError, httpx2.RemoteProtocolError])
async def test_c3_a_claim_that_may_have_arrived_is_not_repeated(broken: type[httpx2.TransportError]) -> None:
    script = Script(broken, ok(CLAIM))
    wire = transport(script)
    with pytest.raises(Unreachable, match="it may have been done, so it was not repeated"):
        await wire.claim("act_1", ())
    assert len(script.sent) == 1
    await wire.close()


async def test_a_claim_that_never_left_is_repeated() -> None:
    script = Script(httpx2.ConnectError, httpx2.ConnectTimeout, ok(CLAIM))
    wire = transport(script)
    assert (await wire.claim("act_1", ())).claim_id == "clm_1"
    await wire.close()


async def test_a_claim_answered_with_503_is_not_repeated() -> None:
    script = Script(problem(503, "store_unavailable"), ok(CLAIM))
    wire = transport(script)
    with pytest.raises(ConsentryError) as caught:
        await wire.claim("act_1", ())
    assert caught.value.code == "store_unavailable"
    await wire.close()


async def test_an_outcome_whose_first_report_arrived_unseen_counts_as_reported() -> None:
    script = Script(httpx2.ReadError, problem(409, "already_settled"))
    wire = transport(script)
    await wire.settle("clm_1", "succeeded", None)
    await wire.close()


async def test_an_outcome_that_somebody_else_reported_is_an_error() -> None:
    wire = transport(Script(problem(409, "already_settled")))
    with pytest.raises(Refused) as caught:
        await wire.settle("clm_1", "succeeded", None)
    assert caught.value.code == "already_settled"
    await wire.close()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (403, "not_granted", Denied),
        (409, "already_claimed", AlreadyClaimed),
        (410, "expired", Expired),
        (409, "operand_changed", OperandChanged),
        (400, "invalid_action", Refused),
        (500, "error", Refused),
    ],
)
async def test_problems_become_errors_with_the_servers_code(status: int, code: str, kind: type[ConsentryError]) -> None:
    script = Script(problem(status, code))
    wire = transport(script)
    with pytest.raises(kind, match=f"why {code}"):
        await wire.claim("act_1", ())
    assert len(script.sent) == 1
    await wire.close()


async def test_too_many_requests_are_repeated_when_the_server_says() -> None:
    script = Script(problem(429, "too_many", **{"retry-after": "0"}), ok(CLAIM))
    wire = transport(script)
    await wire.claim("act_1", ())
    assert len(script.sent) == 2
    await wire.close()


async def test_patience_ends() -> None:
    script = Script(*[httpx2.ConnectError] * 3)
    wire = transport(script, patience_s=-1.0)
    with pytest.raises(Unreachable, match=r"nothing answers at `http://127.0.0.1:1`"):
        await wire.submit(ASK)
    assert len(script.sent) == 1
    await wire.close()


@pytest.mark.parametrize(
    "reply",
    [httpx2.Response(200, text="<html>a captive portal</html>"), ok({"id": 7}), ok([])],  # type: ignore[arg-type]
    ids=["html", "wrong type", "a list"],
)
async def test_an_answer_that_is_none_admits_nothing(reply: httpx2.Response) -> None:
    wire = transport(Script(reply))
    with pytest.raises(Unreachable, match="no Consentry answer"):
        await wire.submit(ASK)
    await wire.close()


async def test_a_redirect_is_not_followed_with_the_token() -> None:
    script = Script(httpx2.Response(307, headers={"location": "http://elsewhere.example/"}))
    wire = transport(script)
    with pytest.raises(ConsentryError):
        await wire.submit(ASK)
    assert [one.url.host for one in script.sent] == ["127.0.0.1"]
    await wire.close()


async def test_the_wait_is_asked_for_and_the_body_is_exact() -> None:
    script = Script(ok(DECISION))
    wire = transport(script)
    await wire.decision("act_1", 5.0)
    assert 3.0 < float(script.sent[0].url.params["wait"]) <= 5.0
    assert script.sent[0].headers["authorization"] == "Bearer ag_token"
    await wire.close()


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:7272", True),
        ("http://localhost:7272", True),
        ("http://[::1]:7272", True),
        ("https://consentry.example.com", False),
        ("http://127.0.0.1.example.com", False),
    ],
)
def test_only_this_machine_is_reached_without_a_proxy(url: str, local: bool) -> None:
    assert is_loopback(url) is local


@given(st.integers(0, 1000), st.floats(0, 1))
def test_rests_grow_to_a_cap_and_never_beyond(attempt: int, chance: float) -> None:
    assert 0 <= Backoff(0.1, 5.0).rest_s(attempt, lambda: chance) <= min(5.0, 0.1 * 2 ** min(attempt, 20))


@given(st.floats(0.1, 100), st.floats(0, 100), st.floats(0, 1))
def test_a_poll_never_outlasts_the_callers_deadline(longest: float, left: float, chance: float) -> None:
    draw: Callable[[], float] = lambda: chance  # noqa: E731
    assert poll_s(longest, left, draw) <= left
    assert longest * 2 / 3 - 1e-9 <= poll_s(longest, None, draw) <= longest * (1 + 1e-9)
