"""Which Slack channels and people hear of a request."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from consentry.channels.rows import chat_users
from consentry.channels.slack.config import SlackConfig
from consentry.store import Tx

USER = "user:"
"""A target that is a person's direct messages: `user:U0123`."""


class SlackRoute:
    """Channels of the resource and of the groups that are asked, the default where there is none; people as set."""

    channel = "slack"
    editable = True

    def __init__(self, config: SlackConfig) -> None:
        self._config = config

    def reviewers(self, tx: Tx, resource: str, groups: Sequence[str], persons: frozenset[str]) -> Sequence[str]:
        places = channels_for(self._config, resource, groups)
        if not self._config.direct:
            return places
        return (*places, *(USER + user for _, user in chat_users(tx, self.channel, persons)))

    def requesters(self, tx: Tx, persons: frozenset[str]) -> Sequence[str]:
        return [USER + user for _, user in chat_users(tx, self.channel, persons)]


def channels_for(config: SlackConfig, resource: str, groups: Sequence[str]) -> tuple[str, ...]:
    """The channels of a resource and of groups of reviewers, each once; the default where there is none."""
    found = [place for pattern, place in config.resources.items() if fnmatchcase(resource, pattern)]
    found += [config.groups[name] for name in groups if name in config.groups]
    return tuple(dict.fromkeys(found)) or (config.channel,)
