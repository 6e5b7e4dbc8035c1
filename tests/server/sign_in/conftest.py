"""A provider that we did not write (npm `oidc-provider`), servers that know it, and browsers with an account there.

The provider is a process; one serves all tests of a file, and forgets between them what they told it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from sqlalchemy import select

from consentry.server.guard import COOKIE
from consentry.store import tables

HERE = Path(__file__).parent
MODULE = HERE.parents[2] / ".work" / "oidc" / "node_modules" / "oidc-provider" / "lib" / "index.js"
FORM = "application/x-www-form-urlencoded"
SECRET = "of the tests, and long enough for them"


def client() -> httpx2.AsyncClient:
    """A client for the loopback. Nobody speaks TLS there, and reading the system's authorities takes its time."""
    return httpx2.AsyncClient(timeout=30, trust_env=False, verify=False)


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
        known = {
            "client_id": "consentry",
            "client_secret": SECRET,
            "redirect_uris": [f"{origin}/sign-in/oidc/{name}/callback"],
            "post_logout_redirect_uris": [f"{origin}/sign-in"],
            **more,
        }
        await self.control(clients=[known])

    async def account(self, name: str, /, **claims: object) -> None:
        claims = {"email": f"{name}@example.org", "email_verified": True, "name": name.title(), **claims}
        await self.control(accounts={name: claims})

    def settings(self, **more: object) -> dict[str, object]:
        """A table `identity.oidc.NAME` for it."""
        return {
            "issuer": self.issuer,
            "client_id": "consentry",
            "client_secret": "env:TEST_CLIENT_SECRET",
            "domains": ["example.org"],
            "userinfo": False,
            **more,
        }


@pytest.fixture(scope="module")
def provider_processes() -> Iterator[Callable[[str, int], str]]:
    """The issuer of the n-th provider on a host, which is started where there is none yet."""
    node = shutil.which("node")
    if node is None or not MODULE.exists():
        pytest.skip("npm `oidc-provider` is not here: run `make tools`")
    children: dict[tuple[str, int], tuple[subprocess.Popen[str], str]] = {}

    def of(host: str, number: int) -> str:
        if (host, number) not in children:
            command = [node, str(HERE / "oidc_provider.mjs"), str(MODULE), host]
            child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            children[host, number] = child, child.stdout.readline().strip()
        issuer = children[host, number][1]
        assert issuer.startswith(f"http://{host}:")
        return issuer

    yield of
    for child, _ in children.values():
        child.stdin.close()
        child.wait(30)
        child.stdout.close()


@pytest.fixture
async def new_provider(provider_processes) -> AsyncIterator:
    """`await new_provider(host)`: each answers another provider, which knows nobody yet."""
    handed: dict[str, int] = {}
    async with client() as http:

        async def begin(host: str = "127.0.0.1") -> Provider:
            handed[host] = handed.get(host, 0) + 1
            one = Provider(provider_processes(host, handed[host]), http)
            await one.control(reset=True)
            return one

        yield begin


@dataclass
class Browser:
    """A browser: cookies, and an account at the provider. It stops before it comes back to our callback."""

    world: object
    who: str = "ada"
    http: httpx2.AsyncClient = field(default_factory=client)

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

    async def begin_linking(self, name: str = "corp") -> str:
        """Press the button that links another account: where the provider is, with what it is asked."""
        leaving = await self.post("/identities/link", {"provider": name})
        return unescape(re.search(r'content="0;url=([^"]+)"', leaving.text).group(1))

    def leave_provider(self) -> None:
        """Lose the session there, keep the one here."""
        for one in list(self.http.cookies.jar):
            if not one.name.startswith("consentry"):
                self.http.cookies.jar.clear(one.domain, one.path, one.name)

    @property
    def token(self) -> str | None:
        return self.http.cookies.get(COOKIE)

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}

    async def whoami(self) -> dict:
        return (await self.world.http.get("/v1/sessions/current", headers=self.headers)).json()

    async def post(self, path: str, fields: Mapping[str, str]) -> httpx2.Response:
        origin = self.world.services.origin
        headers = {"origin": origin, "sec-fetch-site": "same-origin", "content-type": FORM}
        return await self.http.post(f"{origin}{path}", content=urlencode(fields), headers=headers)


@pytest.fixture(autouse=True)
def secret(monkeypatch) -> None:
    monkeypatch.setenv("TEST_CLIENT_SECRET", SECRET)


@pytest.fixture
async def provider(new_provider) -> Provider:
    return await new_provider()


@pytest.fixture
async def new_browser() -> AsyncIterator:
    """`new_browser(world, who)`: closed when the test ends."""
    opened: list[Browser] = []

    def make(world, who: str = "ada") -> Browser:
        opened.append(Browser(world, who))
        return opened[-1]

    yield make
    for one in opened:
        await one.http.aclose()


@pytest.fixture
def site(start, provider, new_browser):
    """Starts a server that has the provider `corp`, and a browser of somebody who was invited."""

    def begin(identity: Mapping[str, object] | None = None, **corp: object):
        sections = {"oidc": {"corp": provider.settings(**corp)}, **(identity or {})}
        return Site(start(identity=sections), provider, new_browser)

    return begin


class Site:
    """A server and its provider, as a context."""

    def __init__(self, context, provider: Provider, new_browser) -> None:
        self._context = context
        self._new_browser = new_browser
        self.provider = provider

    async def __aenter__(self) -> Site:
        self.world = await self._context.__aenter__()
        await self.provider.know(self.world.services.origin, "corp")
        await self.provider.account("ada")
        self.directory = self.world.services.directory
        self.ada = (await self.directory.invite(None, "ada@example.org")).person
        return self

    async def __aexit__(self, *error) -> None:
        await self._context.__aexit__(*error)

    def browser(self, who: str = "ada") -> Browser:
        return self._new_browser(self.world, who)

    async def entries(self, kind: str) -> list[Mapping[str, object]]:
        from consentry.ledger.entry import decode_entry

        def run(tx):
            rows = tx.execute(select(tables.ledger_entries.c.entry).order_by(tables.ledger_entries.c.seq)).all()
            return [decode_entry(bytes(row.entry)) for row in rows]

        return [one.fields for one in await self.world.services.gate.store.read(run) if one.type == kind]

    async def groups(self, person: str) -> dict[str, int]:
        return {one.group: one.since_ms for one in await self.directory.memberships() if one.person == person}


@pytest.fixture
def site_class() -> type[Site]:
    return Site


@pytest.fixture
def refused():
    """`refused(answer, browser, text)`: nobody is signed in, and the page says why."""

    def check(answer: httpx2.Response, browser: Browser, text: str, status: int = 403) -> None:
        assert answer.status_code == status, answer.text
        assert browser.token is None
        said = unescape(re.sub(r"<[^>]+>", " ", answer.text))
        assert text in " ".join(said.split()), said

    return check


@pytest.fixture
def changed():
    """`changed(url, name=value)`: the address with other parameters; `None` takes one out."""

    def change(url: str, **parameters: str | None) -> str:
        parts = urlsplit(url)
        query = {**dict(parse_qsl(parts.query)), **parameters}
        return parts._replace(query=urlencode({k: v for k, v in query.items() if v is not None})).geturl()

    return change
