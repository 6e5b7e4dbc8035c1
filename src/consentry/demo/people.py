"""The demo's people, each with a session of their own, deciding over the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import orjson

from consentry.actions import Json
from consentry.client.http import HttpTransport, Repeat
from consentry.client.portal import Portal


@dataclass(frozen=True, slots=True)
class Invited:
    """A person, and the one-time link that signs them in."""

    id: str
    link: str
    token: str


class Someone:
    """Whoever a token belongs to, at one server."""

    def __init__(self, url: str, token: str) -> None:
        self._portal = Portal()
        self._http = HttpTransport(url, token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._portal.finish(self._http.close())

    def get(self, path: str) -> Mapping[str, Json]:
        return self._read("GET", path, None, Repeat.SAFE)

    def post(self, path: str, body: Mapping[str, Json]) -> Mapping[str, Json]:
        return self._read("POST", path, body, Repeat.IF_NOT_SENT)

    def raw(self, path: str) -> bytes:
        return self._portal.call(self._http.send("GET", path, repeat=Repeat.SAFE)).content

    def invite(self, email: str, name: str, groups: tuple[str, ...] = ()) -> Invited:
        made = self.post("/v1/people", {"email": email, "name": name, "groups": list(groups)})
        return Invited(str(made["person"]), str(made["link"]), str(made["token"]))

    def vote(self, request_id: str, verdict: str, reason: str) -> Mapping[str, Json]:
        """Look at the request, and vote on what was shown. Raises what the server answers."""
        shown = self.get(f"/v1/requests/{request_id}")["shown_digest"]
        return self.post(
            f"/v1/requests/{request_id}/votes", {"verdict": verdict, "reason": reason, "shown_digest": shown}
        )

    def _read(self, method: str, path: str, body: Mapping[str, Json] | None, repeat: Repeat) -> Mapping[str, Json]:
        reply = self._portal.call(self._http.send(method, path, body=body, repeat=repeat))
        value = orjson.loads(reply.content)
        assert isinstance(value, dict)
        return value


def sign_in(url: str, link_token: str) -> str:
    """The token of a person's session, for a one-time link."""
    with Someone(url, "") as nobody:
        return str(nobody.post("/v1/sessions", {"token": link_token})["session"])
