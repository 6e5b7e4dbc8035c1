"""ID tokens that must not be taken, from an issuer of our own that signs whatever a test wants."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from consentry.identity.jwt import ALGORITHMS, InvalidJwt, read_header, verify
from consentry.identity.jwt_keys import COOL_DOWN_S, FRESH_S, STALE_S, KeyCache, ProviderUnavailable, parse_keys
from consentry.identity.oidc import Flow, OidcClient, SignInRefused
from consentry.identity.oidc_http import Answer, UnsafeAddress, require_safe
from consentry.identity.providers import Metadata, Provider, parse_metadata

ISSUER = "https://id.example.org"
NOW = 1_800_000_000.0
RSA = RSAKey.generate_key(2048, {"kid": "r1"})
EC = ECKey.generate_key("P-256", {"kid": "e1"})
ED = OKPKey.generate_key("Ed25519", {"kid": "o1"})
STRANGER = RSAKey.generate_key(2048, {"kid": "r1"})
FLOW = Flow("corp", "s" * 43, "b" * 43, "n" * 43, "v" * 43, "/")
CLAIMS = {
    "iss": ISSUER, "aud": "client", "sub": "ada", "exp": NOW + 300, "iat": NOW, "nonce": FLOW.nonce,
}  # fmt: skip
EVERY = jws.JWSRegistry(algorithms=sorted(ALGORITHMS), strict_check_header=False)


def sign(claims: Mapping[str, object], key=RSA, alg: str = "RS256", **header: object) -> str:
    header = {"alg": alg, "kid": key.as_dict(private=False).get("kid", "r1"), **header}
    payload = json.dumps(claims).encode()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)  # that `EdDSA` does not name its curve
        return jws.serialize_compact({k: v for k, v in header.items() if v is not None}, payload, key, registry=EVERY)


def part(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


@dataclass
class Issuer:
    """`Http` that answers as the issuer. `token` is what the next code is worth."""

    keys: list = field(default_factory=lambda: [RSA, EC, ED])
    token: str = ""
    userinfo: Mapping[str, object] = field(default_factory=dict)
    metadata: Mapping[str, object] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    posted: list[Mapping[str, str]] = field(default_factory=list)

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        self.asked.append(url)
        if url.endswith("/.well-known/openid-configuration"):
            found = {name: f"{ISSUER}/{name}" for name in ("jwks_uri", "authorization_endpoint", "token_endpoint")}
            value = {"issuer": ISSUER, **found, "userinfo_endpoint": f"{ISSUER}/me", **self.metadata}
            return Answer(200, json.dumps(value).encode())
        if url.endswith("/me"):
            return Answer(200, json.dumps(self.userinfo).encode())
        return Answer(200, json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode())

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        self.posted.append({**form, **headers})
        return Answer(200, json.dumps({"id_token": self.token, "access_token": "at", "token_type": "Bearer"}).encode())

    async def close(self) -> None: ...


def client_of(issuer: Issuer, **more: object) -> OidcClient:
    return OidcClient(Provider("corp", ISSUER, "client", **more), issuer, lambda: NOW)


async def redeem(token: str, issuer: Issuer | None = None, **more: object) -> Mapping[str, object]:
    issuer = issuer or Issuer()
    issuer.token = token
    return (await client_of(issuer, **more).redeem("code", FLOW, "https://here/callback")).claims


@pytest.mark.parametrize(
    ("key", "alg"),
    [(RSA, "RS256"), (RSA, "RS384"), (RSA, "RS512"), (RSA, "PS256"), (EC, "ES256"), (ED, "Ed25519"), (ED, "EdDSA")],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_token_that_its_issuer_signed_is_taken(key, alg) -> None:
    assert (await redeem(sign(CLAIMS, key, alg)))["sub"] == "ada"


WRONG = {
    "no issuer": {"iss": None}, "another issuer": {"iss": f"{ISSUER}/"}, "for another": {"aud": "other"},
    "for nobody": {"aud": None}, "for numbers": {"aud": [1]}, "for several, no azp": {"aud": ["client", "other"]},
    "azp of another": {"azp": "other"}, "azp no text": {"azp": ["client"]}, "expired": {"exp": NOW - 60},
    "no exp": {"exp": None}, "exp a text": {"exp": "2099"}, "exp true": {"exp": True}, "no iat": {"iat": None},
    "iat of the future": {"iat": NOW + 61}, "nbf of the future": {"nbf": NOW + 61}, "no nonce": {"nonce": None},
    "another nonce": {"nonce": "x"}, "nonce a list": {"nonce": [FLOW.nonce]}, "no sub": {"sub": None},
    "sub empty": {"sub": ""}, "sub a number": {"sub": 7}, "sub long": {"sub": "x" * 256},
    "sub hides": {"sub": "a\u202eb"},
}  # fmt: skip


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
async def test_a_token_with_wrong_claims_is_refused(change) -> None:
    claims = {name: value for name, value in {**CLAIMS, **change}.items() if value is not None}
    with pytest.raises(SignInRefused):
        await redeem(sign(claims))


async def test_several_audiences_are_fine_where_the_token_was_given_to_us() -> None:
    assert await redeem(sign({**CLAIMS, "aud": ["client", "other"], "azp": "client"}))


async def test_the_skew_is_a_setting() -> None:
    late = sign({**CLAIMS, "exp": NOW - 61})
    with pytest.raises(SignInRefused):
        await redeem(late)
    assert await redeem(late, skew_s=120.0)


def _hmac_with_the_public_key() -> str:
    text = f"{part({'alg': 'HS256', 'kid': 'r1'})}.{part(CLAIMS)}"
    mac = hmac.new(RSA.as_pem(private=False), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _critical() -> str:
    """A good signature over a header that demands something unknown."""
    text = f"{part({'alg': 'RS256', 'kid': 'r1', 'crit': ['exp'], 'exp': 1})}.{part(CLAIMS)}"
    signature = RSA.private_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


FORGED = {
    "alg none": lambda: f"{part({'alg': 'none'})}.{part(CLAIMS)}.",
    "alg None with a signature": lambda: f"{part({'alg': 'None', 'kid': 'r1'})}.{part(CLAIMS)}.AAAA",
    "alg is missing": lambda: f"{part({'kid': 'r1'})}.{part(CLAIMS)}.AAAA",
    "alg is a list": lambda: f"{part({'alg': ['RS256'], 'kid': 'r1'})}.{part(CLAIMS)}.AAAA",
    "HS256 with the public key": _hmac_with_the_public_key,
    "a key of somebody else": lambda: sign(CLAIMS, STRANGER),
    "a key in the header": lambda: sign(CLAIMS, STRANGER, jwk=STRANGER.as_dict(private=False), kid=None),
    "unknown kid": lambda: sign(CLAIMS, kid="r9"),
    "kid is a path": lambda: sign(CLAIMS, STRANGER, kid="../../dev/null"),
    "another alg than the key's": lambda: sign(CLAIMS, RSA, kid="e1"),
    "crit": _critical,
    "an access token": lambda: sign(CLAIMS, typ="at+jwt"),
    "a proof": lambda: sign(CLAIMS, typ="dpop+jwt"),
    "a logout token": lambda: sign(CLAIMS, typ="logout+jwt"),
    "changed claims": lambda: sign(CLAIMS).replace(sign(CLAIMS).split(".")[1], part({**CLAIMS, "sub": "root"})),
    "cut": lambda: sign(CLAIMS)[:-4],
    "two parts": lambda: ".".join(sign(CLAIMS).split(".")[:2]),
    "five parts": lambda: sign(CLAIMS) + ".a.b",
    "empty": lambda: "",
    "not base64": lambda: "€.€.€",
    "not an object": lambda: f"{part(['RS256'])}.{part(CLAIMS)}.AAAA",
    "huge": lambda: f"{part({'alg': 'RS256', 'x': 'y' * 70_000})}.{part(CLAIMS)}.AAAA",
}


@pytest.mark.parametrize("make", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_token_is_refused(make) -> None:
    with pytest.raises(SignInRefused):
        await redeem(make())


def test_a_claim_that_stands_twice_is_refused() -> None:
    """Two readers of the token could believe different ones."""
    payload = json.dumps(CLAIMS).replace('"sub": "ada"', '"sub": "ada", "sub": "root"').encode()
    token = jws.serialize_compact({"alg": "RS256", "kid": "r1"}, payload, RSA)
    with pytest.raises(InvalidJwt):
        verify(token, RSA, "RS256")


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
async def test_a_short_key_is_refused() -> None:
    weak = RSAKey.generate_key(1024, {"kid": "w1"})
    with pytest.raises(SignInRefused):
        await redeem(sign(CLAIMS, weak), Issuer(keys=[weak]))


async def test_the_issuer_says_by_which_algorithms_it_signs() -> None:
    issuer = Issuer(metadata={"id_token_signing_alg_values_supported": ["RS256"]})
    with pytest.raises(SignInRefused):
        await redeem(sign(CLAIMS, EC, "ES256"), issuer)


async def test_userinfo_is_of_the_same_subject_or_refused() -> None:
    issuer = Issuer(userinfo={"sub": "ada", "email": "a@example.org", "email_verified": True, "iss": "x"})
    claims = await redeem(sign(CLAIMS), issuer, userinfo=True)
    assert (claims["email"], claims["iss"]) == ("a@example.org", ISSUER)
    issuer.userinfo = {**issuer.userinfo, "sub": "eve"}
    with pytest.raises(SignInRefused, match="somebody else"):
        await redeem(sign(CLAIMS), issuer, userinfo=True)


async def test_an_address_is_not_verified_by_what_is_said_of_another() -> None:
    issuer = Issuer(userinfo={"sub": "ada", "email": "mine@example.org", "email_verified": True})
    claims = await redeem(sign({**CLAIMS, "email": "boss@example.org"}), issuer, userinfo=True)
    assert claims["email"] == "boss@example.org"
    assert "email_verified" not in claims


async def test_the_secret_goes_as_the_provider_takes_it() -> None:
    issuer = Issuer()
    await redeem(sign(CLAIMS), issuer, secret=lambda: "s:e/c+r t")
    assert base64.b64decode(issuer.posted[-1]["authorization"].removeprefix("Basic ")) == b"client:s%3Ae%2Fc%2Br%20t"
    issuer.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    await redeem(sign(CLAIMS), issuer, secret=lambda: "secret")
    assert issuer.posted[-1]["client_secret"] == "secret"
    await redeem(sign(CLAIMS), issuer)
    assert "client_secret" not in issuer.posted[-1]
    assert issuer.posted[-1]["code_verifier"] == FLOW.verifier


@pytest.mark.parametrize(
    "change",
    [{"issuer": f"{ISSUER}/"}, {"issuer": None}, {"issuer": "https://evil.example"}, {"jwks_uri": None}],
    ids=["slash", "none", "another", "no keys"],
)
def test_metadata_of_another_issuer_are_refused(change) -> None:
    value = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", **change}
    with pytest.raises(ProviderUnavailable):
        parse_metadata(json.dumps(value).encode(), ISSUER)


@pytest.mark.parametrize("name", ["jwks_uri", "token_endpoint", "authorization_endpoint", "end_session_endpoint"])
@pytest.mark.parametrize(
    "url", ["http://id.example.org/x", "ftp://id.example.org", "https://u:p@id.example.org", "//x"]
)
def test_metadata_that_lead_into_the_clear_are_refused(name, url) -> None:
    value = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", name: url}
    with pytest.raises(UnsafeAddress):
        parse_metadata(json.dumps(value).encode(), ISSUER)


INSIDE = [
    "http://localhost/x", "http://127.0.0.1:8080/x", "https://localhost/x", "https://keys.localhost./x", "https://127.0.0.1/x",
    "https://10.0.0.8/x", "https://192.168.1.1/x", "https://169.254.169.254/x", "https://100.64.0.1/x", "https://[::1]/x",
    "https://[fd00::1]/x", "https://[::ffff:10.0.0.8]/x", "https://127.1/x", "https://2130706433/x", "https://0x7f000001/x",
    "https://0.0.0.0/x", "https://LOCALHOST/x",
]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["jwks_uri", "token_endpoint", "userinfo_endpoint", "authorization_endpoint", "end_session_endpoint"]
)
@pytest.mark.parametrize("url", INSIDE)
def test_metadata_of_a_public_issuer_do_not_lead_inside(name, url) -> None:
    value = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", name: url}
    with pytest.raises(UnsafeAddress):
        parse_metadata(json.dumps(value).encode(), ISSUER)


@pytest.mark.parametrize(
    ("issuer", "url"),
    [
        ("http://127.0.0.1:99", "http://127.0.0.1:99/keys"),
        ("http://localhost:99", "http://127.0.0.1:99/keys"),
        ("https://10.0.0.8", "https://10.0.0.9/keys"),
        ("https://id.example.org", "https://93.184.215.14/keys"),
        ("https://id.example.org", "https://keys.example.net/keys"),
        ("https://id.example.org", "https://10.example.net/keys"),
    ],
)
def test_an_issuer_may_lead_where_it_is_itself(issuer, url) -> None:
    assert parse_metadata(json.dumps({"issuer": issuer, "jwks_uri": url}).encode(), issuer).jwks_uri == url


@pytest.mark.parametrize("url", ["http://10.0.0.8/keys", "http://127.0.0.1/keys"])
def test_an_issuer_inside_by_https_leads_nobody_into_the_clear(url) -> None:
    with pytest.raises(UnsafeAddress):
        parse_metadata(json.dumps({"issuer": "https://10.0.0.8", "jwks_uri": url}).encode(), "https://10.0.0.8")


def test_the_loopback_may_be_in_the_clear() -> None:
    for url in ("http://127.0.0.1:99/x", "http://[::1]/x", "http://localhost/"):
        assert require_safe(url) == url


def test_metadata_are_read() -> None:
    value = {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys", "authorization_response_iss_parameter_supported": True}
    found = parse_metadata(json.dumps(value).encode(), ISSUER)
    assert isinstance(found, Metadata)
    assert (found.says_issuer, found.basic, found.token_endpoint) == (True, True, None)


def test_keys_that_are_no_public_signature_keys_are_left_out() -> None:
    public = RSA.as_dict(private=False)
    others = [
        OctKey.generate_key(256).as_dict(), RSA.as_dict(private=True), {**public, "use": "enc"}, {"kty": "RSA"},
        {**public, "kid": 7}, {"kty": "other"}, {**public, "n": "!"}, {},
    ]  # fmt: skip
    assert [one.kid for one in parse_keys(json.dumps({"keys": [*others, public]}).encode())] == ["r1"]
    for bad in (b"[]", b"{}", b'{"keys": 7}', b"x", json.dumps({"keys": [public] * 201}).encode()):
        with pytest.raises(InvalidJwt):
            parse_keys(bad)


class Keys:
    """A key set over time."""

    def __init__(self, *keys) -> None:
        self.keys, self.asked, self.now, self.down = list(keys), 0, NOW, False
        self.cache = KeyCache(self.fetch, lambda: self.now)

    async def fetch(self) -> bytes:
        self.asked += 1
        if self.down:
            raise ProviderUnavailable("down")
        return json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()


async def test_keys_are_kept_and_a_new_one_is_found() -> None:
    keys = Keys(RSA)
    for _ in range(5):
        assert await keys.cache.find("r1", "RS256")
    assert keys.asked == 1
    keys.keys.append(EC)
    keys.now += COOL_DOWN_S
    assert await keys.cache.find("e1", "ES256")
    assert keys.asked == 2


async def test_unknown_kids_do_not_make_us_ask_all_the_time() -> None:
    keys = Keys(RSA)
    for number in range(50):
        with pytest.raises(InvalidJwt):
            await keys.cache.find(f"x{number}", "RS256")
    assert keys.asked == 1
    assert await keys.cache.find("r1", "RS256")


async def test_a_key_that_was_taken_out_is_soon_forgotten() -> None:
    keys = Keys(RSA)
    await keys.cache.find("r1", "RS256")
    keys.keys = [EC]
    keys.now += FRESH_S
    with pytest.raises(InvalidJwt):
        await keys.cache.find("r1", "RS256")


async def test_an_issuer_that_is_down_is_remembered_for_a_day() -> None:
    keys = Keys(RSA)
    await keys.cache.find("r1", "RS256")
    keys.down = True
    keys.now += STALE_S - 1
    assert await keys.cache.find("r1", "RS256")
    keys.now += STALE_S
    with pytest.raises(ProviderUnavailable):
        await keys.cache.find("r1", "RS256")


async def test_without_a_name_there_must_be_one_key_only() -> None:
    assert await Keys(RSA, EC).cache.find(None, "ES256")
    other = ECKey.generate_key("P-256", {"kid": "e2"})
    with pytest.raises(InvalidJwt):
        await Keys(EC, other).cache.find(None, "ES256")


def test_no_symmetric_algorithm_is_known() -> None:
    assert not any(name.startswith("HS") or name == "none" for name in ALGORITHMS)
    with pytest.raises(InvalidJwt):
        read_header(_hmac_with_the_public_key())
