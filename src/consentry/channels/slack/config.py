"""What the Slack channel is told by the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Secret = Callable[[], str]
"""Reads a secret when it is needed; raises a `ConsentryError` where it cannot be read."""


@dataclass(frozen=True, slots=True)
class SlackConfig:
    """`resources` and `groups` name channels for resources (by pattern) and for groups of reviewers."""

    bot_token: Secret
    channel: str = "#approvals"
    resources: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    direct: bool = False
    signing_secret: Secret | None = None
    app_token: Secret | None = None
    api_url: str = "https://slack.com/api/"
