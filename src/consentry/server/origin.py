"""Which site a request came from: its `Host`, and the `Origin` and `Sec-Fetch-Site` that a browser adds. Pure."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from consentry.server.problems import CrossSite, UnknownHost

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def known_hosts(origin: str, host: str, more: Collection[str]) -> frozenset[str]:
    """The host names, without ports, that the `Host` header may have."""
    names = {*LOOPBACK, *more, urlsplit(origin).hostname or ""}
    names.add(f"[{host}]" if ":" in host else host)
    return frozenset(name.lower() for name in names if name) - {"0.0.0.0", "[::]"}  # noqa: S104


def check_host(header: str | None, known: Collection[str]) -> None:
    """Raises `UnknownHost`: a page that points its own name at us must not speak to us (DNS rebinding)."""
    if header is None or host_name(header) not in known:
        raise UnknownHost("the `Host` header is not a name of this server: add it to `server.hosts` if it is")


def host_name(header: str) -> str:
    """The name in a `Host` header, lower case, without the port; `""` where it cannot be one."""
    name, colon, port = header.rpartition(":")
    if header.endswith("]") or not colon:
        name = header
    elif not port.isdecimal():
        return ""
    return name.lower()


def check_site(
    method: str, *, origin: str | None, site: str | None, host: str | None, ours: str, by_cookie: bool
) -> None:
    """Raises `CrossSite` for a request that changes something and that another site may have caused.

    A browser says where it stands: by `Sec-Fetch-Site`, and by `Origin` on every request that changes something. With
    a cookie one of them must be there; a bearer token is something that no other site has.
    """
    if method in SAFE:
        return
    if site is not None and site not in ("same-origin", "none"):
        raise CrossSite("another site sent this: open Consentry itself and decide there")
    if origin is not None and not _same(origin, ours, host):
        raise CrossSite("the `Origin` header names another site: open Consentry itself and decide there")
    if by_cookie and origin is None and site is None:
        raise CrossSite("the browser does not say which page sent this: use a current one, or a bearer token")


def _same(origin: str, ours: str, host: str | None) -> bool:
    """Whether an `Origin` is our own address, or the very host that the request names (which was checked before)."""
    if origin == ours:
        return True
    parts = urlsplit(origin)
    scheme = urlsplit(ours).scheme
    return host is not None and parts.scheme == scheme and parts.netloc.lower() == host.lower()
