"""Answers on their way out: masked while they stream, wherever they are cut, and nothing passes unread."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import zlib

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.doors.http.cleaning import Cleaner, Flow
from consentry.doors.http.masking import Events, Lines, Text, WholeJson
from consentry.sanitize import Sanitizer

BOTH = pytest.mark.parametrize("main", [False, True], ids=["listener", "main"])
EMAIL = "ada.lovelace@example.org"
CARD = "4111 1111 1111 1111"
TYPES = ("EMAIL_ADDRESS", "CREDIT_CARD", "IBAN_CODE", "US_SSN", "PHONE_NUMBER")
MASKS = '@mask("EMAIL_ADDRESS,CREDIT_CARD,IBAN_CODE,US_SSN,PHONE_NUMBER")'
CLEANER = Cleaner(Sanitizer.default(names=False, types=TYPES))


def answering(upstream, body: bytes, content_type: str, headers: dict | None = None, step: int | None = None):
    async def answer(request, _body):
        out = web.StreamResponse(headers={"content-type": content_type, **(headers or {})})
        await out.prepare(request)
        for start in range(0, len(body), step or len(body) or 1):
            await out.write(body[start : start + (step or len(body))])
            if step:
                await asyncio.sleep(0)
        return out

    upstream.answers["data"] = answer


@BOTH
@pytest.mark.parametrize("step", [None, 7])
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", json.dumps({"email": EMAIL, "n": 4111111111111111, "in": [f"to {EMAIL}", 1.5]}).encode()),
        ("application/problem+json; charset=utf-8", json.dumps({"detail": EMAIL}).encode()),
        ("application/x-ndjson", b"".join(json.dumps({"n": n, "mail": EMAIL}).encode() + b"\n" for n in range(5))),
        ("text/plain", f"write to {EMAIL} or pay with {CARD}\n".encode()),
        ("text/csv; charset=utf-8", f"name,mail\nAda,{EMAIL}\n".encode()),
        ("text/html", f'<a href="mailto:{EMAIL}">x</a>'.encode()),
        ("text/event-stream", f'data: {{"mail": "{EMAIL}"}}\n\nevent: x\ndata: plain {EMAIL}\n\n'.encode()),
    ],
)
async def test_every_readable_answer_is_masked(start, upstream, allow, main, step, content_type, body):
    answering(upstream, body, content_type, step=step)
    async with start(policy=allow(MASKS)) as gateway:
        status, found, headers = await gateway.fetch("GET", "/data", main=main)
    assert status == 200
    assert EMAIL.encode() not in found
    assert b"4111" not in found
    assert b"<EMAIL_ADDRESS>" in found
    assert headers["content-type"] == content_type


async def test_json_keeps_its_form(start, upstream, allow):
    body = b'{ "email":"' + EMAIL.encode() + b'",\n "a": [1,  2.50, true, null, "\\u00e9"] }'
    answering(upstream, body, "application/json")
    async with start(policy=allow(MASKS)) as gateway:
        _, found, headers = await gateway.fetch("GET", "/data")
    assert found == body.replace(EMAIL.encode(), b"<EMAIL_ADDRESS>")
    assert headers["content-length"] == str(len(found))


@pytest.mark.parametrize(
    ("content_type", "body", "headers"),
    [
        ("image/png", b"\x89PNG", {}),
        ("application/octet-stream", b"abc", {}),
        ("multipart/mixed; boundary=x", b"--x--", {}),
        ("text/plain; charset=utf-16", "a@b.de".encode("utf-16"), {}),
        ("application/json", b"\x1b\x00", {"content-encoding": "br"}),
        ("application/json", b"not json at all " + EMAIL.encode(), {}),
        ("application/json", b'{"a": "\xff"}', {}),
        ("application/json", b"not gzip", {"content-encoding": "gzip"}),
        ("application/json", gzip.compress(b'{"a": 1}', mtime=0)[:-9], {"content-encoding": "gzip"}),
    ],
)
async def test_e9_what_cannot_be_read_is_refused(start, upstream, allow, problem, content_type, body, headers):
    answering(upstream, body, content_type, headers)
    async with start(policy=allow(MASKS)) as gateway:
        status, found, _ = await gateway.fetch("GET", "/data")
        assert (status, problem(found)) == (502, "unreadable_answer")
        assert await gateway.outcome() == ("failed", "answered 200, not given out: unreadable_answer")


async def test_what_cannot_be_read_passes_where_the_operator_says_so(start, upstream, allow):
    answering(upstream, b"\x89PNG", "image/png", {"x-owner": EMAIL})
    async with start(policy=allow(MASKS), http={"pass_unreadable": True}) as gateway:
        status, found, headers = await gateway.fetch("GET", "/data")
        assert (status, found, headers["x-owner"]) == (200, b"\x89PNG", "<EMAIL_ADDRESS>")
        assert (await gateway.outcome())[1] == "answered 200, passed unread"


@BOTH
async def test_e9_a_stream_that_becomes_unreadable_is_cut(start, upstream, allow, main):
    answering(upstream, b'{"a": 1}\n' * 3 + b'{"a": \xff' + EMAIL.encode() + b'"}\n', "application/x-ndjson")
    async with start(policy=allow(MASKS)) as gateway:
        prefix = "/http/shop" if main else ""
        head = f"GET {prefix}/data HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.token}\r\n\r\n"
        _, found = await gateway.raw(head.encode(), main=main)
        assert EMAIL.encode() not in found
        assert not found.endswith(b"0\r\n\r\n")
        assert (await gateway.outcome())[0] == "failed"


async def test_e9_a_detector_that_breaks_lets_nothing_out(start, upstream, allow, monkeypatch):
    from consentry.sanitize.detector import DetectorFailed

    def broken(*_args):
        raise DetectorFailed("the detector `x` failed")

    answering(upstream, f"mail {EMAIL}".encode(), "text/plain")
    async with start(policy=allow(MASKS)) as gateway:
        monkeypatch.setattr(Cleaner, "scan", broken)
        monkeypatch.setattr(Cleaner, "text", broken)
        with pytest.raises(aiohttp.ClientPayloadError):
            await gateway.fetch("GET", "/data")
        assert (await gateway.outcome())[0] == "failed"


async def test_headers_and_errors_are_masked_too(start, upstream, allow):
    async def answer(request, _body):
        raise web.HTTPNotFound(
            text=json.dumps({"error": f"no customer {EMAIL}"}),
            content_type="application/json",
            headers={"location": f"/customers/{EMAIL}", "etag": '"x"', "digest": "sha-256=abc"},
        )

    upstream.answers["data"] = answer
    async with start(policy=allow(MASKS)) as gateway:
        status, found, headers = await gateway.fetch("GET", "/data")
    assert status == 404
    assert EMAIL.encode() not in found
    assert headers["location"] == "/customers/<EMAIL_ADDRESS>"
    assert not {"etag", "digest"} & headers.keys()


async def test_parts_of_an_answer_cannot_be_asked_for(start, upstream, allow):
    """A value that is cut in two by two requests would be seen by nobody."""
    async with start(policy=allow(MASKS)) as gateway:
        await gateway.fetch("GET", "/customers", headers={"range": "bytes=0-20", "accept-encoding": "gzip"})
    assert upstream.header("range") == []
    assert upstream.header("accept-encoding") == ["identity"]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_packed_answers_are_unpacked_and_masked(start, upstream, allow, coding):
    data = json.dumps({"mail": EMAIL}).encode()
    packed = gzip.compress(data) if coding == "gzip" else zlib.compress(data)
    answering(upstream, packed, "application/json", {"content-encoding": coding})
    async with start(policy=allow(MASKS)) as gateway:
        status, found, headers = await gateway.fetch("GET", "/data")
    assert (status, json.loads(found)) == (200, {"mail": "<EMAIL_ADDRESS>"})
    assert "content-encoding" not in headers


async def test_an_answer_that_unpacks_without_end_is_refused(start, upstream, allow, problem):
    bomb = gzip.compress(b"[" + b" " * (64 << 20) + b"]")
    answering(upstream, bomb, "application/json", {"content-encoding": "gzip"})
    async with start(policy=allow(MASKS)) as gateway:
        status, found, _ = await gateway.fetch("GET", "/data")
    assert (status, problem(found)) == (502, "unreadable_answer")


async def test_masked_events_flow_one_by_one(start, upstream, allow):
    async with start(policy=allow(MASKS)) as gateway, gateway.call("GET", "/events?step=1") as answer:
        for number in range(3):
            event = await answer.content.readuntil(b"\n\n")
            assert event == f'id: {number}\ndata: {{"number": {number}, "mail": "<EMAIL_ADDRESS>"}}\n\n'.encode()
            upstream.gate.set()


async def test_without_masks_bytes_pass_as_they_are(start, upstream, allow):
    packed = gzip.compress(EMAIL.encode())
    answering(upstream, packed, "text/plain", {"content-encoding": "gzip", "etag": '"x"'})
    async with start(policy=allow()) as gateway:
        _, found, headers = await gateway.fetch("GET", "/data", headers={"accept-encoding": "gzip"})
    assert (found, headers["content-encoding"], headers["etag"]) == (packed, "gzip", '"x"')


# Pieces.

VALUES = (EMAIL, CARD, "DE89 3704 0044 0532 0130 00", "bob@mail.example.com")
WORDS = st.sampled_from(["the", "order", "of", "is", "late,", "Hello", "see", "and", "x", "1", "\n", "("])
TEXTS = st.lists(st.one_of(WORDS, st.sampled_from(VALUES)), min_size=1, max_size=14).map(" ".join)


def cut(text, places):
    at = sorted({min(place, len(text)) for place in places} | {0, len(text)})
    return [text[a:b] for a, b in itertools.pairwise(at)]


@given(TEXTS, st.lists(st.integers(0, 200), max_size=12))
@settings(max_examples=150, deadline=None)
def test_f5_a_value_split_over_pieces_is_found(text, places):
    flow = Flow(CLEANER)
    out = "".join([flow.feed(piece) for piece in cut(text, places)]) + flow.finish()
    for value in VALUES:
        assert value not in out
        assert value.split()[0] not in out.split()
    assert out.count("<") >= sum(text.count(value) for value in VALUES) - text.count("<")


@given(TEXTS, st.lists(st.integers(0, 400), max_size=12))
@settings(max_examples=60, deadline=None)
def test_f5_what_filters_give_out_does_not_depend_on_the_pieces(text, places):
    line = json.dumps({"text": text, "n": 4111111111111111})
    for make, body in (
        (lambda: WholeJson(CLEANER, 1 << 20), line),
        (lambda: Lines(CLEANER, 1 << 20), f"{line}\n{line}\n"),
        (lambda: Text(CLEANER), text),
        (lambda: Events(CLEANER, 1 << 20), f"id: 1\ndata: {line}\n\n: c\n\ndata: {text.splitlines()[0] or 'x'}\n\n"),
    ):
        assert run(make(), [body]) == run(make(), cut(body, places))
        assert all(value.encode() not in run(make(), [body]) for value in VALUES)


def run(one, pieces) -> bytes:
    async def go():
        return b"".join([await one.feed(piece.encode()) for piece in pieces]) + await one.finish()

    return asyncio.run(go())


def test_plain_words_come_out_one_word_late():
    flow, given, out = Flow(CLEANER), [], []
    for token in ["the", " order", " was", " sent", " to", " the", " shop", " today"]:
        given.append(token)
        out.append(flow.feed(token))
        assert "".join(given).startswith("".join(out))
        assert len("".join(given)) - len("".join(out)) <= len(token) + 1


def test_a_key_waits_for_its_end():
    cleaner = Cleaner(Sanitizer.default(names=False, types=("SECRET",)))
    flow = Flow(cleaner)
    body = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj"] * 12)
    text = f"here it is:\n-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\nbye now\n"
    out = "".join([flow.feed(text[at : at + 5]) for at in range(0, len(text), 5)]) + flow.finish()
    assert "MIIE" not in out
    assert out.startswith("here it is:\n")
    assert out.endswith("bye now\n")


def test_joined_texts_of_events_are_one_text():
    events = Events(CLEANER, 1 << 20, ("/choices/*/delta/content",))
    pieces = ["Write", " to", " ada.love", "lace@exam", "ple.org", " now", " please"]
    body = "".join(f"data: {json.dumps({'choices': [{'delta': {'content': one}}]})}\n\n" for one in pieces)
    out = run(events, [body]).decode()
    texts = [json.loads(line[6:])["choices"][0]["delta"]["content"] for line in out.splitlines() if line]
    assert "".join(texts) == "Write to <EMAIL_ADDRESS> now please"
    assert len(texts) == len(pieces) + 1


def test_plain_data_can_be_joined():
    events = Events(CLEANER, 1 << 20, ("",))
    out = run(events, ["data: mail ada@exam\n\n", "data: ple.org today\n\n", "data:  ok\n\n"]).decode()
    assert (
        "".join(line[6:] for line in out.splitlines() if line.startswith("data: ")) == "mail <EMAIL_ADDRESS> today ok"
    )


def test_long_texts_are_masked_in_blocks_and_none_is_missed():
    text = "".join(f"{number} lorem ipsum dolor sit amet {EMAIL} " * 3 for number in range(2000))
    one = Text(CLEANER)
    out = run(one, cut(text, range(0, len(text), 5000))).decode()
    assert EMAIL not in out
    assert out.count("<EMAIL_ADDRESS>") == 6000
