"""Webhooks: signed, sent until they arrive, never twice at once, and without anything sensitive."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
import pytest

from consentry.server.settings_channels import WebhookSettings
from consentry.server.webhooks import FIRST_DELAY_MS, MAX_DELAY_MS, Deliverer, delay_ms, key_of, sign, wanted

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef").decode()


@asynccontextmanager
async def _receiver(*statuses: int) -> AsyncIterator[tuple[str, asyncio.Queue]]:
    """An HTTP server that keeps what it is sent; it answers with these statuses, then with 204."""
    heard: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
    answers = list(statuses)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.split("\r\n")[1:])}
        await heard.put((headers, await reader.readexactly(int(headers["content-length"]))))
        status = answers.pop(0) if answers else 204
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/hook", heard
    finally:
        listening.close()
        await listening.wait_closed()


def _hooks(url: str, events: list[str]) -> list[dict[str, object]]:
    return [{"url": url, "secret": "env:HOOK_SECRET", "events": events}]


async def _next(heard: asyncio.Queue) -> tuple[dict[str, str], dict]:
    headers, body = await asyncio.wait_for(heard.get(), 30)
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body.decode()}".encode()
    mac = hmac.new(b"0123456789abcdef", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(mac).decode()}"
    return headers, orjson.loads(body)


async def test_a_request_is_told_signed_and_without_anything_sensitive(start, monkeypatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    async with _receiver() as (url, heard), start(webhooks=_hooks(url, ["request.*"])) as server:
        agent = await server.agent("etl")
        ada = await server.person("ada@example.org", "admins")
        asked = await server.submit(agent, arguments={"to": "ceo@example.com"}, reason="for ceo@example.com")
        _, opened = await _next(heard)
        assert (opened["type"], opened["data"]["request"]) == ("request.opened", asked["request_id"])
        await server.vote(ada, asked["request_id"])
        _, decided = await _next(heard)
        assert decided["type"] == "request.approved"
        assert "example" not in str((opened, decided))


async def test_what_does_not_arrive_is_sent_again_under_the_same_id(start, clock, monkeypatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    async with _receiver(500, 302) as (url, heard), start(webhooks=_hooks(url, ["*"])) as server:
        await server.person("ada@example.org", "admins")
        await server.submit(await server.agent("etl"))
        ids = []
        for _ in range(3):
            ids.append((await _next(heard))[0]["webhook-id"])
            clock.ahead_ms += 120_000
        assert len(set(ids)) == 1


async def test_two_replicas_send_one_parcel_once(any_server, monkeypatch) -> None:
    import httpx2
    from sqlalchemy import insert

    from consentry.server.build import target_of
    from consentry.store import tables

    monkeypatch.setenv("HOOK_SECRET", SECRET)
    async with _receiver() as (url, heard), httpx2.AsyncClient(trust_env=False) as client:
        hook = WebhookSettings.model_validate({"url": url, "secret": "env:HOOK_SECRET", "events": ["a.b"]})
        store = any_server.services.gate.store
        row = {"target": target_of(hook), "kind": "a.b", "payload": "{}", "attempts": 0, "next_at": 0}
        rows = [{**row, "id": f"out_{n}", "done_at": None, "last_error": None} for n in range(30)]
        await store.write(lambda tx: tx.execute(insert(tables.outbox), rows))
        replicas = [Deliverer(store, (hook,)) for _ in range(3)]
        while sum(await asyncio.gather(*(one.deliver(client) for one in replicas))):
            pass
        ids = [(await _next(heard))[0]["webhook-id"] for _ in range(heard.qsize())]
        assert sorted(ids) == sorted(one["id"] for one in rows)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The example of the specification's reference libraries."""
    key = key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}')
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert key_of("plain") == b"plain"


@pytest.mark.parametrize(
    ("kind", "events", "sent"),
    [("request.opened", ("request.*",), True), ("request.opened", ("request.opened",), True),
     ("request.opened", ("grant.*",), False), ("request.opened", (), False), ("x", ("*",), True)],
)  # fmt: skip
def test_a_receiver_gets_what_it_asked_for(kind, events, sent) -> None:
    hook = WebhookSettings.model_validate({"url": "https://x", "secret": "env:X", "events": list(events)})
    assert wanted(hook, kind) is sent


def test_waits_double_up_to_a_limit_and_are_spread() -> None:
    waits = [delay_ms(attempts, 1.0) for attempts in range(1, 30)]
    assert waits == sorted(waits)
    assert waits[0] == 2 * FIRST_DELAY_MS
    assert waits[-1] == MAX_DELAY_MS
    assert delay_ms(3, 0.0) == delay_ms(3, 1.0) // 2
