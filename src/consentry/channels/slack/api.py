"""Slack's Web API, with its failures in our words: what surely did not happen, and what may have.

https://docs.slack.dev/apis/web-api/rate-limits
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from consentry.channels.model import RateLimited, SendFailed
from consentry.channels.outside import TIMEOUT_S, Caller, one_attempt, wait_ms
from consentry.channels.slack.config import SlackConfig

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

QUIET = logging.getLogger("consentry.channels.slack_sdk")
"""Slack's client quotes what it sends and gets in its log; what matters of it is logged here, without."""
QUIET.addHandler(logging.NullHandler())
QUIET.propagate = False
_UNSURE = frozenset({"internal_error", "fatal_error", "request_timeout", "service_unavailable"})
"""Errors after which Slack may have done it all the same."""


class SlackApi(Caller):
    """One workspace's API. Use it as a context."""

    def __init__(self, config: SlackConfig) -> None:
        super().__init__()
        self._config = config

    def client(self, token: str | None = None) -> AsyncWebClient:
        """Slack's own client. It retries nothing: what may be sent twice is decided by the delivery."""
        from slack_sdk.web.async_client import AsyncWebClient

        return AsyncWebClient(
            token=token,
            base_url=self._config.api_url,
            timeout=TIMEOUT_S,
            session=self._session,
            retry_handlers=[],
            logger=QUIET,
        )

    async def call(self, method: str, **arguments: object) -> dict[str, object]:
        """One call as the bot. Raises `SendFailed`, `RateLimited`."""
        return await self._call(method, arguments, reads=False)

    async def read(self, method: str, **arguments: object) -> dict[str, object]:
        """One call of a method that only reads; those take no JSON. Raises `SendFailed`, `RateLimited`."""
        return await self._call(method, arguments, reads=True)

    async def _call(self, method: str, arguments: dict[str, object], *, reads: bool) -> dict[str, object]:
        from slack_sdk.errors import SlackApiError, SlackClientError

        client = self.client(self._config.bot_token())
        with one_attempt(f"Slack cannot be reached for `{method}`", f"`{method}`"):
            try:
                if reads:
                    answer = await client.api_call(method, http_verb="GET", params=arguments)
                else:
                    answer = await client.api_call(method, json=arguments)
            except SlackApiError as error:
                raise _refused(method, error) from None
            except SlackClientError as error:
                raise SendFailed(f"`{method}` was lost: {type(error).__name__}", ambiguous=True) from None
        return cast("dict[str, object]", answer.data)


def _refused(method: str, error: Exception) -> SendFailed:
    """What Slack answered, without anything that was sent."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", 0)
    data = getattr(response, "data", None)
    if status == 429:
        return RateLimited(_wait_ms(getattr(response, "headers", {})))
    code = data.get("error") if isinstance(data, dict) else None
    name = code if isinstance(code, str) and code.replace("_", "").isalnum() else f"status {status}"
    if name == "ratelimited":
        return RateLimited(_wait_ms(getattr(response, "headers", {})))
    return SendFailed(f"Slack refused `{method}`: `{name}`", ambiguous=name in _UNSURE or status >= 500)


def _wait_ms(headers: object) -> int:
    """`Retry-After` in seconds, as milliseconds; half a minute where it does not say."""
    found = {str(name).lower(): value for name, value in dict(cast("dict[str, str]", headers)).items()}
    return wait_ms(str(found.get("retry-after", "")), 30_000)
