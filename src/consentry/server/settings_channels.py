"""The tables of the settings file that are about reaching people: channels, reviewers and webhooks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from consentry.server.secrets import SecretRef
from consentry.server.settings_section import Duration, Section


class DigestSettings(Section):
    """Requests of low risk that are collected into one message for a place, instead of one each."""

    rules: tuple[str, ...] = ("*",)
    """The rules, by id or pattern; every rule that asks must be among them, else the request is sent at once."""
    resources: tuple[str, ...] = ("*",)
    """The resources, by name or pattern."""
    every: Duration = Field(default="15m")  # type: ignore[assignment]
    """How long the first of a list waits. What would expire within five minutes of its list is sent at once."""

    @model_validator(mode="after")
    def _some(self) -> DigestSettings:
        if self.rules == ("*",) and self.resources == ("*",):
            raise ValueError("a digest names the `rules` or the `resources` whose requests may wait")
        return self


class SlackSettings(Section):
    """Decisions in Slack."""

    mode: Literal["http", "socket"] = "http"
    """How Slack reaches the server."""
    signing_secret: SecretRef | None = None
    """By reference."""
    bot_token: SecretRef | None = None
    """By reference."""
    app_token: SecretRef | None = None
    """By reference; for `socket`."""
    channel: str = "#approvals"
    """Where requests are posted that no other setting has a place for."""
    resources: dict[str, str] = {}
    """Channels of resources, by name or pattern: `"crm" = "#crm-approvals"`, `"vault/*" = "C0123ABC"`."""
    groups: dict[str, str] = {}
    """Channels of groups of reviewers: `data-stewards = "#stewards"`."""
    direct: bool = False
    """Whether each linked person who may decide also gets a direct message."""
    digests: tuple[DigestSettings, ...] = ()
    """Which requests are listed together instead of one by one; the first that fits holds."""
    api_url: str = "https://slack.com/api/"
    """The address of the Web API."""


class EmailSettings(Section):
    """E-mails that tell reviewers where to decide. Nobody decides by e-mail."""

    host: str
    """The SMTP server."""
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    """Its port."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """`starttls` and `tls` refuse to send in the clear; `none` is for a server on the loopback."""
    ca: Path | None = None
    """The PEM file of the authorities to believe, where they are not the system's."""
    username: str | None = None
    """The account at the server."""
    password: SecretRef | None = None
    """Its password, by reference."""
    sender: str
    """The address that e-mails are from: `Consentry <consentry@example.com>`."""
    digests: tuple[DigestSettings, ...] = ()
    """Which requests are listed together instead of one by one; the first that fits holds."""


class TeamsSettings(Section):
    """Decisions in Microsoft Teams."""

    app_id: str
    """The bot's application (client) id."""
    app_password: SecretRef
    """Its client secret, by reference."""
    tenant: str
    """The directory (tenant) id whose people decide; nobody else's activities are taken."""
    channel: str | None = None
    """Where requests go that no other setting has a place for: a channel's link, or its id `19:…@thread.tacv2`."""
    resources: dict[str, str] = {}
    """Channels of resources, by name or pattern: `"vault/*" = "https://teams.microsoft.com/l/channel/…"`."""
    groups: dict[str, str] = {}
    """Channels of groups of reviewers: `data-stewards = "19:…@thread.tacv2"`."""
    direct: bool = False
    """Whether each linked person who may decide is also asked in their chat with the bot."""
    digests: tuple[DigestSettings, ...] = ()
    """Which requests are listed together instead of one by one; the first that fits holds."""
    login_url: str = "https://login.microsoftonline.com"
    """Where the bot signs in."""
    openid_url: str = "https://login.botframework.com/v1/.well-known/openidconfiguration"
    """Where the Bot Framework says what its keys are."""
    service_url: str = "https://smba.trafficmanager.net/teams"
    """The service that messages are sent by, until Teams has told of another."""
    graph_url: str = "https://graph.microsoft.com"
    """Where a message is looked for whose answer was lost."""


class TeamsWebhookSettings(Section):
    """Notes in a Teams channel by a Workflows webhook, with a link. Nobody decides there."""

    url: SecretRef
    """The address that the workflow was given, by reference: whoever knows it can post."""


class ChannelSettings(Section):
    """Places where people decide, besides the web and the command line."""

    slack: SlackSettings | None = None
    teams: TeamsSettings | None = None
    teams_webhook: TeamsWebhookSettings | None = None
    email: EmailSettings | None = None


class ReviewerSettings(Section):
    """A plug-in that says who reviews now, such as an on-call schedule."""

    every: Duration = Field(default="60s")  # type: ignore[assignment]
    """How often it is asked."""
    options: dict[str, str] = {}
    """What it is told; each plug-in says what it takes."""


class WebhookSettings(Section):
    """One receiver of notifications."""

    url: str
    """Where events are posted."""
    secret: SecretRef
    """The key of the signature, by reference: `env:NAME`."""
    events: tuple[str, ...] = ("request.*", "grant.*", "claim.*", "standing.*", "breakglass.*")
    """Which event types, as exact names or `noun.*`."""

    @model_validator(mode="after")
    def _http(self) -> WebhookSettings:
        if not self.url.startswith(("http://", "https://")):
            raise ValueError("`url` must begin with `https://` or `http://`")
        return self
