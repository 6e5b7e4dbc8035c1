"""Signing in at a provider that we did not write (npm `oidc-provider`), and every way in which it must not work."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from sqlalchemy import select

from consentry.identity.errors import UnknownPerson
from consentry.server.guard import COOKIE
from consentry.server.run import sign_in_link
from consentry.server.settings import Settings
from consentry.server.sign_in_cookies import flow_cookie, hint_cookie
from consentry.server.signing_in import look_at_issuers
from consentry.store import tables

HERE = Path(__file__).parent
MODULE = HERE.parents[1] / ".work" / "oidc" / "node_modules" / "oidc-provider" / "lib" / "index.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FORM = "application/x-www-form-urlencoded"

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not MODULE.exists(), reason="npm `oidc-provider` is not here: run `make tools`"
)


@dataclass
class Provider:
    """A provider of a process of its own. People sign in there as whom the header `x-who` says."""

    issuer: str
    http: httpx2.AsyncClient

    async def control(self, **wish: object) -> dict:
        return (await self.http.post(f"{self.issuer}/control", content=json.dumps(wish))).json()

    async def asked(self) -> list[str]:
        """The paths that anybody asked for."""
        return (await self.control())["requests"]

    async def know(self, origin: str, name: str, **more: object) -> None:
        """Register the server under its address."""
        client = {
            "client_id": "consentry",
            "client_secret": "of the tests, and long enough for them",
            "redirect_uris": [f"{origin}/sign-in/oidc/{name}/callback"],
            "post_logout_redirect_uris": [f"{origin}/sign-in"],
            **more,
        }
        await self.control(clients=[client])

    async def account(self, name: str, /, **claims: object) -> None:
        claims = {"email": f"{name}@example.org", "email_verified": True, "name": name.title(), **claims}
        await self.control(accounts={name: claims})


@pytest.fixture
async def new_provider() -> AsyncIterator:
    children = []
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:

        async def begin(host: str = "127.0.0.1") -> Provider:
            pipe = asyncio.subprocess.PIPE
            node = shutil.which("node") or "node"
            child = await asyncio.create_subprocess_exec(
                node, str(HERE / "oidc_provider.mjs"), str(MODULE), host, stdin=pipe, stdout=pipe
            )
            children.append(child)
            issuer = (await child.stdout.readline()).decode().strip()
            assert issuer.startswith(f"http://{host}:")
            return Provider(issuer, http)

        yield begin
        for child in children:
            child.stdin.close()
            await child.wait()


@dataclass
class Browser:
    """A browser: cookies, and an account at the provider. It stops before it comes back to our callback."""

    world: object
    who: str = "ada"
    http: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(timeout=30, trust_env=False))

    async def begin(self, name: str = "corp", path: str = "", **headers: str) -> str:
        """Press the button: where the provider is, with what it is asked."""
        answer = await self.http.get(f"{self.world.services.origin}/sign-in/oidc/{name}{path}", headers=headers)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def at_provider(self, url: str) -> str:
        """Sign in there: the address of our callback, with the answer in it."""
        for _ in range(10):
            answer = await self.http.get(url, headers={"x-who": self.who})
            assert answer.status_code in (302, 303), answer.text
            url = str(httpx2.URL(url).join(answer.headers["location"]))
            if "/callback" in url:
                return url
        raise AssertionError(url)

    async def back(self, url: str) -> httpx2.Response:
        return await self.http.get(url)

    async def sign_in(self, name: str = "corp") -> httpx2.Response:
        return await self.back(await self.at_provider(await self.begin(name)))

    def leave_provider(self) -> None:
        """Lose the session there, keep the one here."""
        for one in list(self.http.cookies.jar):
            if not one.name.startswith("consentry"):
                self.http.cookies.jar.clear(one.domain, one.path, one.name)

    @property
    def token(self) -> str | None:
        return self.http.cookies.get(COOKIE)

    async def whoami(self) -> dict:
        headers = {"authorization": f"Bearer {self.token}"}
        return (await self.world.http.get("/v1/sessions/current", headers=headers)).json()

    async def post(self, path: str, fields: Mapping[str, str]) -> httpx2.Response:
        origin = self.world.services.origin
        headers = {"origin": origin, "sec-fetch-site": "same-origin", "content-type": FORM}
        return await self.http.post(f"{origin}{path}", content=urlencode(fields), headers=headers)


def settings_of(provider: Provider, **more: object) -> dict[str, object]:
    return {
        "issuer": provider.issuer,
        "client_id": "consentry",
        "client_secret": "env:TEST_CLIENT_SECRET",
        "domains": ["example.org"],
        "userinfo": False,
        **more,
    }


@pytest.fixture(autouse=True)
def secret(monkeypatch) -> None:
    monkeypatch.setenv("TEST_CLIENT_SECRET", "of the tests, and long enough for them")


@pytest.fixture
async def provider(new_provider) -> Provider:
    return await new_provider()


@pytest.fixture
def site(start, provider):
    """Starts a server that has the provider `corp`, and a browser of somebody who was invited."""

    def begin(identity: Mapping[str, object] | None = None, **corp: object):
        return Site(start, provider, {"oidc": {"corp": settings_of(provider, **corp)}, **(identity or {})})

    return begin


class Site:
    """A server and its provider, as a context."""

    def __init__(self, start, provider: Provider, identity: Mapping[str, object]) -> None:
        self._context = start(identity=identity)
        self.provider = provider
        self._browsers: list[Browser] = []

    async def __aenter__(self) -> Site:
        self.world = await self._context.__aenter__()
        await self.provider.know(self.world.services.origin, "corp")
        await self.provider.account("ada")
        self.directory = self.world.services.directory
        invited = await self.directory.invite(None, "ada@example.org")
        self.ada = invited.person
        return self

    async def __aexit__(self, *error) -> None:
        for browser in self._browsers:
            await browser.http.aclose()
        await self._context.__aexit__(*error)

    def browser(self, who: str = "ada") -> Browser:
        self._browsers.append(Browser(self.world, who))
        return self._browsers[-1]

    async def entries(self, kind: str) -> list[Mapping[str, object]]:
        from consentry.ledger.entry import decode_entry

        def run(tx):
            rows = tx.execute(select(tables.ledger_entries.c.entry).order_by(tables.ledger_entries.c.seq)).all()
            return [decode_entry(bytes(row.entry)) for row in rows]

        return [one.fields for one in await self.world.services.gate.store.read(run) if one.type == kind]

    async def groups(self, person: str) -> dict[str, int]:
        return {one.group: one.since_ms for one in await self.directory.memberships() if one.person == person}


def refused(answer: httpx2.Response, browser: Browser, text: str, status: int = 403) -> None:
    assert answer.status_code == status, answer.text
    assert browser.token is None
    said = unescape(re.sub(r"<[^>]+>", " ", answer.text))
    assert text in " ".join(said.split()), said


def changed(url: str, **parameters: str | None) -> str:
    """The address with other parameters; `None` takes one out."""
    parts = urlsplit(url)
    query = {**dict(parse_qsl(parts.query)), **parameters}
    return parts._replace(query=urlencode({k: v for k, v in query.items() if v is not None})).geturl()


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


async def test_a_wrong_verifier_is_refused_by_the_provider(site) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = changed(await browser.begin(), code_challenge="A" * 43)
        refused(await browser.back(await browser.at_provider(url)), browser, "does not take the code")


async def test_a_token_of_another_sign_in_is_refused(site) -> None:
    """Its nonce is another."""
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = changed(await browser.begin(), nonce="another")
        refused(await browser.back(await browser.at_provider(url)), browser, "its `nonce` differs")


async def test_an_expired_code_is_refused(site) -> None:
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


async def test_a_code_of_another_sign_in_is_refused(site) -> None:
    """Code injection: the attacker's answer, brought by the victim's browser with the victim's own state."""
    async with site(userinfo=True) as place:
        victim, attacker = place.browser(), place.browser("eve")
        await place.provider.account("eve")
        await place.directory.invite(None, "eve@example.org")
        theirs = parse_qs(urlsplit(await attacker.at_provider(await attacker.begin())).query)["code"][0]
        url = await victim.at_provider(await victim.begin())
        refused(await victim.back(changed(url, code=theirs)), victim, "does not take the code")


@pytest.mark.parametrize("keep", [False, True], ids=["no cookie", "cookie of another sign-in"])
async def test_login_csrf_an_answer_that_another_browser_began_signs_nobody_in(site, keep) -> None:
    async with site(userinfo=True) as place:
        attacker, victim = place.browser("eve"), place.browser()
        await place.provider.account("eve")
        await place.directory.invite(None, "eve@example.org")
        url = await attacker.at_provider(await attacker.begin())
        if keep:
            await victim.begin()
        refused(await victim.back(url), victim, "was not begun in this browser")
        assert (await attacker.back(url)).status_code == 200  # and the attempt has not used it up


async def test_a_sign_in_that_took_too_long_is_refused(site, clock) -> None:
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
async def test_an_answer_that_is_not_whole_is_refused(site, change, text) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = await browser.at_provider(await browser.begin())
        refused(await browser.back(changed(url, **change)), browser, text)


async def test_an_answer_that_says_something_twice_is_refused(site) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        url = await browser.at_provider(await browser.begin())
        refused(await browser.back(f"{url}&code=other"), browser, "names something twice")


async def test_mix_up_an_answer_of_one_provider_is_not_taken_for_anothers(start, new_provider) -> None:
    """The code of an honest provider must never reach a dishonest one, nor the other way round (RFC 9207, RFC 9700)."""
    honest, evil = await new_provider(), await new_provider()
    oidc = {"corp": settings_of(honest, userinfo=True), "evil": settings_of(evil, userinfo=True)}
    async with start(identity={"oidc": oidc}) as world:
        await honest.know(world.services.origin, "corp")
        await evil.know(world.services.origin, "evil")
        for one in (honest, evil):
            await one.account("ada")
        await world.services.directory.invite(None, "ada@example.org")
        browser = Browser(world)
        url = await browser.at_provider(await browser.begin("corp"))
        crossed = url.replace("/oidc/corp/", "/oidc/evil/")
        refused(await browser.back(crossed), browser, "was not begun in this browser")
        evil_url = await browser.at_provider(await browser.begin("evil"))
        refused(await browser.back(changed(evil_url, iss=honest.issuer)), browser, "of another provider")
        assert "/token" not in [*await honest.asked(), *await evil.asked()]
        assert (await browser.sign_in("corp")).status_code == 200
        await browser.http.aclose()


async def test_a_provider_that_says_it_is_another_is_not_asked(start, provider) -> None:
    other = settings_of(provider, issuer=provider.issuer.replace("127.0.0.1", "localhost"))
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


async def test_a5_whoever_takes_over_an_address_is_not_its_person(site) -> None:
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


async def test_a_disabled_person_does_not_get_in(site) -> None:
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


async def test_a_second_account_is_linked_by_signing_in_on_both_sides(site) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        await place.provider.account("ada-admin", email=None, email_verified=None)
        browser.who = "ada-admin"
        browser.leave_provider()
        leaving = await browser.post("/identities/link", {"provider": "corp"})
        url = unescape(re.search(r'content="0;url=([^"]+)"', leaving.text).group(1))
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
        url = unescape(
            re.search(r'0;url=([^"]+)"', (await browser.post("/identities/link", {"provider": "corp"})).text).group(1)
        )
        answer = await browser.back(await browser.at_provider(url))
        assert answer.status_code == 409
        assert len(await place.directory.identities(place.ada)) == 1


async def test_linking_ends_with_the_session_that_began_it(site) -> None:
    async with site(userinfo=True) as place:
        browser = place.browser()
        assert (await browser.sign_in()).status_code == 200
        leaving = await browser.post("/identities/link", {"provider": "corp"})
        url = unescape(re.search(r'0;url=([^"]+)"', leaving.text).group(1))
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


async def test_the_cookie_of_a_flow_is_for_its_browser_alone(site) -> None:
    async with site(userinfo=True) as place:
        answer = await place.world.http.get("/sign-in/oidc/corp")
        cookie = answer.headers["set-cookie"]
        assert re.fullmatch(r"consentry_flow=[\w-]{43}; Path=/; Max-Age=600; HttpOnly; SameSite=Lax", cookie)


async def test_the_doctor_asks_each_issuer_for_its_keys(provider, tmp_path, monkeypatch) -> None:
    await provider.know("http://127.0.0.1", "corp")
    (tmp_path / "empty.jwks").write_text('{"keys": []}')
    rule = {"audience": "a", "agent": "b", "claims": {"sub": "c"}}
    identity = {
        "oidc": {
            "good": settings_of(provider),
            "slash": settings_of(provider, issuer=f"{provider.issuer}/"),
            "down": settings_of(provider, issuer="http://127.0.0.1:1"),
            "secret": settings_of(provider, client_secret="env:TEST_NO_SUCH_SECRET"),
            "clear": settings_of(provider, issuer="http://id.example.org"),
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
    corp = settings_of(provider, userinfo=True, logout=True, label="Example Corp")
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


async def test_who_starts_the_server_signs_somebody_in_when_their_provider_is_down(site) -> None:
    async with site(userinfo=True) as place:
        assert (await place.browser().sign_in()).status_code == 200
        link = await sign_in_link(place.world.services, "ada@example.org")
        signed = await place.world.post("/v1/sessions", None, {"token": link.token}, status=201)
        assert signed["person"] == place.ada
        assert "by" not in (await place.entries("person.invited"))[-1]
        with pytest.raises(UnknownPerson):  # nobody is made by that
            await sign_in_link(place.world.services, "nobody@example.org")


def test_under_https_the_cookies_are_bound_to_the_host_and_secure() -> None:
    parts = SimpleNamespace(secure=True, settings=Settings())
    flow = flow_cookie(parts, "x", 600)
    assert flow == "__Host-consentry_flow=x; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"
    hint = hint_cookie(parts, "t")
    assert hint == "__Secure-consentry_hint=t; Path=/sign-out; Max-Age=604800; HttpOnly; SameSite=Strict; Secure"
    assert "Max-Age=0" in hint_cookie(parts, "t" * 5000)  # too large for a cookie: signing out there asks once more


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


def _cookies(values: Mapping[str, str]) -> dict[str, str]:
    return {"cookie": "; ".join(f"{name}={value}" for name, value in values.items())}
