"""What outside parties are told: every kind that exists is told, described, and wanted by who chose none."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from consentry.consent import sweeping
from consentry.consent.gate import Gate
from consentry.consent.notify import ANNOUNCED, announce
from consentry.consent.standing import StandingPattern
from consentry.store import tables

API = Path(__file__).parents[2] / "docs" / "api.md"
HOOK, CHAT = "webhook:one", "channel:slack"


async def _everything(world) -> None:
    """A day in which everything happens that anybody is told of."""

    async def later(minutes: float) -> None:
        world.clock.advance(minutes=minutes)
        await world.gate.store.write(lambda tx: sweeping.sweep(tx, world.gate._core))

    await world.submit(n=1)
    await world.vote(await world.submit(n=1), "ada")
    await world.vote(await world.submit(n=2), "ada", "deny")
    for operation in ("secret.rotate", "terraform.apply"):
        await world.vote(await world.submit(operation), "ada")
    asked = await world.submit(n=3)
    await world.gate.withdraw(asked.request_id, world.agent)
    await world.claim(await world.approved(n=4))
    pattern = StandingPattern("agt_etl", "dataset.export", "customers", {})
    await world.gate.create_standing(pattern, world.voter("ada"), uses=1, expires_ms=60_000, reason="nightly")
    glass = world.submission(by=world.person("dan"), n=5)
    await world.gate.break_glass(glass, world.voter("dan"), "it burns")
    await world.submit("s3.delete")
    await later(6)
    await later(5)
    await world.submit(n=6)
    await later(31)


async def test_every_kind_is_announced_and_no_other(world) -> None:
    world.opened.append(world.gate)  # closed with the world, as its successor is
    world.gate = await Gate.open(replace(world.settings, targets=(HOOK, CHAT)))
    await _everything(world)
    columns = tables.outbox.c
    rows = await world.gate.store.read(lambda tx: tx.execute(select(columns.target, columns.kind)).all())
    assert {row.kind for row in rows} == set(ANNOUNCED)
    assert {row.kind for row in rows if row.target == HOOK} == set(ANNOUNCED) - {"request.joined"}
    assert {row.kind for row in rows if row.target == CHAT} == set(ANNOUNCED) - {"grant.claimed"}


async def test_what_nobody_has_described_is_not_announced(world) -> None:
    with pytest.raises(AssertionError, match=r"grant\.invented"):
        await world.gate.store.write(lambda tx: announce(tx, [HOOK], "grant.invented", {}))


def test_every_kind_is_documented_and_no_other() -> None:
    section = API.read_text("utf-8").partition("## Webhooks\n")[2].partition("\n## ")[0]
    assert dict(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \| (.+) \|$", section, re.MULTILINE)) == ANNOUNCED


def test_the_default_of_a_webhook_wants_every_kind_and_names_none_that_does_not_exist() -> None:
    from consentry.server.settings_channels import WebhookSettings
    from consentry.server.webhooks import wanted

    hook = WebhookSettings.model_validate({"url": "https://hooks.example.com", "secret": "env:X"})
    assert [kind for kind in ANNOUNCED if not wanted(hook, kind)] == []
    for pattern in hook.events:
        assert [kind for kind in ANNOUNCED if wanted(hook.model_copy(update={"events": (pattern,)}), kind)], pattern
