"""What somebody else did as a person before their provider vouched for them does not outlive that (pre-hijacking)."""

from __future__ import annotations

import pytest

POLICY = """
@id("strong") @review("group:stewards") @assurance("passkey")
permit (principal, action == Action::"secret.read", resource);
"""


@pytest.fixture
async def place(start, provider, new_browser, tmp_path, site_class):
    """A server whose rules ask for passkeys, and Ada, who decides."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "rules.cedar").write_text(POLICY)
    sections = {"identity": {"oidc": {"corp": provider.settings(userinfo=True)}}}
    context = start(policy={"dir": tmp_path / "policies"}, **sections)
    async with site_class(context, provider, new_browser) as one:
        await one.directory.add_to_group(None, "stewards", one.ada)
        yield one


async def by_link_of(place, maker):
    """A session as Ada, by a link that `maker` made."""
    made = await place.world.post("/v1/people", maker, {"email": "ada@example.org"}, status=201)
    token = (await place.world.post("/v1/sessions", None, {"token": made["token"]}, status=201))["session"]
    return {"authorization": f"Bearer {token}"}


async def register(place, headers, key, name: str) -> dict:
    http = place.world.http
    options = (await http.post("/v1/passkeys/registration", headers=headers, json={})).json()
    credential = key.create(options["public_key"], options["origin"])
    answer = await http.post("/v1/passkeys", headers=headers, json={"name": name, "credential": credential})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def names(place, headers) -> list[str]:
    return [one["name"] for one in (await place.world.http.get("/v1/passkeys", headers=headers)).json()["items"]]


async def asked(place) -> str:
    agent = await place.world.agent("etl")
    return (await place.world.submit(agent, "secret.read", "vault/a"))["request_id"]


async def challenge(place, headers, request: str):
    shown = (await place.world.services.gate.preview(request)).digest
    body = {"verdict": "approve", "shown_digest": shown}
    return await place.world.http.post(f"/v1/requests/{request}/challenge", headers=headers, json=body)


async def test_a5_passkeys_of_a_session_that_somebody_else_opened_end_with_the_first_sign_in_at_a_provider(
    place, authenticator
) -> None:
    theirs, evil, own = await by_link_of(place, place.world.admin), authenticator(), authenticator()
    made = await register(place, theirs, evil, "Evil key")
    assert (await place.entries("passkey.registered"))[-1]["by"] == place.world.admin.id
    request = await asked(place)
    browser = place.browser()
    assert (await browser.sign_in()).status_code == 200

    assert await names(place, browser.headers) == []
    assert (await challenge(place, browser.headers, request)).json()["code"] == "unknown_passkey"
    removed = (await place.entries("passkey.removed"))[-1]
    assert (removed["passkey"], removed["person"], removed["cause"]) == (made["id"], place.ada, "oidc:corp")
    page = (await browser.http.get(f"{place.world.services.origin}/")).text
    assert "Evil key" in page
    assert "counts no more" in page

    await register(place, browser.headers, own, "Blue key")
    assert (await browser.sign_in()).status_code == 200
    assert await names(place, browser.headers) == ["Blue key"]


async def test_a5_a_signature_of_such_a_passkey_is_refused_afterwards(place, authenticator) -> None:
    """Its challenge was asked for before."""
    theirs, evil = await by_link_of(place, place.world.admin), authenticator()
    await register(place, theirs, evil, "Evil key")
    place.world.clock.ahead_ms += 1_000
    request = await asked(place)
    options = (await challenge(place, theirs, request)).json()
    browser = place.browser()
    assert (await browser.sign_in()).status_code == 200
    shown = (await place.world.services.gate.preview(request)).digest
    signed = evil.get(options["public_key"], options["origin"])
    body = {"verdict": "approve", "shown_digest": shown, "assertion": signed}
    for headers, status, code in ((theirs, 401, "not_signed_in"), (browser.headers, 403, "passkey_rejected")):
        answer = await place.world.http.post(f"/v1/requests/{request}/votes", headers=headers, json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_passkey_of_a_session_of_ones_own_stays(place, authenticator) -> None:
    """The machine's link is nobody else's."""
    link = await place.directory.invite(None, "ada@example.org")
    signed = await place.world.post("/v1/sessions", None, {"token": link.token}, status=201)
    own = {"authorization": f"Bearer {signed['session']}"}
    await register(place, own, authenticator(), "Blue key")
    browser = place.browser()
    assert (await browser.sign_in()).status_code == 200
    assert await names(place, browser.headers) == ["Blue key"]
    assert "counts no more" not in (await browser.http.get(f"{place.world.services.origin}/")).text
