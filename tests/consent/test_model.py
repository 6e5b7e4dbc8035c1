"""The gate on both databases against the plain model of plain_model.py, one step at a time.

Hypothesis makes up who does what and when: submissions, votes by everybody, claims, outcomes, revocations, people who
come and go, policy that is changed, time that passes, crashes. After each step every action must stand where the model
says; at the end the whole ledger and every receipt must verify.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, func, select, update

from consentry.actions import Action, Actor, Kind
from consentry.consent import sweeping
from consentry.consent.bounds import Bound
from consentry.consent.gate import Gate
from consentry.consent.model import Ballot, BallotVerdict, Decision, OutcomeStatus, Submission, Voter
from consentry.consent.policies import put_in_force
from consentry.consent.settings import GateSettings
from consentry.consent.standing import StandingPattern
from consentry.errors import ConsentryError
from consentry.ledger.keys import parse_keys
from consentry.ledger.verify import verify_path, verify_receipt
from consentry.policy.model import Assurance, Facts
from consentry.store import tables


def _plain():
    """The model, from the file beside this one."""
    name = "consentry_tests_plain_model"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("plain_model.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return sys.modules[name]


plain = _plain()
START_MS, MINUTE, LEASE, GRANT_MS = plain.START_MS, plain.MINUTE, plain.LEASE, plain.GRANT_MS
PEOPLE, GROUPS, OWNERS = plain.PEOPLE, plain.GROUPS, plain.OWNERS
OPERATIONS, POLICIES, policy_set = plain.OPERATIONS, plain.POLICIES, plain.policy_set
Model, Asks, Refused = plain.Model, plain.Asks, plain.Refused
MAction, MRequest, MGrant, MStanding = plain.MAction, plain.MRequest, plain.MGrant, plain.MStanding


class GateMachine(RuleBasedStateMachine):
    template: Path
    """A folder with a store that is migrated and has its people."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        shutil.copytree(self.template, self.folder, dirs_exist_ok=True)
        self.model = Model()
        self.runner = asyncio.Runner()
        self.claims: dict[str, tuple[str, MAction]] = {}
        self.store_url = self.make_store()
        self.gate = self.open(self.settings())
        self.checkpoints: set[bytes] = set()

    def make_store(self) -> str:
        """The URL of a store of its own; that of SQLite came with the folder."""
        return ""

    def drop_store(self) -> None:
        """Nothing is left of it."""

    def open(self, settings: GateSettings) -> Gate:
        return self.do(Gate.open(settings))

    def settings(self) -> GateSettings:
        return GateSettings(
            data_dir=self.folder,
            store_url=self.store_url,
            policy_dir=self.folder / "policies" / "base",
            lease_ms=LEASE,
            clock_offset_ms=lambda: self.model.now - time.time_ns() // 1_000_000,
            background=False,
        )

    def do(self, work):
        return self.runner.run(work)

    def write(self, operation) -> None:
        async def run() -> None:
            await self.gate.store.write(operation)

        self.do(run())

    def same(self, work, expected) -> object:
        """The gate and the model must both do it, or refuse it with the same code."""
        try:
            expected()
            refused = None
        except Refused as error:
            refused = error.code
        try:
            done, answer = self.do(work), None
        except ConsentryError as error:
            done, answer = None, error.code
        assert answer == refused, f"the gate says {answer or 'yes'}, the model {refused or 'yes'}"
        return done

    def actor(self, who: str) -> Actor:
        if who in OWNERS:
            return Actor(Kind.AGENT, f"agt_{who}")
        return Actor(Kind.PERSON, f"per_{who}")

    def submission(self, key: tuple[str, str, int]) -> Submission:
        who, operation, rows = key
        return Submission(Action(self.actor(who), operation, "customers", {"rows": rows}), Facts())

    def pick(self, number: int):
        actions = list(self.model.actions.items())
        return actions[-1 - number % len(actions)] if actions else None

    def pick_request(self, number: int) -> MRequest | None:
        requests = list(self.model.requests.values())
        return requests[-1 - number % len(requests)] if requests else None

    @initialize()
    def groups(self) -> None:
        self.model.since = {(group, person): 1 for group, people in GROUPS.items() for person in people}

    # Asking.

    @rule(
        who=st.sampled_from(["etl", "etl", "bot", "cyd"]),
        operation=st.sampled_from(OPERATIONS),
        rows=st.integers(1, 3),
        again=st.booleans(),
    )
    def submit(self, who: str, operation: str, rows: int, again: bool) -> None:
        repeated = [one.key for one in self.model.requests.values()][-1:] if again else []
        key = (repeated or [(who, operation, rows)])[0]
        self.took(self.do(self.gate.submit(self.submission(key))), key)

    @rule(operation=st.sampled_from(OPERATIONS), copies=st.integers(2, 4))
    def submit_at_once(self, operation: str, copies: int) -> None:
        key = ("etl", operation, 1)

        async def all_of_them() -> list[Decision]:
            return await asyncio.gather(*(self.gate.submit(self.submission(key)) for _ in range(copies)))

        for decision in self.do(all_of_them()):
            self.took(decision, key)

    def took(self, decision: Decision, key: tuple[str, str, int]) -> None:
        self.model.submit(decision, key)
        action = self.model.actions[decision.action_id]
        assert decision.request_id == (action.request.id if action.request else None)
        if action.own_grant is not None:
            action.own_grant.id = decision.grant_id or ""

    @rule()
    def routine(self) -> None:
        """Policy lets this one be claimed as it is submitted."""
        key = ("etl", "dataset.read", 9)
        decision = self.do(self.gate.submit(self.submission(key), claim=True))
        self.took(decision, key)
        action = self.model.actions[decision.action_id]
        if action.own_grant is not None and action.own_grant.kind == "policy":
            self.model.claim(action)
            assert decision.claim is not None
            self.claims[decision.claim.id] = (decision.action_id, action)

    @rule(rows=st.integers(1, 3))
    def break_glass(self, rows: int) -> None:
        key = ("dan", "dataset.export", rows)
        asks = self.model.judge("dataset.export")

        def expected() -> None:
            if "dan" not in self.model.active:
                raise Refused("not_allowed")
            if not isinstance(asks, Asks) or not asks.glass or "dan" not in self.model.members("oncall"):
                raise Refused("glass_holds")

        voter = voter_of("dan")
        decision = self.same(self.gate.break_glass(self.submission(key), voter, "fire"), expected)
        if isinstance(decision, Decision):
            grant = MGrant("breakglass", self.model.now, self.model.now + GRANT_MS, id=decision.grant_id or "")
            self.model.actions[decision.action_id] = MAction(key, asks, own_grant=grant)

    @rule(signer=st.sampled_from(["ada", "bob", "fay"]), agent=st.sampled_from(["etl", "bot"]), uses=st.integers(1, 2))
    def sign_standing(self, signer: str, agent: str, uses: int) -> None:
        def expected() -> None:
            if signer not in self.model.active:
                raise Refused("not_allowed")
            if self.model.owners[agent] == signer:
                raise Refused("not_eligible")

        pattern = StandingPattern(f"agt_{agent}", "dataset.export", "customers", {"rows": Bound("at_most", 2)})
        voter = voter_of(signer)
        made = self.same(
            self.gate.create_standing(pattern, voter, uses=uses, expires_ms=20 * MINUTE, reason="nightly"), expected
        )
        if made is not None:
            now = self.model.now
            self.model.standing[made.id] = MStanding(made.id, signer, agent, 2, now, now + 20 * MINUTE, uses)

    # Deciding.

    @rule(number=st.integers(0, 3), person=st.sampled_from(PEOPLE), approves=st.sampled_from([True, True, True, False]))
    def vote(self, number: int, person: str, approves: bool) -> None:
        request = self.pick_request(number)
        if request is not None:
            self.same(
                self.gate_vote(request, person, approves),
                lambda: self.model.vote(request, person, approves=approves),
            )

    async def gate_vote(self, request: MRequest, person: str, approves: bool) -> None:
        shown = (await self.gate.request(request.id)).shown_digest
        ballot = Ballot(BallotVerdict.APPROVE if approves else BallotVerdict.DENY, shown)
        await self.gate.vote(request.id, voter_of(person), ballot)

    @rule(people=st.lists(st.tuples(st.sampled_from(PEOPLE), st.booleans()), min_size=2, max_size=5))
    def vote_at_once(self, people: list[tuple[str, bool]]) -> None:
        request = self.pick_request(0)
        if request is None:
            return
        shown = self.do(self.gate.request(request.id)).shown_digest
        ballots = [(voter_of(who), BallotVerdict.APPROVE if yes else BallotVerdict.DENY) for who, yes in people]

        async def all_of_them() -> list[object]:
            votes = (self.gate.vote(request.id, voter, Ballot(verdict, shown)) for voter, verdict in ballots)
            return await self.in_order(votes)

        found = [getattr(one, "code", None) for one in self.do(all_of_them())]
        assert found == [self.code(lambda w=w, y=y: self.model.vote(request, w, approves=y)) for w, y in people]

    async def in_order(self, votes) -> list[object]:
        """All at once; a store with one writer takes them in the order in which they came."""
        return await asyncio.gather(*votes, return_exceptions=True)

    @staticmethod
    def code(expected) -> str | None:
        try:
            expected()
        except Refused as error:
            return error.code
        return None

    @rule(number=st.integers(0, 3), by=st.sampled_from(["etl", "bot", "cyd", "fay"]))
    def withdraw(self, number: int, by: str) -> None:
        request = self.pick_request(number)
        if request is None:
            return

        def expected() -> None:
            persons = {by} - set(OWNERS)
            if by != request.key[0] and not persons & self.model.authors_now(request):
                raise Refused("not_allowed")
            state = self.model.request_state(request)
            if state != "pending":
                raise Refused("expired" if state == "expired" else "already_decided")
            request.state = "withdrawn"

        self.same(self.gate.withdraw(request.id, self.actor(by)), expected)

    @rule(delegate=st.sampled_from(["eve", "fay", "dan"]), person=st.sampled_from(["ada", "bob"]))
    def go_away(self, delegate: str, person: str) -> None:
        def expected() -> None:
            if person not in self.model.active:
                raise Refused("not_allowed")
            if delegate not in self.model.active:
                raise Refused("invalid_input")

        until = self.model.now + 20 * MINUTE
        voter = voter_of(person)
        if self.same(self.gate.delegate(voter, f"per_{delegate}", self.model.now, until), expected) is not None:
            self.model.away.append((person, delegate, until))

    # Performing.

    @rule(number=st.integers(0, 8), mine=st.sampled_from([True, True, True, False]))
    def claim(self, number: int, mine: bool) -> None:
        picked = self.pick(number)
        if picked is None:
            return
        action_id, action = picked

        def expected() -> None:
            if not mine:
                raise Refused("unknown_action")
            self.model.claim(action)

        by = self.actor(action.key[0]) if mine else Actor(Kind.AGENT, "agt_nobody")
        taken = self.same(self.gate.claim(action_id, by), expected)
        if taken is not None:
            self.claims[taken.id] = (action_id, action)

    @rule(number=st.integers(0, 3), copies=st.integers(2, 5))
    def claim_at_once(self, number: int, copies: int) -> None:
        """Over all submissions that joined one request."""
        picked = self.pick(number)
        if picked is None:
            return
        _, action = picked
        shared = [a for a, one in self.model.actions.items() if one.grant is action.grant and one.grant] or [picked[0]]
        ids = [shared[copy % len(shared)] for copy in range(copies)]

        async def all_of_them() -> list[object]:
            by = self.actor(action.key[0])
            return await asyncio.gather(*(self.gate.claim(one, by) for one in ids), return_exceptions=True)

        answers = self.do(all_of_them())
        found = [getattr(one, "code", None) for one in answers]
        expected = [self.code(lambda one=one: self.model.claim(self.model.actions[one])) for one in ids]
        assert sorted(map(str, found)) == sorted(map(str, expected))  # whoever comes first, the others do not
        for one, answer in zip(ids, answers, strict=True):
            if not isinstance(answer, Exception):
                self.claims[answer.id] = (one, self.model.actions[one])

    @rule(number=st.integers(0, 3), success=st.booleans(), mine=st.sampled_from([True, True, False]))
    def settle(self, number: int, success: bool, mine: bool) -> None:
        if not self.claims:
            return
        claim_id, (_, action) = list(self.claims.items())[-1 - number % len(self.claims)]
        assert action.grant is not None
        claim = action.grant.claim
        status = OutcomeStatus.SUCCEEDED if success else OutcomeStatus.FAILED

        def expected() -> None:
            if not mine:
                raise Refused("unknown_action")
            if claim.state in ("succeeded", "failed"):
                raise Refused("already_settled")
            claim.state = status.value

        by = self.actor(action.key[0]) if mine else Actor(Kind.AGENT, "agt_nobody")
        self.same(self.gate.settle(claim_id, by, status), expected)

    @rule(number=st.integers(0, 3), standing=st.booleans())
    def revoke(self, number: int, standing: bool) -> None:
        held = [one.grant for one in self.model.actions.values() if one.grant is not None]
        found = list(self.model.standing.values()) if standing else held
        if not found:
            return
        grant = found[-1 - number % len(found)]

        def expected() -> None:
            if "eve" not in self.model.active or "eve" not in self.model.members("admins"):
                raise Refused("not_allowed")
            if self.model.grant_state(grant) == "open":
                grant.state = "revoked"

        voter = voter_of("eve")
        self.same(self.gate.revoke_grant(self.id_of(grant), voter), expected)

    def id_of(self, grant: MGrant | MStanding) -> str:
        if not grant.id:
            action_id = next(a for a, one in self.model.actions.items() if one.grant is grant)
            grant.id = self.do(self.gate.decision(action_id)).grant_id
        return grant.id

    # The world around.

    @rule(seconds=st.sampled_from([13.117, 97.331, 431.713, 1009.973]))
    def time_passes(self, seconds: float) -> None:
        self.model.now += int(seconds * 1000)

    @rule()
    def sweep(self) -> None:
        self.write(lambda tx: sweeping.sweep(tx, self.gate._core))

    @rule(person=st.sampled_from(["ada", "bob", "cyd", "dan"]))
    def disable_or_enable(self, person: str) -> None:
        self.model.active ^= {person}
        active = person in self.model.active
        self.change(update(tables.persons).where(tables.persons.c.id == f"per_{person}").values(active=active))

    @rule(person=st.sampled_from(["ada", "bob", "cyd", "fay"]), group=st.sampled_from(["stewards", "security"]))
    def join_or_leave(self, person: str, group: str) -> None:
        rows = tables.memberships
        if (group, person) in self.model.since:
            del self.model.since[group, person]
            self.change(delete(rows).where(rows.c.group_name == group, rows.c.person_id == f"per_{person}"))
        else:
            self.model.now += 1_001  # a membership as old as the request would count
            self.model.since[group, person] = self.model.now
            self.change(rows.insert().values(group_name=group, person_id=f"per_{person}", since=self.model.now))
            self.model.now += 1_001

    @rule(agent=st.sampled_from(["etl", "bot"]), owner=st.sampled_from(["ada", "fay", "eve", "bob"]))
    def hand_over(self, agent: str, owner: str) -> None:
        self.model.owners[agent] = owner
        self.change(update(tables.agents).where(tables.agents.c.id == f"agt_{agent}").values(owner_id=f"per_{owner}"))

    def change(self, statement) -> None:
        def run(tx) -> None:
            tx.execute(statement)
            tx.roster_changed()

        self.write(run)

    @rule(name=st.sampled_from([*POLICIES, "base", "base"]))
    def change_policy(self, name: str) -> None:
        self.model.policy = name
        self.write(lambda tx: put_in_force(tx, policy_set(name), None, by="test"))

    @rule()
    def publish(self) -> None:
        self.checkpoints.add(self.do(self.gate.checkpoint_now()))

    @rule()
    def crash(self) -> None:
        """The process dies between two steps; its sockets and locks go with it."""
        self.abandon()
        settings = self.settings()
        if self.model.policy != "base":  # files rule at a start: give it those that hold
            (folder := self.folder / f"now-{self.model.policy}").mkdir(exist_ok=True)
            (folder / "a.cedar").write_text(policy_set(self.model.policy).files["a.cedar"])
            settings = GateSettings(**{**_fields(settings), "policy_dir": folder})
        self.gate = self.open(settings)

    def abandon(self) -> None:
        journal = self.gate._journal._journal
        for task in self.gate._tasks:
            task.cancel()
        self.abandon_store(self.gate.store)
        for descriptor in (journal._file, *(lock for _, lock in journal._full)):
            os.close(descriptor)

    def abandon_store(self, store) -> None:
        for task in store._tasks:
            task.cancel()
        self.do(asyncio.sleep(0))
        for connection in (store._writer, store._reader):
            connection.close()
        store._waiter.shutdown()

    # What must always hold.

    @invariant()
    def every_action_stands_where_the_model_says(self) -> None:
        async def states() -> dict[str, str]:
            return {action: (await self.gate.decision(action)).state.value for action in self.model.actions}

        found = self.do(states())
        assert found == {action_id: self.model.state(action) for action_id, action in self.model.actions.items()}

    @invariant()
    def no_grant_is_used_more_than_it_says(self) -> None:
        claims, grants = tables.claims.c, tables.grants.c

        def look(tx) -> list[tuple[str, int, int]]:
            uses = func.count(claims.id)
            child = tables.grants.alias()
            own = select(grants.id, grants.uses, uses).join(tables.claims, claims.grant_id == grants.id)
            shared = (
                select(grants.id, grants.uses, uses)
                .join(child, child.c.parent_id == grants.id)
                .join(tables.claims, claims.grant_id == child.c.id)
            )
            return [*tx.execute(own.group_by(grants.id)), *tx.execute(shared.group_by(grants.id))]

        assert all(used <= uses for _, uses, used in self.do(self.gate.store.read(look)))

    def teardown(self) -> None:
        try:
            self.ledger_verifies()
        finally:
            self.do(self.gate.close())
            self.drop_store()
            self.runner.close()
            shutil.rmtree(self.folder)

    def ledger_verifies(self) -> None:
        self.checkpoints.add(self.do(self.gate.checkpoint_now()))
        (self.folder / "keys").write_bytes(keys := self.do(self.gate.ledger_keys()))
        self.do(self.gate.export_bundle(self.folder / "bundle"))
        report = verify_path(self.folder / "bundle", self.folder / "keys", tuple(self.checkpoints))
        assert report.outcome.value == "valid", report.findings
        for action_id in self.model.actions:
            report = verify_receipt(self.do(self.gate.receipt(action_id)), parse_keys(keys.decode()))
            assert report.outcome.value == "valid", (action_id, report.findings)


class PostgresMachine(GateMachine):
    """The same on PostgreSQL. Its clock is taken from the model, to the millisecond, instead of from the server."""

    server: str
    prepared: str
    """The name of a database that is migrated and has its people."""

    def make_store(self) -> str:
        self.name = f"model_{secrets.token_hex(6)}"
        self.do(admin(self.server, f"CREATE DATABASE {self.name} TEMPLATE {self.prepared}"))
        return self.server.replace("/postgres?", f"/{self.name}?")

    def drop_store(self) -> None:
        self.do(admin(self.server, f"DROP DATABASE {self.name} WITH (FORCE)"))

    def open(self, settings: GateSettings) -> Gate:
        gate = super().open(settings)
        begin = gate.store._tx

        def exactly(connection, **how):
            tx = begin(connection, **how)
            tx.now_ms = self.model.now
            return tx

        gate.store._tx = exactly
        gate.store.clock_ms = lambda: self.model.now
        return gate

    async def in_order(self, votes) -> list[object]:
        """One after the other: which of them gets a lock first is not for the model to say."""
        return [(await asyncio.gather(vote, return_exceptions=True))[0] for vote in votes]

    def abandon_store(self, store) -> None:
        store._task.cancel()
        self.do(asyncio.sleep(0))
        ours = f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{self.name}'"
        self.do(admin(self.server, ours))  # as the server does once the sockets of a dead process are closed
        self.do(store._engine.dispose(close=False))


async def admin(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def voter_of(person: str) -> Voter:
    return Voter(f"per_{person}", Assurance.SESSION, "api", "ses_x")


def _fields(value: GateSettings) -> dict[str, object]:
    return {name: getattr(value, name) for name in GateSettings.__dataclass_fields__}


def populate(tx) -> None:
    for name in PEOPLE:
        email = f"{name}@example.com"
        tx.insert(
            tables.persons,
            {"id": f"per_{name}", "email": email, "email_key": email, "name": name, "active": True,
             "merged_into": None, "created_at": 1},
        )  # fmt: skip
    for group, people in GROUPS.items():
        for person in people:
            tx.insert(tables.memberships, {"group_name": group, "person_id": f"per_{person}", "since": 1})
    for agent, owner in OWNERS.items():
        tx.insert(
            tables.agents,
            {"id": f"agt_{agent}", "name": agent, "owner_id": f"per_{owner}", "holder_id": None, "kind": "agent",
             "active": True, "created_at": 1},
        )  # fmt: skip
    tx.roster_changed()


def prepare(folder: Path, url: str = "") -> None:
    """A store with its people, and the policies beside it."""
    (folder / "policies" / "base").mkdir(parents=True)
    (folder / "policies" / "base" / "a.cedar").write_text(policy_set("base").files["a.cedar"])

    async def populated() -> None:
        offset = START_MS - time.time_ns() // 1_000_000
        settings = GateSettings(folder, store_url=url, policy_dir=folder / "policies" / "base", background=False,
                                clock_offset_ms=lambda: offset)  # fmt: skip
        gate = await Gate.open(settings)
        await gate.store.write(populate)
        await gate.close()

    asyncio.run(populated())


@pytest.fixture(scope="module")
def sqlite_machine(tmp_path_factory: pytest.TempPathFactory) -> type[GateMachine]:
    folder = tmp_path_factory.mktemp("template")
    prepare(folder)
    return type("SqliteMachine", (GateMachine,), {"template": folder})


@pytest.fixture(scope="module")
def postgres_machine(
    tmp_path_factory: pytest.TempPathFactory, postgres_server: str, postgres_template: str
) -> type[GateMachine]:
    folder = tmp_path_factory.mktemp("template")
    name = f"model_{secrets.token_hex(6)}"
    asyncio.run(admin(postgres_server, f"CREATE DATABASE {name} TEMPLATE {postgres_template}"))
    prepare(folder, postgres_server.replace("/postgres?", f"/{name}?"))
    values = {"template": folder, "server": postgres_server, "prepared": name}
    return type("PreparedPostgresMachine", (PostgresMachine,), values)


QUIET = settings(
    deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck), derandomize=True
)


def test_the_gate_does_what_the_model_says(sqlite_machine):
    run_state_machine_as_test(sqlite_machine, settings=settings(QUIET, max_examples=16, stateful_step_count=30))


def test_the_gate_on_postgresql_does_what_the_model_says(postgres_machine):
    run_state_machine_as_test(postgres_machine, settings=settings(QUIET, max_examples=6, stateful_step_count=25))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("database", "examples"), [("sqlite", 500), ("postgres", 60)])
def test_the_gate_does_what_the_model_says_for_long(request, database, examples):
    machine = request.getfixturevalue(f"{database}_machine")
    quiet = settings(QUIET, max_examples=examples, stateful_step_count=60, derandomize=False)
    run_state_machine_as_test(machine, settings=quiet)
