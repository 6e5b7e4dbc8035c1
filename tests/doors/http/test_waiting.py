"""Waiting for people: held answers, 202, 409 and the same call again, comments of a stream; one execution."""

from __future__ import annotations

import asyncio
import json

import pytest

BOTH = pytest.mark.parametrize("main", [False, True], ids=["listener", "main"])
BODY = b'{"to": "archive"}'
JSON = {"content-type": "application/json"}


@BOTH
async def test_an_answer_is_held_until_people_consent(gateway, upstream, main):
    waiting = asyncio.create_task(gateway.fetch("POST", "/orders", data=BODY, headers=JSON, main=main))
    await gateway.vote()
    status, body, _ = await waiting
    assert (status, json.loads(body)["bytes"]) == (200, len(BODY))
    assert upstream.requests[0][3] == BODY
    assert await gateway.outcome() == ("succeeded", "answered 200")


@BOTH
async def test_a_denial_is_a_403_with_reasons(gateway, upstream, main):
    waiting = asyncio.create_task(gateway.fetch("DELETE", "/orders/1", main=main))
    await gateway.vote("deny")
    status, body, _ = await waiting
    found = json.loads(body)
    assert (status, found["code"], found["state"]) == (403, "denied", "denied")
    assert found["reasons"][0]["policy"] == "changing-the-web-needs-an-administrator"
    assert "looked at it" in found["detail"]
    assert upstream.requests == []


@BOTH
async def test_after_the_hold_the_same_call_continues_and_runs_once(gateway, upstream, main):
    status, body, headers = await gateway.fetch("POST", "/orders", data=BODY, headers=JSON, main=main)
    found = json.loads(body)
    assert (status, found["code"], headers["retry-after"]) == (409, "review_pending", "5")
    request = await gateway.asked()
    assert found["url"] == f"{gateway.services.origin}/requests/{request.id}"
    assert found["status_url"] == f"{gateway.services.origin}/v1/actions/{found['id']}"
    await gateway.vote()
    again = [gateway.fetch("POST", "/orders", data=BODY, headers=JSON, main=main) for _ in range(5)]
    answers = sorted(status for status, _, _ in await asyncio.gather(*again))
    assert answers.count(200) == 1
    assert upstream.lines == ["POST /orders"]
    assert set(answers) == {200, 409}


async def test_who_has_a_share_of_answers_held_is_told_at_once(start, upstream):
    async with start(http={"hold": "1h"}, limits={"waits": 2, "share": 50}) as gateway:
        held = asyncio.create_task(gateway.fetch("POST", "/orders", data=BODY, headers=JSON))
        await gateway.asked()
        while not gateway.services.waits.taken:
            await asyncio.sleep(0)
        status, body, headers = await gateway.fetch("DELETE", "/orders/1")
        assert (status, json.loads(body)["code"], headers["retry-after"]) == (409, "review_pending", "5")
        assert not held.done()
        refused = next(one for one in await gateway.pending() if one.action.arguments["method"] == "DELETE")
        await gateway.services.gate.withdraw(refused.id, refused.action.actor)
        await gateway.vote()
        assert (await held)[0] == 200
        assert gateway.services.waits.taken == 0


async def test_the_same_call_in_another_spelling_is_another(gateway, upstream):
    await gateway.fetch("POST", "/orders", data=BODY, headers=JSON)
    await gateway.vote()
    for path, body in (("/orders?", b'{"to":"archive"}'), ("/orders/", BODY), ("/orders?x=1", BODY)):
        status, _, _ = await gateway.fetch("POST", path, data=body, headers=JSON)
        assert status == 409
    assert upstream.requests == []


async def test_headers_that_differ_between_repeats_are_not_bound(gateway, upstream):
    first = {**JSON, "user-agent": "a/1", "traceparent": "00-1", "x-request-id": "1", "x-stainless-retry-count": "0"}
    later = {**JSON, "user-agent": "a/2", "traceparent": "00-2", "x-request-id": "2", "x-stainless-retry-count": "1"}
    await gateway.fetch("POST", "/orders", data=BODY, headers=first)
    await gateway.vote()
    assert (await gateway.fetch("POST", "/orders", data=BODY, headers={**later, "if-match": "x"}))[0] == 409
    assert (await gateway.fetch("POST", "/orders", data=BODY, headers=later))[0] == 200


@BOTH
async def test_who_prefers_to_come_back_gets_a_202(gateway, upstream, main):
    headers = {**JSON, "prefer": "respond-async, return=minimal"}
    status, body, given = await gateway.fetch("POST", "/orders", data=BODY, headers=headers, main=main)
    found = json.loads(body)
    assert (status, found["state"], given["preference-applied"]) == (202, "pending", "respond-async")
    assert given["location"] == found["status_url"]
    assert found["url"] in found["detail"]
    assert "send exactly the same request again" in found["detail"]
    async with gateway.http.get(given["location"], headers={"authorization": f"Bearer {gateway.token}"}) as answer:
        assert (await answer.json())["state"] == "pending"
    await gateway.vote()
    async with gateway.http.get(given["location"], headers={"authorization": f"Bearer {gateway.token}"}) as answer:
        assert (await answer.json())["state"] == "approved"
    status, body, _ = await gateway.fetch("POST", "/orders", data=BODY, headers=headers, main=main)
    assert (status, json.loads(body)["bytes"]) == (200, len(BODY))
    assert upstream.header("prefer") == ["return=minimal"]
    assert len(upstream.requests) == 1


@BOTH
async def test_leaving_ends_the_waiting_and_not_the_request(gateway, upstream, main):
    waiting = asyncio.create_task(gateway.fetch("POST", "/orders", data=BODY, headers=JSON, main=main))
    request = await gateway.asked()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert (await gateway.asked()).id == request.id
    await gateway.vote()
    assert (await gateway.fetch("POST", "/orders", data=BODY, headers=JSON, main=main))[0] == 200
    assert len(upstream.requests) == 1


@BOTH
async def test_comments_keep_a_stream_alive(start, upstream, main):
    async with start(http={"hold": "1s", "stream_hold": "600s", "beat": "1s"}) as gateway:
        headers = {"accept": "text/event-stream"}
        async with gateway.call("POST", "/events", headers=headers, data=b"x", main=main) as answer:
            assert answer.status == 200
            found = await answer.content.readuntil(b"\n\n")
            assert found == b": waiting for consent\n\n"
            await gateway.vote()
            rest = await answer.content.read()
        assert rest.replace(b": waiting for consent\n\n", b"").startswith(b'id: 0\ndata: {"number": 0')
        assert await gateway.outcome() == ("succeeded", "answered 200")


@BOTH
async def test_a_denial_ends_a_stream_that_was_kept_alive(start, upstream, main):
    async with start(http={"stream_hold": "600s"}) as gateway:
        headers = {"accept": "text/event-stream"}
        async with gateway.call("POST", "/events", headers=headers, data=b"x", main=main) as answer:
            await answer.content.readuntil(b"\n\n")
            await gateway.vote("deny")
            rest = (await answer.content.read()).replace(b": waiting for consent\n\n", b"")
    assert rest.startswith(b"event: error\ndata: ")
    assert json.loads(rest.split(b"data: ")[1])["code"] == "denied"
    assert upstream.requests == []


async def test_consent_outlives_a_restart(start, upstream):
    async with start() as gateway:
        await gateway.fetch("POST", "/orders", data=BODY, headers=JSON)
    async with start() as gateway:
        await gateway.vote()
        assert (await gateway.fetch("POST", "/orders", data=BODY, headers=JSON))[0] == 200
    assert len(upstream.requests) == 1


async def test_time_that_runs_out_denies(gateway, upstream, clock):
    await gateway.fetch("POST", "/orders", data=BODY, headers=JSON)
    old = await gateway.asked()
    clock.ahead_ms = 16 * 60_000
    assert (await gateway.fetch("POST", "/orders", data=BODY, headers=JSON))[0] == 409
    assert (await gateway.asked()).id != old.id
    assert upstream.requests == []


async def test_stopping_tells_who_waits_how_to_go_on(start):
    async with start(http={"hold": "600s"}) as gateway:
        waiting = asyncio.create_task(gateway.fetch("POST", "/orders", data=BODY, headers=JSON))
        await gateway.asked()
        gateway.services.stop()
        status, _, _ = await waiting
    assert status == 409
