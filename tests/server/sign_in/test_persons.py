"""Who somebody is whom a provider has signed in, and in which groups (threats A5, A12)."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("claims", "settings"),
    [
        ({"email_verified": False}, {}),
        ({"email_verified": None}, {}),
        ({"email_verified": "true"}, {}),
        ({"email_verified": False}, {"email_verified": "trusted"}),
        ({}, {"domains": []}),
        ({}, {"domains": ["example.com"]}),
        ({"email": "ada+x@example.org"}, {}),
        ({"email": "a.da@example.org"}, {}),
        ({"email": "new@example.org"}, {}),
        ({}, {"claims": {"name": "Somebody"}}),
    ],
    ids=[
        "not verified", "not said", "a text", "not verified, trusted", "no domain", "another domain",
        "plus", "dots", "not invited", "claims",
    ],
)  # fmt: skip
async def test_a5_an_address_alone_makes_nobody_somebody_else(site, claims, settings) -> None:
    async with site(userinfo=True, **settings) as place:
        await place.provider.account("eve", **{"email": "ada@example.org", **claims})
        browser = place.browser("eve")
        answer = await browser.sign_in()
        assert answer.status_code == 403
        assert browser.token is None
        assert not await place.entries("person.linked")


async def test_an_address_of_which_nothing_is_said_counts_where_that_is_set(site) -> None:
    async with site(userinfo=True, email_verified="trusted") as place:
        await place.provider.account("ada", email_verified=None)
        assert (await place.browser().sign_in()).status_code == 200


async def test_a5_whoever_takes_over_an_address_is_not_its_person(site, refused) -> None:
    """A second account with the address of somebody who has signed in at this provider before."""
    async with site(userinfo=True) as place:
        assert (await place.browser().sign_in()).status_code == 200
        await place.provider.account("eve", email="ada@example.org")
        thief = place.browser("eve")
        refused(await thief.sign_in(), thief, "is not linked to a person here")


async def test_a5_after_the_first_time_only_the_account_counts(site) -> None:
    async with site(userinfo=True) as place:
        assert (await place.browser().sign_in()).status_code == 200
        await place.directory.invite(None, "boss@example.org")
        await place.provider.account("ada", email="boss@example.org", name="The Boss")
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        assert (await browser.whoami())["subject"] == place.ada


async def test_everybody_of_the_domain_gets_in_where_that_is_set(site) -> None:
    async with site(userinfo=True, invite_only=False) as place:
        await place.provider.account("new", name="New\u202eevil")
        browser = place.browser("new")
        assert (await browser.sign_in()).status_code == 200
        who = await browser.whoami()
        assert (who["email"], who["name"], who["groups"]) == ("new@example.org", "new", [])
        assert (await place.entries("person.invited"))[-1]["channel"] == "oidc:corp"


async def test_a_disabled_person_does_not_get_in(site, refused) -> None:
    async with site(userinfo=True) as place:
        assert (await place.browser().sign_in()).status_code == 200
        await place.directory.disable(None, place.ada)
        browser = place.browser()
        refused(await browser.sign_in(), browser, "is disabled")


GROUPS = {
    "userinfo": True, "scopes": ["openid", "email", "profile", "groups"], "groups_claim": "groups",
    "groups": {"Data Stewards": "data-stewards"}, "groups_prefix": "consentry-",
}  # fmt: skip


async def test_a12_groups_follow_the_claim_since_the_sign_in_that_brought_them(site, clock) -> None:
    async with site(**GROUPS) as place:
        await place.directory.add_to_group(None, "by-hand", place.ada)
        claimed = ["Data Stewards", "consentry-oncall", "other", "consentry-BAD NAME", 7]
        await place.provider.account("ada", groups=claimed)
        assert (await place.browser().sign_in()).status_code == 200
        first = await place.groups(place.ada)
        assert set(first) == {"by-hand", "data-stewards", "oncall"}
        clock.ahead_ms += 60_000
        await place.provider.account("ada", groups=["Data Stewards", "consentry-new"])
        assert (await place.browser().sign_in()).status_code == 200
        second = await place.groups(place.ada)
        assert set(second) == {"by-hand", "data-stewards", "new"}
        assert second["data-stewards"] == first["data-stewards"]
        assert second["new"] >= first["oncall"] + 60_000
        await place.provider.account("ada")
        assert (await place.browser().sign_in()).status_code == 200
        assert set(await place.groups(place.ada)) == {"by-hand"}
        left = [one["cause"] for one in await place.entries("group.removed")]
        assert left == ["oidc:corp"] * 3


async def test_a12_a_group_that_came_after_the_question_decides_nothing(site, clock) -> None:
    async with site(**GROUPS) as place:
        await place.provider.account("ada", groups=["consentry-admins"])
        await place.world.person("boss@example.org", "admins")
        asked = await place.world.submit(await place.world.agent("etl"))
        clock.ahead_ms += 1_000
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        shown = (await place.world.services.gate.preview(asked["request_id"])).digest
        body = {"verdict": "approve", "shown_digest": shown}
        headers = {"authorization": f"Bearer {browser.token}"}
        answer = await place.world.http.post(f"/v1/requests/{asked['request_id']}/votes", json=body, headers=headers)
        assert answer.status_code == 403
