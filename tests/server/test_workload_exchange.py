"""A workload that has nothing but its platform's token, over HTTP: as a form, as RFC 8693 has it."""

from __future__ import annotations

import json

import pytest
from joserfc import jws
from joserfc.jwk import ECKey

KEY = ECKey.generate_key("P-256", {"kid": "s1"})
SPIFFE_ID = "spiffe://prod.example.org/etl"
JWT = "urn:ietf:params:oauth:token-type:jwt"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"


def svid(world, sub: str = SPIFFE_ID) -> str:
    now = world.services.gate.store.clock_ms() // 1000
    claims = {"sub": sub, "aud": ["consentry"], "exp": now + 300}
    return jws.serialize_compact({"alg": "ES256", "kid": "s1"}, json.dumps(claims), KEY)


@pytest.fixture
async def world(start, tmp_path):
    keys = tmp_path / "bundle.json"
    keys.write_text(json.dumps({"keys": [KEY.as_dict(private=False)]}))
    rule = {"trust_domain": "prod.example.org", "keys": str(keys), "audience": "consentry", "agent": "etl"}
    async with start(identity={"workload": {"mesh": {**rule, "claims": {"sub": SPIFFE_ID}}}, "attempts": 3}) as one:
        yield one


async def test_a_form_is_exchanged_for_a_token_that_asks_and_never_votes(world) -> None:
    agent = await world.agent("etl")
    form = {"grant_type": GRANT, "subject_token_type": JWT, "subject_token": svid(world)}
    answer = await world.http.post("/v1/tokens/exchange", data=form)
    assert answer.status_code == 200, answer.text
    made = answer.json()
    assert made["token_type"] == "Bearer"
    assert 840 <= made["expires_in"] <= 900
    assert [one["id"] for one in made["chain"]] == [agent.id]
    headers = {"authorization": f"Bearer {made['access_token']}"}
    body = {"operation": "secret.read", "resource": "vault"}
    await world.person("boss@example.org", "admins")
    asked = await world.http.post("/v1/actions", json=body, headers=headers)
    assert asked.json()["verdict"] == "review"
    vote = {"verdict": "approve", "shown_digest": "0" * 64}
    voted = await world.http.post(f"/v1/requests/{asked.json()['request_id']}/votes", json=vote, headers=headers)
    assert voted.status_code == 403


async def test_a_token_that_no_rule_takes_is_refused_and_counted(world) -> None:
    await world.agent("etl")
    body = {"subject_token_type": JWT, "subject_token": svid(world, SPIFFE_ID + "2")}
    for _ in range(3):
        answer = await world.http.post("/v1/tokens/exchange", json=body)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_exchange")
        assert "spiffe" not in answer.text
    assert (await world.http.post("/v1/tokens/exchange", json=body)).status_code == 429


async def test_a_rule_whose_agent_does_not_exist_says_so(world) -> None:
    body = {"subject_token_type": JWT, "subject_token": svid(world)}
    answer = await world.http.post("/v1/tokens/exchange", json=body)
    assert (answer.status_code, "create it first" in answer.text) == (400, True)


async def test_a_platforms_token_is_no_token_of_ours(world) -> None:
    await world.agent("etl")
    answer = await world.http.get("/v1/sessions/current", headers={"authorization": f"Bearer {svid(world)}"})
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
