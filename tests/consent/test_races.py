"""Two processes on one store, at the same time; and what one transaction must not learn from another that failed."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from consentry.consent.model import ActionState
from consentry.consent.policies import put_in_force
from consentry.consent.states import GrantState
from consentry.policy.cedar import PolicySet
from consentry.store import tables

REPLICA = Path(__file__).with_name("replica.py")


@dataclass
class Replica:
    """A gate in another process."""

    process: asyncio.subprocess.Process

    async def do(self, *steps: tuple[str, ...]) -> list[str]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": steps}).encode() + b"\n")
        return list(json.loads(await self.process.stdout.readline()))


@pytest.fixture
async def replicas(world) -> AsyncIterator[list[Replica]]:
    settings = world.settings
    arguments = (settings.store_url, str(settings.data_dir), str(settings.policy_dir or ""))
    pipe = asyncio.subprocess.PIPE
    started = []
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(REPLICA), *arguments, stdin=pipe, stdout=pipe, limit=2**20
        )
        started.append(process)
    for process in started:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    yield [Replica(process) for process in started]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        assert await process.wait() == 0


async def test_replicas_may_start_for_the_first_time_at_the_same_moment(store_url, tmp_path):
    (tmp_path / "policies").mkdir()
    rule = '@id("r") permit (principal, action == Action::"dataset.read", resource);'
    (tmp_path / "policies" / "a.cedar").write_text(rule)
    arguments = (store_url, str(tmp_path / "data"), str(tmp_path / "policies"))
    pipe = asyncio.subprocess.PIPE
    started = [
        await asyncio.create_subprocess_exec(sys.executable, str(REPLICA), *arguments, stdin=pipe, stdout=pipe)
        for _ in range(3)
    ]
    for process in started:
        out, _ = await process.communicate(b"")
        assert (process.returncode, out) == (0, b"ready\n")


async def both(replicas: list[Replica], *steps: tuple[str, ...]) -> list[str]:
    """The same steps in both processes at once."""
    answers = await asyncio.gather(*(replica.do(*steps) for replica in replicas))
    return [one for each in answers for one in each]


def tightened(world, text_: str) -> PolicySet:
    old = (world.settings.policy_dir / "test.cedar").read_text()
    return PolicySet.load({"test.cedar": old + text_})


async def test_c2_a_hundred_claims_over_two_processes_one_wins(world, replicas):
    decision = await world.approved()
    answers = await both(replicas, *[("claim", decision.action_id)] * 50)
    assert Counter(answers)["already_claimed"] == 99
    assert (await world.gate.decision(decision.action_id)).state is ActionState.CLAIMED


async def test_c2_joined_actions_share_one_effect_over_two_processes(world, replicas):
    first = await world.submit(rows=1)
    others = [await world.submit(rows=1) for _ in range(4)]
    await world.vote(first, "ada")
    ids = [first.action_id, *(one.action_id for one in others)]
    answers = await both(replicas, *[("claim", one) for one in ids] * 4)
    assert Counter(answers)["already_claimed"] == 39


async def test_c4_fifty_voters_at_once_make_one_decision(world, replicas):
    people = [f"per_{number:02}" for number in range(50)]

    def invite(tx):
        for person in people:
            email = f"{person}@example.com"
            tx.insert(
                tables.persons,
                {"id": person, "email": email, "email_key": email, "name": person, "active": True,
                 "merged_into": None, "created_at": 1},
            )  # fmt: skip
        for person in people:
            tx.execute(tables.memberships.insert(), {"group_name": "stewards", "person_id": person, "since": 1})

    await world.change(invite)
    decision = await world.submit("secret.rotate")
    verdicts = ["deny" if number % 10 == 9 else "approve" for number in range(50)]
    votes = [("vote", decision.request_id, person, verdict) for person, verdict in zip(people, verdicts, strict=True)]
    one, two = await asyncio.gather(replicas[0].do(*votes[:25]), replicas[1].do(*votes[25:]))
    counted = Counter([*one, *two])
    request = await world.gate.request(decision.request_id)
    assert counted["approved"] + counted["denied"] == 1  # exactly one vote decided it
    assert counted["already_decided"] == 50 - counted["pending"] - 1
    assert request.state.value in ("approved", "denied")
    denied = [vote for vote in request.votes if vote.verdict.value == "deny"]
    assert (request.state.value == "denied") == bool(denied)
    approving = len(request.votes) - len(denied)
    assert approving == 2 if request.state.value == "approved" else approving < 2
    log = await world.entries(decision.action_id)
    assert log.count("request.approved") + log.count("request.denied") == 1


async def test_the_same_question_at_once_is_one_request(world, replicas):
    answers = await both(replicas, *[("submit", "dataset.export", "7")] * 10)
    assert len(set(answers)) == 1
    request = await world.gate.request(answers[0])
    assert len(request.action_ids) == 20


@pytest.mark.parametrize("change", ["review", "forbid"])
async def test_b11_no_claim_gets_through_once_a_tightened_policy_is_committed(world, replicas, change):
    allowed = [await world.submit("dataset.read") for _ in range(40)]
    scope = '(principal, action == Action::"dataset.read", resource);'
    rule = f'@id("x") forbid {scope}' if change == "forbid" else f'@id("x") @review("group:stewards") permit {scope}'
    tight = tightened(world, rule)
    claims = [("claim", one.action_id) for one in allowed]
    running = [asyncio.create_task(replica.do(*claims)) for replica in replicas]
    await asyncio.sleep(0)
    await world.gate.store.write(lambda tx: put_in_force(tx, tight, None, by="test"))
    answers = [one for each in await asyncio.gather(*running) for one in each]
    committed = await policy_change_at(world)
    late = [type_ for seq, type_ in await log_of(world) if seq > committed and type_ == "grant.claimed"]
    assert not late
    assert {one for one in answers if not one.startswith("clm_")} <= {"void", "already_claimed"}
    for decision in allowed:  # and whatever was not claimed by then is void for good
        state = (await world.gate.decision(decision.action_id)).state
        assert state in (ActionState.CLAIMED, ActionState.VOID)


async def log_of(world) -> list[tuple[int, str]]:
    await world.gate.checkpoint_now()
    size, found = await world.gate.ledger_size(), []
    async for event in world.gate.events(-1):
        found.append((event.seq, event.type))
        if event.seq == size - 1:
            return found
    raise AssertionError


async def policy_change_at(world) -> int:
    return max(seq for seq, type_ in await log_of(world) if type_ == "policy.changed")


async def test_a_policy_is_changed_while_claims_and_submissions_never_stop(world, replicas):
    """Whoever only holds policy fast must not keep out the one who changes it."""
    stop = asyncio.Event()

    async def busy(replica: Replica) -> None:
        while not stop.is_set():
            await replica.do(*[("submit", "dataset.read", "1")] * 20)

    running = [asyncio.create_task(busy(replica)) for replica in replicas]
    try:
        async with asyncio.timeout(20):
            for number in range(3):
                rule = f'@id("r{number}") permit (principal, action == Action::"s3.list", resource);'
                new = tightened(world, rule.replace("s3.list", "llm.prompt"))
                await world.gate.store.write(lambda tx, new=new: put_in_force(tx, new, None, by="test"))
    finally:
        stop.set()
        await asyncio.gather(*running)


@pytest.mark.parametrize("operation", ["dataset.export", "dataset.read"])  # by a vote, and by policy alone
async def test_revocation_against_claims_has_one_winner(world, replicas, operation):
    for rows in range(5):
        decision = await (world.approved if operation == "dataset.export" else world.submit)(operation, rows=rows)
        steps = [("claim", decision.action_id), ("revoke", decision.grant_id, "per_eve")]
        one, two = await asyncio.gather(replicas[0].do(*steps), replicas[1].do(*reversed(steps)))
        claimed = [answer for answer in (one[0], two[1]) if answer.startswith("clm_")]
        grant = await world.gate.grant(decision.grant_id)
        assert (len(claimed), grant.state) in ((1, GrantState.CLAIMED), (0, GrantState.REVOKED))
        if not claimed:
            assert {one[0], two[1]} == {"not_granted"}


async def test_c6_a_vote_reaches_a_waiter_in_another_process(world, replicas):
    decision = await world.submit()
    waiting = asyncio.create_task(replicas[0].do(*[("wait", decision.action_id)] * 20))
    assert (await replicas[1].do(("vote", decision.request_id, "per_ada", "approve"))) == ["approved"]
    assert await waiting == ["approved"] * 20
