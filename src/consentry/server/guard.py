"""The one place where a caller is let in: every route and every page is behind it (threat D9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from starlette.types import Scope

from consentry.actions import Kind
from consentry.consent.errors import NotAllowed
from consentry.identity.dpop import Presentation
from consentry.identity.errors import NotSignedIn
from consentry.identity.model import ADMINISTRATORS, AUDITORS, Session
from consentry.server.access import Access, Who
from consentry.server.origin import check_site

if TYPE_CHECKING:
    from consentry.server.services import Services

COOKIE = "consentry_session"
SECURE_COOKIE = "__Host-consentry_session"
"""The prefix makes browsers refuse a cookie that another host or an insecure page has set."""


async def let_in(services: Services, scope: Scope, access: Access) -> Session | None:
    """Who calls. Raises `NotSignedIn`, `NotAllowed` or `CrossSite`.

    A bearer token wins over a cookie. On an open route a token that does not hold is as good as none.
    """
    scheme, bearer, proofs, cookie, origin, site, host = _read(scope["headers"], cookie_name(services))
    token = cookie if bearer is None else bearer
    check_site(
        scope["method"],
        origin=origin,
        site=site,
        host=host,
        ours=services.origin,
        by_cookie=bearer is None and cookie is not None,
    )
    if token is None:
        if access.open:
            return None
        raise NotSignedIn("nobody is signed in: use a sign-in link or send a bearer token")
    try:
        proved = None
        if proofs or scheme == "dpop":
            proved = Presentation(scope["method"], _urls(services, scope, host), proofs, scheme)
        session = await services.directory.authenticate(token, proved)
    except NotSignedIn:
        if access.open:
            return None
        raise
    if not access.open and not await permits(services, access, session):
        raise NotAllowed(_refusal(access))
    return session


def presentation(services: Services, scope: Scope) -> Presentation:
    """With which proof of a key a request came (RFC 9449)."""
    scheme, _, proofs, _, _, _, host = _read(scope["headers"], "")
    return Presentation(scope["method"], _urls(services, scope, host), proofs, scheme)


def _urls(services: Services, scope: Scope, host: str | None) -> tuple[str, ...]:
    """The addresses that a request may have been sent to: by our own name, or by the host that it names.

    At our own ports only: what listens at another one of the same host could hand on a proof that it was sent.
    """
    raw: bytes = scope.get("raw_path") or str(scope["path"]).encode()
    path = raw.partition(b"?")[0].decode("latin-1")
    scheme = "https" if services.secure else "http"
    own = f"{services.origin}{path}"
    return (own, f"{scheme}://{host}{path}") if host and _port(scheme, host) in _ports(services, scope) else (own,)


def _ports(services: Services, scope: Scope) -> frozenset[int | None]:
    """Where we are reached: by our address, and at the socket itself."""
    scheme, _, netloc = services.origin.partition("://")
    return frozenset({_port(scheme, netloc), (scope.get("server") or (None, None))[1]})


def _port(scheme: str, netloc: str) -> int | None:
    """The port in a `Host` that was checked; that of the scheme where it names none."""
    _, colon, port = netloc.rpartition(":")
    if colon and port.isdecimal():
        return int(port)
    return 443 if scheme == "https" else 80


async def permits(services: Services, access: Access, session: Session) -> bool:
    """Whether a session is one of those that a route takes."""
    if session.kind is not Kind.PERSON:
        return Who.AGENT in access.takes
    if Who.PERSON in access.takes:
        return True
    groups = (await services.gate.roster()).groups_of(session.subject)
    return (Who.ADMIN in access.takes and ADMINISTRATORS in groups) or (
        Who.AUDITOR in access.takes and AUDITORS in groups
    )


def cookie_name(services: Services) -> str:
    """The name of the cookie that holds a person's session."""
    return SECURE_COOKIE if services.secure else COOKIE


def cookie(services: Services, token: str, *, max_age_s: int) -> str:
    """A `Set-Cookie` header for a session: not for scripts, and never sent along from another site."""
    secure = "; Secure" if services.secure else ""
    return f"{cookie_name(services)}={token}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}"


def _refusal(access: Access) -> str:
    if Who.PERSON in access.takes:
        return "this is for persons: sign in as one"
    if access.takes == frozenset({Who.AGENT}):
        return "this is for agents and services"
    groups = [name for who, name in ((Who.AUDITOR, AUDITORS), (Who.ADMIN, ADMINISTRATORS)) if who in access.takes]
    return f"this is for members of `{'` or `'.join(groups)}`"


def _read(
    headers: Iterable[tuple[bytes, bytes]], cookie_name: str
) -> tuple[str, str | None, tuple[str, ...], str | None, str | None, str | None, str | None]:
    """Scheme, token and its proofs, cookie, origin, site and host, in one pass."""
    bearer = cookie = origin = site = host = None
    scheme = "bearer"
    proofs: tuple[str, ...] = ()
    for name, value in headers:
        if name == b"authorization":
            given, _, rest = value.partition(b" ")
            named = given.lower().decode("latin-1")
            if named in ("bearer", "dpop"):
                scheme, bearer = named, rest.strip().decode("latin-1")
        elif name == b"dpop":
            proofs = (*proofs, value.decode("latin-1"))
        elif name == b"cookie" and cookie is None:
            cookie = _cookie(value.decode("latin-1"), cookie_name)
        elif name == b"origin":
            origin = value.decode("latin-1")
        elif name == b"sec-fetch-site":
            site = value.decode("latin-1")
        elif name == b"host":
            host = value.decode("latin-1")
    return scheme, bearer, proofs, cookie, origin, site, host


def _cookie(header: str, wanted: str) -> str | None:
    for part in header.split(";"):
        name, _, value = part.strip().partition("=")
        if name == wanted:
            return value
    return None
