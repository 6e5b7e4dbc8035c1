"""Reviewers from elsewhere: a plug-in says who is on call, and groups of its own name follow it.

A source is a plug-in of the entry point group `consentry.reviewers`. What it calls `payments` becomes the group
`SOURCE-payments`, which rules name like any other: `@review("group:oncall-payments")`. It can touch no group outside of
its own prefix, and every change is in the ledger. A membership counts for requests that are younger (threat A12).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from importlib.metadata import entry_points
from typing import Protocol, cast

from sqlalchemy import select

from consentry.channels.model import ChannelMisconfigured
from consentry.errors import ConsentryError
from consentry.identity import groups as membership
from consentry.identity import rows
from consentry.policy.emails import InvalidEmail, email_key
from consentry.server.logs import log
from consentry.store import Store, Tx, tables

ENTRY_POINTS = "consentry.reviewers"
TIMEOUT_S = 30


class ReviewerSource(Protocol):
    """Who may review now, as some schedule elsewhere says."""

    async def groups(self) -> Mapping[str, Collection[str]]:
        """The e-mail addresses of the people in each group, by its name without the source's prefix.

        Somebody who takes over can decide requests that are opened from then on: name them some time before.
        """


Factory = Callable[[Mapping[str, str]], ReviewerSource]
"""Makes a source from its `options` in the settings."""


def load(name: str, options: Mapping[str, str]) -> ReviewerSource:
    """The source of a plug-in. Raises `ChannelMisconfigured`."""
    found = [one for one in entry_points(group=ENTRY_POINTS) if one.name == name]
    if len(found) != 1:
        raise ChannelMisconfigured(f"`reviewers.{name}`: no installed package has one plug-in of this name")
    return cast(Factory, found[0].load())(options)


class Follower:
    """Keeps the groups of one source as it says. While it cannot be asked, they stay as they are."""

    def __init__(self, store: Store, name: str, source: ReviewerSource, every_ms: int) -> None:
        self._store = store
        self._name = name
        self._source = source
        self._every_ms = every_ms

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            try:
                await self.once()
            except Exception as error:  # a plug-in of somebody else may raise anything
                code = error.code if isinstance(error, ConsentryError) else type(error).__name__
                log(logging.WARNING, "reviewer_source_failed", source=self._name, error=code)
            await asyncio.sleep(self._every_ms / 1000)

    async def once(self) -> int:
        """Ask, and change what differs; how many memberships changed."""
        said = await asyncio.wait_for(self._source.groups(), TIMEOUT_S)
        wanted = {f"{self._name}-{group}": frozenset(people) for group, people in said.items()}
        if not await self._store.read(lambda tx: _differences(tx, self._name, wanted)):
            return 0
        return await self._store.write(lambda tx: _follow(tx, self._name, wanted))


def _follow(tx: Tx, name: str, wanted: Mapping[str, Collection[str]]) -> int:
    tx.roster_changed()
    changes = _differences(tx, name, wanted)
    for group, person, joins in changes:
        change = membership.join if joins else membership.leave
        change(tx, None, group, person, cause=f"source:{name}")
    return len(changes)


def _differences(tx: Tx, name: str, wanted: Mapping[str, Collection[str]]) -> list[tuple[str, str, bool]]:
    """(group, person, whether they join) for all that is not yet as the source says. Unknown addresses are nobody."""
    columns = tables.memberships.c
    query = select(columns.group_name, columns.person_id).where(
        columns.group_name.startswith(f"{name}-", autoescape=True)
    )
    now = {(str(row.group_name), str(row.person_id)) for row in tx.execute(query).all()}
    then = {(group, person) for group, people in wanted.items() for one in people if (person := _person(tx, one))}
    return [(*one, False) for one in sorted(now - then)] + [(*one, True) for one in sorted(then - now)]


def _person(tx: Tx, address: str) -> str | None:
    try:
        found = rows.find_person(tx, email_key(address))
    except InvalidEmail:
        return None
    return None if found is None or not found.active else found.id
