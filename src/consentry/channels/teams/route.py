"""Which channels and people in Teams hear of a request."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from sqlalchemy import select

from consentry.channels.rows import chat_users
from consentry.channels.teams.config import TeamsConfig
from consentry.store import Tx, tables

USER = "user:"
"""A target that is a person's chat with the bot: `user:` and their id in Entra ID."""

_P = tables.channel_places.c


class TeamsRoute:
    """Channels of the resource and of the groups that are asked, the default where there is none; people as set.

    Only people with whom the bot has a chat can be written to: it may not begin one.
    """

    channel = "teams"
    editable = True

    def __init__(self, config: TeamsConfig) -> None:
        self._config = config

    def reviewers(self, tx: Tx, resource: str, groups: Sequence[str], persons: frozenset[str]) -> Sequence[str]:
        places = channels_for(self._config, resource, groups)
        return (*places, *self.requesters(tx, persons)) if self._config.direct else places

    def requesters(self, tx: Tx, persons: frozenset[str]) -> Sequence[str]:
        linked = [user for _, user in chat_users(tx, self.channel, persons, self._config.tenant)]
        query = select(_P.subject).where(
            _P.channel == self.channel, _P.issuer == self._config.tenant, _P.subject.in_(linked)
        )
        known = {str(one) for one in tx.execute(query).scalars()}
        return [USER + user for user in linked if user in known]


def channels_for(config: TeamsConfig, resource: str, groups: Sequence[str]) -> tuple[str, ...]:
    """The channels of a resource and of groups of reviewers, each once; the default where there is none."""
    found = [place.channel for pattern, place in config.resources.items() if fnmatchcase(resource, pattern)]
    found += [config.groups[name].channel for name in groups if name in config.groups]
    if not found and config.channel is not None:
        found.append(config.channel.channel)
    return tuple(dict.fromkeys(found))
