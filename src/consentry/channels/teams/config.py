"""What the Teams channel is told by the settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote, urlsplit

from consentry.channels.model import ChannelMisconfigured

Secret = Callable[[], str]
"""Reads a secret when it is needed; raises a `ConsentryError` where it cannot be read."""

GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""How Microsoft Entra ID names apps, tenants and users, in lower case: one spelling of each."""

_THREAD = re.compile(r"19:[A-Za-z0-9_.-]{1,200}@thread\.[a-z0-9]{1,20}")


@dataclass(frozen=True, slots=True)
class Place:
    """A channel of a team. `team` is the id of the team's group, without which messages cannot be looked for."""

    channel: str
    team: str | None = None


@dataclass(frozen=True, slots=True)
class TeamsConfig:
    """`resources` and `groups` name channels for resources (by pattern) and for groups of reviewers."""

    app_id: str
    password: Secret
    tenant: str
    channel: Place | None = None
    resources: Mapping[str, Place] = field(default_factory=dict)
    groups: Mapping[str, Place] = field(default_factory=dict)
    direct: bool = False
    login_url: str = "https://login.microsoftonline.com"
    openid_url: str = "https://login.botframework.com/v1/.well-known/openidconfiguration"
    service_url: str = "https://smba.trafficmanager.net/teams"
    graph_url: str = "https://graph.microsoft.com"

    @property
    def bot(self) -> str:
        """What Teams calls the bot among the members of a conversation."""
        return f"28:{self.app_id}"

    def team_of(self, channel: str) -> str | None:
        """The team of a channel, where the settings say it."""
        places = (self.channel, *self.resources.values(), *self.groups.values())
        return next((one.team for one in places if one is not None and one.channel == channel and one.team), None)


def guid(text: str, name: str) -> str:
    """An id of Entra ID in lower case. Raises `ChannelMisconfigured`, which names the setting."""
    found = text.strip().lower()
    if GUID.fullmatch(found) is None:
        raise ChannelMisconfigured(f"`{name}` must be an id such as `0f8fad5b-d9cb-469f-a165-70867728950e`")
    return found


def place(text: str, name: str) -> Place:
    """A channel by its id, or by the link that *Get link to channel* gives. Raises `ChannelMisconfigured`."""
    if text.startswith("https://"):
        parts = urlsplit(text)
        ids = [unquote(part) for part in parts.path.split("/")]
        channel = next((one for one in ids if _THREAD.fullmatch(one)), None)
        team = parse_qs(parts.query).get("groupId", [""])[0].lower()
        if channel is not None:
            return Place(channel, team if GUID.fullmatch(team) else None)
    elif _THREAD.fullmatch(text):
        return Place(text)
    raise ChannelMisconfigured(
        f"`{name}` must be a channel's link (*Get link to channel*) or its id, `19:…@thread.tacv2`"
    )
