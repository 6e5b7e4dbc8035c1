"""Delivery to Teams: within its limits over several replicas, once, and in order."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest

from consentry.actions import Action, Actor, Kind
from consentry.channels.delivery import Deliverer
from consentry.channels.model import target_of
from consentry.channels.teams.api import TeamsApi
from consentry.channels.teams.book import ANY, Book
from consentry.channels.teams.route import TeamsRoute
from consentry.channels.teams.send import TeamsSender
from consentry.consent.gate import Gate
from consentry.consent.model import Submission
from consentry.consent.settings import GateSettings
from consentry.identity.directory import Directory
from consentry.policy.model import Facts
from consentry.server.channels_teams import teams_config
from consentry.server.settings_channels import TeamsSettings
from consentry.store import tables

CLEAN = Facts({"findings": {"total": 0, "types": [], "scanned": True}})
POLICY = """
@id("one") @review("group:releasers") @expires("2h") @assurance("chat")
permit (principal, action == Action::"shell.exec", resource);
"""


@pytest.fixture
async def line(store_url, tmp_path, teams_module, monkeypatch):
    """A gate, a Teams, a clock that goes on when there is nothing to do, and who asks."""
    monkeypatch.setenv("TEST_TEAMS_PASSWORD", teams_module.PASSWORD)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.cedar").write_text(POLICY)
    fake = await teams_module.FakeTeams().start()
    ahead = [0]
    gate = await Gate.open(
        GateSettings(
            data_dir=tmp_path, store_url=store_url, policy_dir=tmp_path / "policies", targets=(target_of("teams"),),
            clock_offset_ms=lambda: ahead[0], background=False,
        )
    )  # fmt: skip
    fake.now = lambda: gate.store.clock_ms() / 1000
    directory = Directory(gate.store)
    await directory.invite(None, "ada@example.org", groups=("releasers",))
    asker = (await directory.invite(None, "mara@example.org")).person
    ahead[0] += 1_000
    yield gate, fake, ahead, asker
    directory.close()
    await gate.close()
    await fake.stop()


async def test_places_are_kept_as_teams_told_them_last(line) -> None:
    gate, fake, ahead, asker = line
    config = teams_config(TeamsSettings.model_validate(fake.settings()))
    book = Book(gate.store, config)
    assert await book.service_url() == fake.service.rstrip("/"), "that of the settings, before anything was told"
    assert await book.person("ada") is None
    await book.remember("ada", "a:1", "https://smba.example/emea/")
    ahead[0] += 1_000
    await book.remember(ANY, "19:x@thread.tacv2", "https://smba.example/amer")
    assert (await book.person("ada"), await book.service_url()) == ("a:1", "https://smba.example/amer")
    ahead[0] += 1_000
    await book.remember("ada", "a:2", "https://smba.example/emea")
    assert (await book.person("ada"), await book.service_url()) == ("a:2", "https://smba.example/emea")
    other = Book(gate.store, dataclasses.replace(config, tenant=config.app_id))
    assert await other.person("ada") is None, "another tenant's people are others"
    await book.forget("ada")
    assert (await book.person("ada"), await book.service_url()) == (None, "https://smba.example/amer")
    action = Action(Actor(Kind.PERSON, asker), "shell.exec", "host/a", {}, (), {})
    request = (await gate.submit(Submission(action, CLEAN))).request_id
    assert await book.deciders(request) == (), "nobody has linked an account"


async def test_all_arrive_within_the_limits_and_none_twice(line) -> None:
    """Three replicas, one channel that takes 7 messages a second and 60 in half a minute; two tries go wrong."""
    gate, fake, ahead, asker = line
    fake.limit = True
    fake.trouble["create"].extend([("status", 503), ("lost", None)])
    requests = []
    for number in range(70):
        action = Action(Actor(Kind.PERSON, asker), "shell.exec", "host/a", {"n": number}, (), {})
        requests.append((await gate.submit(Submission(action, CLEAN))).request_id)
    config = teams_config(TeamsSettings.model_validate(fake.settings()))
    api = TeamsApi(config, lambda: gate.store.clock_ms() / 1000)
    replicas = []
    for _ in range(3):
        sender = TeamsSender(config, api, Book(gate.store, config))
        replicas.append(Deliverer(gate.store, TeamsRoute(config), sender, str, "https://x.example"))

    def waiting(tx) -> bool:
        messages = tables.channel_messages.c
        return tx.execute(tables.channel_messages.select().where(messages.next_at.is_not(None))).first() is not None

    async with api:
        for _ in range(4000):
            if sum(await asyncio.gather(*(one.round() for one in replicas))):
                continue
            if not await gate.store.read(waiting):
                break
            ahead[0] += 100
    assert fake.limited == 0
    posted = [json.dumps(place[0]["activity"]) for place in fake.messages.values()]
    assert len(posted) == len(requests)
    assert all(sum(request in one for one in posted) == 1 for request in requests)
