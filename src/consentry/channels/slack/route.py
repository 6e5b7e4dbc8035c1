"""Which Slack channels and people hear of a request."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from consentry.channels.rows import chat_users
from consentry.channels.slack.config import SlackConfig
from consentry.consent.model import Request
from consentry.policy.model import Roster
from consentry.store import Tx

USER = "user:"
"""A target that is a person's direct messages: `user:U0123`."""


class SlackRoute:
    """Channels of the resource and of the groups that are asked, the default where there is none; people as set."""

    channel = "slack"
    editable = True

    def __init__(self, config: SlackConfig) -> None:
        self._config = config

    def reviewers(self, tx: Tx, request: Request, roster: Roster, persons: frozenset[str]) -> Sequence[str]:
        places = channels_for(self._config, request.action.resource, _groups(request))
        if not self._config.direct:
            return places
        return (*places, *(USER + user for _, user in chat_users(tx, self.channel, persons)))

    def requesters(self, tx: Tx, request: Request, roster: Roster) -> Sequence[str]:
        persons = frozenset(roster.canonical(person) for person in request.action.actor.persons())
        return [USER + user for _, user in chat_users(tx, self.channel, persons)]


def channels_for(config: SlackConfig, resource: str, groups: Sequence[str]) -> tuple[str, ...]:
    """The channels of a resource and of groups of reviewers, each once; the default where there is none."""
    found = [place for pattern, place in config.resources.items() if fnmatchcase(resource, pattern)]
    found += [config.groups[name] for name in groups if name in config.groups]
    return tuple(dict.fromkeys(found)) or (config.channel,)


def _groups(request: Request) -> list[str]:
    stage = request.obligations.stages[request.stage]
    asked = list(stage.reviewers)
    if request.escalated_at_ms is not None and stage.escalation is not None:
        asked.append(stage.escalation.widen_to)
    return [name.removeprefix("group:") for name in asked if name.startswith("group:")]
