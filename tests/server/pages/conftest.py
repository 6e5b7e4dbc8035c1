"""A seeded server, people who are signed in by cookie, and one Chromium for all tests of this folder."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from consentry.actions import Action, Actor, Kind, Operand
from consentry.consent.bounds import Bound
from consentry.consent.model import Ballot, BallotVerdict, OutcomeStatus, Submission
from consentry.consent.standing import StandingPattern
from consentry.policy.model import Facts
from consentry.server.guard import COOKIE

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
FINDINGS = {"total": 37440, "types": ["EMAIL_ADDRESS", "PERSON"], "scanned": True}
EXPORT = {"findings": FINDINGS, "rows": 12480, "bytes": 1843201, "external": True, "destination": "s3://partner"}
CLEAN = {"findings": {"total": 0, "types": [], "scanned": True}}
FORM = "application/x-www-form-urlencoded"


@dataclass
class Site:
    """A running server with four people, two machines and a past; each person holds a cookie."""

    world: object
    people: dict[str, object] = field(default_factory=dict)
    actor: Actor | None = None
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def gate(self):
        return self.world.services.gate

    @property
    def origin(self) -> str:
        return self.world.services.origin

    async def ask(self, operation="dataset.export", resource="s3://partner/customers.csv", arguments=None, **more):
        """An agent asks; the request's id, or the action's where nobody is asked."""
        facts = Facts(more.pop("facts", EXPORT))
        reason = more.pop("reason", None)
        actor = more.pop("actor", self.actor)
        action = Action(actor, operation, resource, arguments or {}, more.pop("operands", ()), more.pop("context", {}))
        decision = await self.gate.submit(Submission(action, facts, reason), **more)
        return decision.request_id or decision.action_id

    async def decide(self, request_id: str, who: str, verdict: str, reason: str | None = None):
        """Somebody votes by another way than the page."""
        session = await self.world.services.directory.authenticate(self.people[who].token)
        shown = (await self.gate.preview(request_id)).digest
        return await self.gate.vote(request_id, session.voter("api"), Ballot(BallotVerdict(verdict), shown, reason))

    async def get(self, path: str, who: str | None = "ben", **headers: str):
        return await self.world.http.get(path, headers={**self._cookie(who), **headers}, follow_redirects=False)

    async def post(self, path: str, fields: dict[str, str], who: str | None = "ben", **headers: str):
        """A form as a browser sends it from our own page; `headers` replace what it says of where it stands."""
        sent = {"origin": self.origin, "sec-fetch-site": "same-origin", "content-type": FORM, **self._cookie(who)}
        sent.update({name.replace("_", "-"): value for name, value in headers.items()})
        sent = {name: value for name, value in sent.items() if value}
        return await self.world.http.post(path, content=urlencode(fields), headers=sent, follow_redirects=False)

    def _cookie(self, who: str | None) -> dict[str, str]:
        return {} if who is None else {"cookie": f"{COOKIE}={self.people[who].token}"}


@pytest.fixture
def make_site(start):
    """Starts and seeds a server: `async with make_site() as site`."""

    @asynccontextmanager
    async def begin() -> AsyncIterator[Site]:
        async with start() as world:
            site = Site(world)
            await _seed(site)
            yield site

    return begin


@pytest_asyncio.fixture(loop_scope="session")
async def site(make_site) -> AsyncIterator[Site]:
    async with make_site() as one:
        yield one


async def _seed(site: Site) -> None:
    world = site.world
    for name, groups in (
        ("ana", ()),
        ("ben", ("data-stewards", "admins")),
        ("chidi", ("data-stewards", "admins")),
        ("dora", ("auditors",)),
        ("eve", ()),
    ):
        site.people[name] = await world.person(f"{name}@example.org", *groups)
    agent = await world.agent("nightly-exporter", site.people["ana"])
    service = await world.agent("airflow", site.people["dora"], "service")
    site.people["agent"] = agent
    person = Actor(Kind.PERSON, site.people["ana"].id)
    site.actor = Actor(Kind.AGENT, agent.id, Actor(Kind.SERVICE, service.id, person))
    past = await site.ask(arguments={"month": "10"}, reason="monthly")
    await site.decide(past, "chidi", "approve", "Agreed with legal.\nSee the contract.")
    action_id = (await site.gate.request(past)).action_id
    claim = await site.gate.claim(action_id, site.actor)
    await site.gate.settle(claim.id, site.actor, OutcomeStatus.SUCCEEDED, "12480 rows")
    site.ids["past"], site.ids["done"] = past, action_id
    await site.ask("secret.rotate", "vault/prod/db", {"length": 32}, facts=CLEAN)
    await site.ask(
        "terraform.apply", "prod/network", {"argv": ["terraform", "apply", "plan.out"]},
        facts={**CLEAN, "destroys": 3, "destructive": True}, operands=(Operand("plan.out", "cd" * 32),),
    )  # fmt: skip
    site.ids["export"] = await site.ask(
        arguments={"columns": ["email", "name"], "note": "rtl \u202e zero\u200bwidth "},
        reason="Hand-over to Acme. <b>please</b>",
        operands=(Operand("customers.csv", "ab" * 32),),
        context={"ticket": "DATA-812"},
    )
    await _lasting(site)


async def _lasting(site: Site) -> None:
    """A standing grant, a delegation, and a broken glass."""
    directory = site.world.services.directory
    ben, chidi = [(await directory.authenticate(site.people[name].token)).voter("api") for name in ("ben", "chidi")]
    pattern = StandingPattern(site.actor.id, "dataset.read", "warehouse", {"table": Bound("one_of", ["orders"])})
    grant = await site.gate.create_standing(pattern, ben, uses=50, expires_ms=86_400_000, reason="routine reads")
    site.ids["grant"] = grant.id
    now = site.gate.store.clock_ms()
    site.ids["delegation"] = (await site.gate.delegate(chidi, ben.person, now, now + 86_400_000)).id
    action = Action(Actor(Kind.PERSON, chidi.person), "sql.ddl", "crm", {"sql": "DROP INDEX broken"})
    await site.gate.break_glass(Submission(action, Facts(CLEAN)), chidi, "index is corrupt\nwrites fail")
    site.ids["review"] = (await site.gate.post_reviews())[0].id


PAGES = (
    "/", "/requests/{export}", "/requests/{past}", "/actions/{done}", "/history", "/history?state=denied", "/grants",
    "/people", "/delegations", "/policies", "/policies/change", "/ledger", "/reviews", "/identities", "/passkeys",
    "/load", "/load?days=7", "/grants?like={done}&days=7", "/together?id={export}",
)  # fmt: skip


@pytest.fixture
def pages_of():
    """Every page of a seeded site, as an administrator reaches them."""
    return lambda site: [path.format(**site.ids) for path in PAGES]


class Document(HTMLParser):
    """What a browser would make of a page: its elements with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attrs for name, attrs in self.elements if name == tag]

    def hidden(self, name: str) -> str:
        return next(one["value"] for one in self.all("input") if one.get("name") == name)


@pytest.fixture
def read():
    return Document


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium():
    playwright = pytest.importorskip("playwright.async_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed: apt-get install chromium")
    async with playwright.async_playwright() as started:
        browser = await started.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        await browser.close()


async def _until(page, expression: str, arg=None) -> None:
    """Wait until an expression is true. Playwright's own way evaluates text in the page, which our policy forbids."""
    deadline = time.monotonic() + 30
    while not await page.evaluate(expression, arg):
        assert time.monotonic() < deadline, f"never true: {expression}"
        await page.wait_for_timeout(20)


@pytest.fixture
def until():
    return _until


@dataclass
class Window:
    """A browser of one person, with everything that its console said."""

    site: Site
    context: object
    said: list[str] = field(default_factory=list)

    async def open(self, path: str, *, ready: bool = True):
        """A new page; `ready` waits until the live events are on, so that nothing is still starting."""
        page = await self.context.new_page()
        page.on("console", lambda one: self.said.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.said.append(str(error)))
        await page.goto(self.site.origin + path, wait_until="load")
        if ready and await page.query_selector(".frame"):
            await _until(page, "window.htmx !== undefined")
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def window(chromium, site):
    """`await window("ben", scheme="dark", size=(390, 844))`: at the end, no console may have complained."""
    made: list[Window] = []

    async def begin(who: str | None = "ben", *, scheme: str = "light", size: tuple[int, int] = (1440, 900), **more):
        context = await chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, is_mobile=size[0] < 500, **more
        )
        if who is not None:
            cookie = {"name": COOKIE, "value": site.people[who].token, "url": site.origin}
            await context.add_cookies([cookie])
        made.append(Window(site, context))
        return made[-1]

    yield begin
    for one in made:
        await one.context.close()
    assert [said for one in made for said in one.said] == []


@pytest.fixture(scope="session")
def axe_script() -> str:
    package = pytest.importorskip("axe_playwright_python", reason="axe (axe-playwright-python) is not installed")
    return (Path(package.__file__).parent / "axe.min.js").read_text("utf-8")
