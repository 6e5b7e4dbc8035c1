"""Channels, wired: from their settings to what listens and sends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from consentry.channels.model import ChannelMisconfigured, target_of
from consentry.server.chat_mask import ChatMask
from consentry.server.logs import log

if TYPE_CHECKING:
    from consentry.channels.delivery import Deliverer
    from consentry.channels.digests import Digest
    from consentry.channels.email.config import EmailConfig
    from consentry.channels.slack.api import SlackApi
    from consentry.channels.slack.config import SlackConfig
    from consentry.channels.slack.receive import Receiver
    from consentry.consent.gate import Gate
    from consentry.server.channels_teams import Teams
    from consentry.server.metrics import Metrics
    from consentry.server.reviewer_sources import Follower
    from consentry.server.secrets import SecretRef
    from consentry.server.settings import Settings
    from consentry.server.settings_channels import ChannelSettings, DigestSettings, EmailSettings, SlackSettings

Run = Callable[[], Awaitable[None]]
PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Slack:
    """The Slack channel. `http` says whether callbacks come by HTTP; else they come over a socket."""

    config: SlackConfig
    receiver: Receiver
    http: bool


@dataclass(frozen=True, slots=True)
class Channels:
    """What is switched on. `run` goes on until it is cancelled."""

    slack: Slack | None = None
    teams: Teams | None = None
    parts: tuple[Run, ...] = ()

    async def run(self) -> None:
        """Send and listen until cancelled. Without channels there is nothing to do."""
        if self.parts:
            async with asyncio.TaskGroup() as group:
                for part in self.parts:
                    group.create_task(_running(part))


async def _running(part: Run) -> None:
    """A part that fails is started again: what is wanted stands in the store."""
    while True:
        try:
            await part()
        except Exception as error:
            log(logging.ERROR, "channel_failed", error=type(error).__name__)
            await asyncio.sleep(PAUSE_S)


def targets(settings: Settings) -> tuple[str, ...]:
    """The names under which the gate tells channels what happens."""
    on = settings.channels
    named = (("slack", on.slack), ("teams", on.teams), ("teams_webhook", on.teams_webhook), ("email", on.email))
    return tuple(target_of(name) for name, one in named if one is not None)


def open_channels(settings: Settings, gate: Gate, metrics: Metrics, origin: str) -> Channels:
    """The channels of the settings. Raises `ChannelMisconfigured` where one lacks what it needs."""
    slack, email = settings.channels.slack, settings.channels.email
    parts: list[Run] = [follower.run for follower in _followers(settings, gate)]
    mask = ChatMask()
    opened = None
    if slack is not None:
        opened, run = _slack(slack, gate, metrics, origin, mask)
        parts.append(run)
    if email is not None:
        parts.append(_email(email, gate, origin, mask).run)
    teams, told = _teams(settings.channels, gate, metrics, origin, mask)
    return Channels(opened, teams, (*parts, *told))


def _teams(
    settings: ChannelSettings, gate: Gate, metrics: Metrics, origin: str, mask: ChatMask
) -> tuple[Teams | None, list[Run]]:
    """The Teams channel, and what runs for it and for its webhook."""
    if settings.teams is None and settings.teams_webhook is None:
        return None, []
    from consentry.server.channels_teams import open_teams, open_webhook

    opened, parts = None, []

    def voted(verdict: str, channel: str) -> None:
        metrics.count("consentry_votes_total", verdict=verdict, channel=channel)

    if settings.teams is not None:
        opened, run = open_teams(settings.teams, gate, origin, mask, voted, _digests(settings.teams.digests))
        parts.append(run)
    if settings.teams_webhook is not None:
        parts.append(open_webhook(settings.teams_webhook, gate, origin, mask).run)
    return opened, parts


def _followers(settings: Settings, gate: Gate) -> list[Follower]:
    if not settings.reviewers:
        return []
    from consentry.server.reviewer_sources import Follower, load

    named = settings.reviewers.items()
    return [Follower(gate.store, name, load(name, one.options), one.every) for name, one in named]


def slack_config(settings: SlackSettings) -> SlackConfig:
    """What the settings say of Slack. Raises `ChannelMisconfigured`."""
    from consentry.channels.slack.config import SlackConfig

    if find_spec("slack_sdk") is None:
        raise ChannelMisconfigured("`channels.slack` needs `slack_sdk`: install `consentry[slack]`")
    needed = "signing_secret" if settings.mode == "http" else "app_token"
    for name in (needed, "bot_token"):
        if getattr(settings, name) is None:
            raise ChannelMisconfigured(f'`channels.slack.{name}` is missing: `mode = "{settings.mode}"` needs it')
    assert settings.bot_token is not None
    return SlackConfig(
        bot_token=settings.bot_token.reveal,
        channel=settings.channel,
        resources=settings.resources,
        groups=settings.groups,
        direct=settings.direct,
        signing_secret=_reveal(settings.signing_secret),
        app_token=_reveal(settings.app_token),
        api_url=settings.api_url,
    )


def _slack(settings: SlackSettings, gate: Gate, metrics: Metrics, origin: str, mask: ChatMask) -> tuple[Slack, Run]:
    from consentry.channels.deciding import Desk
    from consentry.channels.delivery import Deliverer
    from consentry.channels.slack import render
    from consentry.channels.slack.api import SlackApi
    from consentry.channels.slack.receive import Receiver
    from consentry.channels.slack.route import SlackRoute
    from consentry.channels.slack.send import SlackSender

    config = slack_config(settings)
    api = SlackApi(config)

    def voted(verdict: str, channel: str) -> None:
        metrics.count("consentry_votes_total", verdict=verdict, channel=channel)

    receiver = Receiver(Desk(gate, mask, origin, shows=render.fits, voted=voted), api)
    digests = _digests(settings.digests)
    deliverer = Deliverer(gate.store, SlackRoute(config), SlackSender(api), mask, origin, digests=digests)
    http = settings.mode == "http"
    return Slack(config, receiver, http), lambda: _run_slack(config, api, receiver, deliverer, http)


async def _run_slack(config: SlackConfig, api: SlackApi, receiver: Receiver, deliverer: Deliverer, http: bool) -> None:
    async with api, asyncio.TaskGroup() as group:
        group.create_task(deliverer.run())
        if not http:
            from consentry.channels.slack.socket import listen

            group.create_task(listen(config, api, receiver))


def _email(settings: EmailSettings, gate: Gate, origin: str, mask: ChatMask) -> Deliverer:
    from consentry.channels.delivery import Deliverer
    from consentry.channels.email.route import EmailRoute
    from consentry.channels.email.send import EmailSender

    config = _email_config(settings)

    async def find(person: str) -> str | None:
        roster = await gate.roster()
        found = roster.persons.get(roster.canonical(person))
        return found.email if found is not None and found.active else None

    digests = _digests(settings.digests)
    return Deliverer(gate.store, EmailRoute(), EmailSender(config, find), mask, origin, digests=digests)


def _digests(settings: Sequence[DigestSettings]) -> tuple[Digest, ...]:
    from consentry.channels.digests import Digest

    return tuple(Digest(one.every, one.rules, one.resources) for one in settings)


def _email_config(settings: EmailSettings) -> EmailConfig:
    """What the settings say of e-mail. Raises `ChannelMisconfigured`, `InvalidAddress`."""
    from consentry.channels.email.config import EmailConfig
    from consentry.channels.email.render import address

    address(settings.sender)
    if settings.security == "none" and settings.username is not None:
        raise ChannelMisconfigured('`channels.email.security = "none"` would send the password in the clear')
    return EmailConfig(
        host=settings.host,
        sender=settings.sender,
        port=settings.port,
        security=settings.security,
        ca=settings.ca,
        username=settings.username,
        password=_reveal(settings.password),
    )


def _reveal(secret: SecretRef | None) -> Callable[[], str] | None:
    return None if secret is None else secret.reveal


async def check_slack(settings: SlackSettings) -> str:
    """Who the bot is, as Slack says. Raises what sending raises: what `doctor` looks at."""
    from consentry.channels.slack.api import SlackApi

    async with SlackApi(slack_config(settings)) as api:
        answer = await api.call("auth.test")
    return f"{answer.get('user', 'a bot')} in {answer.get('team', 'a team')}"


async def check_email(settings: EmailSettings) -> None:
    """Whether the mail server lets us in. Raises what sending raises."""
    from consentry.channels.email.send import check

    await check(_email_config(settings))
