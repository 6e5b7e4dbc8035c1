"""Delivery: once, in order, slowly enough, and whatever the provider and the replicas do meanwhile."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from consentry.actions import Action, Actor, Kind
from consentry.channels.delivery import MAX_DELAY_MS, Deliverer, delay_ms
from consentry.channels.model import target_of
from consentry.channels.slack.api import SlackApi
from consentry.channels.slack.config import SlackConfig
from consentry.channels.slack.route import SlackRoute, channels_for
from consentry.channels.slack.send import SlackSender
from consentry.consent import sweeping
from consentry.consent.gate import Gate
from consentry.consent.model import Ballot, BallotVerdict, Submission, Voter
from consentry.consent.settings import GateSettings
from consentry.identity.directory import Directory
from consentry.policy.model import Assurance, Facts
from consentry.store import tables

CLEAN = Facts({"findings": {"total": 0, "types": [], "scanned": True}})
POLICY = """
@id("one") @review("group:releasers") @expires("2h") @assurance("chat") @remind("10m") @escalate("20m group:admins")
permit (principal, action == Action::"shell.exec", resource);
@id("two") @review("group:releasers") @quorum("2") @expires("2h") @assurance("chat")
permit (principal, action == Action::"terraform.apply", resource);
@id("glass") @review("group:releasers") @break_glass("group:admins")
permit (principal, action == Action::"sql.ddl", resource);
"""


@dataclass
class Line:
    """A gate, replicas that deliver what happens in it, and a clock that goes on when there is nothing to do."""

    gate: Gate
    fake: object
    api: SlackApi
    config: SlackConfig
    ahead_ms: int = 0
    people: dict[str, str] = field(default_factory=dict)
    asked: int = 0
    mask: Callable[[str], str] = str

    def replica(self) -> Deliverer:
        return Deliverer(
            self.gate.store, SlackRoute(self.config), SlackSender(self.api), self.mask, "https://x.example"
        )

    async def ask(self, operation: str = "shell.exec", resource: str = "host/a") -> str:
        self.asked += 1
        actor = Actor(Kind.PERSON, self.people["mara"])
        action = Action(actor, operation, resource, {"n": self.asked}, (), {})
        decision = await self.gate.submit(Submission(action, CLEAN))
        assert decision.request_id is not None
        return decision.request_id

    async def vote(self, name: str, request: str, verdict: str = "approve") -> None:
        voter = Voter(self.people[name], Assurance.SESSION, "web", "ses_1")
        shown = (await self.gate.preview(request)).digest
        await self.gate.vote(request, voter, Ballot(BallotVerdict(verdict), shown))

    async def pending(self) -> int:
        def count(tx) -> int:
            outbox = tables.outbox.c
            waiting = tx.execute(tables.outbox.select().where(outbox.done_at.is_(None))).all()
            messages = tables.channel_messages
            return len(waiting) + len(tx.execute(messages.select().where(messages.c.next_at.is_not(None))).all())

        return await self.gate.store.read(count)

    async def drain(self, *replicas: Deliverer, rounds: int = 4000) -> None:
        """Until nothing waits any more; time passes while there is nothing to do."""
        for _ in range(rounds):
            if sum(await asyncio.gather(*(one.round() for one in replicas))):
                continue
            if not await self.pending():
                return
            self.ahead_ms += 250
        raise AssertionError("something waits for ever")

    async def sweep(self, minutes: int) -> None:
        self.ahead_ms += minutes * 60_000
        await self.gate.store.write(lambda tx: sweeping.sweep(tx, self.gate._core))

    def texts(self) -> list[str]:
        return [self.fake.words(one) for place in self.fake.messages.values() for one in place if "blocks" in one]


@pytest.fixture
async def line(store_url, tmp_path, slack_module) -> AsyncIterator[Line]:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.cedar").write_text(POLICY)
    fake = await slack_module.FakeSlack().start()
    config = SlackConfig(
        bot_token=lambda: slack_module.BOT_TOKEN, api_url=fake.url,
        resources={"db/*": "#databases"}, groups={"admins": "#admins"},
    )  # fmt: skip
    one = Line(None, fake, SlackApi(config), config)
    settings = GateSettings(
        data_dir=tmp_path, store_url=store_url, policy_dir=tmp_path / "policies", targets=(target_of("slack"),),
        clock_offset_ms=lambda: one.ahead_ms, background=False,
    )  # fmt: skip
    one.gate = await Gate.open(settings)
    fake.now = lambda: one.gate.store.clock_ms() / 1000
    directory = Directory(one.gate.store)
    for name, groups in (("ada", ("releasers", "admins")), ("ben", ("releasers",)), ("mara", ())):
        one.people[name] = (await directory.invite(None, f"{name}@example.org", groups=groups)).person
    one.ahead_ms += 1_000
    async with one.api:
        yield one
    directory.close()
    await one.gate.close()
    await fake.stop()


async def test_all_arrive_within_the_limits_and_none_twice(line) -> None:
    """Three replicas, one channel that takes a message a second."""
    line.fake.limit = True
    requests = [await line.ask() for _ in range(12)]
    await line.drain(*(line.replica() for _ in range(3)))
    (place,) = line.fake.messages.values()
    assert [one["metadata"]["event_payload"]["request"] for one in place] == requests
    assert line.fake.limited == 0


async def test_a_thread_is_in_order_under_many_changes(line) -> None:
    request = await line.ask()
    await line.sweep(11)
    await line.sweep(11)
    await line.vote("ada", request)
    await line.drain(*(line.replica() for _ in range(3)))
    message = line.fake.find(request)
    assert "Approved" in line.fake.words(message)
    assert line.fake.buttons(message) == {}
    assert line.fake.thread(message) == []  # nobody is reminded of what is decided


async def test_reminder_and_escalation_stand_in_the_thread(line) -> None:
    request = await line.ask()
    replica = line.replica()
    await line.drain(replica)
    await line.sweep(11)
    await line.drain(replica)
    await line.sweep(11)
    await line.drain(replica)
    said = [one["text"] for one in line.fake.thread(line.fake.find(request))]
    assert [text.split(":")[0] for text in said] == ["Still waiting", "Escalated"]
    escalated = line.fake.messages["C" + "ADMINS"]
    assert escalated, "those who were added are asked where they are"


async def test_each_vote_shows(line) -> None:
    request = await line.ask("terraform.apply")
    replica = line.replica()
    await line.drain(replica)
    assert "0 of 2" in line.fake.words(line.fake.find(request))
    await line.vote("ada", request)
    await line.drain(replica)
    assert "1 of 2" in line.fake.words(line.fake.find(request))


async def test_identical_requests_fold_into_one_message_that_counts_them(line) -> None:
    replica = line.replica()
    request = await line.ask()
    await line.drain(replica)
    for _ in range(2):
        line.asked -= 1
        assert await line.ask() == request
    await line.drain(replica)
    (message,) = line.fake.messages["CAPPROVALS"]
    assert "3 identical submissions" in line.fake.words(message)


@pytest.mark.parametrize("trouble", [("status", 503), ("refused", None), ("error", "internal_error"), ("lost", None)])
async def test_trouble_delays_and_neither_loses_nor_doubles(line, trouble) -> None:
    line.fake.trouble["chat.postMessage"].extend([trouble, trouble])
    requests = [await line.ask(resource=f"host/{n}") for n in range(3)]
    await line.drain(line.replica(), line.replica())
    (place,) = line.fake.messages.values()
    assert sorted(one["metadata"]["event_payload"]["request"] for one in place) == requests


async def test_where_nobody_may_look_it_is_sent_again(line) -> None:
    """Without the scope to read the channel: rather twice than not at all."""
    line.fake.trouble["chat.postMessage"].append(("lost", None))
    line.fake.trouble["conversations.list"].append(("error", "missing_scope"))
    await line.ask()
    await line.drain(line.replica())
    assert [len(place) for place in line.fake.messages.values()] == [2]


async def test_a_replica_that_dies_after_sending_leaves_no_second_message(line) -> None:
    request = await line.ask()

    class Dies(Deliverer):
        async def _do(self, job) -> None:
            await self._send(job, await self._store.read(lambda tx: self._now(tx, job)))
            raise asyncio.CancelledError

    dying = Dies(line.gate.store, SlackRoute(line.config), SlackSender(line.api), str, "https://x.example")
    with pytest.raises(asyncio.CancelledError):
        await dying.round()
    assert len(line.texts()) == 1
    line.ahead_ms += 61_000
    await line.drain(line.replica())
    assert len(line.texts()) == 1
    await line.vote("ada", request)
    await line.drain(line.replica())
    assert "Approved" in line.texts()[0]


async def test_a_provider_that_asks_to_wait_is_waited_for(line) -> None:
    line.fake.trouble["chat.postMessage"].append(("limit", 7))
    asked = line.gate.store.clock_ms()
    await line.ask()
    await line.ask(resource="db/a")
    replica = line.replica()
    await line.drain(replica)
    posts = [call for call in line.fake.calls if call.method == "chat.postMessage"]
    assert len(posts) == 2
    assert all(call.at * 1000 >= asked + 7_000 for call in posts[-1:])


async def test_nothing_is_lost_while_the_provider_is_down_and_no_button_of_the_past_is_posted(line) -> None:
    line.fake.down = True
    decided, open_one = await line.ask(), await line.ask()
    replica = line.replica()
    for _ in range(20):
        await replica.round()
        line.ahead_ms += 3_000
    assert not line.fake.calls
    await line.vote("ada", decided, "deny")
    line.fake.down = False
    await line.drain(replica)
    shown = line.fake.find(decided)
    assert "Denied" in line.fake.words(shown)
    assert line.fake.buttons(shown) == {}
    assert shown["edits"] == 0
    assert "consentry_approve" in line.fake.buttons(line.fake.find(open_one))


async def test_no_secret_and_no_address_is_in_any_call(line) -> None:
    request = await line.ask()
    await line.vote("ada", request)
    await line.drain(line.replica())
    said = json.dumps([(call.method, call.arguments) for call in line.fake.calls])
    for sensitive in ("xoxb", "@example.org", "ps_", "ses_1"):
        assert sensitive not in said


async def test_direct_messages_reach_linked_reviewers_and_whoever_asked(line) -> None:
    directory = Directory(line.gate.store)
    for name in ("ada", "mara"):
        await directory.link(None, line.people[name], "slack", "T0TEAM", f"U0{name.upper()}")
    directory.close()
    config = SlackConfig(line.config.bot_token, api_url=line.config.api_url, direct=True)
    replica = Deliverer(line.gate.store, SlackRoute(config), SlackSender(line.api), str, "https://x.example")
    request = await line.ask()
    await line.drain(replica)
    assert set(line.fake.messages) == {"CAPPROVALS", "DU0ADA"}
    assert "consentry_approve" in line.fake.buttons(line.fake.find(request, role="D"))
    await line.vote("ben", request)
    await line.drain(replica)
    assert line.fake.buttons(line.fake.find(request, role="DU0ADA")) == {}
    assert "Approved" in line.fake.words(line.fake.find(request, role="DU0MARA"))


async def test_whoever_was_skipped_by_breaking_glass_is_told(line) -> None:
    voter = Voter(line.people["ada"], Assurance.SESSION, "web", "ses_1")
    action = Action(Actor(Kind.PERSON, line.people["ada"]), "sql.ddl", "db/crm", {"sql": "DROP INDEX x"}, (), {})
    await line.gate.break_glass(Submission(action, CLEAN), voter, "index of jane@example.com is corrupt")
    line.mask = lambda text: text.replace("jane@example.com", "[EMAIL_ADDRESS]")
    await line.drain(line.replica(), line.replica())
    (told,) = line.fake.messages["C" + "DATABASES"]
    words = line.fake.words(told)
    assert "Glass broken: sql.ddl" in words
    assert "`ada` acted by breaking glass: `index of [EMAIL_ADDRESS] is corrupt`" in words
    assert line.fake.buttons(told) == {}
    assert "DROP INDEX" not in words


@pytest.mark.parametrize(
    ("resource", "groups", "places"),
    [
        ("db/crm", [], ("#databases",)),
        ("host/a", [], ("#approvals",)),
        ("host/a", ["admins"], ("#admins",)),
        ("db/crm", ["admins", "none"], ("#databases", "#admins")),
    ],
)
def test_places_of_resources_and_groups(resource, groups, places) -> None:
    config = SlackConfig(str, resources={"db/*": "#databases", "db/c*": "#databases"}, groups={"admins": "#admins"})
    assert channels_for(config, resource, groups) == places


def test_waits_double_up_to_a_minute() -> None:
    waits = [delay_ms(attempts, 1.0) for attempts in range(1, 40)]
    assert waits == sorted(waits)
    assert waits[-1] == MAX_DELAY_MS
    assert delay_ms(4, 0.0) == delay_ms(4, 1.0) // 2
