"""Groups that follow a schedule elsewhere, and nothing else that does."""

from __future__ import annotations

import pytest

from consentry.channels.model import ChannelMisconfigured
from consentry.server import reviewer_sources
from consentry.server.reviewer_sources import Follower, load


class Schedule:
    """A plug-in whose answer the test changes."""

    def __init__(self, **groups: list[str]) -> None:
        self.now = groups

    async def groups(self):
        if self.now is None:
            raise OSError("the schedule is down")
        return self.now


async def test_groups_follow_their_source_and_the_ledger_says_so(server) -> None:
    ada, ben = await server.person("ada@example.org"), await server.person("ben@example.org", "oncalls")
    gate, directory = server.services.gate, server.services.directory
    schedule = Schedule(payments=["ADA@example.org", "nobody@example.org", "no address"])
    follower = Follower(gate.store, "oncall", schedule, 1000)
    assert await follower.once() == 1
    assert await follower.once() == 0
    assert (await gate.roster()).members("group:oncall-payments") == {ada.id}
    schedule.now = {"payments": ["ben@example.org"], "search": ["ada@example.org"]}
    assert await follower.once() == 3
    roster = await gate.roster()
    assert roster.members("group:oncall-payments") == {ben.id}
    assert roster.members("group:oncall-search") == {ada.id}
    schedule.now = None
    with pytest.raises(OSError, match="down"):
        await follower.once()
    assert (await gate.roster()).members("group:oncall-payments") == {ben.id}
    await directory.disable(None, ben.id)
    schedule.now = {"payments": ["ben@example.org"]}
    await follower.once()
    roster = await gate.roster()
    assert roster.members("group:oncall-payments") == set()
    assert roster.members("group:oncalls") == set()  # disabled, and still in the group that is not the source's
    assert "oncalls" in {one.group for one in await directory.memberships()}


async def test_a_source_reaches_no_group_but_its_own(server) -> None:
    ada = await server.person("ada@example.org")
    follower = Follower(server.services.gate.store, "oncall", Schedule(admins=["ada@example.org"]), 1000)
    await follower.once()
    roster = await server.services.gate.roster()
    assert roster.groups_of(ada.id) == {"oncall-admins"}


async def test_a12_who_is_on_call_since_later_does_not_decide_what_is_older(server) -> None:
    ada, cho = await server.person("ada@example.org"), await server.person("cho@example.org")
    schedule = Schedule(stewards=["cho@example.org"])
    follower = Follower(server.services.gate.store, "data", schedule, 1000)
    await follower.once()
    asked = await server.submit(await server.agent("etl"), "dataset.export", "crm")
    schedule.now = {"stewards": ["cho@example.org", "ada@example.org"]}
    await follower.once()
    assert "joined the reviewers after" in (await server.vote(ada, asked["request_id"], status=403))["detail"]
    await server.vote(cho, asked["request_id"])


def test_a_plug_in_that_is_not_there_is_named() -> None:
    with pytest.raises(ChannelMisconfigured, match="pagerduty"):
        load("pagerduty", {})


def test_a_plug_in_is_found_by_its_name(monkeypatch) -> None:
    from importlib.metadata import EntryPoint

    made = EntryPoint("oncall", "collections:UserDict", "consentry.reviewers")
    monkeypatch.setattr(
        reviewer_sources, "entry_points", lambda group: [made] if group == "consentry.reviewers" else []
    )
    assert load("oncall", {"team": "T1"})["team"] == "T1"
