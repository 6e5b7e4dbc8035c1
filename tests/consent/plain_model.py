"""What must become of requests and grants, as a plain model: dicts, lists and brute force. For test_model.py."""

from __future__ import annotations

from dataclasses import dataclass, field

from consentry.consent.model import Decision
from consentry.policy.cedar import PolicySet

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
