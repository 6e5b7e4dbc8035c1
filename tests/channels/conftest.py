"""A running server with people who linked themselves, a Slack of our own, and policies that ask in chat."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import httpx2
import orjson
import pytest
import pytest_asyncio

from consentry.actions import Action, Actor, Kind
from consentry.channels import deciding
from consentry.channels.slack.send import SlackSender
from consentry.channels.teams.send import TeamsSender
from consentry.channels.teams_webhook.send import WebhookSender
from consentry.consent.model import Ballot, BallotVerdict, Submission
from consentry.policy.model import Facts
from consentry.server.run import Options, serve
from consentry.server.services import Services
from consentry.server.settings import Settings

HERE = Path(__file__).parent
SECRETS = {"TEST_SLACK_SIGNING": "SIGNING_SECRET", "TEST_SLACK_BOT": "BOT_TOKEN", "TEST_SLACK_APP": "APP_TOKEN"}
POLICY = """
@id("releasers-decide") @reason("A command on a host is looked at by somebody who releases")
@review("group:releasers") @expires("2h") @assurance("chat") @remind("10m") @escalate("20m group:admins")
permit (principal, action == Action::"shell.exec", resource);

@id("two-decide") @reason("Two look at changes of infrastructure")
@review("group:releasers") @quorum("2") @expires("1h") @assurance("chat")
permit (principal, action == Action::"terraform.apply", resource);

@id("first-releasers") @reason("First somebody who releases")
@review("group:releasers") @stage("1") @expires("1h") @assurance("chat")
permit (principal, action == Action::"container.run", resource);

@id("then-admins") @reason("Then an administrator")
@review("group:admins") @stage("2") @expires("1h") @assurance("chat")
permit (principal, action == Action::"container.run", resource);

@id("signed-in") @reason("Whoever decides this is signed in")
@review("group:releasers") @expires("1h") @assurance("session")
permit (principal, action == Action::"container.exec", resource);
"""
CLEAN = {"findings": {"total": 0, "types": [], "scanned": True}}


def load(path: Path) -> ModuleType:
    """A module beside the tests, which is no test."""
    name = f"consentry_tests_{path.stem}_{path.parent.name}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


slack = load(HERE / "fakes" / "slack.py")
teams = load(HERE / "fakes" / "teams.py")


@dataclass
class Clock:
    ahead_ms: int = 0

    def __call__(self) -> int:
        return self.ahead_ms


@dataclass(frozen=True)
class Chat:
    """Which chat people are linked to, and what it calls them."""

    kind: str = "slack"
    issuer: str = slack.TEAM
    subject: Callable[[str], str] = str


@dataclass
class House:
    """Everybody who plays a part. `people` are ids, `users` the Slack users that they linked."""

    services: Services
    http: httpx2.AsyncClient
    clock: Clock
    slack: object
    people: dict[str, str] = field(default_factory=dict)
    users: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    agent: str = ""
    asked: int = 0
    chat: Chat = field(default_factory=Chat)

    @property
    def gate(self):
        return self.services.gate

    async def person(self, name: str, *groups: str, linked: bool = True) -> str:
        directory = self.services.directory
        invitation = await directory.invite(None, f"{name}@example.org", name=name.title(), groups=groups)
        self.people[name] = invitation.person
        self.tokens[name] = (await directory.sign_in(invitation.token)).token
        if linked:
            await self.link(name, f"U0{name.upper()}")
        return invitation.person

    async def link(self, name: str, user: str) -> str:
        self.users[name] = user
        made = await self.services.directory.link(
            None, self.people[name], self.chat.kind, self.chat.issuer, self.chat.subject(user)
        )
        return made.id

    async def ask(self, operation: str = "shell.exec", resource: str = "host/a", arguments=None, **more) -> str:
        """The agent asks for Mara; the request's id."""
        self.asked += 1
        actor = Actor(Kind.AGENT, self.agent, Actor(Kind.PERSON, self.people["mara"]))
        stated = {"n": self.asked} if arguments is None else arguments
        facts = Facts(more.pop("facts", CLEAN))
        decision = await self.gate.submit(
            Submission(Action(actor, operation, resource, stated, (), more.pop("context", {})), facts, **more)
        )
        assert decision.request_id is not None, decision
        return decision.request_id

    async def state(self, request_id: str) -> str:
        return (await self.gate.request(request_id)).state.value

    async def vote_elsewhere(self, request_id: str, session, verdict: str, reason: str) -> None:
        """Somebody decides by another way than the one that is tested."""
        ballot = Ballot(BallotVerdict(verdict), (await self.gate.preview(request_id)).digest, reason)
        await self.gate.vote(request_id, session.voter("cli"), ballot)

    async def settled(self, place, request_id: str) -> None:
        """Wait until a place says that the request is decided."""
        for _ in range(3000):
            if (await place.shown(request_id)).decided:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("the place never heard of the decision")

    async def post(self, path: str, fields: Mapping[str, str], **changes: str | None):
        """A callback as Slack sends it; `changes` replace its headers, or take them out."""
        body, headers = slack.signed(dict(fields), self.gate.store.clock_ms() / 1000)
        for name, value in changes.items():
            header = "x-slack-" + name.replace("_", "-")
            if value is None:
                del headers[header]
            else:
                headers[header] = value
        return await self.http.post(path, content=body, headers=headers)

    async def interact(self, payload: dict, **changes: str | None):
        return await self.post("/channels/slack/interactions", {"payload": orjson.dumps(payload).decode()}, **changes)

    async def until(self, what, seconds: float = 30.0):
        """What `what()` answers, once it answers something."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not (found := what()):
            assert loop.time() < end, "it never came to be"
            await asyncio.sleep(0.01)
        return found

    async def message(self, request_id: str, *, role: str = "C") -> dict:
        return await self.until(lambda: self.slack.find(request_id, role=role))


@asynccontextmanager
async def running(
    folder: Path, fake, *, mode: str = "http", policy: str = POLICY, chat: Chat | None = None, **channels
) -> AsyncIterator[House]:
    """A server on a free port with Slack switched on, or another chat."""
    (folder / "policies").mkdir(parents=True, exist_ok=True)
    (folder / "policies" / "chat.cedar").write_text(policy)
    clock = Clock()
    told = {
        "mode": mode, "signing_secret": "env:TEST_SLACK_SIGNING", "bot_token": "env:TEST_SLACK_BOT",
        "app_token": "env:TEST_SLACK_APP", "api_url": fake.url, **channels.pop("slack", {}),
    }  # fmt: skip
    settings = Settings.model_validate(
        {
            "server": {"port": 0},
            "log": {"level": "error", "format": "text"},
            "policy": {"dir": folder / "policies"},
            "channels": {"slack": told, **channels} if chat is None else channels,
            "data_dir": folder / "data",
        }
    )
    ready: asyncio.Future[Services] = asyncio.get_running_loop().create_future()
    options = Options(no_browser=True, clock_offset_ms=clock)
    task = asyncio.create_task(serve(settings, options, ready=ready.set_result))
    await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    services = ready.result()
    try:
        async with httpx2.AsyncClient(base_url=services.origin, timeout=30, trust_env=False, verify=False) as http:
            house = House(services, http, clock, fake, chat=chat or Chat())
            await populate(house)
            yield house
    finally:
        services.stop()
        await task


async def populate(house: House) -> None:
    """Ada and Ben release; Mara asks and releases too; Cho does neither; Dan will be disabled; Eve is not linked."""
    for name, groups in (
        ("ada", ("releasers", "admins")), ("ben", ("releasers",)), ("cho", ()), ("dan", ("releasers",)),
        ("mara", ("releasers",)),
    ):  # fmt: skip
        await house.person(name, *groups)
    await house.person("eve", "releasers", linked=False)
    made = await house.services.directory.create_agent(None, "etl", house.people["mara"])
    house.agent = made.agent.id


@pytest.fixture(scope="module")
def patch() -> pytest.MonkeyPatch:
    with pytest.MonkeyPatch.context() as patched:
        for name, constant in SECRETS.items():
            patched.setenv(name, getattr(slack, constant))
        patched.setenv("TEST_TEAMS_PASSWORD", teams.PASSWORD)
        patched.setattr(SlackSender, "gap_ms", 0)
        patched.setattr(TeamsSender, "gap_ms", 0)
        patched.setattr(deciding, "LEAST_MS", 0)
        yield patched


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fake(patch) -> AsyncIterator[object]:
    one = await slack.FakeSlack().start()
    yield one
    await one.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(fake, tmp_path_factory) -> AsyncIterator[House]:
    async with running(tmp_path_factory.mktemp("house"), fake) as one:
        yield one


@pytest.fixture(scope="session")
def start_house():
    """`async with start_house(folder, fake, mode="socket") as house`: a server with settings of the test's own."""
    return running


@pytest.fixture(scope="session")
def slack_module() -> ModuleType:
    return slack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def fake_teams(patch) -> AsyncIterator[object]:
    one = await teams.FakeTeams().start()
    yield one
    await one.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def teams_house(fake_teams, tmp_path_factory) -> AsyncIterator[House]:
    chat = Chat("teams", teams.TENANT, teams.who)
    settings = fake_teams.settings()
    async with running(tmp_path_factory.mktemp("teams"), fake_teams, chat=chat, teams=settings) as one:
        yield one


@pytest.fixture(scope="session")
def teams_module() -> ModuleType:
    return teams


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workflow_house(patch, tmp_path_factory) -> AsyncIterator[House]:
    """Teams by a workflow only; `slack` of the house is the fake."""
    fake = await teams.FakeTeams().start()
    patch.setenv("TEST_TEAMS_WORKFLOW", f"{fake.url}/workflow/secret-of-the-address")
    patch.setattr(WebhookSender, "gap_ms", 0)
    told = {"url": "env:TEST_TEAMS_WORKFLOW"}
    async with running(tmp_path_factory.mktemp("workflow"), fake, chat=Chat(), teams_webhook=told) as one:
        yield one
    await fake.stop()
