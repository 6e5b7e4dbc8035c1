"""Decisions in Slack, against the tests' own Slack, which answers at once.

From a confirmed dialog to the caller who waits for it, beside the same vote through the API in the same run; and a
thousand requests in a minute of the store's clock, to twenty channels that take a message a second each.
Run: python bench/channels.py [--decisions 100] [--requests 1000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import importlib.util
import io
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import ModuleType

from consentry.actions import Action, Actor, Kind
from consentry.channels.delivery import Deliverer
from consentry.channels.model import target_of
from consentry.channels.slack.api import SlackApi
from consentry.channels.slack.config import SlackConfig
from consentry.channels.slack.route import SlackRoute
from consentry.channels.slack.send import SlackSender
from consentry.consent.gate import Gate
from consentry.consent.model import Ballot, BallotVerdict, Submission, Voter
from consentry.consent.settings import GateSettings
from consentry.identity.directory import Directory
from consentry.policy.model import Assurance, Facts
from consentry.store import Tx, tables

HERE = Path(__file__).parent
BOUND_MS, CHANNELS, REPLICAS, DECIDED = 1_000.0, 20, 2, 5
CLEAN = Facts({"findings": {"total": 0, "types": [], "scanned": True}})


def tests() -> ModuleType:
    """The tests' own server and Slack."""
    path = HERE.parent / "tests" / "channels" / "conftest.py"
    spec = importlib.util.spec_from_file_location("channels_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def show(label: str, seconds: list[float]) -> float:
    p50, p95 = statistics.median(seconds) * 1e3, sorted(seconds)[int(len(seconds) * 0.95)] * 1e3
    print(f"{label:<48}{p50:>9.1f}{p95:>9.1f}")
    return p95


async def decisions(module: ModuleType, folder: Path, count: int) -> None:
    """Each from sending the callback, or the vote, until the caller has its answer."""
    fake = await module.slack.FakeSlack().start()
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        manager = module.running(folder, fake)
        house = await manager.__aenter__()
    try:
        chat, api = [], []
        for number in range(count):
            chat.append(await by_chat(house, fake, number))
            api.append(await by_api(house, number))
        print(f"{count} decisions; milliseconds".ljust(48) + f"{'median':>9}{'p95':>9}")
        show("vote through the API to the released caller", api)
        p95 = show("confirmed in Slack to the released caller", chat)
        print(f"asked: at most {BOUND_MS:.0f} ms at the 95th percentile: {'holds' if p95 <= BOUND_MS else 'MISSED'}")
    finally:
        with contextlib.redirect_stdout(said):
            await manager.__aexit__(None, None, None)
        await fake.stop()


async def by_chat(house, fake, number: int) -> float:  # type: ignore[no-untyped-def]
    request = await house.ask(resource=f"chat/{number}")
    waiting = asyncio.create_task(house.gate.wait((await house.gate.request(request)).action_id, timeout_s=60))
    message = await house.message(request)
    await house.interact(fake.pressed(message, "consentry_approve", house.users["ada"]))
    view = fake.views[-1]
    house.clock.ahead_ms += 1_000  # time to read
    began = time.perf_counter()
    await house.interact(fake.submitted(view, house.users["ada"]))
    assert (await waiting).state.value == "approved"
    return time.perf_counter() - began


async def by_api(house, number: int) -> float:  # type: ignore[no-untyped-def]
    request = await house.ask(resource=f"api/{number}")
    waiting = asyncio.create_task(house.gate.wait((await house.gate.request(request)).action_id, timeout_s=60))
    body = {"verdict": "approve", "shown_digest": (await house.gate.preview(request)).digest}
    headers = {"authorization": f"Bearer {house.tokens['ada']}"}
    began = time.perf_counter()
    await house.http.post(f"/v1/requests/{request}/votes", json=body, headers=headers)
    assert (await waiting).state.value == "approved"
    return time.perf_counter() - began


async def flood(module: ModuleType, folder: Path, count: int) -> None:
    """Requests over a minute of the store's clock, every fifth decided meanwhile, to replicas that share the rows."""
    fake = await module.slack.FakeSlack(limit=True).start()
    ahead = [0]
    config = SlackConfig(
        lambda: module.slack.BOT_TOKEN, resources={f"{n}/*": f"#c{n}" for n in range(CHANNELS)}, api_url=fake.url
    )
    (folder / "policies").mkdir(parents=True)
    (folder / "policies" / "p.cedar").write_text(module.POLICY)
    gate = await Gate.open(
        GateSettings(
            data_dir=folder, policy_dir=folder / "policies", targets=(target_of("slack"),), background=False,
            clock_offset_ms=lambda: ahead[0],
        )
    )  # fmt: skip
    fake.now = lambda: gate.store.clock_ms() / 1000
    directory = Directory(gate.store)
    people = [(await directory.invite(None, f"{n}@example.org", groups=("releasers",))).person for n in ("ada", "mara")]
    ahead[0] += 1_000
    async with SlackApi(config) as api:
        replicas = [
            Deliverer(gate.store, SlackRoute(config), SlackSender(api), str, "https://x.example")
            for _ in range(REPLICAS)
        ]
        began, started = time.perf_counter(), gate.store.clock_ms()
        requests = await _ask_and_deliver(gate, replicas, people, ahead, count)
        await _drain(gate, replicas, ahead)
        wall, virtual = time.perf_counter() - began, (gate.store.clock_ms() - started) / 1000
    report(fake, requests, wall, virtual)
    directory.close()
    await gate.close()
    await fake.stop()


async def _ask_and_deliver(
    gate: Gate, replicas: list[Deliverer], people: list[str], ahead: list[int], count: int
) -> list[str]:
    requests: list[str] = []
    for second in range(60):
        for number in range(len(requests), count * (second + 1) // 60):
            action = Action(
                Actor(Kind.PERSON, people[1]), "shell.exec", f"{number % CHANNELS}/h", {"n": number}, (), {}
            )
            decision = await gate.submit(Submission(action, CLEAN))
            assert decision.request_id is not None
            requests.append(decision.request_id)
            if number % DECIDED == 0:
                shown = (await gate.preview(decision.request_id)).digest
                voter = Voter(people[0], Assurance.SESSION, "web", "ses_1")
                await gate.vote(decision.request_id, voter, Ballot(BallotVerdict.APPROVE, shown))
        ahead[0] += 1_000
        await asyncio.gather(*(one.round() for one in replicas))
    return requests


async def _drain(gate: Gate, replicas: list[Deliverer], ahead: list[int]) -> None:
    while sum(await asyncio.gather(*(one.round() for one in replicas))) or await gate.store.read(_waiting):
        ahead[0] += 250


def _waiting(tx: Tx) -> bool:
    """Whether anything is still to be planned or sent."""
    messages, outbox = tables.channel_messages, tables.outbox
    due = messages.select().where(messages.c.next_at.is_not(None)).limit(1)
    new = outbox.select().where(outbox.c.done_at.is_(None)).limit(1)
    return any(tx.execute(look).first() is not None for look in (due, new))


def report(fake, requests: list[str], wall: float, virtual: float) -> None:  # type: ignore[no-untyped-def]
    posted = Counter(one["metadata"]["event_payload"]["request"] for place in fake.messages.values() for one in place)
    decided = sum(not fake.buttons(fake.find(one)) for one in requests[::DECIDED])
    wrong_order = sum(
        [one["metadata"]["event_payload"]["request"] for one in place]
        != sorted(one["metadata"]["event_payload"]["request"] for one in place)
        for place in fake.messages.values()
    )
    print(f"{len(requests):,} requests in a minute to {CHANNELS} channels, {REPLICAS} replicas")
    print(
        f"  delivered {len(posted):,}, twice {sum(n > 1 for n in posted.values())}, refused as too fast {fake.limited}"
    )
    print(
        f"  channels out of order {wrong_order}, decided ones without buttons {decided} of {len(requests[::DECIDED])}"
    )
    print(f"  the last after {virtual:.0f} s by the store's clock ({wall:.1f} s of work)")
    good = len(posted) == len(requests) and set(posted.values()) == {1} and not fake.limited and not wrong_order
    print(f"asked: all, within the limits, in order, none twice: {'holds' if good else 'MISSED'}")


async def measure(count: int, requests: int) -> None:
    module = tests()
    for name, constant in module.SECRETS.items():
        os.environ[name] = getattr(module.slack, constant)
    with tempfile.TemporaryDirectory() as folder:
        await decisions(module, Path(folder) / "house", count)
        await flood(module, Path(folder) / "flood", requests)


def main() -> None:
    """Print the table, and whether the bounds hold."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--decisions", type=int, default=100)
    parser.add_argument("--requests", type=int, default=1_000)
    given = parser.parse_args()
    asyncio.run(measure(given.decisions, given.requests))


if __name__ == "__main__":
    main()
