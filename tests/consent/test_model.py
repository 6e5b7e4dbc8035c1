"""The gate against a plain model of what design.md says: dicts, lists and brute force, one step at a time.

Hypothesis makes up who does what and when: submissions, votes by everybody, claims, outcomes, revocations, people who
come and go, policy that is changed, time that passes, crashes. After each step every action must stand where the model
says; at the end the whole ledger and every receipt must verify.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, func, select, update

from consentry.actions import Action, Actor, Kind
from consentry.consent import sweeping
from consentry.consent.gate import Gate
from consentry.consent.model import Ballot, BallotVerdict, Decision, OutcomeStatus, Submission, Voter
from consentry.consent.policies import put_in_force
from consentry.consent.settings import GateSettings
from consentry.consent.standing import Bound, StandingPattern
from consentry.errors import ConsentryError
from consentry.ledger.keys import parse_keys
from consentry.ledger.verify import verify_path, verify_receipt
from consentry.policy.cedar import PolicySet
from consentry.policy.model import Assurance, Facts
from consentry.store import tables

START_MS = 1_800_000_000_000
MINUTE = 60_000
LEASE = 5 * MINUTE
PEOPLE = ("ada", "bob", "cyd", "dan", "eve", "fay")
GROUPS = {"stewards": ("ada", "bob", "cyd"), "security": ("bob", "dan"), "oncall": ("dan",), "admins": ("eve",)}
OWNERS = {"etl": "fay", "bot": "ada"}
OPERATIONS = ("dataset.export", "secret.rotate", "terraform.apply", "iam.role.assign", "dataset.read", "s3.delete")


@dataclass(frozen=True)
class Asks:
    """A review: each stage is the groups that must be satisfied, with their quorum."""

    stages: tuple[tuple[tuple[str, ...], int], ...]
    expires: int = 60 * MINUTE
    glass: tuple[str, ...] = ()


EXPORT = Asks(((("stewards",), 1),), 30 * MINUTE, ("oncall",))
BASE: dict[str, Asks | bool] = {
    "dataset.export": EXPORT,
    "secret.rotate": Asks(((("stewards",), 2),)),
    "terraform.apply": Asks(((("stewards",), 1), (("security",), 1))),
    "iam.role.assign": Asks(((("stewards", "security"), 1),)),
    "dataset.read": True,
    "s3.delete": False,
}
POLICIES: dict[str, dict[str, Asks | bool]] = {
    "base": BASE,
    "tight": {**BASE, "dataset.export": Asks(((("stewards",), 2),), 30 * MINUTE), "dataset.read": EXPORT},
    "hard": {**BASE, "dataset.export": False, "secret.rotate": False},
    "loose": {**BASE, "dataset.export": True, "terraform.apply": True},
}
GRANT_MS = 15 * MINUTE


def cedar(operation: str, asks: Asks | bool) -> str:
    scope = f'(principal, action == Action::"{operation}", resource);'
    name = operation.replace(".", "-")
    if isinstance(asks, bool):
        return f'@id("{name}") {"permit" if asks else "forbid"} {scope}'
    rules = []
    for number, (groups, quorum) in enumerate(asks.stages, 1):
        reviewers = ", ".join(f"group:{group}" for group in groups)
        glass = f'@break_glass("group:{asks.glass[0]}")' if asks.glass else ""
        rules.append(
            f'@id("{name}-{number}") @review("{reviewers}") @quorum("{quorum}") @stage("{number}") '
            f'@expires("{asks.expires // MINUTE}m") @grant_expires("{GRANT_MS // MINUTE}m") {glass} permit {scope}'
        )
    return "\n".join(rules)


def policy_set(name: str) -> PolicySet:
    return PolicySet.load({"a.cedar": "\n".join(cedar(*each) for each in POLICIES[name].items())})


# The model.


@dataclass
class MClaim:
    lease: int
    state: str = "claimed"


@dataclass
class MGrant:
    kind: str
    opened: int
    expires: int
    state: str = "open"
    claim: MClaim | None = None
    parent: MStanding | None = None
    id: str = ""


@dataclass
class MStanding:
    id: str
    signer: str
    agent: str
    rows: int
    opened: int
    expires: int
    left: int
    state: str = "open"


@dataclass
class MVote:
    person: str
    counts_for: str
    stage: int
    approves: bool


@dataclass
class MRequest:
    id: str
    key: tuple[str, str, int]
    asks: Asks
    opened: int
    authors: set[str]
    state: str = "pending"
    stage: int = 0
    votes: list[MVote] = field(default_factory=list)
    grant: MGrant | None = None

    @property
    def expires(self) -> int:
        return self.opened + self.asks.expires


@dataclass
class MAction:
    key: tuple[str, str, int]
    """Who, what, how many rows: what its digest is made of."""
    asks: Asks | bool
    request: MRequest | None = None
    own_grant: MGrant | None = None

    @property
    def grant(self) -> MGrant | None:
        return self.own_grant or (self.request.grant if self.request else None)


class Refused(Exception):
    """The model says no, with the code that the gate must answer."""

    @property
    def code(self) -> str:
        return str(self.args[0])


def fits(places: list[set[str]]) -> bool:
    """Whether each place can have a person of its own. Brute force."""
    if not places:
        return True
    return any(fits([rest - {one} for rest in places[1:]]) for one in places[0])


@dataclass
class Model:
    now: int = START_MS
    policy: str = "base"
    active: set[str] = field(default_factory=lambda: set(PEOPLE))
    since: dict[tuple[str, str], int] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=lambda: dict(OWNERS))
    actions: dict[str, MAction] = field(default_factory=dict)
    requests: dict[str, MRequest] = field(default_factory=dict)
    standing: dict[str, MStanding] = field(default_factory=dict)
    away: list[tuple[str, str, int]] = field(default_factory=list)

    def members(self, group: str, until: int | None = None) -> set[str]:
        return {
            person
            for (name, person), since in self.since.items()
            if name == group and person in self.active and (until is None or since <= until)
        }

    def authors_of(self, who: str) -> set[str]:
        return {self.owners.get(who, who)}

    def judge(self, operation: str) -> Asks | bool:
        return POLICIES[self.policy][operation]

    # What time says.

    def request_state(self, request: MRequest) -> str:
        return "expired" if request.state == "pending" and self.now >= request.expires else request.state

    def grant_state(self, grant: MGrant | MStanding) -> str:
        return "expired" if grant.state == "open" and self.now >= grant.expires else grant.state

    def state(self, action: MAction) -> str:
        grant = action.grant
        if grant is None:
            return "denied" if action.request is None else self.request_state(action.request)
        if grant.claim is not None:
            lapsed = grant.claim.state == "claimed" and self.now >= grant.claim.lease
            return "unknown" if lapsed else grant.claim.state
        state = self.grant_state(grant)
        return {"open": "allowed" if grant.kind == "policy" else "approved"}.get(state, state)

    # What people and programs do.

    def submit(self, decision: Decision, key: tuple[str, str, int]) -> None:
        """Take over the ids of a decision, and say where it must stand."""
        who, operation, rows = key
        asks = self.judge(operation)
        action = self.actions[decision.action_id] = MAction(key, asks)
        if asks is True:
            action.own_grant = MGrant("policy", self.now, self.now + GRANT_MS)
        if not isinstance(asks, Asks):
            return
        joined = [one for one in self.requests.values() if one.key == key and self.joinable(one)]
        if joined:
            action.request = joined[-1]
            action.request.authors |= self.authors_of(who)
            return
        authors = self.authors_of(who)
        for standing in self.standing.values():
            covers = (standing.agent, "dataset.export") == (who, operation) and rows <= standing.rows
            vote = MVote(standing.signer, standing.signer, 0, True)
            if (
                covers
                and self.grant_state(standing) == "open"
                and self.supports([vote], asks, standing.opened, authors)
            ):
                action.own_grant = MGrant("standing_use", self.now, self.now + GRANT_MS, parent=standing)
                return
        places = [self.members(g) - authors for groups, quorum in asks.stages for g in groups for _ in range(quorum)]
        if fits(places):
            assert decision.request_id is not None, "the gate should have asked"
            action.request = MRequest(decision.request_id, key, asks, self.now, set(authors))
            self.requests[decision.request_id] = action.request

    def joinable(self, request: MRequest) -> bool:
        if request.grant is not None:
            return self.grant_state(request.grant) == "open"
        return self.request_state(request) == "pending"

    def authors_now(self, request: MRequest) -> set[str]:
        return request.authors | self.authors_of(request.key[0])

    def sets(self, request: MRequest, stage: int) -> list[set[str]]:
        groups, _ = request.asks.stages[stage]
        return [self.members(group, request.opened) - self.authors_now(request) for group in groups]

    def satisfied(self, request: MRequest, stage: int) -> bool:
        quorum = request.asks.stages[stage][1]
        approvers = {vote.counts_for for vote in request.votes if vote.stage == stage and self.counts(vote, request)}
        return fits([members & approvers for members in self.sets(request, stage) for _ in range(quorum)])

    def counts(self, vote: MVote, request: MRequest) -> bool:
        standing = {vote.person, vote.counts_for} <= self.active
        return vote.approves and standing and vote.person not in self.authors_now(request)

    def stands(self, vote: MVote, request: MRequest) -> bool:
        """Whether a vote is kept, for or against."""
        if not {vote.person, vote.counts_for} <= self.active or vote.person in self.authors_now(request):
            return False
        return any(vote.counts_for in members for members in self.sets(request, vote.stage))

    def vote(self, request: MRequest, person: str, *, approves: bool) -> None:
        state = self.request_state(request)
        if state == "expired":
            raise Refused("expired")
        if state != "pending":
            raise Refused("already_decided")
        before = (request.votes, request.stage)
        request.votes = [vote for vote in request.votes if self.stands(vote, request)]
        if len(request.votes) < len(before[0]):
            lost = [stage for stage in range(request.stage) if not self.satisfied(request, stage)]
            request.stage = min([request.stage, *lost])
        try:
            counts_for = self.as_whom(request, person)
        except Refused:
            request.votes, request.stage = before
            raise
        if self.judge(request.key[1]) is False:
            request.state = "denied"
            raise Refused("already_decided")
        request.votes.append(MVote(person, counts_for, request.stage, approves))
        if not approves:
            request.state = "denied"
        elif self.satisfied(request, request.stage):
            request.stage += 1
            if request.stage == len(request.asks.stages):
                request.stage -= 1
                request.state = "approved"
                request.grant = MGrant("review", self.now, self.now + GRANT_MS)

    def as_whom(self, request: MRequest, person: str) -> str:
        if any(person in (vote.person, vote.counts_for) for vote in request.votes):
            raise Refused("already_voted")
        if person not in self.active or person in self.authors_now(request):
            raise Refused("not_eligible")
        members = set().union(*self.sets(request, request.stage))
        if person in members:
            return person
        taken = {vote.counts_for for vote in request.votes}
        for away, delegate, until in self.away:
            if delegate == person and self.now < until and away in members - taken:
                return away
        raise Refused("not_eligible")

    def supports(self, votes: list[MVote], asks: Asks, opened: int, authors: set[str]) -> bool:
        approvers = {
            vote.counts_for
            for vote in votes
            if vote.approves and {vote.person, vote.counts_for} <= self.active and vote.person not in authors
        }
        return fits(
            [
                (self.members(group, opened) - authors) & approvers
                for groups, quorum in asks.stages
                for group in groups
                for _ in range(quorum)
            ]
        )

    def holds(self, action: MAction) -> bool:
        """Whether the grounds of a grant are still there."""
        grant, asks = action.grant, self.judge(action.key[1])
        assert grant is not None
        if asks is False:
            return False
        if grant.kind == "policy":
            return asks is True
        if grant.kind == "breakglass":
            return asks is True or (bool(asks.glass) and all("dan" in self.members(group) for group in asks.glass))
        if grant.parent is not None:
            if self.grant_state(grant.parent) != "open":
                return False
            votes, opened = [MVote(grant.parent.signer, grant.parent.signer, 0, True)], grant.parent.opened
            authors, asked = self.authors_of(action.key[0]), action.asks
        else:
            assert action.request is not None
            votes, opened = action.request.votes, action.request.opened
            authors, asked = self.authors_now(action.request), action.request.asks
        assert isinstance(asked, Asks)
        every = {asked} | ({asks} if isinstance(asks, Asks) else set())
        return all(self.supports(votes, each, opened, authors) for each in every)

    def claim(self, action: MAction) -> None:
        refusals = {
            "pending": "not_granted", "denied": "not_granted", "withdrawn": "not_granted", "revoked": "not_granted",
            "expired": "expired", "void": "void", "claimed": "already_claimed", "succeeded": "already_claimed",
            "failed": "already_claimed", "unknown": "already_claimed",
        }  # fmt: skip
        state = self.state(action)
        if state in refusals:
            raise Refused(refusals[state])
        grant = action.grant
        assert grant is not None
        if not self.holds(action):
            grant.state = "void"
            raise Refused("void")
        if grant.parent is not None:
            grant.parent.left -= 1
            grant.parent.state = "open" if grant.parent.left else "claimed"
        grant.state, grant.claim = "claimed", MClaim(self.now + LEASE)


# The machine.


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
        self.gate = self.do(Gate.open(self.settings()))
        self.checkpoints: set[bytes] = set()

    def settings(self) -> GateSettings:
        return GateSettings(
            data_dir=self.folder,
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
            return await asyncio.gather(*votes, return_exceptions=True)

        found = [getattr(one, "code", None) for one in self.do(all_of_them())]
        assert found == [self.code(lambda w=w, y=y: self.model.vote(request, w, approves=y)) for w, y in people]

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
        assert found == [self.code(lambda one=one: self.model.claim(self.model.actions[one])) for one in ids]
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
        self.gate = self.do(Gate.open(settings))

    def abandon(self) -> None:
        store, journal = self.gate.store, self.gate._journal._journal
        for task in (*self.gate._tasks, *store._tasks):
            task.cancel()
        self.do(asyncio.sleep(0))
        for connection in (store._writer, store._reader):
            connection.close()
        store._waiter.shutdown()
        for descriptor in (journal._file, *(lock for _, lock in journal._full)):
            os.close(descriptor)

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


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> type[GateMachine]:
    folder = tmp_path_factory.mktemp("template")
    (folder / "policies" / "base").mkdir(parents=True)
    (folder / "policies" / "base" / "a.cedar").write_text(policy_set("base").files["a.cedar"])

    async def prepare() -> None:
        offset = START_MS - time.time_ns() // 1_000_000
        settings = GateSettings(folder, policy_dir=folder / "policies" / "base", background=False,
                                clock_offset_ms=lambda: offset)  # fmt: skip
        gate = await Gate.open(settings)
        await gate.store.write(populate)
        await gate.close()

    asyncio.run(prepare())
    return type("PreparedMachine", (GateMachine,), {"template": folder})


QUIET = settings(
    deadline=None, database=None, print_blob=True, suppress_health_check=list(HealthCheck), derandomize=True
)


def test_the_gate_does_what_the_model_says(machine):
    run_state_machine_as_test(machine, settings=settings(QUIET, max_examples=25, stateful_step_count=30))


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_gate_does_what_the_model_says_for_long(machine):
    quiet = settings(QUIET, max_examples=500, stateful_step_count=60, derandomize=False)
    run_state_machine_as_test(machine, settings=quiet)
