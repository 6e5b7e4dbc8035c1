"""Settings to the Teams channel: what is missing is named, `doctor` asks, and the app's manifest says what is used."""

from __future__ import annotations

import asyncio
import json
import re
import struct
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from consentry.channels.model import ChannelMisconfigured
from consentry.channels.teams import verify
from consentry.channels.teams.config import Place, TeamsConfig, place
from consentry.channels.teams.route import channels_for
from consentry.channels.teams.send import TeamsSender
from consentry.cli.checkup import Grade, look
from consentry.identity.oidc_http import UnsafeAddress
from consentry.server.channels import targets
from consentry.server.channels_teams import teams_config
from consentry.server.settings import Settings
from consentry.server.settings_channels import TeamsSettings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
TEAM = "16fd2706-8baf-433b-82eb-8c7fada847da"
TOLD = {"app_id": GUID, "app_password": "env:TEST_TEAMS_PASSWORD", "tenant": GUID, "channel": "19:a@thread.tacv2"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("19:0a_b-C.d@thread.tacv2", Place("19:0a_b-C.d@thread.tacv2")),
        ("19:x@thread.skype", Place("19:x@thread.skype")),
        (
            f"https://teams.microsoft.com/l/channel/19%3Axyz%40thread.tacv2/My%20approvals?groupId={TEAM}&tenantId={GUID}",
            Place("19:xyz@thread.tacv2", TEAM),
        ),
        ("https://teams.microsoft.com/l/channel/19%3Axyz%40thread.tacv2/x", Place("19:xyz@thread.tacv2")),
    ],
)
def test_a_channel_is_named_by_its_link_or_id(text, found) -> None:
    assert place(text, "x") == found


@pytest.mark.parametrize("text", ["", "#approvals", "Approvals", "19:a@unq.gbl.spaces", "https://teams.microsoft.com/l/team/x",
                                  "19:a@thread.tacv2/../v3", "19:a@thread.tacv2;messageid=1"])  # fmt: skip
def test_what_is_no_channel_is_refused_by_name(text) -> None:
    with pytest.raises(ChannelMisconfigured, match=r"channels\.teams\.channel"):
        teams_config(TeamsSettings.model_validate({**TOLD, "channel": text}))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"app_id": "consentry"}, "app_id"),
        ({"tenant": "example.onmicrosoft.com"}, "tenant"),
        ({"tenant": ""}, "tenant"),
        ({"channel": None}, "channel"),
        ({"groups": {"stewards": "x"}}, "groups.stewards"),
    ],
)
def test_what_is_wrong_is_named(change, named) -> None:
    with pytest.raises(ChannelMisconfigured, match=named):
        teams_config(TeamsSettings.model_validate({**TOLD, **change}))


@pytest.mark.parametrize("name", ["login_url", "openid_url", "service_url", "graph_url"])
def test_nothing_is_spoken_to_in_the_clear(name) -> None:
    with pytest.raises(UnsafeAddress):
        teams_config(TeamsSettings.model_validate({**TOLD, name: "http://teams.example.com/x"}))


def test_ids_are_kept_in_one_spelling() -> None:
    assert (
        teams_config(TeamsSettings.model_validate({**TOLD, "app_id": GUID.upper(), "tenant": GUID.upper()})).app_id
        == GUID
    )


def test_only_channels_that_are_switched_on_are_told() -> None:
    hook = {"url": "env:X"}
    both = Settings.model_validate({"channels": {"teams": TOLD, "teams_webhook": hook}})
    assert targets(both) == ("channel:teams", "channel:teams_webhook")


@pytest.mark.parametrize(
    ("resource", "groups", "places"),
    [
        ("db/crm", [], ("19:db@thread.tacv2",)),
        ("host/a", [], ("19:all@thread.tacv2",)),
        ("host/a", ["admins"], ("19:admins@thread.tacv2",)),
        ("db/crm", ["admins", "none"], ("19:db@thread.tacv2", "19:admins@thread.tacv2")),
    ],
)
def test_places_of_resources_and_groups(resource, groups, places) -> None:
    config = TeamsConfig(
        GUID, str, GUID, Place("19:all@thread.tacv2"), {"db/*": Place("19:db@thread.tacv2", TEAM)},
        {"admins": Place("19:admins@thread.tacv2")},
    )  # fmt: skip
    assert channels_for(config, resource, groups) == places
    assert channels_for(TeamsConfig(GUID, str, GUID, direct=True), resource, groups) == ()
    assert config.team_of("19:db@thread.tacv2") == TEAM
    assert config.team_of("19:all@thread.tacv2") is None


def test_the_pace_is_within_what_teams_takes() -> None:
    """To one conversation: 7 in a second, 8 in two, 60 in half a minute."""
    for most, seconds in ((7, 1), (8, 2), (60, 30)):
        assert seconds * 1000 / TeamsSender.gap_ms <= most


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://smba.example/teams/", "https://smba.example/teams", True),
        ("https://smba.example/teams", "https://smba.example/amer", False),
        ("https://smba.example.evil/teams", "https://smba.example/teams", False),
        ("", "", False),
        ("/", "", False),
    ],
)
def test_services_are_compared_exactly(one, other, same) -> None:
    assert verify.same_service(one, other) is same


@pytest.mark.asyncio(loop_scope="module")
class TestDoctor:
    async def _doctor(self, tmp_path, fake, **change) -> list:
        told = {**fake.settings(), **change}
        lines = [f"{name} = {json.dumps(value)}" for name, value in told.items()]
        config = tmp_path / "consentry.toml"
        config.write_text("[channels.teams]\n" + "\n".join(lines))
        found = await asyncio.to_thread(look, config, tmp_path / "data")
        return [one for one in found if one.part == "channels"]

    async def test_it_signs_in_and_reads_the_keys(self, tmp_path, fake_teams) -> None:
        found = await self._doctor(tmp_path, fake_teams)
        assert "teams answers: the bot signs in, and callbacks are checked by 1 keys" in [one.text for one in found]
        assert not [one for one in found if one.grade is Grade.BROKEN]

    async def test_it_says_that_the_secret_is_wrong_and_not_what_it_is(self, tmp_path, fake_teams, patch) -> None:
        patch.setenv("TEST_TEAMS_WRONG", "not-the-secret")
        found = await self._doctor(tmp_path, fake_teams, app_password="env:TEST_TEAMS_WRONG")
        (broken,) = [one for one in found if one.grade is Grade.BROKEN]
        assert "invalid_client" in broken.text
        assert "not-the-secret" not in broken.text

    async def test_it_says_that_there_is_no_key_for_teams(self, tmp_path, fake_teams, monkeypatch) -> None:
        monkeypatch.setattr(fake_teams, "keys", [(key, ["webchat"]) for key, _ in fake_teams.keys])
        (broken,) = [one for one in await self._doctor(tmp_path, fake_teams) if one.grade is Grade.BROKEN]
        assert "no key for Teams" in broken.text


def test_the_manifest_says_exactly_what_is_used() -> None:
    """Lengths and forms are those of the manifest's schema; what is asked for is what the code asks for."""
    manifest = json.loads((DOCS / "teams-manifest.json").read_text("utf-8"))
    assert len(manifest["name"]["short"]) <= 30
    assert len(manifest["name"]["full"]) <= 100
    assert len(manifest["description"]["short"]) <= 80
    assert len(manifest["description"]["full"]) <= 4000
    assert len(manifest["developer"]["name"]) <= 32
    assert re.fullmatch(r"#[0-9A-F]{6}", manifest["accentColor"])
    assert re.fullmatch(r"\d+\.\d+\.\d+", manifest["version"])
    assert manifest["manifestVersion"] in manifest["$schema"]
    assert all(url.startswith("https://") for name, url in manifest["developer"].items() if name.endswith("Url"))
    (bot,) = manifest["bots"]
    assert bot["botId"] == manifest["id"] == manifest["webApplicationInfo"]["id"]
    assert bot["scopes"] == ["personal", "team"]
    source = (ROOT / "src/consentry/channels/teams/receive.py").read_text("utf-8")
    (commands,) = bot["commandLists"]
    assert {one["title"] for one in commands["commands"]} == set(re.findall(r'word == "(\w+)"', source))
    assert all(len(one["title"]) <= 32 and len(one["description"]) <= 128 for one in commands["commands"])
    asked = manifest["authorization"]["permissions"]["resourceSpecific"]
    assert asked == [{"name": "ChannelMessage.Read.Group", "type": "Application"}]
    assert "ChannelMessage.Read.Group" in (ROOT / "src/consentry/channels/teams/send.py").read_text("utf-8")


@pytest.mark.parametrize(("icon", "side"), [("color", 192), ("outline", 32)])
def test_the_icons_have_the_size_that_teams_takes(icon, side) -> None:
    manifest = json.loads((DOCS / "teams-manifest.json").read_text("utf-8"))
    head = (DOCS / manifest["icons"][icon]).read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == (side, side)


def test_the_settings_that_are_shown_are_settings() -> None:
    shown = re.findall(r"```toml\n(.*?)```", (DOCS / "teams.md").read_text("utf-8"), re.DOTALL)
    assert len(shown) == 3
    for text in shown:
        found = Settings.model_validate(tomllib.loads(text))
        if found.channels.teams is not None and "…" not in text:
            teams_config(found.channels.teams)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_a_digest_of_the_settings_takes_waits_for_its_list(
    fake_teams, teams_module, start_house, tmp_path
) -> None:
    digests = [{"rules": ["releasers-decide"], "every": "5m"}]  # before anybody is reminded, after ten minutes
    told = SimpleNamespace(kind="teams", issuer=teams_module.TENANT, subject=teams_module.who)
    settings = fake_teams.settings(digests=digests)
    async with start_house(tmp_path, fake_teams, chat=told, teams=settings) as house:
        waits, alone = await house.ask(), await house.ask("terraform.apply")
        await house.until(lambda: fake_teams.find(alone))
        assert fake_teams.find(waits) is None
        house.clock.ahead_ms += 6 * 60_000
        message = await house.until(lambda: fake_teams.find(waits))
        assert "1 of 1 waiting" in fake_teams.words(fake_teams.card(message))
        assert fake_teams.buttons(fake_teams.card(message)) == {}
