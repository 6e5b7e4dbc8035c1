"""Commands that ask a server: as whoever is signed in, or as the token in `CONSENTRY_TOKEN`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from consentry.actions import Json
from consentry.cli import saved
from consentry.errors import ConsentryError, InvalidInput

if TYPE_CHECKING:
    from consentry.client.http import HttpTransport, Repeat
    from consentry.client.portal import Portal

DEFAULT_URL = "http://127.0.0.1:7272"
PATIENCE_S = 5.0


class NotLoggedIn(ConsentryError):
    """There is no session and no token."""

    code = "not_signed_in"
    status: ClassVar[int] = 401


def where() -> str:
    """The server's address: `CONSENTRY_URL`, else where somebody signed in, else this machine.

    Raises `InvalidInput` where `CONSENTRY_URL` is no address.
    """
    told = os.environ.get("CONSENTRY_URL")
    if told:
        _check_address(told)
        return told
    kept = saved.load()
    return kept.url if kept else DEFAULT_URL


def _check_address(url: str) -> None:
    if url.startswith(("http://", "https://")) and url.partition("://")[2].strip("/"):
        return
    host = url.partition("://")[2] if "://" in url else url
    meant = f": did you mean `http://{host}`?" if host.strip("/") else ""
    raise InvalidInput(f"`CONSENTRY_URL` is `{url}`, which is no `http://` or `https://` address{meant}")


def credentials() -> tuple[str, str]:
    """Address and token. A kept session is used for its own server only. Raises `NotLoggedIn`."""
    token, kept = os.environ.get("CONSENTRY_TOKEN"), saved.load()
    url = where()
    if token:
        return url, token
    if kept is None or kept.url.rstrip("/") != url.rstrip("/"):
        raise NotLoggedIn(f"nobody is signed in at `{url}`: run `consentry login`, or set `CONSENTRY_TOKEN`")
    return url, kept.token


def at(*parts: str) -> str:
    """The path of a thing; what somebody typed cannot lead elsewhere."""
    return "/v1/" + "/".join(quote(part, safe="@:") for part in parts)


class Api:
    """The HTTP API, one call at a time."""

    def __init__(self, url: str, token: str, portal: Portal, http: HttpTransport) -> None:
        self.url = url
        self.token = token
        self._portal = portal
        self._http = http

    def get(self, path: str, **query: str | None) -> Mapping[str, Json]:
        """Read one document. Raises the class for the problem's code."""
        from consentry.client.http import Repeat

        return self._call("GET", path, None, {key: value for key, value in query.items() if value}, Repeat.SAFE)

    def post(self, path: str, body: Mapping[str, Json] | None = None) -> Mapping[str, Json]:
        """Change something; not repeated once it may have arrived."""
        return self._change("POST", path, body or {})

    def delete(self, path: str) -> Mapping[str, Json]:
        """Take something away; not repeated once it may have arrived."""
        return self._change("DELETE", path, None)

    def raw(self, path: str) -> bytes:
        """Read bytes that are not a document of the API: checkpoints, tiles, receipts."""
        from consentry.client.http import Repeat

        return self._portal.call(self._http.send("GET", path, repeat=Repeat.SAFE)).content

    def _change(self, method: str, path: str, body: Mapping[str, Json] | None) -> Mapping[str, Json]:
        from consentry.client.http import Repeat

        return self._call(method, path, body, None, Repeat.IF_NOT_SENT)

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Json] | None,
        query: dict[str, str] | None,
        repeat: Repeat,
    ) -> Mapping[str, Json]:
        import orjson

        reply = self._portal.call(self._http.send(method, path, body=body, query=query or None, repeat=repeat))
        value = orjson.loads(reply.content) if reply.content else {}
        if not isinstance(value, dict):
            raise InvalidInput(f"`{self.url}` is not a Consentry server: check `CONSENTRY_URL`")
        return value


@contextmanager
def connect(url: str | None = None, token: str | None = None) -> Iterator[Api]:
    """The API as whoever is signed in; `token` of `""` asks as nobody."""
    from consentry.client.http import HttpTransport
    from consentry.client.portal import Portal

    if token is None:
        url, token = credentials()
    url = url or where()
    portal = Portal()
    http = HttpTransport(url, token, patience_s=PATIENCE_S)
    try:
        yield Api(url, token, portal, http)
    finally:
        portal.finish(http.close())
