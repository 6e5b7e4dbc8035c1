"""The whole way through Slack: asked, shown, pressed, confirmed, updated, told."""

from __future__ import annotations

import asyncio

import pytest

from consentry.ledger.verify import verify_path

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_decision_in_slack_releases_the_caller(house, fake) -> None:
    request = await house.ask(arguments={"argv": ["systemctl", "restart", "api"]}, reason="the API hangs")
    action = (await house.gate.request(request)).action_id
    waiting = asyncio.create_task(house.gate.wait(action, timeout_s=60))
    message = await house.message(request)
    words = fake.words(message)
    for part in ("shell.exec", "host/a", "systemctl", "Mara", "etl", "the API hangs", "releasers-decide", "expires"):
        assert part in words
    assert set(fake.buttons(message)) == {"consentry_approve", "consentry_deny", "consentry_open"}
    assert (await house.interact(fake.pressed(message, "consentry_approve", house.users["ada"]))).content == b""
    view = fake.views[-1]
    assert "systemctl" in fake.words(view)
    answer = await house.interact(fake.submitted(view, house.users["ada"], "Restart is fine."))
    assert answer.json() == {"response_action": "clear"}
    decision = await waiting
    assert decision.state.value == "approved"
    assert decision.decided_reason == "Restart is fine."
    await house.until(lambda: "Approved" in fake.words(message))
    assert "`Ada` approved by slack: `Restart is fine.`" in fake.words(message)
    assert fake.buttons(message) == {}
    told = await house.message(request, role="DU0MARA")
    assert "Approved" in fake.words(told)


async def test_a_decision_in_slack_verifies_offline(house, fake, tmp_path) -> None:
    """Its receipt names the linked account as the session, and the assurance of a chat."""
    request = await house.ask()
    message = await house.message(request)
    await house.interact(fake.pressed(message, "consentry_approve", house.users["ben"]))
    await house.interact(fake.submitted(fake.views[-1], house.users["ben"], "ok"))
    action = (await house.gate.request(request)).action_id
    (tmp_path / "receipt.json").write_bytes(await house.gate.receipt(action))
    (tmp_path / "ledger.vkey").write_bytes(await house.gate.ledger_keys())
    report = verify_path(tmp_path / "receipt.json", tmp_path / "ledger.vkey")
    assert report.exit_code == 0, report.findings
    (vote,) = (await house.gate.request(request)).votes
    assert (vote.channel, vote.assurance.value) == ("slack", "chat")
