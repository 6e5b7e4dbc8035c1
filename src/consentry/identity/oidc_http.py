"""Speaking to issuers: short answers, no redirects, TLS everywhere but on the loopback."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from consentry.errors import InvalidInput
from consentry.identity.jwt_keys import ProviderUnavailable

if TYPE_CHECKING:
    import httpx2

TIMEOUT_S = 10.0
MAX_ANSWER = 1 << 20


class UnsafeAddress(InvalidInput):
    """An issuer's address would be spoken to in the clear."""

    code = "unsafe_address"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an issuer answered."""

    status: int
    body: bytes


class Http(Protocol):
    """The outside, as far as issuers go; tests put their own here."""

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer: ...

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer: ...

    async def close(self) -> None: ...


def require_safe(url: str) -> str:
    """The address, where it is `https:`, or `http:` on this machine itself. Raises `UnsafeAddress`."""
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname or ""))
    if not safe or not parts.hostname or parts.username is not None or parts.fragment:
        raise UnsafeAddress("an issuer's addresses must begin with `https://`, or be on the loopback")
    return url


def require_beside(url: str, issuer: str) -> str:
    """An address that an issuer names, where it is no less public than the issuer's own. Raises `UnsafeAddress`.

    Metadata of a public issuer must not make us speak in the clear, or to a machine of our own network. Names are not
    resolved: issuers inside a network are reached by names, too.
    """
    require_safe(url)
    named, own = urlsplit(url), urlsplit(issuer)
    if (named.scheme != "https" and own.scheme == "https") or (_inside(named.hostname) and not _inside(own.hostname)):
        raise UnsafeAddress("an issuer's metadata name an address that is less public than the issuer: ask who runs it")
    return url


def _inside(host: str | None) -> bool:
    """Whether a host is this machine, or a number that is not of the public internet, however it is spelled."""
    name = (host or "").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        last = name.rpartition(".")[2]
        return last.isdecimal() or last.startswith("0x")  # `127.1`, `0x7f000001`: numbers to whoever connects
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_global


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Outside:
    """`Http` over the network. Proxies of the environment are used; redirects are not followed (RFC 9700)."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Raises `ProviderUnavailable`."""
        return await self._send("GET", url, headers or {}, None)

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> Answer:
        """Raises `ProviderUnavailable`."""
        return await self._send("POST", url, headers, form)

    async def close(self) -> None:
        """Let go of the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _send(self, method: str, url: str, headers: Mapping[str, str], form: Mapping[str, str] | None) -> Answer:
        import httpx2

        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)
        sent = {"accept": "application/json", **headers}
        body = bytearray()
        try:
            async with self._client.stream(method, require_safe(url), data=form, headers=sent) as answer:
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MAX_ANSWER:
                        raise ProviderUnavailable("an issuer answered with more than a mebibyte")
                return Answer(answer.status_code, bytes(body))
        except (httpx2.HTTPError, OSError):
            raise ProviderUnavailable(
                "an issuer does not answer: try again, or look at its address in the settings"
            ) from None
