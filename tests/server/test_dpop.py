"""Tokens that are bound to a key, over HTTP (RFC 9449): the wrong key, method, address, time, token, twice."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping

import httpx2
import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OctKey

KEY, OTHER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
REGISTRY = jws.JWSRegistry(algorithms=["ES256", "HS256"], strict_check_header=False)


def proof(
    world, method: str, path: str, *, key=KEY, token: str | None = None, header=None, alg="ES256", **change
) -> str:
    """A proof for a request; `None` takes a claim out."""
    now = world.services.gate.store.clock_ms() / 1000
    claims = {"jti": secrets.token_hex(8), "htm": method, "htu": world.services.origin + path, "iat": now}
    if token is not None:
        claims["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    claims = {name: value for name, value in {**claims, **change}.items() if value is not None}
    public = key.as_dict(private=False) if isinstance(key, ECKey) else {"kty": "oct", "k": "AAAA"}
    head = {"typ": "dpop+jwt", "alg": alg, "jwk": public, **(header or {})}
    head = {name: value for name, value in head.items() if value is not None}
    return jws.serialize_compact(head, json.dumps(claims).encode(), key, registry=REGISTRY)


async def bound(world, agent) -> str:
    """A token of this agent that is bound to `KEY`."""
    made = await exchange(world, {"subject_token": agent.token}, proof(world, "POST", "/v1/tokens/exchange"))
    assert made.status_code == 200, made.text
    assert made.json()["token_type"] == "DPoP"
    return made.json()["access_token"]


async def exchange(world, body: Mapping[str, str], text: str | None) -> httpx2.Response:
    headers = {} if text is None else {"DPoP": text}
    return await world.http.post("/v1/tokens/exchange", json=body, headers=headers)


async def who(world, token: str, text: str | None, scheme: str = "DPoP") -> httpx2.Response:
    headers = [("authorization", f"{scheme} {token}"), *([("dpop", text)] if text else [])]
    return await world.http.get("/v1/sessions/current", headers=headers)


PATH = "/v1/sessions/current"


@pytest.fixture
async def world(start):
    async with start(identity={"dpop": "optional"}) as one:
        yield one


async def test_a_bound_token_is_taken_with_a_new_proof_each_time(world) -> None:
    agent = await world.agent("etl")
    token = await bound(world, agent)
    for _ in range(3):
        answer = await who(world, token, proof(world, "GET", PATH, token=token))
        assert answer.status_code == 200, answer.text
        assert answer.json()["subject"] == agent.id


async def test_a_proof_is_for_the_address_without_its_query_by_any_name_of_the_server(world) -> None:
    token = await bound(world, await world.agent("etl"))
    port = world.services.origin.rpartition(":")[2]
    for url in (f"{world.services.origin}{PATH}?x=1", f"HTTP://127.0.0.1:{port}{PATH}"):
        assert (await who(world, token, proof(world, "GET", PATH, token=token, htu=url))).status_code == 200
    by_name = proof(world, "GET", PATH, token=token, htu=f"http://localhost:{port}{PATH}")
    headers = {"authorization": f"DPoP {token}", "dpop": by_name, "host": f"localhost:{port}"}
    assert (await world.http.get(PATH, headers=headers)).status_code == 200


async def test_a_proof_for_another_port_of_the_same_host_is_not_for_us(world) -> None:
    """Whoever listens there was sent token and proof, and names their own address to us."""
    token = await bound(world, await world.agent("etl"))
    for host in ("127.0.0.1:1", "localhost:1", "localhost"):
        text = proof(world, "GET", PATH, token=token, htu=f"http://{host}{PATH}")
        headers = {"authorization": f"DPoP {token}", "dpop": text, "host": host}
        assert (await world.http.get(PATH, headers=headers)).status_code == 401


WRONG = {
    "another key": {"key": OTHER},
    "another method": {"htm": "POST"},
    "another path": {"htu": "http://127.0.0.1/v1/actions"},
    "another host": {"htu": f"https://evil.example{PATH}"},
    "no address": {"htu": None},
    "an address that is none": {"htu": "http://[bad"},
    "old": {"iat": 1_000_000_000},
    "of the future": {"iat": 4_000_000_000},
    "no time": {"iat": None},
    "time true": {"iat": True},
    "no id": {"jti": None},
    "id empty": {"jti": ""},
    "no hash of the token": {"ath": None},
    "hash of another token": {"ath": "x"},
    "another type": {"header": {"typ": "JWT"}},
    "no key": {"header": {"jwk": None}},
    "a private key": {"header": {"jwk": KEY.as_dict(private=True)}},
    "the key of another": {"header": {"jwk": OTHER.as_dict(private=False)}},
    "a symmetric key": {"key": OctKey.generate_key(256), "alg": "HS256"},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
async def test_a_proof_that_is_not_whole_is_refused(world, change) -> None:
    token = await bound(world, await world.agent("etl"))
    answer = await who(world, token, proof(world, "GET", PATH, **{"token": token, **change}))
    assert answer.status_code == 401
    assert answer.json()["code"] in ("invalid_dpop_proof", "wrong_dpop_key")
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith(('DPoP error="invalid_dpop_proof"', 'DPoP error="invalid_token"'))
    assert 'algs="ES256' in challenge


async def test_a_stolen_token_is_worth_nothing(world) -> None:
    token = await bound(world, await world.agent("etl"))
    good = proof(world, "GET", PATH, token=token)
    assert (await who(world, token, None, "Bearer")).json()["code"] == "wrong_dpop_key"
    assert (await who(world, token, good, "Bearer")).json()["code"] == "wrong_dpop_key"
    assert (await who(world, token, None)).json()["code"] == "invalid_dpop_proof"
    assert (await who(world, token, good)).status_code == 200
    assert (await who(world, token, good)).json()["code"] == "invalid_dpop_proof"  # nor with a proof that was seen
    headers = [("authorization", f"DPoP {token}")] + [("dpop", proof(world, "GET", PATH, token=token))] * 2
    assert (await world.http.get(PATH, headers=headers)).status_code == 401


async def test_a_proof_is_forgotten_when_it_is_too_old_to_be_taken(world, clock) -> None:
    from sqlalchemy import func, select

    from consentry.store import tables

    token = await bound(world, await world.agent("etl"))
    old = proof(world, "GET", PATH, token=token)
    assert (await who(world, token, old)).status_code == 200
    clock.ahead_ms += 300_000
    assert (await who(world, token, old)).status_code == 401
    assert (await who(world, token, proof(world, "GET", PATH, token=token))).status_code == 200
    count = select(func.count()).select_from(tables.used_proofs)
    assert await world.services.gate.store.read(lambda tx: tx.execute(count).scalar_one()) == 1


async def test_a_bound_token_is_exchanged_with_its_key_only(world) -> None:
    token = await bound(world, await world.agent("etl"))
    other = await world.agent("other")
    body = {"actor_token": other.token, "subject_token": token}
    path = "/v1/tokens/exchange"
    assert (await exchange(world, body, None)).status_code == 400
    assert (await exchange(world, body, proof(world, "POST", path, key=OTHER))).status_code == 400
    made = await exchange(world, body, proof(world, "POST", path))
    assert made.json()["token_type"] == "DPoP"


async def test_without_a_proof_a_token_stays_a_bearer_where_that_may_be(world) -> None:
    agent = await world.agent("etl")
    acting = await world.acting(agent, world.admin)
    assert (await who(world, acting.token, None, "Bearer")).status_code == 200
    wrong = proof(world, "POST", "/v1/tokens/exchange", htm="GET")
    body = {"actor_token": agent.token, "subject_token": world.admin.token}
    assert (await exchange(world, body, wrong)).json()["code"] == "invalid_dpop_proof"


async def test_where_it_is_required_no_agent_gets_in_without(start) -> None:
    async with start(identity={"dpop": "required"}) as world:
        agent = await world.agent("etl")
        assert (await who(world, agent.token, None, "Bearer")).json()["code"] == "wrong_dpop_key"
        text = proof(world, "GET", PATH, token=agent.token)
        assert (await who(world, agent.token, text)).json()["code"] == "wrong_dpop_key"
        body = {"actor_token": agent.token, "subject_token": world.admin.token}
        assert (await exchange(world, body, None)).json()["code"] == "invalid_dpop_proof"
        token = await bound(world, agent)
        assert (await who(world, token, proof(world, "GET", PATH, token=token))).status_code == 200
        assert (await who(world, world.admin.token, None, "Bearer")).status_code == 200  # persons have other ways


async def test_where_it_is_off_a_proof_binds_nothing(start) -> None:
    async with start() as world:
        agent = await world.agent("etl")
        body = {"actor_token": agent.token, "subject_token": world.admin.token}
        made = await exchange(world, body, proof(world, "POST", "/v1/tokens/exchange"))
        assert made.json()["token_type"] == "Bearer"
        assert (await who(world, made.json()["access_token"], None, "Bearer")).status_code == 200


async def test_a_bound_token_acts_over_the_whole_api(world) -> None:
    token = await bound(world, await world.agent("etl"))
    path, body = "/v1/actions", {"operation": "secret.read", "resource": "vault"}
    headers = {"authorization": f"DPoP {token}", "dpop": proof(world, "POST", path, token=token)}
    assert (await world.http.post(path, json=body, headers=headers)).status_code == 201
    wrong = {"authorization": f"DPoP {token}", "dpop": proof(world, "GET", path, token=token)}
    assert (await world.http.post(path, json=body, headers=wrong)).status_code == 401
