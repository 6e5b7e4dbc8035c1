"""Passkeys over the API: registering, signing a vote, and everything that must not pass for either."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from consentry.ledger.keys import parse_keys
from consentry.ledger.report import Outcome
from consentry.ledger.verify import verify_path, verify_receipt

POLICY = """
@id("strong") @review("group:stewards") @assurance("passkey")
permit (principal, action == Action::"secret.read", resource);
@id("two") @review("group:stewards") @quorum("2") @assurance("passkey")
permit (principal, action == Action::"secret.rotate", resource);
@id("plain") @review("group:stewards") permit (principal, action == Action::"dataset.export", resource);
"""


on_each_database = pytest.mark.parametrize("database", ["sqlite", "postgres"])


@pytest.fixture
def database() -> str:
    """Which database; a test that is about transactions runs `on_each_database`."""
    return "sqlite"


@pytest.fixture
def store_section(database, request, monkeypatch) -> dict[str, dict[str, str]]:
    if database == "sqlite":
        return {}
    monkeypatch.setenv("TEST_STORE_URL", request.getfixturevalue("migrated_postgres_url"))
    return {"store": {"url": "env:TEST_STORE_URL"}}


@pytest.fixture
async def world(start, tmp_path, store_section):
    """A server whose rules ask for passkeys."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "rules.cedar").write_text(POLICY)
    async with start(policy={"dir": tmp_path / "policies"}, **store_section) as one:
        yield one


@pytest.fixture
async def ada(world):
    return await world.person("ada@example.org", "stewards")


@pytest.fixture
async def agent(world):
    return await world.agent("etl")


async def confirmed(world, who, key) -> dict:
    """The body of a change to somebody's passkeys, signed with one that they have."""
    options = await world.post("/v1/passkeys/confirmation", who)
    return {"assertion": key.get(options["public_key"], options["origin"])}


async def register(world, who, key, name="Blue key", *, status=201, origin=None, **changes):
    options = await world.post("/v1/passkeys/registration", who)
    credential = key.create(options["public_key"], origin or options["origin"], **changes)
    return await world.post("/v1/passkeys", who, {"name": name, "credential": credential}, status=status)


async def ask(world, who, request_id, verdict="approve", *, status=200):
    shown = (await world.services.gate.preview(request_id)).digest
    body = {"verdict": verdict, "shown_digest": shown}
    return shown, await world.post(f"/v1/requests/{request_id}/challenge", who, body, status=status)


async def vote(world, who, request_id, key=None, verdict="approve", *, assertion=None, status=200, **changes):
    shown, options = await ask(world, who, request_id, verdict)
    if assertion is None and key is not None:
        origin = changes.pop("origin", options["origin"])
        assertion = key.get(options["public_key"], origin, **changes)
    body = {"verdict": verdict, "shown_digest": shown, "reason": "looked at it", "assertion": assertion}
    return await world.post(f"/v1/requests/{request_id}/votes", who, body, status=status)


async def types(world) -> list[str]:
    await world.services.gate.checkpoint_now()
    size, found = await world.services.gate.ledger_size(), []
    async for event in world.services.gate.events(-1):
        found.append(event.type)
        if event.seq == size - 1:
            return found
    return found


@pytest.mark.parametrize("kind", ["es256", "ed25519", "rs256"])
@on_each_database
async def test_a_signed_vote_verifies_from_the_receipt_alone(world, ada, agent, authenticator, kind, tmp_path) -> None:
    key = authenticator(kind)
    made = await register(world, ada, key)
    assert made["name"] == "Blue key"
    asked = await world.submit(agent)
    view = await world.get(f"/v1/requests/{asked['request_id']}", ada)
    assert view["passkey"] == {"usable": 1, "text": None}
    voted = await vote(world, ada, asked["request_id"], key)
    assert (voted["state"], voted["votes"][0]["assurance"]) == ("approved", "passkey")
    gate = world.services.gate
    raw, keys = await gate.receipt(asked["id"]), parse_keys((await gate.ledger_keys()).decode())
    report = verify_receipt(raw, keys)
    assert (report.outcome, report.findings) == (Outcome.VALID, ())
    assert b"passkey.registered" in raw
    assert b"example.org" not in b"".join(each["entry"].encode() for each in orjson.loads(raw)["entries"])
    await gate.export_bundle(tmp_path / "log.zip")
    (tmp_path / "key").write_bytes(await gate.ledger_keys())
    assert verify_path(tmp_path / "log.zip", tmp_path / "key").outcome is Outcome.VALID


async def test_a_receipt_without_the_registration_is_unverifiable(world, ada, agent, authenticator) -> None:
    key = authenticator()
    await register(world, ada, key)
    asked = await world.submit(agent)
    await vote(world, ada, asked["request_id"], key)
    document = orjson.loads(await world.services.gate.receipt(asked["id"]))
    document["entries"] = [one for one in document["entries"] if '"passkey.registered"' not in one["entry"]]
    keys = parse_keys((await world.services.gate.ledger_keys()).decode())
    report = verify_receipt(orjson.dumps(document), keys)
    assert (report.outcome, [one.code for one in report.findings]) == (Outcome.UNVERIFIABLE, ["passkey_unknown"])


async def test_a_session_alone_is_not_enough(world, ada, agent, authenticator) -> None:
    await register(world, ada, authenticator())
    asked = await world.submit(agent)
    refused = await world.vote(ada, asked["request_id"], status=403)
    assert refused["code"] == "assurance_too_low"
    assert "open the request's page" in refused["detail"]
    assert (await world.vote(ada, asked["request_id"], "deny"))["state"] == "denied"


async def test_a12_a_passkey_younger_than_the_request_does_not_count(world, ada, agent, authenticator) -> None:
    """Whoever takes over a session must not enrol a passkey and approve at once."""
    asked = await world.submit(agent)
    key = authenticator()
    await register(world, ada, key)
    view = await world.get(f"/v1/requests/{asked['request_id']}", ada)
    assert view["passkey"]["usable"] == 0
    assert "younger" in view["passkey"]["text"]
    _, refused = await ask(world, ada, asked["request_id"], status=404)
    assert refused["code"] == "unknown_passkey"
    later = await world.submit(agent, arguments={"n": 2})
    shown, options = await ask(world, ada, later["request_id"])
    signed = key.get(options["public_key"], options["origin"])
    body = {"verdict": "approve", "shown_digest": shown, "assertion": signed}
    refused = await world.post(f"/v1/requests/{asked['request_id']}/votes", ada, body, status=403)
    assert refused["code"] == "passkey_rejected"
    assert (await vote(world, ada, later["request_id"], key))["state"] == "approved"


async def test_registering_takes_a_fresh_session(world, ada, authenticator, clock) -> None:
    clock.ahead_ms = 11 * 60_000
    refused = await world.post("/v1/passkeys/registration", ada, status=403)
    assert refused["code"] == "session_not_fresh"


@on_each_database
async def test_a_registration_is_answered_once_in_its_own_session_and_in_time(world, ada, authenticator, clock) -> None:
    bob = await world.person("bob@example.org", "stewards")
    for wait, who in ((0, bob), (6 * 60_000, ada)):
        options = await world.post("/v1/passkeys/registration", ada)
        clock.ahead_ms += wait
        body = {"name": "k", "credential": authenticator().create(options["public_key"], options["origin"])}
        assert (await world.post("/v1/passkeys", who, body, status=400))["code"] == "passkey_not_registered"
    clock.ahead_ms = 0
    options = await world.post("/v1/passkeys/registration", ada)
    key = authenticator()
    body = {"name": "k", "credential": key.create(options["public_key"], options["origin"])}
    await world.post("/v1/passkeys", ada, body, status=201)
    assert (await world.post("/v1/passkeys", ada, body, status=400))["code"] == "passkey_not_registered"
    again = await world.post("/v1/passkeys/registration", ada, await confirmed(world, ada, key))
    assert [one["id"] for one in again["public_key"]["excludeCredentials"]] == [body["credential"]["id"]]


LIES = {
    "another origin": {"origin": "https://evil.example"},
    "of an assertion": {"type": "webauthn.get"},
    "not verified": {"flags": 0x41},
    "not present": {"flags": 0x44},
}


async def test_a_registration_that_is_not_one(world, ada, authenticator) -> None:
    for name, lie in LIES.items():
        refused = await register(world, ada, authenticator(), status=400, **lie)
        assert refused["code"] == "passkey_not_registered", name
    assert (await world.get("/v1/passkeys", ada))["items"] == []


@pytest.mark.parametrize("part", ["client_data_json", "attestation_object"])
async def test_rubbish_for_a_registration_is_refused(world, ada, authenticator, part) -> None:
    options = await world.post("/v1/passkeys/registration", ada)
    good = authenticator().create(options["public_key"], options["origin"])
    for rubbish in ("AA", "oA", "_____w", good[part][:40], "A" * 4096, "n" * 2000):
        body = {"name": "k", "credential": {**good, part: rubbish}}
        assert (await world.post("/v1/passkeys", ada, body, status=400))["code"] == "passkey_not_registered", rubbish


VOTE_LIES = {
    "another origin": {"origin": "https://evil.example"},
    "of a registration": {"type": "webauthn.create"},
    "in a frame": {"crossOrigin": True},
    "not verified": {"flags": 0x01},
    "not present": {"flags": 0x04},
}


async def test_a_signature_that_is_not_one(world, ada, agent, authenticator) -> None:
    key = authenticator()
    await register(world, ada, key)
    asked = await world.submit(agent)
    for name, lie in VOTE_LIES.items():
        refused = await vote(world, ada, asked["request_id"], key, status=403, **lie)
        assert refused["code"] == "passkey_rejected", name
    assert (await world.get(f"/v1/requests/{asked['request_id']}", ada))["state"] == "pending"


@on_each_database
async def test_b5_a_signature_fits_one_vote_only(world, ada, agent, authenticator) -> None:
    """Not another request, not another verdict, not another session, not a second time."""
    key = authenticator()
    await register(world, ada, key)
    one, two = [(await world.submit(agent, arguments={"n": n}))["request_id"] for n in (1, 2)]
    shown, options = await ask(world, ada, one)
    signed = key.get(options["public_key"], options["origin"])
    other = (await world.services.gate.preview(two)).digest
    for request_id, body in (
        (two, {"verdict": "approve", "shown_digest": other}),
        (one, {"verdict": "deny", "shown_digest": shown}),
    ):
        path = f"/v1/requests/{request_id}/votes"
        refused = await world.post(path, ada, {**body, "assertion": signed}, status=403)
        assert refused["code"] == "passkey_rejected"
    again = await world.services.directory.invite(None, "ada@example.org")
    elsewhere = type(ada)(ada.id, (await world.services.directory.sign_in(again.token)).token)
    body = {"verdict": "approve", "shown_digest": shown, "assertion": signed}
    refused = await world.post(f"/v1/requests/{one}/votes", elsewhere, body, status=403)
    assert refused["code"] == "passkey_rejected"
    assert (await world.post(f"/v1/requests/{one}/votes", ada, body))["state"] == "approved"
    assert (await world.post(f"/v1/requests/{one}/votes", ada, body, status=409))["code"] == "already_decided"


@on_each_database
async def test_c2_one_signature_sent_many_times_is_one_vote(world, ada, agent, authenticator) -> None:
    key = authenticator()
    await register(world, ada, key)
    await world.person("bob@example.org", "stewards")
    request_id = (await world.submit(agent, "secret.rotate"))["request_id"]
    shown, options = await ask(world, ada, request_id)
    body = {"verdict": "approve", "shown_digest": shown}
    body["assertion"] = key.get(options["public_key"], options["origin"])
    path = f"/v1/requests/{request_id}/votes"
    answers = await asyncio.gather(*(world.http.post(path, json=body, headers=ada.headers) for _ in range(8)))
    assert sorted(one.status_code for one in answers) == [200] + [409] * 7


async def test_somebody_elses_passkey_is_refused(world, ada, agent, authenticator) -> None:
    mine, theirs = authenticator(), authenticator()
    bob = await world.person("bob@example.org", "stewards")
    await register(world, ada, mine)
    await register(world, bob, theirs)
    asked = await world.submit(agent)
    refused = await vote(world, ada, asked["request_id"], theirs, status=403)
    assert (refused["code"], "not one of yours" in refused["detail"]) == ("passkey_rejected", True)


async def test_a_counter_that_goes_back_is_a_copy(world, ada, agent, authenticator) -> None:
    key = authenticator()
    await register(world, ada, key)
    first, second = [(await world.submit(agent, arguments={"n": n}))["request_id"] for n in (1, 2)]
    await vote(world, ada, first, key)
    key.count = 0
    refused = await vote(world, ada, second, key, status=403)
    assert "counter went back" in refused["detail"]


async def test_an_authenticator_that_does_not_count_may_be_used_again(world, ada, agent, authenticator) -> None:
    key = authenticator(counts=False)
    await register(world, ada, key)
    for number in (1, 2):
        asked = await world.submit(agent, arguments={"n": number})
        assert (await vote(world, ada, asked["request_id"], key))["state"] == "approved"


@on_each_database
async def test_a_removed_passkey_signs_no_more_and_the_removal_is_recorded(world, ada, agent, authenticator) -> None:
    key = authenticator()
    made = await register(world, ada, key)
    asked = await world.submit(agent)
    shown, options = await ask(world, ada, asked["request_id"])
    await world.delete(f"/v1/passkeys/{made['id']}", world.admin, status=204)
    await world.delete(f"/v1/passkeys/{made['id']}", world.admin, status=404)
    body = {"verdict": "approve", "shown_digest": shown, "assertion": key.get(options["public_key"], options["origin"])}
    refused = await world.post(f"/v1/requests/{asked['request_id']}/votes", ada, body, status=403)
    assert refused["code"] == "passkey_rejected"
    assert [one for one in await types(world) if one.startswith("passkey.")] == [
        "passkey.registered",
        "passkey.removed",
    ]


async def test_only_its_person_or_an_administrator_removes_a_passkey(world, ada, authenticator) -> None:
    bob = await world.person("bob@example.org", "stewards")
    made = await register(world, ada, authenticator())
    assert (await world.delete(f"/v1/passkeys/{made['id']}", bob, status=404))["code"] == "unknown_passkey"
    await world.delete(f"/v1/passkeys/{made['id']}", world.admin, status=204)


async def test_a_session_alone_changes_nothing_of_a_person_who_has_a_passkey(world, ada, authenticator) -> None:
    """Whoever took it over can neither add a passkey of their own nor take away the one that stands in the way."""
    key, theirs = authenticator(), authenticator()
    made = await register(world, ada, key)
    path = f"/v1/passkeys/{made['id']}"
    assert (await world.post("/v1/passkeys/registration", ada, status=403))["code"] == "assurance_too_low"
    assert (await world.delete(path, ada, status=403))["code"] == "assurance_too_low"
    forged = await confirmed(world, ada, theirs)
    assert (await world.post("/v1/passkeys/registration", ada, forged, status=403))["code"] == "passkey_rejected"
    signed = await confirmed(world, ada, key)
    options = await world.post("/v1/passkeys/registration", ada, signed)
    again = await world.post("/v1/passkeys/registration", ada, signed, status=403)
    assert (again["code"], "not open for you" in again["detail"]) == ("passkey_rejected", True)
    credential = theirs.create(options["public_key"], options["origin"])
    await world.post("/v1/passkeys", ada, {"name": "second", "credential": credential}, status=201)
    body = {**await confirmed(world, ada, theirs), "reason": "lost"}
    answer = await world.http.request("DELETE", path, json=body, headers=ada.headers)
    assert answer.status_code == 204
    assert [one["name"] for one in (await world.get("/v1/passkeys", ada))["items"]] == ["second"]


async def test_a_vote_is_no_confirmation_and_a_confirmation_no_vote(world, ada, agent, authenticator) -> None:
    key = authenticator()
    await register(world, ada, key)
    asked = await world.submit(agent)
    shown, options = await ask(world, ada, asked["request_id"])
    vote_of = {"assertion": key.get(options["public_key"], options["origin"])}
    refused = await world.post("/v1/passkeys/registration", ada, vote_of, status=403)
    assert refused["code"] == "passkey_rejected"
    body = {"verdict": "approve", "shown_digest": shown, **await confirmed(world, ada, key)}
    refused = await world.post(f"/v1/requests/{asked['request_id']}/votes", ada, body, status=403)
    assert refused["code"] == "passkey_rejected"


async def test_a9_agents_have_no_passkeys(world, ada, agent) -> None:
    acting = await world.acting(agent, ada)
    for who in (agent, acting):
        for path in ("/v1/passkeys/registration", "/v1/passkeys"):
            assert (await world.post(path, who, status=403))["code"] == "not_allowed"


async def test_what_is_signed_on_a_rule_that_asks_for_less_is_kept_too(world, ada, agent, authenticator) -> None:
    key = authenticator()
    await register(world, ada, key)
    asked = await world.submit(agent, "dataset.export")
    assert (await world.get(f"/v1/requests/{asked['request_id']}", ada))["passkey"] is None
    voted = await vote(world, ada, asked["request_id"], key)
    assert voted["votes"][0]["assurance"] == "passkey"


async def test_a5_the_passkeys_of_a_merged_record_count_no_more(world, ada, agent, authenticator) -> None:
    key = authenticator()
    other = await world.person("ada.other@example.org", "stewards")
    await register(world, other, key)
    body = {"into": ada.id, "reason": "one human"}
    await world.post(f"/v1/people/{other.id}/merge", world.admin, body)
    asked = await world.submit(agent)
    _, refused = await ask(world, ada, asked["request_id"], status=404)
    assert refused["code"] == "unknown_passkey"


async def test_the_command_line_says_where_to_approve(world, ada, agent, authenticator, monkeypatch, capsys) -> None:
    from consentry.cli.root import run

    await register(world, ada, authenticator())
    asked = await world.submit(agent)
    monkeypatch.setenv("CONSENTRY_URL", world.services.origin)
    monkeypatch.setenv("CONSENTRY_TOKEN", ada.token)
    words = ["requests", "approve", asked["request_id"], "--reason", "looked at it"]
    assert await asyncio.to_thread(run, words) == 1
    assert f"approve at {world.services.origin}/requests/{asked['request_id']}" in capsys.readouterr().err
    assert await asyncio.to_thread(run, [words[0], "deny", *words[2:]]) == 0
