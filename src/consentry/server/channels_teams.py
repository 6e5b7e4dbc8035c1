"""The Teams channel and its webhook, wired: from their settings to what listens and sends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from consentry.channels.model import ChannelMisconfigured
from consentry.server.chat_mask import ChatMask

if TYPE_CHECKING:
    from consentry.channels.delivery import Deliverer
    from consentry.channels.digests import Digest
    from consentry.channels.teams.api import TeamsApi
    from consentry.channels.teams.config import TeamsConfig
    from consentry.channels.teams.receive import Receiver
    from consentry.channels.teams.verify import Verifier
    from consentry.consent.gate import Gate
    from consentry.server.settings_channels import TeamsSettings, TeamsWebhookSettings

Run = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Teams:
    """The Teams channel: who checks that the Bot Framework calls, and who answers it."""

    verifier: Verifier
    receiver: Receiver


def teams_config(settings: TeamsSettings) -> TeamsConfig:
    """What the settings say of Teams. Raises `ChannelMisconfigured`, `UnsafeAddress`."""
    from consentry.channels.teams.config import TeamsConfig, guid, place
    from consentry.identity.oidc_http import require_safe

    where = "channels.teams"
    for url in (settings.login_url, settings.openid_url, settings.service_url, settings.graph_url):
        require_safe(url)
    if settings.channel is None and not (settings.resources or settings.groups or settings.direct):
        raise ChannelMisconfigured(f"`{where}` asks nobody: set `channel`, or `direct = true`")
    return TeamsConfig(
        app_id=guid(settings.app_id, f"{where}.app_id"),
        password=settings.app_password.reveal,
        tenant=guid(settings.tenant, f"{where}.tenant"),
        channel=None if settings.channel is None else place(settings.channel, f"{where}.channel"),
        resources={name: place(text, f"{where}.resources.{name}") for name, text in settings.resources.items()},
        groups={name: place(text, f"{where}.groups.{name}") for name, text in settings.groups.items()},
        direct=settings.direct,
        login_url=settings.login_url,
        openid_url=settings.openid_url,
        service_url=settings.service_url,
        graph_url=settings.graph_url,
    )


def open_teams(
    settings: TeamsSettings,
    gate: Gate,
    origin: str,
    mask: ChatMask,
    voted: Callable[[str, str], None],
    digests: Sequence[Digest] = (),
) -> tuple[Teams, Run]:
    """The channel and what it does until it is cancelled. Raises `ChannelMisconfigured`."""
    from consentry.channels.deciding import Desk
    from consentry.channels.delivery import Deliverer
    from consentry.channels.teams import render
    from consentry.channels.teams.api import TeamsApi
    from consentry.channels.teams.book import Book
    from consentry.channels.teams.receive import Receiver
    from consentry.channels.teams.route import TeamsRoute
    from consentry.channels.teams.send import TeamsSender
    from consentry.channels.teams.verify import Verifier
    from consentry.identity.oidc_http import Outside

    def clock_s() -> float:
        return gate.store.clock_ms() / 1000

    config = teams_config(settings)
    api, book, outside = TeamsApi(config, clock_s), Book(gate.store, config), Outside()
    receiver = Receiver(config, Desk(gate, mask, origin, shows=render.fits, voted=voted), api, book)
    sender = TeamsSender(config, api, book)
    deliverer = Deliverer(gate.store, TeamsRoute(config), sender, mask, origin, digests=digests)
    verifier = Verifier(config.app_id, config.openid_url, outside, clock_s)

    async def run() -> None:
        try:
            await _run(api, deliverer)
        finally:
            await asyncio.shield(outside.close())

    return Teams(verifier, receiver), run


async def _run(api: TeamsApi, deliverer: Deliverer) -> None:
    async with api:
        await deliverer.run()


def open_webhook(settings: TeamsWebhookSettings, gate: Gate, origin: str, mask: ChatMask) -> Deliverer:
    """What tells a Teams channel by a workflow."""
    from consentry.channels.delivery import Deliverer
    from consentry.channels.teams_webhook.route import WebhookRoute
    from consentry.channels.teams_webhook.send import WebhookSender

    return Deliverer(gate.store, WebhookRoute(), WebhookSender(settings.url.reveal), mask, origin)


async def check_teams(settings: TeamsSettings) -> str:
    """Whether the bot can sign in, and whether the keys of the Bot Framework can be read: what `doctor` looks at.

    Raises what sending raises.
    """
    import time

    from consentry.channels.teams.api import BOT, TeamsApi
    from consentry.channels.teams.verify import Verifier
    from consentry.identity.oidc_http import Outside

    config, outside = teams_config(settings), Outside()
    try:
        async with TeamsApi(config, time.time) as api:
            await api.token(BOT)
        keys = await Verifier(config.app_id, config.openid_url, outside, time.time).check()
    finally:
        await outside.close()
    if not keys:
        raise ChannelMisconfigured("the Bot Framework names no key for Teams: look at `channels.teams.openid_url`")
    return f"the bot signs in, and callbacks are checked by {keys} keys"
