"""Requests of low risk in one message: none unseen, none twice, nothing decided from it. Time is the test's own."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import re
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from consentry.actions import Action, Actor, Kind
from consentry.channels import delivery, digests
from consentry.channels.delivery import Deliverer
from consentry.channels.digests import LEAST_LEFT_MS, MOST, Digest
from consentry.channels.email import render
from consentry.channels.email.route import EmailRoute
from consentry.channels.model import Outgoing, Posted, Remark, Role, target_of
from consentry.channels.slack.api import SlackApi
from consentry.channels.slack.config import SlackConfig
from consentry.channels.slack.route import SlackRoute
from consentry.channels.slack.send import SlackSender
from consentry.channels.teams.api import TeamsApi
from consentry.channels.teams.book import Book
from consentry.channels.teams.config import Place, TeamsConfig
from consentry.channels.teams.route import TeamsRoute
from consentry.channels.teams.send import TeamsSender
from consentry.consent import sweeping
from consentry.consent.gate import Gate
from consentry.consent.model import Ballot, BallotVerdict, Submission, Voter
from consentry.consent.settings import GateSettings
from consentry.identity.directory import Directory
from consentry.policy.model import Assurance, Facts
from consentry.store import tables

MINUTE = 60_000
CLEAN = Facts({"findings": {"total": 0, "types": [], "scanned": True}})
POLICY = """
@id("routine-shell") @review("group:releasers") @expires("2h") @assurance("chat")
permit (principal, action == Action::"shell.exec", resource);
@id("routine-slow") @review("group:releasers") @expires("2h") @remind("10m") @escalate("12m group:admins")
permit (principal, action == Action::"s3.delete", resource);
@id("routine-short") @review("group:releasers") @expires("18m")
permit (principal, action == Action::"s3.put", resource);
@id("routine-both") @review("group:releasers") @expires("2h")
permit (principal, action == Action::"sql.ddl", resource);
@id("grave") @review("group:releasers") @expires("2h")
permit (principal, action == Action::"sql.ddl", resource);
@id("grave-alone") @review("group:releasers") @expires("2h")
permit (principal, action == Action::"terraform.apply", resource);
"""
ROUTINE = Digest(15 * MINUTE, rules=("routine-*",))


class InSlack:
    """Lists in Slack, and what stands there."""

    name, ask = "slack", "chat.postMessage"

    def __init__(self, module, fake) -> None:
        self.fake = fake
        self.config = SlackConfig(
            bot_token=lambda: module.BOT_TOKEN, api_url=fake.url, resources={"db/*": "#databases"},
            groups={"admins": "#admins"},
        )  # fmt: skip
        self.api = SlackApi(self.config)

    def wire(self, store) -> tuple[SlackRoute, SlackSender]:
        return SlackRoute(self.config), SlackSender(self.api)

    @property
    def posted(self) -> list[dict]:
        return [one for place in self.fake.messages.values() for one in place if "thread_ts" not in one]

    def words(self, message: dict) -> str:
        return self.fake.words(message)

    def buttons(self, message: dict) -> dict:
        return self.fake.buttons(message)

    def alone(self, request: str) -> dict | None:
        return self.fake.find(request)

    def places(self) -> dict[str, int]:
        return {place.removeprefix("C").lower(): len(found) for place, found in self.fake.messages.items() if found}


class InTeams:
    """Lists in Teams, and what stands there. A link is spelled as Slack spells it."""

    name, ask = "teams", "create"

    def __init__(self, module, fake) -> None:
        self.fake = fake
        place = {name: Place(f"19:{name}@thread.tacv2", module.TEAM) for name in ("approvals", "databases", "admins")}
        self.config = TeamsConfig(
            app_id=module.APP, password=lambda: module.PASSWORD, tenant=module.TENANT, channel=place["approvals"],
            resources={"db/*": place["databases"]}, groups={"admins": place["admins"]}, login_url=f"{fake.url}/login",
            service_url=fake.service, graph_url=f"{fake.url}/graph",
        )  # fmt: skip
        self.api = TeamsApi(self.config, lambda: fake.now())

    def wire(self, store) -> tuple[TeamsRoute, TeamsSender]:
        return TeamsRoute(self.config), TeamsSender(self.config, self.api, Book(store, self.config))

    @property
    def posted(self) -> list[dict]:
        return [place[0] for place in self.fake.messages.values() if place]

    def words(self, message: dict) -> str:
        card = self.fake.card(message)
        links = re.findall(r'"url": "([^"]+)"', json.dumps(card["body"]))  # those of buttons are below
        return "\n".join([self.fake.words(card), *(f"<{link}|Open>" for link in links)])

    def buttons(self, message: dict) -> dict:
        return self.fake.buttons(self.fake.card(message))

    def alone(self, request: str) -> dict | None:
        return next((one for one in self.posted if request in json.dumps(one) and self.buttons(one)), None)

    def places(self) -> dict[str, int]:
        return dict(Counter(one["channel"].removeprefix("19:").partition("@")[0] for one in self.posted))


@dataclass
class Line:
    """A gate, a chat, and replicas that collect; time goes on when it is told to."""

    gate: Gate
    chat: InSlack | InTeams
    ahead_ms: int = 0
    people: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    digests: tuple[Digest, ...] = (ROUTINE,)

    def replica(self) -> Deliverer:
        return self.kind(Deliverer)

    def kind(self, made: type[Deliverer]) -> Deliverer:
        wired = self.chat.wire(self.gate.store)
        return made(self.gate.store, *wired, str, "https://x.example", digests=self.digests)

    async def ask(self, operation: str = "shell.exec", resource: str = "host/a") -> str:
        self.asked += 1
        action = Action(Actor(Kind.PERSON, self.people["mara"]), operation, resource, {"n": self.asked}, (), {})
        decision = await self.gate.submit(Submission(action, CLEAN))
        assert decision.request_id is not None
        return decision.request_id

    async def vote(self, request: str, verdict: str = "approve") -> None:
        voter = Voter(self.people["ada"], Assurance.SESSION, "web", "ses_1")
        shown = (await self.gate.preview(request)).digest
        await self.gate.vote(request, voter, Ballot(BallotVerdict(verdict), shown))

    async def go(self, minutes: float = 0, *replicas: Deliverer) -> None:
        """Time passes, then everything is delivered that is due by then."""
        self.ahead_ms += int(minutes * MINUTE)
        for _ in range(200):
            if not sum(await asyncio.gather(*(one.round() for one in replicas or (self.replica(),)))):
                if not await self.due():
                    return
                self.ahead_ms += 250
        raise AssertionError("something is due for ever")

    async def due(self) -> int:
        """How much is due within a second or two: what a provider's limits hold back."""

        def count(tx) -> int:
            rows = tables.channel_messages
            soon = rows.c.next_at.is_not(None) & (rows.c.next_at <= tx.now_ms + 2_000)
            return len(tx.execute(rows.select().where(soon)).all())

        return await self.gate.store.read(count)

    async def sweep(self) -> None:
        await self.gate.store.write(lambda tx: sweeping.sweep(tx, self.gate._core))

    @property
    def posted(self) -> list[dict]:
        return self.chat.posted

    def words(self, at: int = 0) -> str:
        return self.chat.words(self.posted[at])


PLACES = [("slack", "sqlite"), ("slack", "postgres"), ("teams", "sqlite")]
"""Slack on each database, and Teams, which differs in what it shows only."""


@pytest.fixture(params=PLACES, ids="-".join)
def place(request) -> tuple[str, str]:
    return request.param


@pytest.fixture
def store_url(place, request, tmp_path) -> str:
    return (
        request.getfixturevalue("migrated_postgres_url")
        if place[1] == "postgres"
        else f"sqlite:///{tmp_path / 'consentry.db'}"
    )


@pytest.fixture
async def chat(place, slack_module, teams_module) -> AsyncIterator[InSlack | InTeams]:
    if place[0] == "slack":
        fake = await slack_module.FakeSlack().start()
        yield InSlack(slack_module, fake)
    else:
        fake = await teams_module.FakeTeams().start()
        yield InTeams(teams_module, fake)
    await fake.stop()


@pytest.fixture
async def line(store_url, tmp_path, chat) -> AsyncIterator[Line]:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.cedar").write_text(POLICY)
    one = Line(None, chat)
    settings = GateSettings(
        data_dir=tmp_path, store_url=store_url, policy_dir=tmp_path / "policies", targets=(target_of(chat.name),),
        clock_offset_ms=lambda: one.ahead_ms, background=False,
    )  # fmt: skip
    one.gate = await Gate.open(settings)
    chat.fake.now = lambda: one.gate.store.clock_ms() / 1000
    directory = Directory(one.gate.store)
    for name, groups in (("ada", ("releasers", "admins")), ("ben", ("releasers",)), ("mara", ())):
        one.people[name] = (await directory.invite(None, f"{name}@example.org", groups=groups)).person
    one.ahead_ms += 1_000
    async with chat.api:
        yield one
    directory.close()
    await one.gate.close()


def requests_in(words: str, requests: list[str]) -> list[bool]:
    return [f"/requests/{one}|Open" in words for one in requests]


async def test_they_come_in_one_message_when_the_first_has_waited(line) -> None:
    first = await line.ask()
    await line.go()
    requests = [first]
    for n in range(3):
        line.ahead_ms += 4 * MINUTE
        requests.append(await line.ask(resource=f"host/{n}"))
        await line.go()
    assert line.posted == []
    await line.go(4)
    (message,) = line.posted
    assert requests_in(line.words(), requests) == [True] * 4
    assert "4 of 4 waiting" in line.words()
    assert line.chat.buttons(message) == {}
    later = await line.ask(resource="host/later")
    await line.go()
    await line.go(14)
    assert len(line.posted) == 1
    await line.go(2)
    assert requests_in(line.words(1), [later, first]) == [True, False]


@pytest.mark.parametrize(
    ("operation", "digest", "collected"),
    [
        ("shell.exec", ROUTINE, True),
        ("terraform.apply", ROUTINE, False),
        ("sql.ddl", ROUTINE, False),
        ("sql.ddl", Digest(15 * MINUTE, rules=("routine-*", "grave")), True),
        ("shell.exec", Digest(15 * MINUTE, rules=("routine-*",), resources=("host/*",)), True),
        ("shell.exec", Digest(15 * MINUTE, rules=("routine-*",), resources=("db/*",)), False),
        ("shell.exec", Digest(15 * MINUTE, resources=("HOST/*",)), False),
    ],
)
async def test_every_rule_that_asks_must_be_of_low_risk(line, operation, digest, collected) -> None:
    line.digests = (digest,)
    request = await line.ask(operation)
    await line.go()
    assert (line.posted == []) is collected
    await line.go(16)
    assert (f"/requests/{request}|Open" in line.words()) is collected
    assert len(line.posted) == 1


async def test_what_would_expire_before_or_just_after_its_list_is_sent_at_once(line) -> None:
    """18 minutes to live, a list in 15: too little would be left. In a list that is due in 10 there is enough."""
    alone = await line.ask("s3.put")
    await line.go()
    assert line.chat.alone(alone) is not None
    await line.ask()
    await line.go()
    await line.go(5)
    with_others = await line.ask("s3.put", "bucket/b")
    await line.go()
    assert line.chat.alone(with_others) is None
    await line.go(10)
    assert f"/requests/{with_others}|Open" in line.words(-1)
    left = (await line.gate.request(with_others)).expires_at_ms - line.gate.store.clock_ms()
    assert left > LEAST_LEFT_MS


async def test_what_was_decided_meanwhile_asks_nobody(line) -> None:
    decided, open_one = await line.ask(), await line.ask(resource="host/b")
    await line.go()
    await line.vote(decided, "deny")
    await line.go(15)
    assert requests_in(line.words(), [decided, open_one]) == [False, True]
    assert "1 of 1 waiting" in line.words()


async def test_where_all_of_it_is_decided_nothing_is_sent(line) -> None:
    for request in [await line.ask(), await line.ask(resource="host/b")]:
        await line.go()
        await line.vote(request)
    await line.go(16)
    await line.go(16)
    assert line.posted == []


async def test_the_message_says_what_became_of_each(line) -> None:
    first, second = await line.ask(), await line.ask(resource="host/b")
    await line.go()
    await line.go(16)
    await line.vote(second)
    await line.go(1)
    assert "1 of 2 waiting" in line.words()
    assert "Approved" in line.words()
    await line.vote(first, "deny")
    await line.go(1)
    assert "All 2 are decided" in line.words()
    assert len(line.posted) == 1
    assert line.posted[0]["edits"] >= 2


async def test_a_reminder_takes_it_out_of_the_list(line) -> None:
    await line.ask()
    reminded = await line.ask("s3.delete")
    await line.go()
    await line.go(11)
    assert line.posted == []
    await line.sweep()
    await line.go()
    assert line.chat.alone(reminded) is not None
    assert len(line.posted) == 1
    await line.go(5)
    assert f"/requests/{reminded}|Open" not in line.words(-1)


async def test_an_escalation_asks_at_once_and_in_the_new_place(line) -> None:
    escalated = await line.ask("s3.delete")
    await line.go()
    await line.go(13)
    await line.sweep()
    await line.go()
    assert set(line.chat.places()) == {"admins", "approvals"}
    assert all(line.chat.buttons(one) for one in line.posted)
    assert escalated


async def test_replicas_send_one_list_and_tell_one_truth(line) -> None:
    replicas = [line.replica() for _ in range(3)]
    requests = [await line.ask(resource=f"host/{n}") for n in range(6)]
    await line.go(0, *replicas)
    await line.go(16, *replicas)
    assert len(line.posted) == 1
    for request in requests:
        await line.vote(request)
    await line.go(1, *replicas)
    assert "All 6 are decided" in line.words()
    assert len(line.posted) == 1


async def test_a_long_list_is_more_than_one_message(line) -> None:
    requests = [await line.ask(resource=f"host/{n}") for n in range(MOST + 2)]
    await line.go()
    await line.go(16)
    assert len(line.posted) == 2
    shown = [requests_in(line.words(at), requests) for at in (0, 1)]
    assert [sum(one) for one in shown] == [MOST, 2]
    assert all(a != b for a, b in zip(*shown, strict=True))


@pytest.mark.parametrize("trouble", [("status", 503), ("refused", None), ("limit", 3), ("lost", None)])
async def test_trouble_delays_the_list_and_neither_loses_nor_doubles(line, trouble) -> None:
    line.chat.fake.trouble[line.chat.ask].extend([trouble, trouble])
    requests = [await line.ask(resource=f"host/{n}") for n in range(3)]
    await line.go()
    late = None
    line.ahead_ms += 16 * MINUTE
    for step in range(60):
        await line.replica().round()
        if step == 1:
            late = await line.ask(resource="host/late")
        line.ahead_ms += 3_000
    await line.go(16)
    listed = [requests_in(self_words, [*requests, late]) for self_words in map(line.chat.words, line.posted)]
    assert [sum(column) for column in zip(*listed, strict=True)] == [1, 1, 1, 1]


async def test_a_replica_that_dies_after_sending_leaves_no_second_list(line) -> None:
    first, second = await line.ask(), await line.ask(resource="host/b")
    await line.go()
    line.ahead_ms += 16 * MINUTE

    class Dies(Deliverer):
        async def _do(self, job) -> None:
            await self._send(job, await self._store.read(lambda tx: self._now(tx, job)))
            raise asyncio.CancelledError

    dying = line.kind(Dies)
    with pytest.raises(asyncio.CancelledError):
        await dying.round()
    assert len(line.posted) == 1
    await line.vote(first)
    line.ahead_ms += delivery.LEASE_MS + 1_000
    await line.go()
    assert len(line.posted) == 1
    assert "1 of 2 waiting" in line.words()
    assert requests_in(line.words(), [first, second]) == [True, True]


async def test_places_have_lists_of_their_own(line) -> None:
    one, other = await line.ask(), await line.ask(resource="db/crm")
    await line.go()
    await line.go(16)
    assert line.chat.places() == {"approvals": 1, "databases": 1}
    assert sorted(sum(requests_in(line.chat.words(message), [one, other])) for message in line.posted) == [1, 1]


@dataclass
class Mailbox:
    """A sender that keeps what it is given."""

    sent: list[Outgoing] = field(default_factory=list)
    gap_ms = 0

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_args) -> None: ...

    async def post(self, message: Outgoing) -> Posted:
        self.sent.append(message)
        return Posted(message.target, f"<{message.id}@x>")

    async def update(self, posted: Posted, message: Outgoing) -> None: ...

    async def note(self, posted: Posted, remark: Remark) -> str:
        return remark.id


async def test_each_reviewer_gets_one_e_mail_that_lists_them(line, monkeypatch) -> None:
    monkeypatch.setattr(EmailRoute, "channel", line.chat.name)  # the gate of this line tells this channel
    box = Mailbox()
    replica = Deliverer(line.gate.store, EmailRoute(), box, str, "https://x.example", digests=line.digests)
    requests = [await line.ask(resource=f"host/{n}") for n in range(2)]
    await line.go(0, replica)
    assert box.sent == []
    await line.go(16, replica)
    assert {one.target for one in box.sent} == {f"person:{line.people[name]}" for name in ("ada", "ben")}
    assert {one.role for one in box.sent} == {Role.LISTED}
    mail = render.collected(box.sent[0].listed, "msg_1", sender="c@example.com", to="ada@example.org")
    read = email.message_from_bytes(bytes(mail), policy=email.policy.default)
    assert read["Subject"] == "2 requests wait for your decision"
    for kind in ("plain", "html"):
        body = read.get_body((kind,)).get_content()
        assert all(f"https://x.example/requests/{one}" in body for one in requests)
    await line.vote(requests[0])
    await line.go(1, replica)
    assert sum(1 for one in box.sent if one.role is Role.LISTED) == 2


def test_a_digest_names_what_may_wait() -> None:
    from pydantic import ValidationError

    from consentry.server.settings_channels import DigestSettings

    with pytest.raises(ValidationError, match="names the `rules` or the `resources`"):
        DigestSettings.model_validate({"every": "15m"})
    made = DigestSettings.model_validate({"rules": ("routine-*",), "every": "10m"})
    assert made.every == 10 * MINUTE
    assert digests.every((), None) is None
