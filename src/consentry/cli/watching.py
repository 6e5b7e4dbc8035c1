"""Following the server's events, through restarts, until interrupted."""

from __future__ import annotations

import asyncio
import json
import random
import sys

import httpx2
import orjson

from consentry.cli.output import plain, say, tell
from consentry.client.http import is_loopback
from consentry.client.retry import Backoff

_SHOWN = ("request.", "grant.", "claim.", "breakglass.")


def follow(url: str, token: str, *, as_json: bool) -> None:
    """Print events as they come. Raises the class for the problem's code where the server refuses."""
    asyncio.run(_follow(url, token, as_json))


async def _follow(url: str, token: str, as_json: bool) -> None:
    last, failures, backoff = None, 0, Backoff(0.5, 10.0)
    headers = {"authorization": f"Bearer {token}", "accept": "text/event-stream"}
    timeout = httpx2.Timeout(5.0, read=60.0)
    tell("watching; interrupt to stop")
    async with httpx2.AsyncClient(
        base_url=url, headers=headers, timeout=timeout, trust_env=not is_loopback(url)
    ) as client:
        while True:
            try:
                async with client.stream("GET", "/v1/events", headers={"last-event-id": last} if last else {}) as reply:
                    if reply.status_code in (401, 403):
                        raise _refused(await reply.aread())
                    if reply.is_success:
                        failures = 0
                        last = await _read(reply, last, as_json)
            except httpx2.TransportError:
                pass  # the server restarts: the next connection goes on after the last event
            await asyncio.sleep(backoff.rest_s(failures, random.random) + 0.1)
            failures += 1


async def _read(reply: httpx2.Response, last: str | None, as_json: bool) -> str | None:
    """Print the events of one connection; answers the last event's id."""
    kind, data = "message", ""
    try:
        async for line in reply.aiter_lines():
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "id":
                last = value
            elif name == "event":
                kind = value
            elif name == "data":
                data += value
            elif not line and data:
                _print(kind, data, as_json)
                kind, data = "message", ""
    except httpx2.TransportError:
        pass
    return last


def _print(kind: str, data: str, as_json: bool) -> None:
    event = json.loads(data)
    if as_json:
        sys.stdout.write(orjson.dumps({"event": kind, "data": event}).decode() + "\n")
        sys.stdout.flush()
    elif kind.startswith(_SHOWN):
        of = event.get("request_id") or event.get("action_id") or ""
        say(plain(f"{event.get('time', '')}  {kind}  {of}"))


def _refused(body: bytes) -> Exception:
    from consentry.client.errors import from_code

    problem = orjson.loads(body)
    return from_code(str(problem["code"]), str(problem.get("detail")), 401)
