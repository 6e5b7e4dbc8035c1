"""What this door logs of errors that nobody expected: their type and place, never what they quote (invariant 10)."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from aiohttp import web

EMAIL = "ada.lovelace@example.org"
BOTH = pytest.mark.parametrize("main", [False, True], ids=["listener", "main"])


def quoting(*given: object, **more: object) -> None:
    """A library that fails over what it was given, and says so."""
    raise ValueError(f"invalid literal: {EMAIL}")


async def quoting_later(*given: object, **more: object) -> None:
    quoting()


class Quoting:
    """A detector that fails over a text."""

    types = cover = text = json = scan = quoting


@BOTH
@pytest.mark.parametrize(
    ("what", "code", "event"),
    [
        ("lens.read", "internal", "request_failed"),
        ("Door._visit", "internal", "request_failed"),
        ("Door._prepared", "internal", "request_failed"),
        ("Looking.types", "lens_failed", "lens_failed"),
    ],
)
async def test_an_unexpected_error_is_logged_without_its_text(
    gateway, logged, monkeypatch, problem, main, what, code, event
):
    failing = quoting_later if what == "Door._prepared" else quoting
    path = "consentry.server.http_door." if what.startswith("Looking") else "consentry.doors.http.door."
    monkeypatch.setattr(path + what, failing)
    with logged() as text:
        _, body, _ = await gateway.fetch("GET", f"/customers?mail={EMAIL}", main=main)
        await asyncio.sleep(0)
    assert problem(body) == code
    assert EMAIL not in body.decode()
    assert EMAIL not in text()
    assert event in text()
    assert "'error': 'ValueError'" in text()
    assert "test_log.py:" in text()


@BOTH
async def test_e9_a_mask_that_fails_is_logged_without_what_it_read(start, allow, logged, monkeypatch, main):
    monkeypatch.setattr("consentry.server.http_door._cleaner", lambda masks: Quoting())
    async with start(policy=allow('@mask("EMAIL_ADDRESS")')) as gateway:
        with logged() as text:
            status, body, _ = await gateway.fetch("GET", "/customers", main=main)
    assert status == 500
    assert EMAIL not in body.decode()
    assert EMAIL not in text()
    assert "'error': 'ValueError'" in text()


@BOTH
async def test_outcomes_that_cannot_be_written_are_logged_without_their_text(start, allow, logged, monkeypatch, main):
    async with start(policy=allow()) as gateway:
        monkeypatch.setattr("consentry.consent.gate.Gate.settle_all", quoting_later)
        with logged() as text:
            assert (await gateway.fetch("GET", "/customers", main=main))[0] == 200
            while "outcome_not_recorded" not in text():
                await asyncio.sleep(0.01)
    assert EMAIL not in text()
    assert "'error': 'ValueError'" in text()


async def test_a_request_that_is_not_http_is_logged_without_what_it_held(gateway, logged, capfd):
    request = f"GET / HTTP/1.1\r\nhost: shop\r\nauthorization: Bearer {gateway.token}\r\nbad header {EMAIL}\r\n\r\n"
    with logged() as text:
        status, _ = await gateway.raw(request.encode())
    assert status == 400
    for log in (text(), *capfd.readouterr()):
        assert EMAIL not in log
        assert gateway.token not in log
    assert "request_not_http" in text()


async def test_a_caller_who_cannot_be_looked_up_is_logged_without_the_text(gateway, logged, monkeypatch, capfd):
    monkeypatch.setattr(gateway.services.directory, "authenticate", quoting_later)
    with logged() as text:
        status, body, _ = await gateway.fetch("GET", "/customers")
    assert status == 500
    assert EMAIL not in body.decode()
    for log in (text(), *capfd.readouterr()):
        assert EMAIL not in log
    assert "connection_failed" in text()


async def test_a_caller_who_leaves_is_no_error(start, allow, upstream, logged):
    async def much(request: web.Request, body: bytes) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        with contextlib.suppress(ConnectionError):
            for _ in range(4096):
                await answer.write(b"x" * 65536)
        return answer

    upstream.answers["much"] = much
    async with start(policy=allow()) as gateway:
        with logged() as text:
            reader, writer = await asyncio.open_connection(*gateway.address())
            writer.write(f"GET /much HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {gateway.token}\r\n\r\n".encode())
            await reader.readexactly(1 << 20)
            writer.transport.abort()
            state, summary = await gateway.outcome()
    assert state == "failed"
    assert summary == "answered 200, the caller left in the middle"
    assert "failed" not in text()
