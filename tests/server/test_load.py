"""`GET /v1/load`: counts of what the caller may see, and not a value of what was asked."""

from __future__ import annotations

import json

import pytest

SECRET = "jane.roe@example.org"


@pytest.fixture
def world(server):
    return server


@pytest.fixture
async def past(world):
    """Four approved requests of one shape and a denied one of another, of two owners."""
    ana, ben = await world.person("ana@example.org"), await world.person("ben@example.org")
    mine, other = await world.agent("etl", ana), await world.agent("crawler", ben)
    admin = await world.person("second@example.org", "admins")
    for n in range(4):
        asked = await world.submit(mine, arguments={"path": f"people/{SECRET}/{n}", "rows": 10 + n})
        await world.vote(admin, asked["request_id"])
    denied = await world.submit(other, resource="vault/prod", arguments={"path": SECRET})
    await world.vote(admin, denied["request_id"], "deny")
    return ana, ben, admin


async def test_auditors_and_administrators_see_all_of_it(world, past) -> None:
    _, _, admin = past
    auditor = await world.person("dora@example.org", "auditors")
    for who in (admin, auditor):
        load = await world.get("/v1/load?days=7", who)
        assert (load["tally"]["asked"], load["tally"]["approved"], load["tally"]["denied"]) == (5, 4, 1)
        assert [(one["name"], one["votes"], one["share"]) for one in load["people"]] == [("second", 5, 1.0)]
        assert sum(load["hours"]) == 5
        assert load["cut"] is False
        (shape,) = load["shapes"]
        assert shape["proposal"] == [{"argument": "path", "bound": "prefix"}, {"argument": "rows", "bound": "at_most"}]
        assert (shape["tally"]["asked"], shape["would_have_let_through"], shape["name"]) == (4, 4, "etl")


async def test_others_see_what_they_may_see(world, past) -> None:
    ana, ben, _ = past
    assert (await world.get("/v1/load?days=7", ana))["tally"]["asked"] == 4
    assert (await world.get("/v1/load?days=7", ben))["tally"]["denied"] == 1
    stranger = await world.get("/v1/load", await world.person("eve@example.org"))
    assert stranger["tally"]["asked"] == 0
    assert (stranger["rules"], stranger["people"], stranger["shapes"]) == ([], [], [])


async def test_no_value_of_what_was_asked_is_in_it(world, past) -> None:
    """Invariant 10: neither in the answer, nor in the address that it leads to."""
    _, _, admin = past
    assert SECRET not in json.dumps(await world.get("/v1/load?days=90", admin))


async def test_a9_agents_do_not_look_at_it(world, past) -> None:
    agent = await world.agent("curious")
    await world.get("/v1/load", agent, status=403)


@pytest.mark.parametrize("query", ["days=8", "days=", "days=-7", "days=7&days=30", "since=now"])
async def test_a_period_is_one_of_three(world, query) -> None:
    await world.get(f"/v1/load?{query}", world.admin, status=422)


async def test_what_was_asked_before_the_period_is_not_in_it(world, past) -> None:
    ana, _, _ = past
    world.clock.ahead_ms += 8 * 86_400_000
    for days, count in ((7, 0), (30, 4)):
        signed = await world.services.directory.invite(None, "ana@example.org")
        again = await world.services.directory.sign_in(signed.token)
        ana.token = again.token
        assert (await world.get(f"/v1/load?days={days}", ana))["tally"]["asked"] == count


async def test_a_past_that_is_too_long_is_cut_and_says_so(world, past, monkeypatch) -> None:
    from consentry.consent import load_history
    from consentry.server import load

    _, _, admin = past
    monkeypatch.setattr(load_history.page, "__defaults__", (2,))
    monkeypatch.setattr(load_history, "PAGE", 2)
    assert (await world.get("/v1/load?days=7", admin))["tally"]["asked"] == 5
    monkeypatch.setattr(load, "MOST", 4)
    cut = await world.get("/v1/load?days=7", admin)
    assert (cut["cut"], cut["tally"]["asked"]) == (True, 4)
