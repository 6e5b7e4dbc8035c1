"""`POST /v1/votes`: several words, each cast by itself (threat C7)."""

from __future__ import annotations

import pytest

from consentry.consent import voting

SIGNED = ("credential_id", "authenticator_data", "client_data_json", "signature")


@pytest.fixture
async def asked(server):
    """Three requests of one shape, and whoever may decide them."""
    agent = await server.agent("etl", await server.person("ana@example.org"))
    who = await server.person("second@example.org", "admins")
    ids = [(await server.submit(agent, arguments={"n": n}))["request_id"] for n in range(3)]
    return agent, who, ids


async def word(server, request: str, verdict: str = "approve", **changes) -> dict:
    shown = (await server.services.gate.preview(request)).digest
    return {"request": request, "verdict": verdict, "shown_digest": shown, "reason": "looked at it", **changes}


async def state(server, request: str) -> str:
    return (await server.services.gate.request(request)).state.value


async def test_each_is_decided_by_its_own_word(server, asked) -> None:
    _, who, (first, second, third) = asked
    votes = [await word(server, first), await word(server, second, "deny"), await word(server, third)]
    answer = await server.post("/v1/votes", who, {"votes": votes}, status=207)
    assert [(one["request"], one["status"], one["state"]) for one in answer["results"]] == [
        (first, 200, "approved"), (second, 200, "denied"), (third, 200, "approved"),
    ]  # fmt: skip
    assert [await state(server, one) for one in (first, second, third)] == ["approved", "denied", "approved"]


@pytest.mark.parametrize(
    ("broken", "status", "code"),
    [
        ({"shown_digest": "ab" * 32}, 409, "stale_view"),
        ({"request": "req_nobody"}, 404, "unknown_request"),
        ({"assertion": dict.fromkeys(SIGNED, "AA")}, None, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_c7_one_that_fails_leaves_the_others(server, asked, broken, status, code, place) -> None:
    _, who, ids = asked
    votes = [await word(server, one) for one in ids]
    votes[place] |= broken
    answer = await server.post("/v1/votes", who, {"votes": votes}, status=207)
    for at, (one, result) in enumerate(zip(ids, answer["results"], strict=True)):
        if at != place:
            assert (result["status"], result["state"]) == (200, "approved")
            assert await state(server, one) == "approved"
        else:
            assert result["state"] is None
            assert result["status"] == result["problem"]["status"] >= 400
            assert code is None or (result["status"], result["problem"]["code"]) == (status, code)
            assert await state(server, one) == "pending"


async def test_c7_a_defect_in_one_leaves_the_others_and_says_nothing_of_itself(server, asked, monkeypatch) -> None:
    _, who, ids = asked
    cast = voting.vote

    def fails(tx, core, request_id, voter, ballot):
        if request_id == ids[1]:
            raise RuntimeError("secret inside")
        return cast(tx, core, request_id, voter, ballot)

    monkeypatch.setattr(voting, "vote", fails)
    votes = [await word(server, one) for one in ids]
    answer = await server.post("/v1/votes", who, {"votes": votes}, status=207)
    assert [one["status"] for one in answer["results"]] == [200, 500, 200]
    assert answer["results"][1]["problem"]["code"] == "internal"
    assert "secret inside" not in str(answer)


async def test_a8_the_same_request_twice_is_one_vote(server, asked) -> None:
    _, who, (first, *_) = asked
    votes = [await word(server, first), await word(server, first, "deny")]
    answer = await server.post("/v1/votes", who, {"votes": votes}, status=207)
    assert [one["status"] for one in answer["results"]] == [200, 409]
    assert await state(server, first) == "approved"


async def test_a9_an_agent_casts_none(server, asked) -> None:
    agent, _, ids = asked
    await server.post("/v1/votes", agent, {"votes": [await word(server, one) for one in ids]}, status=403)
    assert {await state(server, one) for one in ids} == {"pending"}


async def test_a4_whoever_answers_for_the_agent_is_refused_for_each(server, asked) -> None:
    _, who, ids = asked
    await server.person("third@example.org", "admins")
    owned = await server.agent("mine", who)
    mine = (await server.submit(owned))["request_id"]
    votes = [await word(server, mine), await word(server, ids[0])]
    answer = await server.post("/v1/votes", who, {"votes": votes}, status=207)
    assert [one["status"] for one in answer["results"]] == [403, 200]
    assert await state(server, mine) == "pending"


@pytest.mark.parametrize("votes", [[], "all", [{"request": "req_1", "verdict": "approve"}], [{}] * 51])
async def test_what_names_no_digest_for_each_casts_nothing(server, asked, votes) -> None:
    _, who, ids = asked
    good = [await word(server, ids[0])] if votes and isinstance(votes, list) else []
    body = {"votes": [*good, *votes] if isinstance(votes, list) else votes}
    await server.post("/v1/votes", who, body, status=422)
    assert await state(server, ids[0]) == "pending"
