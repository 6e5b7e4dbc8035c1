"""Workload identity: the tokens of platforms, as they look there, and what is near them and must not pass."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey

from consentry.actions import Kind
from consentry.consent.errors import NotAllowed
from consentry.identity.directory import Directory
from consentry.identity.dpop import DpopMode, Presentation
from consentry.identity.errors import InvalidExchange, NotSignedIn
from consentry.identity.jwt import InvalidJwt
from consentry.identity.model import SignedIn
from consentry.identity.oidc_claims import lookup, matches
from consentry.identity.oidc_http import Answer
from consentry.identity.oidc_sign_in import ACCESS_TOKEN, ID_TOKEN, JWT_TOKEN, SignIn
from consentry.identity.providers import Provider
from consentry.identity.sessions import Lifetimes
from consentry.identity.workload import WorkloadRule
from consentry.store import Store, open_store

GITHUB = "https://token.actions.githubusercontent.com"
CLUSTER = "https://kubernetes.default.svc.cluster.local"
CORP = "https://id.example.org"
AUDIENCE = "https://consentry.example.org"
KEY = RSAKey.generate_key(2048, {"kid": "k1"})
SVID = ECKey.generate_key("P-256", {"kid": "s1"})
HOUR_MS = 3_600_000
POST = Presentation("POST", (f"{AUDIENCE}/v1/tokens/exchange",))

CI = {
    "iss": GITHUB, "aud": AUDIENCE, "sub": "repo:octo/app:ref:refs/heads/main", "repository": "octo/app",
    "repository_owner": "octo", "ref": "refs/heads/main", "event_name": "push", "run_id": "42",
}  # fmt: skip
POD = {
    "iss": CLUSTER, "aud": [AUDIENCE], "sub": "system:serviceaccount:data:etl",
    "kubernetes.io": {"namespace": "data", "serviceaccount": {"name": "etl", "uid": "u"}},
}  # fmt: skip
RULES = (
    WorkloadRule("ci", AUDIENCE, "etl", {"repository": "octo/app", "ref": "refs/heads/*"}, issuer=GITHUB),
    WorkloadRule(
        "pod", AUDIENCE, "etl",
        {"kubernetes.io/namespace": "data", "kubernetes.io/serviceaccount/name": "etl"}, issuer=CLUSTER,
    ),
)  # fmt: skip


@dataclass
class Issuers:
    """Every issuer, with the same key."""

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        issuer, found, _ = url.partition("/.well-known/openid-configuration")
        if found:
            return Answer(200, json.dumps({"issuer": issuer, "jwks_uri": f"{issuer}/keys"}).encode())
        return Answer(200, json.dumps({"keys": [KEY.as_dict(private=False)]}).encode())

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        raise AssertionError(url)

    async def close(self) -> None: ...


@dataclass
class House:
    store: Store
    directory: Directory
    sign_in: SignIn
    offset: list[int]
    owner: str
    agent: str
    agent_token: str

    def claims(self, base: Mapping[str, object], **change: object) -> dict[str, object]:
        now = self.store.clock_ms() // 1000
        full = {"iat": now, "nbf": now, "exp": now + 300, **base, **change}
        return {name: value for name, value in full.items() if value is not None}

    def token(self, base: Mapping[str, object], key=KEY, alg: str = "RS256", typ: str | None = "JWT", **change) -> str:
        header = {"alg": alg, "kid": str(key.kid)} | ({"typ": typ} if typ else {})
        return jws.serialize_compact(header, json.dumps(self.claims(base, **change)).encode(), key)

    async def let_in(self, token: str, kind: str = JWT_TOKEN) -> SignedIn:
        return await self.sign_in.exchange(None, (token, kind), POST)


@pytest.fixture
def keys_file(tmp_path) -> Path:
    path = tmp_path / "bundle.json"
    path.write_text(json.dumps({"keys": [{**SVID.as_dict(private=False), "use": "jwt-svid"}]}))
    return path


@pytest.fixture
async def house(tmp_path, keys_file) -> AsyncIterator[House]:
    offset = [0]
    store = open_store(f"sqlite:///{tmp_path / 'consentry.db'}", offset_ms=lambda: offset[0])
    await store.start()
    directory = Directory(store, Lifetimes(exchanged_ms=HOUR_MS), dpop=DpopMode.OPTIONAL)
    root = await directory.first_administrator("root@example.org")
    owner = await directory.invite(None, "mara@example.org")
    made = await directory.create_agent(root.person, "etl", owner.person)
    spiffe = WorkloadRule(
        "svid", AUDIENCE, "etl", {"sub": "spiffe://prod.example.org/etl/*"},
        trust_domain="prod.example.org", keys_file=keys_file,
    )  # fmt: skip
    corp = Provider("corp", CORP, "consentry", domains=("example.org",), exchange_audiences=("pipelines",))
    sign_in = SignIn(store, directory, Issuers(), AUDIENCE, [corp], [*RULES, spiffe])
    yield House(store, directory, sign_in, offset, owner.person, made.agent.id, made.token)
    directory.close()
    await store.close()


@pytest.mark.parametrize("base", [CI, POD], ids=["github actions", "kubernetes"])
async def test_a_workload_is_its_agent_for_a_while(house, base) -> None:
    made = await house.let_in(house.token(base))
    session = await house.directory.authenticate(made.token)
    assert (session.subject, session.kind, session.actor.acting_for) == (house.agent, Kind.AGENT, None)
    with pytest.raises(NotAllowed):
        session.voter("api")
    house.offset[0] += 15 * 60_000
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(made.token)


@pytest.mark.parametrize("typ", ["JWT", "JOSE", None])
async def test_a_spiffe_id_of_the_trust_domain_is_its_agent(house, typ) -> None:
    svid = {"sub": "spiffe://prod.example.org/etl/7", "aud": [AUDIENCE], "iat": None, "nbf": None}
    made = await house.let_in(house.token(svid, SVID, "ES256", typ))
    assert made.session.subject == house.agent


NEAR = {
    "another audience": (CI, {"aud": "sts.amazonaws.com"}),
    "no audience": (CI, {"aud": None}),
    "another repository": (CI, {"repository": "octo/app2"}),
    "another owner": (CI, {"repository": "evil/app"}),
    "a tag": (CI, {"ref": "refs/tags/v1"}),
    "a branch in a folder": (CI, {"ref": "refs/heads/a/b"}),
    "no ref": (CI, {"ref": None}),
    "another issuer": (CI, {"iss": f"{GITHUB}/octo"}),
    "expired": (CI, {"exp": 1}),
    "no exp": (CI, {"exp": None}),
    "no iat": (CI, {"iat": None}),
    "for ever": (CI, {"exp": 2**40}),
    "no sub": (CI, {"sub": None}),
    "another namespace": (POD, {"kubernetes.io": {"namespace": "dev", "serviceaccount": {"name": "etl"}}}),
    "another account": (POD, {"kubernetes.io": {"namespace": "data", "serviceaccount": {"name": "other"}}}),
    "no kubernetes claims": (POD, {"kubernetes.io": None}),
    "a flat claim of a nested name": (POD, {"kubernetes.io": {"namespace": "data", "serviceaccount": "etl"}}),
}


@pytest.mark.parametrize(("base", "change"), NEAR.values(), ids=NEAR.keys())
async def test_a_near_miss_is_nobody(house, base, change) -> None:
    with pytest.raises(InvalidExchange):
        await house.let_in(house.token(base, **change))


@pytest.mark.parametrize(
    "subject",
    ["spiffe://prod.example.org.evil/etl/7", "spiffe://evil/prod.example.org/etl/7", "spiffe://prod.example.org/etl",
     "spiffe://prod.example.org/etl/7/8", "prod.example.org/etl/7"],
)  # fmt: skip
async def test_a_spiffe_id_that_is_near_is_nobody(house, subject) -> None:
    svid = {"sub": subject, "aud": [AUDIENCE]}
    with pytest.raises(InvalidExchange):
        await house.let_in(house.token(svid, SVID, "ES256"))


async def test_a_key_is_good_for_its_own_issuer_only(house) -> None:
    with pytest.raises(InvalidExchange):  # the trust domain's key signs for GitHub
        await house.let_in(house.token(CI, SVID, "ES256"))
    with pytest.raises(InvalidExchange):  # GitHub's key signs for the trust domain
        await house.let_in(house.token({"sub": "spiffe://prod.example.org/etl/7", "aud": AUDIENCE}))


async def test_a_token_that_two_rules_take_is_nobody(house) -> None:
    double = SignIn(house.store, house.directory, Issuers(), AUDIENCE, (), [RULES[0], RULES[0]])
    with pytest.raises(InvalidExchange, match="more than one"):
        await double.exchange(None, (house.token(CI), JWT_TOKEN), POST)


async def test_a_workload_of_a_revoked_agent_or_a_disabled_owner_is_nobody(house) -> None:
    made = await house.let_in(house.token(CI))
    await house.directory.disable(None, house.owner)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(made.token)
    with pytest.raises(InvalidExchange):
        await house.let_in(house.token(CI))
    await house.directory.enable(None, house.owner)
    again = await house.let_in(house.token(CI))
    await house.directory.revoke_agent(None, house.agent)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(again.token)
    with pytest.raises(InvalidExchange):
        await house.let_in(house.token(CI))


async def test_a_workload_acts_for_a_person(house) -> None:
    ben = await house.directory.sign_in((await house.directory.invite(None, "ben@example.org")).token)
    actor, subject = (house.token(CI), JWT_TOKEN), (ben.token, ACCESS_TOKEN)
    made = await house.sign_in.exchange(actor, subject, POST)
    session = await house.directory.authenticate(made.token)
    assert [one.id for one in session.actor.links()] == [house.agent, ben.session.subject]
    await house.directory.disable(None, ben.session.subject)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(made.token)


async def _ben(house: House) -> str:
    person = (await house.directory.invite(None, "ben@example.org")).person
    await house.directory.link(None, person, "oidc", CORP, "ben-7")
    return person


BEN = {"iss": CORP, "aud": "pipelines", "sub": "ben-7", "email": "other@example.org", "email_verified": True}


async def test_an_agent_acts_for_a_person_by_their_id_token(house) -> None:
    person = await _ben(house)
    actor = (house.agent_token, ACCESS_TOKEN)
    made = await house.sign_in.exchange(actor, (house.token(BEN), ID_TOKEN), POST)
    session = await house.directory.authenticate(made.token)
    assert [one.id for one in session.actor.links()] == [house.agent, person]
    assert session.expires_at_ms <= house.store.clock_ms() + 300_000
    (identity,) = await house.directory.identities(person)
    await house.directory.unlink(None, identity.id)
    with pytest.raises(NotSignedIn):
        await house.directory.authenticate(made.token)


@pytest.mark.parametrize(
    "change",
    [{"aud": "consentry"}, {"aud": "another"}, {"azp": "another"}, {"sub": "eve"}, {"exp": 1}, {"iss": GITHUB}],
    ids=["ours", "another client", "given to another", "not linked", "expired", "another issuer"],
)
async def test_an_id_token_that_is_near_is_nobody(house, change) -> None:
    """That its address is somebody's does not count: nobody is linked by an exchange."""
    await _ben(house)
    await house.directory.invite(None, "other@example.org")
    with pytest.raises(InvalidExchange):
        await house.sign_in.exchange((house.agent_token, ACCESS_TOKEN), (house.token(BEN, **change), ID_TOKEN), POST)


async def test_a9_no_exchange_makes_a_person_of_anybody(house) -> None:
    await _ben(house)
    ben = house.token(BEN)
    for actor, subject in (
        (None, (ben, ID_TOKEN)),
        ((ben, ID_TOKEN), (ben, ID_TOKEN)),
        ((ben, ID_TOKEN), (house.agent_token, ACCESS_TOKEN)),
        (None, (ben, JWT_TOKEN)),
        (None, (house.agent_token, ACCESS_TOKEN)),
        (None, (house.agent_token, JWT_TOKEN)),
        (None, ("", JWT_TOKEN)),
        (None, ("€.€.€", JWT_TOKEN)),
        (None, (ben, "urn:ietf:params:oauth:token-type:saml2")),
    ):
        with pytest.raises(InvalidExchange):
            await house.sign_in.exchange(actor, subject, POST)


@pytest.mark.parametrize(
    ("pattern", "value", "same"),
    [
        ("octo/app", "octo/app", True),
        ("octo/app", "octo/App", False),
        ("octo/*", "octo/app", True),
        ("octo/*", "octo/app/x", False),
        ("octo/*", "octo/", True),
        ("octo/**", "octo/app/x:y", True),
        ("repo:octo/*:ref:refs/heads/main", "repo:octo/app:ref:refs/heads/main", True),
        ("repo:octo/*:ref:refs/heads/main", "repo:octo/app:environment:x:ref:refs/heads/main", False),
        ("octo/a?p", "octo/app", False),
        ("octo/[a]pp", "octo/app", False),
        ("octo.app", "octo/app", False),
        ("main", "main\n", False),
        ("true", True, True),
        ("7", 7, True),
        ("7", 7.0, False),
        ("a", ["b", "a"], True),
        ("a", ["b"], False),
        ("a", [], False),
        ("**", None, False),
        ("**", {"a": "b"}, False),
    ],
)
def test_patterns(pattern, value, same) -> None:
    assert matches({"claim": value}, "claim", pattern) is same


def test_a_claim_within_a_claim_is_found_and_one_that_has_the_whole_name_comes_first() -> None:
    claims = {"kubernetes.io": {"pod": {"name": "p"}}, "https://example.org/groups": ["a"], "a/b": 1, "a": {"b": 2}}
    assert lookup(claims, "kubernetes.io/pod/name") == "p"
    assert lookup(claims, "https://example.org/groups") == ["a"]
    assert lookup(claims, "a/b") == 1
    assert lookup(claims, "kubernetes.io/pod/uid") is None
    assert lookup(claims, "kubernetes.io/pod/name/x") is None


async def test_the_message_does_not_say_which_rules_there_are(house) -> None:
    with pytest.raises(InvalidJwt) as error:
        await house.sign_in._workloads.identify(house.token(CI, repository="evil/x"), house.store.clock_ms())
    assert "octo" not in str(error.value)
    assert "evil" not in str(error.value)
