"""Requests that two servers could read differently, byte for byte to the socket: nothing reaches the upstream."""

from __future__ import annotations

import pytest

BOTH = pytest.mark.parametrize("main", [False, True], ids=["listener", "main"])

TARGETS = {
    "dot segments": "/a/../b",
    "one dot": "/a/./b",
    "escaped dots": "/a/%2e%2e/b",
    "half escaped dots": "/a/.%2E/b",
    "dots at the end": "/a/..",
    "two slashes": "/a//b",
    "two slashes first": "//evil.example/a",
    "two slashes last": "/a//",
    "path parameters": "/a/..;/b",
    "semicolon": "/admin;x=1/b",
    "escaped semicolon": "/a%3b/b",
    "backslash": "/a\\b",
    "escaped backslash": "/a%5cb",
    "escaped slash": "/a%2fb",
    "escaped twice": "/a/%252e%252e/b",
    "null": "/a%00b",
    "line end": "/a%0d%0ab",
    "broken escape": "/a%zzb",
    "half an escape": "/a%4",
    "not UTF-8": "/a%ffb",
    "overlong": "/a%c0%ae%c0%ae/b",
    "method in the query": "/a?_method=DELETE",
    "escaped method in the query": "/a?%5fmethod=DELETE",
}
HEADERS = {
    "two lengths": "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
    "two lengths that agree": "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": "Content-Length: 3, 3\r\n\r\nabc",
    "length and chunks": "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "signed length": "Content-Length: +3\r\n\r\nabc",
    "negative length": "Content-Length: -3\r\n\r\nabc",
    "hexadecimal length": "Content-Length: 0x3\r\n\r\nabc",
    "another coding": "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding twice": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "vertical tab in the coding": "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "space before the colon": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "folded header": "X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "underscored length": "Content_Length: 3\r\n\r\n",
    "method override": "X-HTTP-Method-Override: DELETE\r\n\r\n",
    "method override 2": "X-Method-Override: DELETE\r\n\r\n",
    "method override 3": "X-HTTP-Method: DELETE\r\n\r\n",
    "underscored override": "X_HTTP_Method_Override: DELETE\r\n\r\n",
    "path override": "X-Original-URL: /admin\r\n\r\n",
    "path override 2": "X-Rewrite-URL: /admin\r\n\r\n",
    "underscored forwarding": "X_Forwarded_For: 1.1.1.1\r\n\r\n",
    "second host": "Host: other\r\n\r\n",
    "another upgrade": "Connection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    "tls upgrade": "Connection: upgrade\r\nUpgrade: TLS/1.0\r\n\r\n",
    "another expectation": "Expect: 200-ok\r\n\r\n",
    "null in a header": "X-A: b\0c\r\n\r\n",
    "two content types": "Content-Type: text/plain\r\nContent-Type: application/json\r\n\r\n",
}
METHODS = ["CONNECT", "TRACE", "TRACK", "get", "GeT"]


def request(gateway, main: bool, method: str = "POST", target: str = "/a", rest: str = "\r\n") -> bytes:
    prefix = "/http/shop" if main else ""
    head = f"{method} {prefix}{target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.token}\r\n"
    return (head + rest).encode("latin-1")


def refused(status: int) -> bool:
    return status == 0 or (400 <= status < 500 and status != 409)


@BOTH
async def test_h8_paths_that_could_be_normalised_are_refused(gateway, upstream, main):
    for name, target in TARGETS.items():
        status, found = await gateway.raw(request(gateway, main, "GET", target), main=main)
        assert status == 400 or (main and refused(status)), (name, found[:300])
    assert upstream.requests == []
    assert await gateway.history() == []


@BOTH
async def test_h8_framing_that_has_two_meanings_is_refused(gateway, upstream, main):
    for name, rest in HEADERS.items():
        status, found = await gateway.raw(request(gateway, main, rest=rest), main=main)
        assert refused(status), (name, found[:300])
    assert upstream.requests == []
    assert await gateway.history() == []


@BOTH
@pytest.mark.parametrize("method", METHODS)
async def test_h8_methods_that_go_through_no_door(gateway, upstream, main, method):
    status, _ = await gateway.raw(request(gateway, main, method), main=main)
    assert refused(status)
    assert upstream.requests == []


@BOTH
async def test_h8_absolute_targets_are_refused(gateway, upstream, main):
    for target in (
        "http://evil.example/a",
        "http://localhost/http/shop/a",
        "https://localhost/a",
        "localhost:80",
        "*",
        "a",
    ):
        head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.token}\r\n\r\n"
        status, found = await gateway.raw(head.encode(), main=main)
        assert refused(status), (target, found[:200])
    assert upstream.requests == []


@BOTH
async def test_h8_one_request_is_one_request(gateway, upstream, main):
    """What follows a body is the next request, judged as one; never a part of the first."""
    inner = f"DELETE {'/http/shop' if main else ''}/b HTTP/1.1\r\nHost: localhost\r\n\r\n"
    rest = f"Content-Length: 0\r\n\r\n{inner}"
    await gateway.raw(request(gateway, main, "GET", "/a", rest), main=main)
    assert upstream.lines == ["GET /a"]


@BOTH
async def test_h8_the_resource_cannot_be_left_by_its_path(start, upstream, main):
    more = {"other": {"kind": "http", "upstream": "http://127.0.0.1:9"}}
    async with start(more=more) as gateway:
        for target in ("/http/shop/../other/x", "/http/shop%2f..%2fother/x", "/http/%73hop/x", "/http/shop%00/x"):
            head = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.token}\r\n\r\n"
            status, _ = await gateway.raw(head.encode(), main=True)
            assert refused(status), target
    assert upstream.requests == []


async def test_h8_a_form_cannot_override_the_method(start, upstream, allow, problem):
    async with start(policy=allow()) as gateway:
        for data in (b"a=1&_method=DELETE", b"_method=put"):
            headers = {"content-type": "application/x-www-form-urlencoded"}
            status, body, _ = await gateway.fetch("POST", "/a", data=data, headers=headers)
            assert (status, problem(body)) == (400, "ambiguous_request")
        headers = {"content-type": "application/x-www-form-urlencoded"}
        assert (await gateway.fetch("POST", "/a", data=b"payment_method=card", headers=headers))[0] == 200


async def test_an_escaped_slash_passes_where_the_upstream_needs_it(start, upstream):
    async with start(http={"encoded_slash": True}) as gateway:
        status, _ = await gateway.raw(request(gateway, False, "GET", "/repos/a%2Fb/tags"))
        assert status == 200
    assert upstream.lines == ["GET /repos/a%2Fb/tags"]
