"""Signing in at a provider that we did not write, and every way in which its answer must not work."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from types import SimpleNamespace
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from sqlalchemy import func, select

from consentry.server.settings import Settings
from consentry.server.sign_in_cookies import flow_cookie, hint_cookie
from consentry.store import tables


async def test_an_invited_person_signs_in_at_their_provider(site) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        page = await browser.http.get(f"{place.world.services.origin}/sign-in?next=/history")
        assert "Sign in with Corp" in page.text
        assert 'href="/sign-in/oidc/corp?next=%2Fhistory"' in page.text
        answer = await browser.back(await browser.at_provider(await browser.begin(path="?next=/history")))
        assert answer.status_code == 200
        assert 'content="0;url=/history"' in answer.text
        who = await browser.whoami()
        assert (who["subject"], who["assurance"], who["provider"]) == (place.ada, "session", "corp")
        assert who["issued_by"] is None
        opened = (await place.entries("session.opened"))[-1]
        assert opened["channel"] == "oidc:corp"
        assert [one["person"] for one in await place.entries("person.linked")] == [place.ada]


async def test_the_providers_are_listed(site) -> None:
    async with site(label="Example Corp") as place:
        (one,) = (await place.world.get("/v1/sign-in/providers", None))["items"]
        assert one == {
            "name": "corp",
            "label": "Example Corp",
            "url": f"{place.world.services.origin}/sign-in/oidc/corp",
        }


async def test_pkce_state_and_nonce_are_new_each_time(site) -> None:
    async with site() as place:
        urls = [parse_qs(urlsplit(await place.browser().begin()).query) for _ in range(3)]
        for name in ("state", "nonce", "code_challenge"):
            assert len({one[name][0] for one in urls}) == 3
            assert all(len(one[name][0]) == 43 for one in urls)
        assert {one["code_challenge_method"][0] for one in urls} == {"S256"}


async def test_a_wrong_verifier_is_refused_by_the_provider(site, refused, changed) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = changed(await browser.begin(), code_challenge="A" * 43)
        refused(await browser.back(await browser.at_provider(url)), browser, "does not take the code")


async def test_a_token_of_another_sign_in_is_refused(site, refused, changed) -> None:
    """Its nonce is another."""
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = changed(await browser.begin(), nonce="another")
        refused(await browser.back(await browser.at_provider(url)), browser, "its `nonce` differs")


async def test_an_expired_code_is_refused(site, refused) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = await browser.at_provider(await browser.begin())
        await place.provider.control(ahead=3600)
        refused(await browser.back(url), browser, "does not take the code")


async def test_a_replayed_answer_signs_nobody_in(site) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = await browser.at_provider(await browser.begin())
        kept = dict(browser.http.cookies)
        answers = await asyncio.gather(*(browser.http.get(url, headers=_cookies(kept)) for _ in range(4)))
        assert sorted(one.status_code for one in answers) == [200, 403, 403, 403]


async def test_a_code_of_another_sign_in_is_refused(site, refused, changed) -> None:
    """Code injection: the attacker's answer, brought by the victim's browser with the victim's own state."""
    async with site(userinfo=True) as place:
        victim, attacker = place.browser(), place.browser("eve")
        await place.provider.account("eve")
        await place.directory.invite(None, "eve@example.org")
        theirs = parse_qs(urlsplit(await attacker.at_provider(await attacker.begin())).query)["code"][0]
        url = await victim.at_provider(await victim.begin())
        refused(await victim.back(changed(url, code=theirs)), victim, "does not take the code")


@pytest.mark.parametrize("keep", [False, True], ids=["no cookie", "cookie of another sign-in"])
async def test_login_csrf_an_answer_that_another_browser_began_signs_nobody_in(site, keep, refused) -> None:
    async with site(userinfo=True) as place:
        attacker, victim = place.browser("eve"), place.browser()
        await place.provider.account("eve")
        await place.directory.invite(None, "eve@example.org")
        url = await attacker.at_provider(await attacker.begin())
        if keep:
            await victim.begin()
        refused(await victim.back(url), victim, "was not begun in this browser")
        assert (await attacker.back(url)).status_code == 200  # and the attempt has not used it up


async def test_a_sign_in_that_took_too_long_is_refused(site, clock, refused) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = await browser.at_provider(await browser.begin())
        clock.ahead_ms += 10 * 60_000
        refused(await browser.back(url), browser, "took too long")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"iss": "https://evil.example"}, "of another provider"),
        ({"iss": None}, "of another provider"),
        ({"code": None}, "did not sign you in"),
        ({"error": "access_denied"}, "did not sign you in"),
        ({"code": "x" * 4000}, "names something twice"),
        ({"state": None}, "was not begun in this browser"),
        ({"state": "x" * 43}, "was not begun in this browser"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_an_answer_that_is_not_whole_is_refused(site, change, text, refused, changed) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = await browser.at_provider(await browser.begin())
        refused(await browser.back(changed(url, **change)), browser, text)


async def test_an_answer_that_says_something_twice_is_refused(site, refused) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = await browser.at_provider(await browser.begin())
        refused(await browser.back(f"{url}&code=other"), browser, "names something twice")


async def test_mix_up_an_answer_of_one_provider_is_not_taken_for_anothers(
    start, new_provider, refused, changed, new_browser
) -> None:
    """The code of an honest provider must never reach a dishonest one, nor the other way round (RFC 9207, RFC 9700)."""
    honest, evil = await new_provider(), await new_provider()
    oidc = {"corp": honest.settings(userinfo=True), "evil": evil.settings(userinfo=True)}
    async with start(identity={"oidc": oidc}) as world:
        await honest.know(world.services.origin, "corp")
        await evil.know(world.services.origin, "evil")
        for one in (honest, evil):
            await one.account("ada")
        await world.services.directory.invite(None, "ada@example.org")
        browser = new_browser(world)
        url = await browser.at_provider(await browser.begin("corp"))
        crossed = url.replace("/oidc/corp/", "/oidc/evil/")
        refused(await browser.back(crossed), browser, "was not begun in this browser")
        evil_url = await browser.at_provider(await browser.begin("evil"))
        refused(await browser.back(changed(evil_url, iss=honest.issuer)), browser, "of another provider")
        assert "/token" not in [*await honest.asked(), *await evil.asked()]
        assert (await browser.sign_in("corp")).status_code == 200


async def test_a_provider_that_says_it_is_another_is_not_asked(start, provider) -> None:
    other = provider.settings(issuer=provider.issuer.replace("127.0.0.1", "localhost"))
    async with start(identity={"oidc": {"corp": other}}) as world:
        await provider.know(world.services.origin, "corp")
        answer = await world.http.get("/sign-in/oidc/corp")
        assert answer.status_code == 503
        assert "name another issuer" in answer.text


async def test_a_provider_that_is_down_is_said_to_be(start) -> None:
    corp = {"issuer": "http://127.0.0.1:1", "client_id": "x"}
    async with start(identity={"oidc": {"corp": corp}}) as world:
        answer = await world.http.get("/sign-in/oidc/corp")
        assert answer.status_code == 503
        assert "does not answer" in answer.text
        assert (await world.http.get("/sign-in/oidc/other")).status_code == 404


async def test_the_redirect_address_is_ours_whatever_the_request_names(site) -> None:
    async with site() as place:
        port = place.world.services.origin.rpartition(":")[2]
        url = await place.browser().begin(host=f"localhost:{port}")
        (address,) = parse_qs(urlsplit(url).query)["redirect_uri"]
        assert address == f"{place.world.services.origin}/sign-in/oidc/corp/callback"


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\nb", "%2f%2fevil"]
)
async def test_signing_in_does_not_lead_to_another_site(site, path) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        answer = await browser.back(
            await browser.at_provider(await browser.begin(path="?" + urlencode({"next": path})))
        )
        assert 'content="0;url=/"' in answer.text
        assert "evil" not in answer.text


async def test_the_cookie_of_a_flow_is_for_its_browser_alone(site) -> None:
    async with site(userinfo=True) as place:
        answer = await place.world.http.get("/sign-in/oidc/corp")
        cookie = answer.headers["set-cookie"]
        assert re.fullmatch(r"consentry_flow=s\.[\w-]{200,400}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax", cookie)


def test_under_https_the_cookies_are_bound_to_the_host_and_secure() -> None:
    parts = SimpleNamespace(secure=True, settings=Settings())
    flow = flow_cookie(parts, "x", 600)
    assert flow == "__Host-consentry_flow=x; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
    hint = hint_cookie(parts, "t")
    assert hint == "__Secure-consentry_hint=t; Path=/sign-out; Max-Age=604800; HttpOnly; SameSite=Strict; Secure"
    assert "Max-Age=0" in hint_cookie(parts, "t" * 5000)  # too large for a cookie: signing out there asks once more


def _cookies(values: Mapping[str, str]) -> dict[str, str]:
    return {"cookie": "; ".join(f"{name}={value}" for name, value in values.items())}


async def test_beginning_to_sign_in_writes_nothing(site) -> None:
    """Anybody may press the button, as often as they like."""
    async with site(userinfo=True) as place:
        store, kept = place.world.services.gate.store, ("sign_in_flows", "used_proofs", "outbox", "tokens")

        async def count() -> list[int]:
            of = [select(func.count()).select_from(tables.metadata.tables[name]) for name in kept]
            return await store.read(lambda tx: [tx.execute(one).scalar_one() for one in of])

        before, size = await count(), await place.world.services.gate.ledger_size()
        for _ in range(20):
            await place.browser().begin()
        assert await count() == before
        assert await place.world.services.gate.ledger_size() == size
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        assert (await count())[:2] == [0, 1]  # a sign-in that came to its end says so


async def test_a_cookie_that_somebody_changed_signs_nobody_in(site, refused) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = await browser.at_provider(await browser.begin())
        (cookie,) = (one for one in browser.http.cookies.jar if one.name == "consentry_flow")
        cookie.value = cookie.value[:40] + ("A" if cookie.value[40] != "A" else "B") + cookie.value[41:]
        refused(await browser.back(url), browser, "was not begun in this browser")
