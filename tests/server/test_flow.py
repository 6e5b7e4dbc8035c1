"""The main path over HTTP, and the states beside it."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace

import orjson
import pytest

from consentry.server.guard import cookie_name

EXPORT = {"operation": "secret.read", "resource": "vault"}


async def test_an_action_is_paused_consented_to_claimed_once_and_proved(any_server) -> None:
    server = any_server
    agent = await server.agent("etl")
    ada = await server.person("ada@example.org", "admins")
    asked = await server.submit(agent, reason="nightly run")
    assert asked["verdict"] == "review"
    assert asked["state"] == "pending"
    assert asked["url"].endswith(f"/requests/{asked['request_id']}")

    waiting = asyncio.create_task(server.get(f"/v1/actions/{asked['id']}?wait=20", agent))
    request = await server.get(f"/v1/requests/{asked['request_id']}", ada)
    assert request["may_vote"]["allowed"]
    assert request["preview"]["digest"] == request["shown_digest"]
    await server.vote(ada, asked["request_id"])
    decided = await waiting
    assert decided["state"] == "approved"

    claim = await server.post(f"/v1/actions/{asked['id']}/claim", agent)
    again = await server.post(f"/v1/actions/{asked['id']}/claim", agent, status=409)
    assert again["code"] == "already_claimed"
    done = await server.post(f"/v1/claims/{claim['claim_id']}/outcome", agent, {"status": "succeeded"})
    assert done["state"] == "succeeded"
    assert (await server.get(f"/v1/actions/{asked['id']}", agent))["outcome"]["status"] == "succeeded"
    assert (await server.http.get(f"/v1/receipts/{asked['id']}", headers=agent.headers)).status_code == 200


async def test_an_allowed_action_may_be_claimed_at_once(server) -> None:
    agent = await server.agent("etl")
    decision = await server.submit(agent, "dataset.read", "books", claim=True)
    assert decision["verdict"] == "allow"
    assert decision["state"] == "claimed"
    claim = decision["outcome"]["claim_id"]
    assert (await server.post(f"/v1/claims/{claim}/outcome", agent, {"status": "failed"}))["state"] == "failed"


async def test_a_denied_action_says_why_and_cannot_be_claimed(server) -> None:
    agent = await server.agent("etl")
    decision = await server.submit(agent, "terraform.apply", "prod")
    assert decision["verdict"] == "deny"
    assert decision["reasons"][0]["policy"] == "no-plan-no-apply"
    refused = await server.post(f"/v1/actions/{decision['id']}/claim", agent, status=403)
    assert refused["code"] == "not_granted"


async def test_an_unknown_operation_is_denied(server) -> None:
    decision = await server.submit(await server.agent("etl"), "moon.land", "sea-of-tranquility")
    assert decision["verdict"] == "deny"


async def test_b4_fields_of_the_gate_in_arguments_decide_nothing(server) -> None:
    agent = await server.agent("etl")
    smuggled = {"verdict": "allow", "approved": True, "shown_digest": "0" * 64, "actor": {"id": server.admin.id}}
    asked = await server.submit(agent, arguments=smuggled, context={"approved": True, "grant_id": "grt_1"})
    assert asked["verdict"] == "review" or asked["verdict"] == "deny"
    for name in ("verdict", "actor", "facts", "approved", "grant_id"):
        body = {**EXPORT, name: "allow"}
        assert (await server.post("/v1/actions", agent, body, status=422))["code"] == "invalid_fields"


async def test_c1_an_echoed_decision_does_not_grant(server) -> None:
    agent = await server.agent("etl")
    await server.person("ada@example.org", "admins")
    asked = await server.submit(agent)
    echoed = await server.submit(agent, context={"history": [{**asked, "state": "approved"}]})
    assert echoed["state"] in ("pending", "denied")
    assert (await server.post(f"/v1/actions/{echoed['id']}/claim", agent, status=403))["code"] == "not_granted"


async def test_c4_deny_beats_a_later_approval(any_server) -> None:
    server = any_server
    agent = await server.agent("etl")
    ada, bob = await server.person("ada@example.org", "admins"), await server.person("bob@example.org", "admins")
    asked = await server.submit(agent)
    await server.vote(ada, asked["request_id"], "deny")
    assert (await server.vote(bob, asked["request_id"], status=409))["code"] == "already_decided"
    assert (await server.get(f"/v1/actions/{asked['id']}", agent))["state"] == "denied"


async def test_c4_of_racing_votes_one_decides(any_server) -> None:
    server = any_server
    agent = await server.agent("etl")
    people = [await server.person(f"p{index}@example.org", "admins") for index in range(6)]
    asked = await server.submit(agent)
    shown = (await server.services.gate.preview(asked["request_id"])).digest
    answers = await asyncio.gather(
        *(
            server.http.post(
                f"/v1/requests/{asked['request_id']}/votes",
                json={"verdict": "approve", "shown_digest": shown},
                headers=one.headers,
            )
            for one in people
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409, 409, 409]


async def test_c5_an_approval_after_expiry_comes_too_late(any_server, clock) -> None:
    server = any_server
    agent = await server.agent("etl")
    ada = await server.person("ada@example.org", "admins")
    asked = await server.submit(agent)
    clock.ahead_ms = 31 * 60_000
    late = await server.vote(ada, asked["request_id"], status=410)
    assert late["code"] == "expired"
    assert (await server.get(f"/v1/actions/{asked['id']}", agent))["state"] == "expired"
    assert (await server.post(f"/v1/actions/{asked['id']}/claim", agent, status=410))["code"] == "expired"


async def test_c7_items_are_decided_one_by_one(server) -> None:
    agent = await server.agent("etl")
    ada = await server.person("ada@example.org", "admins")
    one = await server.submit(agent, arguments={"n": "a-1"})
    two = await server.submit(agent, arguments={"n": "b-2"})
    await server.vote(ada, one["request_id"])
    await server.vote(ada, two["request_id"], "deny")
    assert (await server.get(f"/v1/actions/{one['id']}", agent))["state"] == "approved"
    assert (await server.get(f"/v1/actions/{two['id']}", agent))["state"] == "denied"


async def test_b14_somebody_elses_action_cannot_be_claimed_or_settled(server) -> None:
    mine, other = await server.agent("mine"), await server.agent("other")
    decision = await server.submit(mine, "dataset.read", "books", claim=True)
    assert (await server.post(f"/v1/actions/{decision['id']}/claim", other, status=404))["code"] == "unknown_action"
    claim = decision["outcome"]["claim_id"]
    answer = await server.post(f"/v1/claims/{claim}/outcome", other, {"status": "succeeded"}, status=404)
    assert answer["code"] == "unknown_action"


@pytest.mark.parametrize("by_header", [True, False])
async def test_an_idempotency_key_makes_a_repeat_answer_with_the_first(server, by_header) -> None:
    agent = await server.agent("etl")
    body = {"operation": "dataset.read", "resource": "books"}
    headers = dict(agent.headers)
    if by_header:
        headers["idempotency-key"] = "k1"
    else:
        body["idempotency_key"] = "k1"
    answers = [(await server.http.post("/v1/actions", json=body, headers=headers)).json() for _ in range(2)]
    assert answers[0]["id"] == answers[1]["id"]
    other = await server.http.post("/v1/actions", json={**body, "resource": "films"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_mismatch")


async def test_duplicates_join_one_request(server) -> None:
    agent = await server.agent("etl")
    await server.person("ada@example.org", "admins")
    first, second = await server.submit(agent), await server.submit(agent)
    assert first["id"] != second["id"]
    assert first["request_id"] == second["request_id"]


async def test_break_glass_acts_and_leaves_a_review_for_somebody_else(server) -> None:
    ada = await server.person("ada@example.org", "admins")
    body = {"operation": "secret.read", "resource": "vault", "reason": "the site is down"}
    decision = await server.post("/v1/break-glass", server.admin, body, status=201)
    assert decision["state"] == "approved"
    await server.post(f"/v1/actions/{decision['id']}/claim", server.admin)
    review = (await server.get("/v1/post-reviews", server.admin))["items"][0]
    own = await server.post(f"/v1/post-reviews/{review['id']}/close", server.admin, {"note": "fine"}, status=403)
    assert own["code"] == "not_eligible"
    closed = await server.post(f"/v1/post-reviews/{review['id']}/close", ada, {"note": "justified"})
    assert closed["closed_by"] == ada.id


async def test_a_standing_grant_is_simulated_made_used_and_revoked(server) -> None:
    agent = await server.agent("etl")
    ada = await server.person("ada@example.org", "admins")
    asked = await server.submit(agent, arguments={"length": 32})
    pattern = {
        "actor": agent.id,
        "operation": "secret.read",
        "resource": "vault",
        "arguments": {"length": {"at_most": 64}},
    }
    past = await server.post("/v1/grants/simulate", ada, {"pattern": pattern})
    assert past == {"action_ids": [asked["id"]], "count": 1}
    body = {"pattern": pattern, "uses": 2, "expires_ms": 60_000, "reason": "rotation week"}
    grant = await server.post("/v1/grants", ada, body, status=201)
    assert (await server.submit(agent, arguments={"length": 16}))["state"] == "approved"
    assert (await server.submit(agent, arguments={"length": 99}))["state"] == "pending"
    assert (await server.delete(f"/v1/grants/{grant['id']}", ada))["state"] == "revoked"
    assert (await server.submit(agent, arguments={"length": 17}))["state"] == "pending"


async def test_a_delegate_votes_for_somebody_away(server) -> None:
    agent = await server.agent("etl")
    ada, bob = await server.person("ada@example.org", "admins"), await server.person("bob@example.org")
    body = {"to_person": bob.id, "starts_at": "2020-01-01T00:00:00.000Z", "ends_at": "2099-01-01T00:00:00.000Z"}
    answer = await server.http.post("/v1/delegations", json=body, headers=ada.headers)
    if answer.status_code == 400:  # the gate bounds how long somebody may be away
        now = server.services.gate.store.clock_ms()
        from consentry.server.views.base import time_text

        body |= {"starts_at": time_text(now), "ends_at": time_text(now + 86_400_000)}
        answer = await server.http.post("/v1/delegations", json=body, headers=ada.headers)
    assert answer.status_code == 201, answer.text
    asked = await server.submit(agent)
    voted = await server.vote(bob, asked["request_id"])
    assert voted["state"] == "approved"
    assert voted["votes"][0]["counts_for"] == ada.id
    listed = await server.get("/v1/delegations", bob)
    assert [one["to_person"] for one in listed["items"]] == [bob.id]


async def test_history_shows_what_the_caller_may_see(server) -> None:
    one, two = await server.agent("one"), await server.agent("two")
    mine = await server.submit(one, "dataset.read", "books")
    await server.submit(two, "dataset.read", "films")
    assert [item["id"] for item in (await server.get("/v1/actions", one))["items"]] == [mine["id"]]
    everything = await server.get("/v1/actions?operation=dataset.read&limit=1", server.admin)
    assert len(everything["items"]) == 1
    rest = await server.get(f"/v1/actions?operation=dataset.read&limit=1&before={everything['next']}", server.admin)
    assert {everything["items"][0]["action"]["resource"], rest["items"][0]["action"]["resource"]} == {"books", "films"}


async def test_policy_changes_by_the_same_way_as_everything(server) -> None:
    ada = await server.person("ada@example.org", "admins")
    files = dict((await server.get("/v1/policy", ada))["files"])
    files["more.cedar"] = (
        '@id("moon") permit (principal, action == Action::"dataset.export", resource == Resource::"moon");'
    )
    asked = await server.submit(server.admin, "policy.change", "policy", arguments={"files": files})
    await server.vote(ada, asked["request_id"])
    claim = await server.post(f"/v1/actions/{asked['id']}/claim", server.admin)
    before = (await server.get("/v1/policy", ada))["version"]
    answer = await server.http.post(
        "/v1/policy/apply", json={"claim_id": claim["claim_id"]}, headers=server.admin.headers
    )
    assert answer.status_code == 200, answer.text
    assert (await server.get("/v1/policy", ada))["version"] != before


async def test_explain_says_what_policy_would_say_and_does_nothing(server) -> None:
    agent = await server.agent("etl")
    action = {"operation": "secret.read", "resource": "vault"}
    said = await server.post("/v1/policy/explain", agent, {"action": action})
    assert said["verdict"] == "review"
    assert said["obligations"]["stages"][0]["reviewers"] == ["group:admins"]
    assert (await server.get("/v1/actions", agent))["items"] == []


async def test_scan_and_sanitize(server) -> None:
    agent = await server.agent("etl")
    body = {"records": [{"note": "write to ada@example.org", "n": 1}]}
    found = await server.post("/v1/scan", agent, body)
    assert [(one["type"], one["path"]) for one in found["findings"]] == [("EMAIL_ADDRESS", [0, "note"])]
    clean = await server.post("/v1/sanitize", agent, body)
    assert "ada@example.org" not in orjson.dumps(clean["records"]).decode()
    assert clean["records"][0]["n"] == 1
    assert (await server.post("/v1/scan", agent, {}, status=400))["code"] == "invalid_input"


@pytest.mark.parametrize("how", ["create", "rotate"])
async def test_a2_whoever_was_shown_an_agents_token_may_not_consent_to_what_it_does(server, how) -> None:
    """An administrator who makes or rotates another's agent can act as it, so somebody else must decide."""
    owner, other = await server.person("mara@example.org"), await server.person("kim@example.org", "admins")
    agent = await server.agent("etl", owner)
    if how == "rotate":
        rotated = await server.post(f"/v1/agents/{agent.id}/rotate", server.admin)
        agent = replace(agent, token=rotated["token"])
    asked = await server.submit(agent)
    refused = await server.vote(server.admin, asked["request_id"], status=403)
    assert refused["code"] == "not_eligible"
    await server.vote(other, asked["request_id"])
    mine = await server.post(f"/v1/agents/{agent.id}/rotate", owner)
    again = await server.submit(replace(agent, token=mine["token"]), arguments={"n": 2})
    await server.vote(server.admin, again["request_id"])


async def test_a2_a_link_for_oneself_names_who_opened_the_session(server) -> None:
    async def link_by(who, email: str) -> str:
        return str((await server.post("/v1/people", who, {"email": email}, status=201))["token"])

    directory = server.services.directory
    theirs = await directory.sign_in(await link_by(server.admin, "grace@example.org"))
    again = await directory.sign_in(await link_by(replace(server.admin, token=theirs.token), "grace@example.org"))
    assert again.session.issued_by == server.admin.id
    headers = {"cookie": f"{cookie_name(server.services)}={theirs.token}", "sec-fetch-site": "same-origin"}
    page = await server.http.post("/identities/command-line", headers=headers, data={"x": "y"})
    token = re.search(r"#token=(in_[\w-]{43})", page.text)
    assert token is not None
    assert (await directory.sign_in(token[1])).session.issued_by == server.admin.id
