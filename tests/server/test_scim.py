"""SCIM against a running server: the suite that others wrote, and what a provider must not be able to do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx2
import pytest

TOKEN = "scim-token-that-nobody-guesses-0001"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
LIST = "urn:ietf:params:scim:api:messages:2.0:ListResponse"


@dataclass
class Provider:
    """An identity provider that speaks to the server."""

    world: object

    async def call(self, method: str, path: str, body: object = None, *, status: int = 200, **headers: str) -> dict:
        sent = {"authorization": f"Bearer {TOKEN}", "content-type": "application/scim+json", **headers}
        sent = {name: value for name, value in sent.items() if value}
        answer = await self.world.http.request(method, f"/scim/v2{path}", json=body, headers=sent)
        assert answer.status_code == status, answer.text
        if status != 204:
            assert answer.headers["content-type"] == "application/scim+json"
        found = answer.json() if answer.content else {}
        if status >= 400:
            assert (found["schemas"], found["status"]) == ([ERROR], str(status))
        return found

    async def user(self, name: str, *, status: int = 201, **more: object) -> dict:
        return await self.call("POST", "/Users", {"schemas": [USER], "userName": name, **more}, status=status)

    async def group(self, name: str, *members: dict, status: int = 201) -> dict:
        body = {"schemas": [GROUP], "displayName": name, "members": [{"value": one["id"]} for one in members]}
        return await self.call("POST", "/Groups", body, status=status)

    async def patch(self, one: dict, *operations: dict, status: int = 200) -> dict:
        path = one["meta"]["location"].partition("/scim/v2")[2]
        return await self.call("PATCH", path, {"schemas": [PATCH], "Operations": list(operations)}, status=status)

    async def found(self, kind: str, expression: str, **more: object) -> list[str]:
        query = httpx2.QueryParams({"filter": expression, **more})
        page = await self.call("GET", f"/{kind}?{query}")
        return [one["id"] for one in page.get("Resources", [])]


on_each_database = pytest.mark.parametrize("database", ["sqlite", "postgres"])


@pytest.fixture
def database() -> str:
    """Which database; a test that is about transactions runs `on_each_database`."""
    return "sqlite"


@pytest.fixture
def store_section(database, request, monkeypatch) -> dict[str, dict[str, str]]:
    if database == "sqlite":
        return {}
    monkeypatch.setenv("TEST_STORE_URL", request.getfixturevalue("migrated_postgres_url"))
    return {"store": {"url": "env:TEST_STORE_URL"}}


@pytest.fixture
async def world(start, store_section, monkeypatch):
    monkeypatch.setenv("TEST_SCIM_TOKEN", TOKEN)
    async with start(identity={"scim": {"token": "env:TEST_SCIM_TOKEN"}}, **store_section) as one:
        yield one


@pytest.fixture
def idp(world) -> Provider:
    return Provider(world)


async def entries(world) -> list[tuple[str, dict]]:
    await world.services.gate.checkpoint_now()
    size, found = await world.services.gate.ledger_size(), []
    async for event in world.services.gate.events(-1):
        found.append((event.type, dict(event.fields)))
        if event.seq == size - 1:
            break
    return found


async def test_the_suite_of_scim2_tester_passes(world) -> None:
    tester = pytest.importorskip("scim2_tester", reason="scim2-tester is not installed")
    from scim2_client.engines.httpx2 import SyncSCIMClient

    def run() -> list:
        headers = {"authorization": f"Bearer {TOKEN}"}
        with httpx2.Client(base_url=f"{world.services.origin}/scim/v2", headers=headers, trust_env=False) as http:
            return tester.check_server(SyncSCIMClient(http))

    results = await asyncio.to_thread(run)
    assert len(results) > 60
    assert [(one.title, one.status.name, one.reason) for one in results if one.status.name != "SUCCESS"] == []


# ---- who may call ----

PATHS = (
    "/ServiceProviderConfig", "/ResourceTypes", "/Schemas", "/Users", "/Groups", "/Users/x", "/Groups/x",
    "/Users/.search", "/.search", "/Nothing", "/",
)  # fmt: skip


async def test_d9_every_path_of_scim_takes_its_own_token_and_no_other(world, idp) -> None:
    agent = await world.agent("etl")
    tokens = ("", "Bearer wrong", f"Bearer {world.admin.token}", f"Bearer {agent.token}", f"Basic {TOKEN}", TOKEN)
    for path in PATHS:
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            for token in tokens:
                world.services.attempts._failed.clear()
                headers = {"authorization": token, "cookie": f"consentry_session={world.admin.token}"}
                answer = await world.http.request(method, f"/scim/v2{path}", headers=headers)
                assert answer.status_code == 401, (method, path, token)
                assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_token_of_scim_opens_nothing_else(world) -> None:
    for path in ("/v1/people", "/v1/actions", "/v1/sessions/current", "/metrics"):
        answer = await world.http.get(path, headers={"authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 401, path


async def test_without_a_token_in_the_settings_there_is_no_scim(server) -> None:
    answer = await server.http.get("/scim/v2/Users", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 404


async def test_a_token_that_could_be_guessed_is_refused_at_the_start(start, monkeypatch) -> None:
    from consentry.server.settings import InvalidSettings

    monkeypatch.setenv("TEST_SCIM_TOKEN", "short")
    with pytest.raises(InvalidSettings, match="at least 24 characters"):
        async with start(identity={"scim": {"token": "env:TEST_SCIM_TOKEN"}}):
            pass


async def test_calls_and_guesses_are_limited(start, monkeypatch) -> None:
    monkeypatch.setenv("TEST_SCIM_TOKEN", TOKEN)
    scim = {"token": "env:TEST_SCIM_TOKEN", "per_minute": 3}
    async with start(identity={"scim": scim, "attempts": 2}) as world:
        idp = Provider(world)
        for _ in range(3):
            await idp.call("GET", "/Users")
        await idp.call("GET", "/Users", status=429)
        answer = await world.http.get("/scim/v2/Users", headers={"authorization": f"Bearer {TOKEN}"})
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        for status in (401, 401, 429):
            await idp.call("GET", "/Users", status=status, authorization="Bearer guess")


# ---- users ----


@on_each_database
async def test_a_user_is_a_person_from_the_first_to_the_last_day(world, idp) -> None:
    made = await idp.user(
        "Ada", displayName="Ada L.", emails=[{"value": "Ada@Example.org", "type": "work", "primary": True}],
        externalId="00u1",
    )  # fmt: skip
    person = await world.get(f"/v1/people/{made['id']}", world.admin)
    assert (person["email"], person["name"], person["active"]) == ("ada@example.org", "Ada L.", True)
    assert made["meta"]["location"] == f"{world.services.origin}/scim/v2/Users/{made['id']}"
    assert await idp.call("GET", f"/Users/{made['id']}") == made
    await idp.patch(made, {"op": "replace", "path": "displayName", "value": "Ada Lovelace"})
    assert (await world.get(f"/v1/people/{made['id']}", world.admin))["name"] == "Ada Lovelace"
    await idp.call("DELETE", f"/Users/{made['id']}", status=204)
    for method in ("GET", "DELETE"):
        await idp.call(method, f"/Users/{made['id']}", status=404)
    assert (await world.get(f"/v1/people/{made['id']}", world.admin))["active"] is False
    again = await idp.user("ada", emails=[{"value": "ada@example.org"}])
    assert (again["id"], again["active"]) == (made["id"], True)
    recorded = [name for name, fields in await entries(world) if fields.get("person") == made["id"]]
    assert recorded == [
        "person.invited", "person.changed", "person.unlinked", "person.disabled", "person.linked", "person.enabled",
    ]  # fmt: skip


@on_each_database
async def test_whoever_is_deactivated_is_out_at_once(world, idp) -> None:
    made = await idp.user("ada@example.org")
    link = await world.services.directory.invite(None, "ada@example.org")
    token = (await world.services.directory.sign_in(link.token)).token
    bearer = {"authorization": f"Bearer {token}"}
    assert (await world.http.get("/v1/sessions/current", headers=bearer)).status_code == 200
    await idp.patch(made, {"op": "Replace", "path": "active", "value": "False"})  # as Entra writes it
    assert (await world.http.get("/v1/sessions/current", headers=bearer)).status_code == 401
    refused = await world.post(f"/v1/people/{made['id']}/enable", world.admin, status=409)
    assert refused["code"] == "managed_by_provider"
    back = await idp.patch(made, {"op": "replace", "value": {"active": True}})  # as Okta writes it
    assert back["active"] is True
    assert (await world.http.get("/v1/sessions/current", headers=bearer)).status_code == 401


async def test_what_is_left_out_brings_nobody_back(world, idp) -> None:
    made = await idp.user("ada@example.org", active=False)
    put = {"schemas": [USER], "userName": "ada@example.org", "displayName": "A"}
    await idp.call("PUT", f"/Users/{made['id']}", put)
    assert (await world.get(f"/v1/people/{made['id']}", world.admin))["active"] is False


async def test_whom_an_administrator_disabled_stays_so_until_the_provider_says_otherwise(world, idp) -> None:
    made = await idp.user("ada@example.org")
    await world.post(f"/v1/people/{made['id']}/disable", world.admin)
    put = {"schemas": [USER], "userName": "ada@example.org", "displayName": "Ada", "active": True}
    assert (await idp.call("PUT", f"/Users/{made['id']}", put))["active"] is False
    assert (await world.get(f"/v1/people/{made['id']}", world.admin))["active"] is False
    await world.post(f"/v1/people/{made['id']}/enable", world.admin)


async def test_a_user_without_an_address_is_a_person_whom_no_mail_reaches(world, idp) -> None:
    made = await idp.user("svc.ada")
    person = await world.get(f"/v1/people/{made['id']}", world.admin)
    assert (person["email"].endswith("@scim.invalid"), person["name"]) == (True, "svc.ada")
    await idp.patch(made, {"op": "add", "path": "emails", "value": [{"value": "ada@example.org"}]})
    person = await world.get(f"/v1/people/{made['id']}", world.admin)
    assert (person["email"], person["name"]) == ("ada@example.org", "ada")


async def test_what_is_not_needed_is_not_kept(world, idp) -> None:
    body = {
        "phoneNumbers": [{"value": "tel:+49-555-0199"}], "title": "Countess", "password": "hunter22",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"costCenter": "cc-4711"},
    }  # fmt: skip
    made = await idp.user("ada@example.org", **body)
    assert not made.keys() & {"phoneNumbers", "title", "password"}

    def dump(tx) -> str:
        from sqlalchemy import select

        from consentry.store import tables

        found = [tx.execute(select(table)).all() for table in (tables.scim_users, tables.persons, tables.sealed)]
        return repr(found)

    kept = await world.services.gate.store.read(dump)
    assert not [text for text in ("555-0199", "Countess", "hunter22", "cc-4711") if text in kept]
    assert "ada@example.org" in kept


async def test_g3_no_address_and_no_name_stands_in_an_entry(world, idp) -> None:
    made = await idp.user("ada.lovelace@example.org", displayName="Ada Lovelace")
    await idp.patch(made, {"op": "replace", "path": "userName", "value": "countess@example.org"})
    await idp.group("Data Stewards", made)
    await idp.call("DELETE", f"/Users/{made['id']}", status=204)
    found = repr(await entries(world)).lower()
    assert not [text for text in ("example.org", "lovelace", "countess") if text in found]


# ---- one human is one person ----

VARIANTS = ("ADA@example.org", "ada+1@example.org", "a.da@example.org", "\uff41da@example.org", "ada@EXAMPLE.org.")


async def test_a5_a_variant_of_an_address_is_no_second_person(world, idp) -> None:
    await idp.user("ada@example.org")
    for address in VARIANTS:
        refused = await idp.user("somebody", emails=[{"value": address}], status=409)
        assert refused["scimType"] == "uniqueness"


async def test_a5_a_variant_takes_nobody_over_who_was_invited_here(world, idp) -> None:
    ada = await world.person("ada@example.org")
    for address in VARIANTS[1:3]:
        assert (await idp.user("x", emails=[{"value": address}], status=409))["scimType"] == "uniqueness"
    made = await idp.user("x", emails=[{"value": "ada@example.org"}])
    assert made["id"] == ada.id
    linked = await world.get(f"/v1/people/{ada.id}/identities", world.admin)
    assert linked["items"] == []


@on_each_database
async def test_a5_nobody_is_moved_to_anothers_address_and_a_former_one_stays_taken(world, idp) -> None:
    ada, ben = await idp.user("ada@example.org"), await idp.user("ben@example.org")
    move = {"op": "replace", "path": "emails", "value": [{"value": "b.en+x@example.org", "primary": True}]}
    assert (await idp.patch(ada, move, status=409))["scimType"] == "uniqueness"
    move["value"] = [{"value": "countess@example.org", "primary": True}]
    await idp.patch(ada, {"op": "replace", "path": "userName", "value": "countess@example.org"}, move)
    assert (await idp.user("ada@example.org", status=409))["scimType"] == "uniqueness"
    assert (await world.services.directory.person("ada@example.org")).id == ada["id"]
    assert (await world.services.directory.person("ben@example.org")).id == ben["id"]
    invited = await world.services.directory.invite(None, "ada@example.org")
    assert (invited.person, invited.created) == (ada["id"], False)


async def test_a_person_who_was_disabled_here_is_not_brought_back_by_a_new_user(world, idp) -> None:
    ada = await world.person("ada@example.org")
    await world.post(f"/v1/people/{ada.id}/disable", world.admin)
    await idp.user("ada@example.org", status=409)


@on_each_database
async def test_one_of_many_at_once_is_made(world, idp) -> None:
    async def one(number: int) -> int:
        name = "Ada@example.org" if number % 2 else "ada@Example.org"
        body = {"schemas": [USER], "userName": name}
        headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
        return (await world.http.post("/scim/v2/Users", json=body, headers=headers)).status_code

    assert sorted(await asyncio.gather(*map(one, range(12)))) == [201] + [409] * 11


# ---- groups ----


@on_each_database
async def test_a12_a_membership_counts_since_the_change_that_brought_it(world, idp) -> None:
    ada = await idp.user("ada@example.org")
    ben = await idp.user("ben@example.org")
    group = await idp.group("Data Stewards", ben)
    agent = await world.agent("etl")
    asked = await world.submit(agent, "dataset.export", "s3://partner")
    await idp.patch(group, {"op": "add", "path": "members", "value": [{"value": ada["id"]}]})
    request = await world.services.gate.request(asked["request_id"])
    why = await world.services.gate.why_not(ada["id"], request)
    assert why.code == "member_since"
    assert await world.services.gate.why_not(ben["id"], request) is None
    remove = {"op": "remove", "path": f'members[value eq "{ben["id"]}"]'}
    assert [one["value"] for one in (await idp.patch(group, remove))["members"]] == [ada["id"]]
    assert (await world.services.gate.why_not(ben["id"], request)).code == "not_a_reviewer"


async def test_whoever_stays_in_a_group_stays_in_it_since_then(world, idp, clock) -> None:
    ada, ben = await idp.user("ada@example.org"), await idp.user("ben@example.org")
    group = await idp.group("stewards", ada)
    before = await world.services.directory.memberships()
    clock.ahead_ms += 60_000
    body = {"schemas": [GROUP], "displayName": "stewards", "members": [{"value": ada["id"]}, {"value": ben["id"]}]}
    await idp.call("PUT", f"/Groups/{group['id']}", body)
    after = {
        one.person: one.since_ms for one in await world.services.directory.memberships() if one.group == "stewards"
    }
    (held,) = [one for one in before if one.group == "stewards"]
    assert after[ada["id"]] == held.since_ms < after[ben["id"]]
    await idp.call("PUT", f"/Groups/{group['id']}", {**body, "displayName": "reviewers"})
    moved = [one for one in await world.services.directory.memberships() if one.group == "reviewers"]
    assert len(moved) == 2
    assert all(one.since_ms > held.since_ms for one in moved)


async def test_a_group_of_the_provider_is_not_changed_here(world, idp) -> None:
    ada = await idp.user("ada@example.org")
    await idp.group("Data Stewards", ada)
    body = {"person": world.admin.id}
    refused = await world.post("/v1/groups/data-stewards/members", world.admin, body, status=409)
    assert refused["code"] == "managed_by_provider"
    await world.delete(f"/v1/groups/data-stewards/members/{ada['id']}", world.admin, status=409)
    invite = {"email": "eve@example.org", "groups": ["data-stewards"]}
    await world.post("/v1/people", world.admin, invite, status=409)
    assert (await idp.call("GET", f"/Users/{ada['id']}"))["groups"][0]["display"] == "Data Stewards"


async def test_a1_the_provider_makes_nobody_an_administrator(idp) -> None:
    ada = await idp.user("ada@example.org")
    group = await idp.group("harmless", ada)
    for name in ("admins", "Admins", "AUDITORS", " admins ", "\uff41dmins", "-admins-"):
        assert (await idp.group(name, ada, status=400))["scimType"] == "invalidValue"
        rename = {"op": "replace", "path": "displayName", "value": name}
        assert (await idp.patch(group, rename, status=400))["scimType"] == "invalidValue"


async def test_a_group_that_was_filled_here_is_not_taken_over(world, idp) -> None:
    await world.person("ben@example.org", "stewards")
    assert (await idp.group("Stewards", status=409))["scimType"] == "uniqueness"
    await idp.group("data-stewards")
    assert (await idp.group("Data Stewards", status=409))["scimType"] == "uniqueness"


@on_each_database
async def test_a_deleted_group_has_no_members(world, idp) -> None:
    ada = await idp.user("ada@example.org")
    group = await idp.group("stewards", ada)
    await idp.call("DELETE", f"/Groups/{group['id']}", status=204)
    assert [one for one in await world.services.directory.memberships() if one.group == "stewards"] == []
    names = [name for name, fields in await entries(world) if fields.get("group") == "stewards"]
    assert names == ["group.managed", "group.added", "group.removed", "group.released"]


# ---- finding ----


@on_each_database
async def test_filters_and_pages(idp) -> None:
    made = {
        name: await idp.user(name, externalId=f"x-{name[0]}", displayName=name.title()[:3], active=name[0] != "c")
        for name in ("ada@example.org", "ben@example.org", "cyd@example.net")
    }
    ids = {name[:3]: one["id"] for name, one in made.items()}
    for expression, names in (
        ('userName eq "ADA@example.org"', ["ada"]),
        ('userName eq "nobody"', []),
        ('externalId eq "x-b"', ["ben"]),
        ('externalId eq "X-B"', []),
        (f'id eq "{ids["cyd"]}"', ["cyd"]),
        ('displayName eq "ben"', ["ben"]),
        ('userName sw "c"', ["cyd"]),
        ("active eq false", ["cyd"]),
        ('userName ew "example.org" and not (displayName eq "Ada")', ["ben"]),
        ('displayName eq "Ada" or active eq false', ["ada", "cyd"]),
        ('meta.created gt "2001-01-01T00:00:00Z"', ["ada", "ben", "cyd"]),
    ):
        assert await idp.found("Users", expression) == [ids[name] for name in names], expression
    seen = []
    for start in (1, 3):
        page = await idp.call("GET", f"/Users?startIndex={start}&count=2")
        assert (page["totalResults"], page["startIndex"]) == (3, start)
        seen += [one["id"] for one in page["Resources"]]
    assert seen == list(ids.values())
    assert (await idp.call("GET", "/Users?count=0"))["totalResults"] == 3
    page = await idp.call("GET", "/Users?attributes=userName")
    assert all(one.keys() == {"schemas", "id", "userName"} for one in page["Resources"])


async def test_an_address_is_found_and_a_group_by_its_name(idp) -> None:
    ada = await idp.user("ada", emails=[{"value": "ada@example.org", "type": "work"}])
    group = await idp.group("Data Stewards", ada)
    assert await idp.found("Users", 'emails.value eq "ada@example.org"') == [ada["id"]]
    assert await idp.found("Users", 'emails[type eq "work" and value sw "ada"]') == [ada["id"]]
    assert await idp.found("Groups", 'displayName eq "data stewards"') == [group["id"]]
    assert await idp.found("Groups", f'members.value eq "{ada["id"]}"') == [group["id"]]
    both = await idp.call("POST", "/.search", {"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]})
    assert [one["id"] for one in both["Resources"]] == [ada["id"], group["id"]]


# ---- what cannot be read ----

BAD: dict[str, tuple[str, str, object, int, str | None]] = {
    "no user name": ("POST", "/Users", {"schemas": [USER]}, 400, "invalidValue"),
    "an empty user name": ("POST", "/Users", {"schemas": [USER], "userName": " "}, 400, "invalidValue"),
    "a user name that hides": ("POST", "/Users", {"schemas": [USER], "userName": "a\u202eb"}, 400, "invalidValue"),
    "a name that hides": (
        "POST", "/Users", {"schemas": [USER], "userName": "n", "displayName": "a\u200bb"}, 400, "invalidValue",
    ),
    "an address that is none": (
        "POST", "/Users", {"schemas": [USER], "userName": "n", "emails": [{"value": "no"}]}, 400, "invalidValue",
    ),
    "two primary addresses": (
        "POST", "/Users",
        {"schemas": [USER], "userName": "n", "emails": [{"value": f"{n}@x.org", "primary": True} for n in "ab"]},
        400, "invalidValue",
    ),
    "a duplicate": ("POST", "/Users", {"schemas": [USER], "userName": "TAKEN@example.org"}, 409, "uniqueness"),
    "a member who is nobody": (
        "POST", "/Groups", {"schemas": [GROUP], "displayName": "g", "members": [{"value": "per_x"}]},
        400, "invalidValue",
    ),
    "a group in a group": (
        "POST", "/Groups",
        {"schemas": [GROUP], "displayName": "g", "members": [{"value": "grp_x", "type": "Group"}]}, 400, "invalidValue",
    ),
    "a group without letters": ("POST", "/Groups", {"schemas": [GROUP], "displayName": "\u6f22"}, 400, "invalidValue"),
    "a filter that is none": ("GET", "/Users?filter=userName%20eq", None, 400, "invalidFilter"),
    "a filter on nothing": ("GET", "/Users?filter=nothing%20eq%20%22x%22", None, 400, "invalidFilter"),
    "a deep filter": ("GET", "/Users?filter=" + "not%20(" * 3000 + "userName%20pr" + ")" * 3000, None, 400, None),
    "a count that is none": ("GET", "/Users?count=many", None, 400, None),
    "a query twice": ("GET", "/Users?count=1&count=2", None, 400, "invalidSyntax"),
    "a body that is a list": ("POST", "/Users", [], 400, "invalidSyntax"),
    "nothing there": ("GET", "/Nothing", None, 404, None),
    "too deep": ("GET", "/Users/a/b/c", None, 404, None),
    "no such user": ("PATCH", "/Users/per_x", {"schemas": [PATCH], "Operations": []}, 400, None),
    "discovery with a filter": ("GET", "/Schemas?filter=id%20pr", None, 403, None),
    "a method that is none": ("DELETE", "/Users", None, 405, None),
}  # fmt: skip


async def test_what_cannot_be_read_is_a_scim_error(idp) -> None:
    await idp.user("taken@example.org")
    for name, (method, path, body, status, kind) in BAD.items():
        refused = await idp.call(method, path, body, status=status)
        assert kind is None or refused.get("scimType") == kind, (name, refused)


BAD_PATCHES: dict[str, dict[str, object]] = {
    "a path that is none": {"op": "replace", "path": "emails[type eq", "value": "x"},
    "a path with a bracket too many": {"op": "replace", "path": "emails]", "value": "x"},
    "an empty filter": {"op": "replace", "path": "emails[].value", "value": "x"},
    "an operation that is none": {"op": "increment", "path": "userName", "value": "x"},
    "no operation": {"path": "userName", "value": "x"},
    "removing without a path": {"op": "remove"},
    "removing what is required": {"op": "remove", "path": "userName"},
    "writing what is read only": {"op": "replace", "path": "id", "value": "per_other"},
    "writing what is read only, inside": {"op": "replace", "path": "meta.created", "value": "2001-01-01T00:00:00Z"},
    "another type": {"op": "replace", "path": "active", "value": {"yes": 1}},
    "nothing to add": {"op": "add", "path": "displayName"},
    "a path as a list": {"op": "replace", "path": ["userName"], "value": "x"},
    "a long path": {"op": "replace", "path": "a" * 5_000 + "[", "value": "x"},
    "a deep path": {"op": "replace", "path": "emails[" + "not (" * 9_000 + "value pr" + ")" * 9_000 + "]", "value": {}},
}


async def test_a_patch_that_cannot_be_read_changes_nothing(idp) -> None:
    made = await idp.user("ada@example.org", displayName="Ada")
    first = {"op": "replace", "path": "displayName", "value": "Changed"}
    for name, operation in BAD_PATCHES.items():
        await idp.patch(made, first, operation, status=400)
        assert await idp.call("GET", f"/Users/{made['id']}") == made, name


async def test_bodies_are_read_strictly(world) -> None:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/scim+json"}
    for content, kind, status in (
        (b"{", "application/scim+json", 400),
        (b'{"userName": "a", "userName": "b"}', "application/scim+json", 400),
        (b'{"userName": NaN}', "application/scim+json", 400),
        (b"\xff", "application/scim+json", 400),
        (b'{"x": "' + b"a" * (1 << 20) + b'"}', "application/scim+json", 413),
        (b"[" * 100_000, "application/scim+json", 400),
        (b"{}", "text/plain", 415),
    ):
        sent = {**headers, "content-type": kind}
        answer = await world.http.post("/scim/v2/Users", content=content, headers=sent)
        assert (answer.status_code, answer.json()["schemas"]) == (status, [ERROR]), content[:40]
