"""Settings to channels: what is missing is named, and `doctor` asks the provider."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from consentry.channels.model import ChannelMisconfigured
from consentry.cli.checkup import Grade, look
from consentry.server.channels import slack_config, targets
from consentry.server.settings import Settings
from consentry.server.settings_channels import SlackSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        ({"bot_token": "env:X"}, "signing_secret"),
        ({"signing_secret": "env:X"}, "bot_token"),
        ({"mode": "socket", "bot_token": "env:X"}, "app_token"),
    ],
)
async def test_what_a_mode_needs_is_named(told, missing) -> None:
    with pytest.raises(ChannelMisconfigured, match=missing):
        slack_config(SlackSettings.model_validate(told))


async def test_only_channels_that_are_switched_on_are_told() -> None:
    assert targets(Settings()) == ()
    mail = {"host": "mail.example.com", "sender": "consentry@example.com"}
    slack = {"bot_token": "env:X", "signing_secret": "env:Y"}
    both = Settings.model_validate({"channels": {"slack": slack, "email": mail}})
    assert targets(both) == ("channel:slack", "channel:email")


async def _doctor(tmp_path, fake) -> list:
    config = tmp_path / "consentry.toml"
    config.write_text(
        f'[channels.slack]\nsigning_secret = "env:TEST_SLACK_SIGNING"\nbot_token = "env:TEST_SLACK_BOT"\n'
        f'api_url = "{fake.url}"\n'
    )
    found = await asyncio.to_thread(look, config, tmp_path / "data")
    return [one for one in found if one.part == "channels"]


async def test_doctor_asks_slack_who_the_bot_is(tmp_path, fake, patch) -> None:
    found = await _doctor(tmp_path, fake)
    assert [one.text for one in found if "answers" in one.text] == ["slack answers: consentry in Example"]


async def test_doctor_says_that_the_token_is_wrong(tmp_path, fake, patch) -> None:
    fake.trouble["auth.test"].append(("error", "invalid_auth"))
    (broken,) = [one for one in await _doctor(tmp_path, fake) if one.grade is Grade.BROKEN]
    assert "invalid_auth" in broken.text
    assert "xoxb" not in broken.text


@pytest.mark.parametrize("mode", ["http", "socket"])
async def test_the_manifests_name_exactly_what_is_used(mode) -> None:
    """Scopes by the methods that are called, the command, and how callbacks come."""
    manifest = json.loads((DOCS / f"slack-manifest-{mode}.json").read_text("utf-8"))
    source = "".join(path.read_text("utf-8") for path in (ROOT / "src/consentry/channels/slack").glob("*.py"))
    scopes = {
        "chat:write": "chat.postMessage",
        "commands": "commands",
        "im:write": "conversations.open",
        "channels:read": "conversations.list",
        "groups:read": "private_channel",
        "channels:history": "conversations.history",
        "groups:history": "conversations.replies",
        "im:history": "conversations.replies",
    }
    assert all(method in source for method in scopes.values())
    assert "users.info" not in source  # what Slack says of a user is not believed, so it is not asked
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == set(scopes)
    assert [one["command"] for one in manifest["features"]["slash_commands"]] == ["/consentry"]
    settings = manifest["settings"]
    assert settings["socket_mode_enabled"] is (mode == "socket")
    assert settings["interactivity"]["is_enabled"]
    if mode == "http":
        assert settings["interactivity"]["request_url"].endswith("/channels/slack/interactions")
        assert manifest["features"]["slash_commands"][0]["url"].endswith("/channels/slack/commands")
    else:
        assert "request_url" not in settings["interactivity"]


@pytest.mark.parametrize("name", ["slack.md", "email.md"])
async def test_the_settings_that_are_shown_are_settings(name) -> None:
    import re
    import tomllib

    shown = re.findall(r"```toml\n(.*?)```", (DOCS / name).read_text("utf-8"), re.DOTALL)
    assert shown
    for text in shown:
        Settings.model_validate(tomllib.loads(text))
