"""The Bot Framework's connector and Microsoft Graph, with their failures in our words.

Every call is one attempt: what may be sent twice is decided by the delivery.
https://learn.microsoft.com/azure/bot-service/rest-api/bot-framework-rest-connector-send-and-receive-messages
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from consentry.actions.json import parse_object
from consentry.channels.model import RateLimited, SendFailed
from consentry.channels.outside import Caller, one_attempt, wait_ms
from consentry.channels.teams.config import TeamsConfig
from consentry.errors import ConsentryError

if TYPE_CHECKING:
    import aiohttp

MAX_ANSWER = 4 << 20
MARGIN_S = 300.0
"""A token is replaced so long before it ends."""
BOT, GRAPH = "https://api.botframework.com/.default", "https://graph.microsoft.com/.default"


class TeamsApi(Caller):
    """What the bot may call. Use it as a context."""

    def __init__(self, config: TeamsConfig, clock_s: Callable[[], float]) -> None:
        super().__init__()
        self._config = config
        self._clock_s = clock_s
        self._tokens: dict[str, tuple[str, float]] = {}

    async def token(self, scope: str) -> str:
        """The bot's own token, by its client credentials (RFC 6749, 4.4). Raises `SendFailed`, `RateLimited`."""
        known, ends = self._tokens.get(scope, ("", 0.0))
        if self._clock_s() < ends - MARGIN_S:
            return known
        form = {
            "grant_type": "client_credentials",
            "client_id": self._config.app_id,
            "client_secret": self._config.password(),
            "scope": scope,
        }
        url = f"{self._config.login_url.rstrip('/')}/{self._config.tenant}/oauth2/v2.0/token"
        answer = await self._send("POST", url, "sign-in of the bot", data=form)
        token, lasts = answer.get("access_token"), answer.get("expires_in")
        if not isinstance(token, str) or not isinstance(lasts, int):
            raise SendFailed("the bot's sign-in was answered without a token")
        self._tokens[scope] = (token, self._clock_s() + lasts)
        return token

    async def connector(self, method: str, service_url: str, *path: str, body: object = None) -> dict[str, object]:
        """One call under `v3/conversations`, as the bot. Raises `SendFailed`, `RateLimited`."""
        url = "/".join([f"{service_url.rstrip('/')}/v3/conversations", *(quote(one, safe="") for one in path)])
        return await self._as_bot(BOT, method, url, "a message", body)

    async def graph(self, *path: str, top: int, after: str | None = None) -> dict[str, object]:
        """One page of what Microsoft Graph lists, as the bot. Raises `SendFailed`, `RateLimited`."""
        url = "/".join([f"{self._config.graph_url.rstrip('/')}/v1.0", *(quote(one, safe="") for one in path)])
        page = f"$top={top}" + (f"&$skiptoken={quote(after, safe='')}" if after else "")
        return await self._as_bot(GRAPH, "GET", f"{url}?{page}", "a look for a message", None)

    async def _as_bot(self, scope: str, method: str, url: str, what: str, body: object) -> dict[str, object]:
        headers = {"authorization": f"Bearer {await self.token(scope)}"}
        data = None
        if body is not None:
            data = orjson.dumps(body)
            headers["content-type"] = "application/json; charset=utf-8"
        try:
            return await self._send(method, url, what, data=data, headers=headers)
        except Refused as error:
            if error.http == 401:  # taken back, or of another key by now: the next try asks for another
                self._tokens.pop(scope, None)
            raise

    async def _send(
        self,
        method: str,
        url: str,
        what: str,
        *,
        data: bytes | dict[str, str] | None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, object]:
        sent = dict(headers or {})
        with one_attempt(f"Teams cannot be reached for {what}", what):
            async with self.session.request(method, url, data=data, headers=sent, allow_redirects=False) as answer:
                content = await _read(answer)
                status, told = answer.status, answer.headers
        if status == 429:
            raise RateLimited(wait_ms(told.get("retry-after", "")))
        found = _object(content)
        if not 200 <= status < 300:
            raise Refused(what, status, found)
        return found


class Refused(SendFailed):
    """The service answered, and not with success. Nothing that was sent is in the message."""

    def __init__(self, what: str, status: int, answer: Mapping[str, object]) -> None:
        error = answer.get("error")
        code = error.get("code") if isinstance(error, dict) else error
        named = code if isinstance(code, str) and len(code) < 80 and code.replace("_", "").isalnum() else None
        text = f"Teams refused {what}: status {status}" + (f", `{named}`" if named else "")
        super().__init__(text, ambiguous=status >= 500)
        self.http = status


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    """The whole of an answer. Raises `ValueError` where it is too long."""
    found = bytearray()
    async for part in answer.content.iter_any():
        found += part
        if len(found) > MAX_ANSWER:
            raise ValueError("too long an answer")
    return bytes(found)


def _object(content: bytes) -> dict[str, object]:
    """An answer's members; none where it is empty or something else, which whoever needs them says."""
    try:
        return dict(parse_object(content, limit=MAX_ANSWER)) if content else {}
    except ConsentryError:
        return {}
