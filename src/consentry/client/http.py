"""The gate over HTTP. One connection pool; retries only where a repeat cannot do the thing twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from ipaddress import ip_address
from typing import TypeVar
from uuid import uuid4

import httpx2
import orjson
from pydantic import BaseModel, ValidationError

from consentry.actions import Operand
from consentry.client.errors import Misused, Unreachable, from_code
from consentry.client.model import ClaimGiven, Decision, Status
from consentry.client.retry import Backoff, poll_s
from consentry.client.transport import Ask
from consentry.errors import ConsentryError

D = TypeVar("D", bound=BaseModel)

LONGEST_POLL_S = 30.0
_AGAIN = frozenset((429, 502, 503, 504))
_NOT_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class Repeat(Enum):
    """Whether a call that may have arrived can be made again."""

    SAFE = "safe"
    """Reading, or under an idempotency key."""
    IF_NOT_SENT = "if not sent"
    """Only where it is certain that the server never saw it."""


class HttpTransport:
    """See `transport.Transport`. `patience_s` is how long a call keeps trying while the server is away.

    `wire` replaces the network, for a server in the same process. An empty token asks as nobody.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        patience_s: float = 60.0,
        backoff: Backoff | None = None,
        wire: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._patience_s = patience_s
        self._backoff = backoff or Backoff()
        self._http = httpx2.AsyncClient(
            base_url=url.rstrip("/"),
            headers={"accept": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {}),
            timeout=httpx2.Timeout(10.0, connect=5.0),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
            follow_redirects=False,
            trust_env=not is_loopback(url),
            transport=wire,
        )

    async def submit(self, ask: Ask) -> Decision:
        body = {"idempotency_key": uuid4().hex, **ask.to_json()}
        return _read(Decision, await self.send("POST", "/v1/actions", body=body, repeat=Repeat.SAFE))

    async def decision(self, action_id: str, wait_s: float) -> Decision:
        wait_s = poll_s(min(wait_s, LONGEST_POLL_S), wait_s, random.random)
        path = f"/v1/actions/{action_id}"
        reply = await self.send("GET", path, query={"wait": f"{wait_s:.1f}"}, repeat=Repeat.SAFE, slow_s=wait_s)
        return _read(Decision, reply)

    async def claim(self, action_id: str, operands: tuple[Operand, ...]) -> ClaimGiven:
        body = {"operands": [{"name": one.name, "sha256": one.sha256} for one in operands]} if operands else {}
        path = f"/v1/actions/{action_id}/claim"
        return _read(ClaimGiven, await self.send("POST", path, body=body, repeat=Repeat.IF_NOT_SENT))

    async def settle(self, claim_id: str, status: Status, summary: str | None) -> None:
        body = {"status": status} | ({"summary": summary} if summary is not None else {})
        attempts = 0

        async def settle_once() -> httpx2.Response:
            nonlocal attempts
            attempts += 1
            return await self._once("POST", f"/v1/claims/{claim_id}/outcome", body, None, 0.0)

        try:
            await self._patiently(settle_once, Repeat.SAFE, "the outcome")
        except ConsentryError as error:
            if attempts == 1 or error.code != "already_settled":
                raise  # on a repeat, our own first report was the one that arrived

    async def withdraw(self, request_id: str, reason: str | None) -> None:
        body = {} if reason is None else {"reason": reason}
        await self.send("POST", f"/v1/requests/{request_id}/withdraw", body=body, repeat=Repeat.IF_NOT_SENT)

    async def receipt(self, action_id: str) -> bytes:
        return (await self.send("GET", f"/v1/receipts/{action_id}", repeat=Repeat.SAFE)).content

    async def close(self) -> None:
        await self._http.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        query: dict[str, str] | None = None,
        repeat: Repeat,
        slow_s: float = 0.0,
    ) -> httpx2.Response:
        """One call of the API, repeated where that is safe. `slow_s` is how long the server may take on purpose.

        Raises the class for the problem's code, or `Unreachable`.
        """
        return await self._patiently(
            lambda: self._once(method, path, body, query, slow_s), repeat, f"`{method} {path.split('?')[0]}`"
        )

    async def _patiently(
        self, once: Callable[[], Awaitable[httpx2.Response]], repeat: Repeat, what: str
    ) -> httpx2.Response:
        until = time.monotonic() + self._patience_s
        attempt = 0
        while True:
            try:
                reply = await once()
            except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol):
                raise Misused("the address or the token is malformed: check `CONSENTRY_URL` and the token") from None
            except httpx2.TransportError as error:
                problem: ConsentryError = _lost(error, repeat, what, self._http.base_url)
                again = repeat is Repeat.SAFE or isinstance(error, _NOT_SENT)
                rest_s = 0.0
            else:
                if reply.is_success:
                    return reply
                problem = _problem(reply)
                again = reply.status_code in _AGAIN and (repeat is Repeat.SAFE or reply.status_code == 429)
                rest_s = _retry_after(reply)
            rest_s = max(rest_s, self._backoff.rest_s(attempt, random.random))
            if not again or time.monotonic() + rest_s > until:
                raise problem
            await asyncio.sleep(rest_s)
            attempt += 1

    async def _once(
        self, method: str, path: str, body: object, query: dict[str, str] | None, slow_s: float
    ) -> httpx2.Response:
        content = None if body is None else orjson.dumps(body)
        headers = {} if body is None else {"content-type": "application/json"}
        timeout = httpx2.Timeout(10.0 + slow_s, connect=5.0)
        return await self._http.request(method, path, content=content, headers=headers, params=query, timeout=timeout)


def is_loopback(url: str) -> bool:
    """Whether the address is this machine's own, which no proxy is to see."""
    host = httpx2.URL(url).host
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(kind: type[D], reply: httpx2.Response) -> D:
    try:
        return kind.model_validate_json(reply.content)
    except ValidationError:
        raise Unreachable(
            f"`{reply.url.host}` answered `{reply.url.path}` with something that is no Consentry answer:"
            " check `CONSENTRY_URL`"
        ) from None


def _problem(reply: httpx2.Response) -> ConsentryError:
    """The error in a problem document (RFC 9457); a body that is none is not quoted."""
    try:
        document = orjson.loads(reply.content)
    except orjson.JSONDecodeError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("code"), str):
        if reply.status_code in _AGAIN:
            return Unreachable(f"the server answers {reply.status_code}: it is starting, busy or away")
        return from_code("refused", f"the server answered {reply.status_code}: check `CONSENTRY_URL`", 502)
    text = document.get("detail") or document.get("title") or document["code"]
    return from_code(document["code"], str(text), reply.status_code)


def _retry_after(reply: httpx2.Response) -> float:
    value = reply.headers.get("retry-after", "")
    return min(float(value), 30.0) if value.isdigit() else 0.0


def _lost(error: httpx2.TransportError, repeat: Repeat, what: str, url: httpx2.URL) -> ConsentryError:
    if isinstance(error, _NOT_SENT):
        return Unreachable(f"nothing answers at `{url}`: is `consentry up` running, and is `CONSENTRY_URL` right?")
    if repeat is Repeat.IF_NOT_SENT:
        return Unreachable(
            f"the connection broke during {what}: it may have been done, so it was not repeated; look at the action"
        )
    return Unreachable(f"the connection to `{url}` broke during {what}")
