"""Where passkeys may be used, what there is of one, and what browsers are asked. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

from consentry.consent.errors import GateError
from consentry.errors import ConsentryError, InvalidInput, NotFound

_NAMED = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9_.-]*(:[0-9]{1,5})?")
_LONGEST = 128


class PasskeyUnavailable(ConsentryError):
    """Browsers do not do passkeys at this address."""

    code = "passkey_unavailable"
    status = 409


class PasskeyInvalid(InvalidInput):
    """What the browser sent is not the registration that it was asked for."""

    code = "passkey_not_registered"


class SessionNotFresh(GateError):
    """Registering a passkey takes a session that began a moment ago."""

    code = "session_not_fresh"


class UnknownPasskey(NotFound):
    """There is no such passkey of the asker's."""

    code = "unknown_passkey"


@dataclass(frozen=True, slots=True)
class Site:
    """The relying party: `rp` is the host that passkeys belong to, `origin` the page that may ask for them."""

    rp: str
    origin: str

    @classmethod
    def of(cls, address: str) -> Self:
        """The site of a server's address. One of the loopback is called `localhost`: browsers take no numbers.

        Raises `PasskeyUnavailable` where browsers would refuse: a number that is not of the loopback, or no HTTPS.
        """
        parts = urlsplit(address)
        host = parts.hostname or ""
        port = "" if parts.port is None else f":{parts.port}"
        if _loopback(host):
            host = "localhost"
        origin = f"{parts.scheme}://{host}{port}"
        if _number(host) or not _NAMED.fullmatch(origin) or len(origin) > _LONGEST:
            raise PasskeyUnavailable("passkeys need an address with a host name: set `server.url` to one")
        if parts.scheme != "https" and host != "localhost":
            raise PasskeyUnavailable("passkeys need HTTPS: set `server.url` to an `https://` address")
        return cls(host, origin)


@dataclass(frozen=True, slots=True)
class Passkey:
    """One of a person's passkeys. `synced` says that it may live on several devices of theirs."""

    id: str
    person: str
    name: str
    rp: str
    synced: bool
    created_at_ms: int
    used_at_ms: int | None


@dataclass(frozen=True, slots=True)
class Options:
    """What a page hands to `navigator.credentials`, as JSON, and the relying party that it is for."""

    json: str
    origin: str


@dataclass(frozen=True, slots=True)
class Credential:
    """What `navigator.credentials.create` answered: everything as base64url, nothing believed."""

    id: str
    client_data: str
    attestation: str
    transports: tuple[str, ...] = ()


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
