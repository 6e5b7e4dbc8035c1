"""Accounts beside the first one: linked, taken away, signed out; and links in their place."""

from __future__ import annotations

import re
import shutil
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest

from consentry.identity.errors import UnknownPerson
from consentry.server.run import sign_in_link
from consentry.server.settings import Settings
from consentry.server.signing_in import look_at_issuers

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FORM = "application/x-www-form-urlencoded"


async def test_a_second_account_is_linked_by_signing_in_on_both_sides(site) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        await place.provider.account("ada-admin", email=None, email_verified=None)
        browser.who = "ada-admin"
        browser.leave_provider()
        url = await browser.begin_linking()
        assert parse_qs(urlsplit(url).query)["prompt"] == ["login"]
        session = browser.token
        answer = await browser.back(await browser.at_provider(url))
        assert answer.status_code == 200, answer.text
        assert browser.token == session  # linking is no sign-in
        assert {one.subject for one in await place.directory.identities(place.ada)} == {"ada", "ada-admin"}
        linked = (await place.entries("person.linked"))[-1]
        assert (linked["person"], linked["by"], linked["channel"]) == (place.ada, place.ada, "oidc")
        other = place.browser("ada-admin")
        assert (await other.sign_in()).status_code == 200
        assert (await other.whoami())["subject"] == place.ada


async def test_an_account_of_somebody_else_is_not_linked(site) -> None:
    async with site(userinfo=True) as place:
        await place.provider.account("ben")
        await place.directory.invite(None, "ben@example.org")
        assert (await place.browser("ben").sign_in()).status_code == 200
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        browser.who = "ben"
        browser.leave_provider()
        url = await browser.begin_linking()
        answer = await browser.back(await browser.at_provider(url))
        assert answer.status_code == 409
        assert len(await place.directory.identities(place.ada)) == 1


async def test_linking_ends_with_the_session_that_began_it(site) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        url = await browser.begin_linking()
        back = await browser.at_provider(url)
        session = (await browser.whoami())["id"]
        await place.world.delete(f"/v1/sessions/{session}", place.world.admin, status=204)
        assert (await browser.back(back)).status_code == 401


async def test_linking_is_begun_by_our_own_page_only(site) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        origin = place.world.services.origin
        headers = {"origin": "https://evil.example", "sec-fetch-site": "cross-site", "content-type": FORM}
        answer = await browser.http.post(f"{origin}/identities/link", content="provider=corp", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


async def test_an_unlinked_account_ends_its_sessions(site) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        (identity,) = await place.directory.identities(place.ada)
        await place.directory.unlink(None, identity.id, "left")
        assert (await browser.whoami())["code"] == "not_signed_in"


async def test_signing_out_ends_the_session_at_the_provider_where_that_is_set(site) -> None:
    async with site(userinfo=True, logout=True) as place:
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        token = browser.token
        answer = await browser.post("/sign-out", {})
        url = unescape(re.search(r'0;url=([^"]+)"', answer.text).group(1))
        query = parse_qs(urlsplit(url).query)
        assert url.startswith(f"{place.provider.issuer}/session/end?")
        assert query["post_logout_redirect_uri"] == [f"{place.world.services.origin}/sign-in"]
        assert (await browser.http.get(url)).status_code == 200  # the provider takes the hint and asks
        ended = await place.world.http.get("/v1/sessions/current", headers={"authorization": f"Bearer {token}"})
        assert ended.status_code == 401


async def test_the_doctor_asks_each_issuer_for_its_keys(provider, tmp_path, monkeypatch) -> None:
    await provider.know("http://127.0.0.1", "corp")
    (tmp_path / "empty.jwks").write_text('{"keys": []}')
    rule = {"audience": "a", "agent": "b", "claims": {"sub": "c"}}
    identity = {
        "oidc": {
            "good": provider.settings(),
            "slash": provider.settings(issuer=f"{provider.issuer}/"),
            "down": provider.settings(issuer="http://127.0.0.1:1"),
            "secret": provider.settings(client_secret="env:TEST_NO_SUCH_SECRET"),
            "clear": provider.settings(issuer="http://id.example.org"),
        },
        "workload": {
            "good": {**rule, "issuer": provider.issuer},
            "empty": {**rule, "issuer": provider.issuer, "keys": str(tmp_path / "empty.jwks")},
            "none": {**rule, "trust_domain": "x.example", "keys": str(tmp_path / "none.jwks")},
        },
    }
    found = dict(await look_at_issuers(Settings.model_validate({"identity": identity})))
    assert [key for key, problem in found.items() if problem is None] == [
        "identity.oidc.good",
        "identity.workload.good",
    ]
    expected = {
        "oidc.slash": "another issuer", "oidc.down": "does not answer", "oidc.secret": "TEST_NO_SUCH_SECRET",
        "oidc.clear": "https://", "workload.empty": "no key", "workload.none": "none.jwks",
    }  # fmt: skip
    for key, word in expected.items():
        assert word in found[f"identity.{key}"], key


@pytest.mark.timeout(300)
async def test_a_browser_signs_in_links_and_signs_out_at_a_provider_of_another_site(start, new_provider) -> None:
    """What no client in Python does: strict cookies, the policy of our pages, the way back from another site."""
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    provider = await new_provider("localhost")
    corp = provider.settings(userinfo=True, logout=True, label="Example Corp")
    async with start(identity={"oidc": {"corp": corp}}) as world, playwright.async_playwright() as started:
        origin = world.services.origin
        await provider.know(origin, "corp")
        await provider.account("ada")
        await world.services.directory.invite(None, "ada@example.org")
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page()
        said: list[str] = []
        page.on("console", lambda one: said.append(one.text) if one.location["url"].startswith(origin) else None)
        await page.goto(f"{origin}/history")
        await page.get_by_role("link", name="Sign in with Example Corp").click()
        await page.wait_for_url(f"{origin}/history")
        await page.goto(f"{origin}/identities")
        await page.get_by_role("button", name="Link an account at Example Corp").click()
        await page.wait_for_url(f"{origin}/identities")
        await page.get_by_role("cell", name="ada", exact=True).wait_for()
        await page.get_by_role("button", name="Sign out").click()
        await page.wait_for_url(f"{provider.issuer}/session/end?*")
        await page.goto(f"{origin}/history")
        assert page.url.startswith(f"{origin}/sign-in")
        assert said == []
        await browser.close()


async def test_who_starts_the_server_signs_somebody_in_when_their_provider_is_down(site) -> None:
    async with site(userinfo=True) as place:
        assert (await place.browser().sign_in()).status_code == 200
        link = await sign_in_link(place.world.services, "ada@example.org")
        signed = await place.world.post("/v1/sessions", None, {"token": link.token}, status=201)
        assert signed["person"] == place.ada
        assert "by" not in (await place.entries("person.invited"))[-1]
        with pytest.raises(UnknownPerson):  # nobody is made by that
            await sign_in_link(place.world.services, "nobody@example.org")


async def test_a_link_for_somebody_who_has_a_provider_is_refused(site) -> None:
    async with site(userinfo=True) as place:
        made = await place.world.post("/v1/people", place.world.admin, {"email": "ada@example.org"}, status=201)
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        again = await place.world.http.post(
            "/v1/people", json={"email": "ada@example.org"}, headers=place.world.admin.headers
        )
        assert (again.status_code, again.json()["code"]) == (403, "not_allowed")
        used = await place.world.http.post("/v1/sessions", json={"token": made["token"]})
        assert used.status_code == 403  # one that was made before does not hold either
        own = await browser.post("/identities/command-line", {})
        token = re.search(r"#token=(in_[\w-]+)", own.text).group(1)
        signed = await place.world.http.post("/v1/sessions", json={"token": token})
        assert signed.status_code == 201


async def test_a_vote_says_who_made_the_link_of_its_session(site) -> None:
    async with site(userinfo=True) as place:
        admin = place.world.admin
        made = await place.world.post(
            "/v1/people", admin, {"email": "ben@example.org", "groups": ["admins"]}, status=201
        )
        token = (await place.world.post("/v1/sessions", None, {"token": made["token"]}, status=201))["session"]
        headers = {"authorization": f"Bearer {token}"}
        assert (await place.world.http.get("/v1/sessions/current", headers=headers)).json()["issued_by"] == admin.id
        asked = await place.world.submit(await place.world.agent("etl"))
        shown = (await place.world.services.gate.preview(asked["request_id"])).digest
        body = {"verdict": "approve", "shown_digest": shown, "reason": "looked at it"}
        answer = await place.world.http.post(f"/v1/requests/{asked['request_id']}/votes", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        (vote,) = await place.entries("request.vote")
        assert (vote["person"], vote["by"]) == (made["person"], admin.id)
        detail = await place.world.get(f"/v1/requests/{asked['request_id']}", admin)
        assert [one["issued_by"] for one in detail["votes"]] == [admin.id]


async def test_a_vote_of_a_session_of_ones_own_names_nobody_else(site) -> None:
    async with site(userinfo=True) as place:
        await place.directory.add_to_group(None, "admins", place.ada)
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        asked = await place.world.submit(await place.world.agent("etl"))
        shown = (await place.world.services.gate.preview(asked["request_id"])).digest
        body = {"verdict": "approve", "shown_digest": shown, "reason": "looked at it"}
        path = f"/v1/requests/{asked['request_id']}"
        answer = await place.world.http.post(f"{path}/votes", json=body, headers=browser.headers)
        assert answer.status_code == 200, answer.text
        detail = await place.world.get(path, place.world.admin)
        assert [(one["person"], one["issued_by"]) for one in detail["votes"]] == [(place.ada, None)]
