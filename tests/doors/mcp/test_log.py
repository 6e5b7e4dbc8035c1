"""What this door logs of errors that nobody expected: their type and place, never what they quote (invariant 10)."""

from __future__ import annotations

import asyncio

import pytest

EMAIL = "ada.lovelace@example.org"


def quoting(*given: object, **more: object) -> None:
    """A library that fails over what it was given, and says so."""
    raise ValueError(f"invalid literal: {EMAIL}")


async def quoting_later(*given: object, **more: object) -> None:
    quoting()


@pytest.mark.parametrize(
    ("what", "event"),
    [
        ("doors.mcp.lens.facts", "lens_failed"),
        ("doors.mcp.link.Link.request", "run_failed"),
        ("doors.mcp.conversation.Conversation.answer", "request_failed"),
        ("consent.gate.Gate.settle_all", "outcome_not_recorded"),
    ],
)
async def test_an_unexpected_error_is_logged_without_its_text(gateway, ask, logged, monkeypatch, what, event):
    call = {"name": "add", "arguments": {"a": 1, "b": 2}}
    await ask("tools/call", call)  # the link and the list of tools are there
    await gateway.settled()
    monkeypatch.setattr("consentry." + what, quoting if "lens" in what else quoting_later)
    with logged() as text:
        answer = await ask("tools/call", {"name": "add", "arguments": {"a": 3, "b": 4}})
        while event not in text():
            await asyncio.sleep(0.01)
    assert EMAIL not in str(answer)
    assert EMAIL not in text()
    assert "'error': 'ValueError'" in text()
    assert "test_log.py:" in text()


async def test_e9_a_mask_that_fails_is_logged_without_what_it_read(start, shop, tmp_path, logged, monkeypatch):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "masked.cedar").write_text(
        '@id("masked") @reason("Masked") @mask("EMAIL_ADDRESS")\n'
        'permit (principal, action == Action::"mcp.tool.call", resource);'
    )
    monkeypatch.setattr("consentry.server.mcp._cleaner", lambda masks: quoting)
    settings = {"dir": tmp_path / "policies"}
    async with start({"shop": shop}, policy=settings) as gateway, gateway.client("auto") as client:
        with logged() as text:
            found = await client.call_tool("customer", {"number": 7})
    assert found.is_error
    assert EMAIL not in str(found)
    assert EMAIL not in text()
    assert "masking_failed" in text()
    assert "'error': 'ValueError'" in text()
