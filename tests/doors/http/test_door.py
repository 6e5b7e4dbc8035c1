"""The way through: what reaches the upstream, what comes back, and what is recorded."""

from __future__ import annotations

import asyncio
import io
import json

import pytest
from aiohttp import web

BOTH = pytest.mark.parametrize("main", [False, True], ids=["listener", "main"])


@BOTH
async def test_a_read_passes_and_is_recorded(gateway, upstream, main):
    status, body, headers = await gateway.fetch("GET", "/orders/7?full=1", main=main)
    assert (status, json.loads(body)["path"]) == (200, "/orders/7?full=1")
    assert headers["content-type"].startswith("application/json")
    action, decision = (await gateway.settled())[0]
    assert action.operation == "http.request"
    assert action.arguments["target"] == "/orders/7?full=1"
    assert action.arguments["origin"] == upstream.url
    assert (decision.state.value, decision.claim.summary) == ("succeeded", "answered 200")


@BOTH
async def test_the_target_goes_on_exactly_as_it_came(gateway, upstream, main):
    from yarl import URL

    target = "/a%41/b%20c/~d?x=%2F&y=a+b&&z"
    url = URL(gateway.url(target, main=main), encoded=True)
    async with gateway.http.get(url, headers={"authorization": f"Bearer {gateway.token}"}) as answer:
        assert answer.status == 200
    assert upstream.lines == [f"GET {target}"]


@BOTH
async def test_a_body_goes_on_as_it_came(start, upstream, allow, main):
    async with start(policy=allow()) as gateway:
        body = b'{"a":  1.0, "b": "\\u00e9"}'
        status, _, _ = await gateway.fetch(
            "POST", "/x", data=body, headers={"content-type": "application/json"}, main=main
        )
        assert status == 200
        assert upstream.requests[0][3] == body
        action, _ = (await gateway.settled())[0]
    assert action.arguments["body"]["bytes"] == len(body)
    assert action.arguments["body"]["json"] == {"a": 1.0, "b": "é"}


@BOTH
async def test_a_chunked_body_is_read_whole_before_it_is_judged(start, upstream, allow, main):
    async def pieces():
        for number in range(20):
            yield b"%d," % number * 1000

    async with start(policy=allow(), http={"memory": 4096}) as gateway:
        status, body, _ = await gateway.fetch("PUT", "/x", data=pieces(), main=main)
        assert status == 200
        assert (
            len(upstream.requests[0][3]) == json.loads(body)["bytes"] == sum(len(b"%d," % n) * 1000 for n in range(20))
        )
        assert upstream.header("content-length") == [str(len(upstream.requests[0][3]))]


async def test_a_body_over_the_limit_is_refused(start, upstream, allow, problem):
    async with start(policy=allow(), http={"max_body": 2048}) as gateway:
        status, body, _ = await gateway.fetch("POST", "/x", data=b"x" * 3000)
    assert (status, problem(body), upstream.requests) == (413, "too_large", [])


async def test_a_streamed_body_is_not_bound_and_the_action_says_so(start, upstream, allow):
    rule = {"operation": "http.request", "method": "PUT", "path": "/files/{name}", "stream": True}
    async with start(policy=allow(), http={"rules": [rule]}) as gateway:
        status, _, _ = await gateway.fetch("PUT", "/files/a", data=b"y" * 300_000)
        action, decision = (await gateway.settled())[0]
    assert status == 200
    assert action.arguments["body"] == {"bound": False}
    assert "streamed 300000 bytes with SHA-256 " in decision.claim.summary
    assert len(upstream.requests[0][3]) == 300_000


async def test_credentials_are_the_gates_own(start, upstream, monkeypatch):
    monkeypatch.setenv("UP_KEY", "upstream-secret")
    settings = {"bearer": "env:UP_KEY", "headers": {"X-Extra": "env:UP_KEY"}, "query": {"api_key": "env:UP_KEY"}}
    async with start(http=settings) as gateway:
        await gateway.fetch("GET", "/x?a=1", headers={"X-Extra": "mine"})
        status, _, _ = await gateway.fetch("GET", "/x?api_key=mine")
        action, _ = (await gateway.settled())[0]
    assert status == 400
    assert upstream.lines == ["GET /x?a=1&api_key=upstream-secret"]
    assert upstream.header("authorization") == ["Bearer upstream-secret"]
    assert upstream.header("x-extra") == ["upstream-secret"]
    assert b"upstream-secret" not in action.canonical
    assert gateway.token not in str(upstream.requests)


@pytest.mark.parametrize("path", ["/status/404", "/status/500", "/status/302", "/status/204"])
async def test_other_statuses_pass(gateway, path):
    number = int(path[-3:])
    status, body, _ = await gateway.fetch("GET", path, allow_redirects=False)
    state, summary = await gateway.outcome()
    assert status == number
    assert body == (b"" if number == 204 else b"said so")
    assert (state, summary) == ("failed" if number >= 400 else "succeeded", f"answered {number}")


@BOTH
async def test_head_has_no_body(gateway, main):
    status, body, headers = await gateway.fetch("HEAD", "/x", main=main)
    assert (status, body) == (200, b"")
    assert int(headers["content-length"]) > 0


@BOTH
async def test_events_come_one_by_one(gateway, upstream, main):
    async with gateway.call("GET", "/events?step=1", main=main) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        for number in range(3):
            found = b""
            while b"\n\n" not in found:
                found += await answer.content.readany()
            assert f'"number": {number}'.encode() in found
            upstream.gate.set()
        assert await answer.content.read() == b""


@BOTH
async def test_a_caller_who_leaves_closes_the_upstream(gateway, upstream, main):
    async with gateway.call("GET", "/events?step=1", main=main) as answer:
        await answer.content.readany()
    await asyncio.wait_for(upstream.left.wait(), 5)
    assert await gateway.outcome() == ("failed", "answered 200, the caller left in the middle")


@BOTH
async def test_a_caller_who_leaves_before_the_answer_leaves_it_unknown(gateway, upstream, main):
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await gateway.fetch("GET", "/slow", main=main)
    await asyncio.wait_for(upstream.left.wait(), 5)
    _, decision = (await gateway.history())[0]
    assert decision.state.value == "claimed"  # `unknown` once its lease ends: nobody knows how it went


@BOTH
async def test_an_upstream_that_lies_about_its_length(gateway, main):
    status, found = await gateway.raw(
        f"GET {'/http/shop' if main else ''}/lying HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {gateway.token}\r\n\r\n".encode(),
        main=main,
    )
    assert status == 200
    assert found.endswith(b"only this")
    assert await gateway.outcome() == ("failed", "answered 200, then upstream_broke in the middle")


async def test_an_upstream_that_closes_without_an_answer(gateway, upstream, problem):
    status, body, _ = await gateway.fetch("GET", "/close")
    assert (status, problem(body)) == (502, "upstream_broke")
    _, decision = (await gateway.history())[0]
    assert decision.state.value == "claimed"
    assert upstream.lines == ["GET /close"] * 2  # a read is tried once more


async def test_what_changes_something_is_never_sent_twice(start, upstream, allow):
    async with start(policy=allow()) as gateway:
        status, _, _ = await gateway.fetch("POST", "/close", data=b"{}")
    assert status == 502
    assert upstream.lines == ["POST /close"]


async def test_an_upstream_that_is_down(start, problem):
    async with start(
        more={"away": {"kind": "http", "upstream": "http://127.0.0.1:9", "listen": "127.0.0.1:0"}}
    ) as gateway:
        status, body, _ = await gateway.fetch("GET", "/x", resource="away")
        assert (status, problem(body)) == (502, "upstream_down")
        assert await gateway.outcome() == ("failed", "the upstream could not be reached")


async def test_an_upstream_that_is_slow(start, upstream, problem):
    async with start(http={"timeout": "1s"}) as gateway:
        status, body, _ = await gateway.fetch("GET", "/slow")
    assert (status, problem(body)) == (504, "upstream_slow")


@BOTH
async def test_cookies_stay_where_they_are(gateway, upstream, main):
    async def sets(request, body):
        answer = web.Response(text="x", headers={"Strict-Transport-Security": "max-age=1", "X-Kept": "yes"})
        answer.set_cookie("consentry_session", "stolen")
        return answer

    upstream.answers["sets"] = sets
    status, _, headers = await gateway.fetch("GET", "/sets", headers={"cookie": "a=b"}, main=main)
    assert status == 200
    assert "set-cookie" not in headers
    assert headers["x-kept"] == "yes"
    assert upstream.header("cookie") == []


async def test_what_an_upstream_answers_is_no_page_of_consentry(gateway, upstream):
    async def page(request, body):
        return web.Response(
            text="<script>1</script>",
            content_type="text/html",
            headers={"content-security-policy": "default-src *", "x-frame-options": "ALLOWALL"},
        )

    upstream.answers["page"] = page
    _, _, headers = await gateway.fetch("GET", "/page", main=True)
    assert headers["content-security-policy"] == "default-src 'none'; sandbox"
    assert headers["x-frame-options"] == "DENY"


async def test_level_l0_is_recorded_all_the_same(start, allow):
    async with start(policy=allow('@level("L0")')) as gateway:
        for number in range(20):
            assert (await gateway.fetch("GET", f"/n/{number}"))[0] == 200
        found = await gateway.settled(20)
    assert {action.arguments["target"] for action, _ in found} == {f"/n/{number}" for number in range(20)}
    assert {one.state.value for _, one in found} == {"succeeded"}


async def test_paths_of_the_upstream_come_before_the_target(start, upstream):
    more = {"api": {"kind": "http", "upstream": f"{upstream.url}/base/v2/", "listen": "127.0.0.1:0"}}
    async with start(more=more) as gateway:
        await gateway.fetch("GET", "/x?y=1", resource="api")
        action, _ = (await gateway.settled())[0]
    assert upstream.lines == ["GET /base/v2/x?y=1"]
    assert action.arguments["target"] == "/base/v2/x?y=1"


async def test_both_ways_at_once(start, upstream, allow):
    """An upstream that answers while it still reads."""

    async def echo(request):
        answer = web.StreamResponse()
        await answer.prepare(request)
        async for piece in request.content.iter_any():
            await answer.write(piece)
        return answer

    upstream.duplex = echo
    rule = {"operation": "http.request", "method": "POST", "path": "/duplex", "stream": True}
    heard = asyncio.Queue()

    async def talk():
        for number in range(3):
            yield b"%d" % number
            assert await asyncio.wait_for(heard.get(), 5) == b"%d" % number

    async with (
        start(policy=allow(), http={"rules": [rule]}) as gateway,
        gateway.call("POST", "/duplex", data=talk()) as answer,
    ):
        async for piece in answer.content.iter_any():
            heard.put_nowait(piece)
    assert len(upstream.requests) == 0


async def test_an_upstream_that_answers_before_it_has_read(start, upstream, allow):
    """Half of a request must not become the beginning of the next one."""

    async def refuses(request):
        return web.Response(status=413, text="too much")

    upstream.duplex = refuses
    async with start(policy=allow()) as gateway:
        for _ in range(3):
            status, body, _ = await gateway.fetch(
                "POST", "/duplex", data=io.BytesIO(b"GET /evil HTTP/1.1\r\n" * 400_000)
            )
            assert (status, body) == (413, b"too much")
            assert (await gateway.fetch("GET", "/next"))[0] == 200
    assert upstream.lines == ["GET /next"] * 3


async def test_an_upstream_that_switches_protocols_unasked(start, problem):
    async def switch(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(switch, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, start(more={"odd": {"kind": "http", "upstream": url, "listen": "127.0.0.1:0"}}) as gateway:
        status, body, _ = await gateway.fetch("GET", "/x", resource="odd")
    assert (status, problem(body)) == (502, "upstream_broke")


@pytest.mark.parametrize(
    "said", [b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"\x16\x03\x01"]
)
async def test_an_upstream_that_speaks_no_http(start, problem, said):
    async def speak(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, start(more={"odd": {"kind": "http", "upstream": url, "listen": "127.0.0.1:0"}}) as gateway:
        status, body, _ = await gateway.fetch("GET", "/x", resource="odd")
    assert (status, problem(body)) == (502, "upstream_broke")
