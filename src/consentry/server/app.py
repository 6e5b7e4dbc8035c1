"""The application: the table of routes behind one guard, the pages behind the same guard, one edge around all."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consentry.actions import Kind
from consentry.consent.errors import NotAllowed
from consentry.errors import ConsentryError, NotFound, Unavailable, traced
from consentry.identity.errors import NotSignedIn
from consentry.server.access import ANYBODY, PERSONS, Access
from consentry.server.auth import SESSION
from consentry.server.endpoint import Call, Endpoint, answer
from consentry.server.guard import let_in
from consentry.server.http_door import HttpDoor
from consentry.server.logs import log
from consentry.server.mcp import McpDoor
from consentry.server.openapi import endpoint as openapi_endpoint
from consentry.server.origin import check_host, known_hosts
from consentry.server.problems import Internal, NotAcceptedMethod, UnknownPath, problem_response
from consentry.server.routes import endpoints
from consentry.server.routes.scim import PREFIX as SCIM
from consentry.server.routes.scim import ScimDoor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from consentry.server.services import Services

ROUTE = "consentry.route"
"""Where the route's declared path is left in the scope, for metrics and logs."""
PAGE = "page"
"""What stands there for all pages."""
_PART = re.compile(r"[^\x00-\x1f\x7f/\\]{1,320}")
_API_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
]
_HSTS = (b"strict-transport-security", b"max-age=31536000")
OPEN_PAGES = ("/sign-in", "/sign-in/oidc/", "/sign-out", "/static/", "/favicon.ico")
"""Pages that anybody may open; every other one takes a person's session."""


class Resource:
    """All routes of one path: finds the method, lets the caller in, runs the handler."""

    def __init__(self, services: Services, path: str, rows: Iterable[Endpoint]) -> None:
        self._services = services
        self._path = path
        self.rows = {row.method: row for row in rows}
        get = self.rows.get("GET")
        if get is not None and get.media != "text/event-stream":  # which has no end to be the head of
            self.rows.setdefault("HEAD", get)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ROUTE] = self._path
        row = self.rows.get(scope["method"])
        if row is None:
            allowed = ", ".join(sorted(self.rows))
            refusal = NotAcceptedMethod(f"this path takes `{allowed}`")
            await problem_response(refusal, headers={"allow": allowed})(scope, receive, send)
            return
        who = await let_in(self._services, scope, row.access)
        parts = scope.get("path_params", {})
        if not all(_PART.fullmatch(part) for name, part in parts.items() if name != "path"):
            raise NotFound("there is nothing of this name")
        await answer(row, Call(self._services, scope, parts, who), receive, send)


class Pages:
    """The pages, which take a person's session unless they are among `OPEN_PAGES`."""

    def __init__(self, services: Services, pages: ASGIApp | None) -> None:
        self._services = services
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if self._pages is None or path.startswith(("/v1/", "/ledger/", SCIM)) or scope["type"] != "http":
            raise UnknownPath("there is nothing at this path: see `/openapi.json`")
        scope[ROUTE] = PAGE
        access = page_access(path)
        try:
            who = await let_in(self._services, scope, access)
        except NotSignedIn:
            if scope["method"] not in ("GET", "HEAD"):
                raise
            back = "" if path == "/" else f"?next={quote(path)}"
            answer = RedirectResponse(f"/sign-in{back}", 303, {"cache-control": "no-store"})
            await answer(scope, receive, send)
            return
        if not access.open and who is not None and who.kind is not Kind.PERSON:
            raise NotAllowed("pages are for persons: sign in as one")
        scope[SESSION] = who
        await self._pages(scope, receive, send)


def page_access(path: str) -> Access:
    """Who may open a page. INVARIANT: what is not named as open takes a person."""
    is_open = any(path == one or (one.endswith("/") and path.startswith(one)) for one in OPEN_PAGES)
    return ANYBODY if is_open else PERSONS


class Edge:
    """Around everything: the host's name, the security headers, errors as problems, one log line, one measurement.

    Paths without parts in them are looked up in `fixed`; `app` finds the others.
    """

    def __init__(self, app: ASGIApp, fixed: Mapping[str, ASGIApp], services: Services) -> None:
        self._app = app
        self._fixed = fixed
        self._services = services
        server = services.settings.server
        self._hosts = known_hosts(services.origin, server.host, server.hosts)
        self._headers = [*_API_HEADERS, _HSTS] if services.secure else _API_HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        headers = self._headers

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                given = message["headers"] = list(message.get("headers", ()))
                names = {name.lower() for name, _ in given}
                given.extend(one for one in headers if one[0] not in names)
            await send(message)

        try:
            check_host(_host(scope), self._hosts)
            await self._fixed.get(scope["path"], self._app)(scope, receive, send_on)
        except Exception as error:
            if status:
                log(logging.ERROR, "failed_midway", route=scope.get(ROUTE, "none"), error=type(error).__name__)
                raise
            await self._refuse(error, scope, receive, send_on)
        finally:
            seconds = time.perf_counter() - began
            route = scope.get(ROUTE, "none")
            self._services.metrics.observe(scope["method"] if route != "none" else "other", route, status, seconds)
            if status >= 500:
                log(logging.ERROR, "answered", method=scope["method"], route=route, status=status)

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        if isinstance(error, HTTPException):  # the pages' framework
            error = _of_framework(error)
        if not isinstance(error, ConsentryError):
            logging.getLogger("consentry").error("internal", extra=traced(error))
        elif isinstance(error, Unavailable):
            log(logging.WARNING, "unavailable", code=error.code, route=scope.get(ROUTE, "none"))
        await _answer(error, scope)(scope, receive, send)


def _answer(error: Exception, scope: Scope) -> Response:
    """A page where a browser asked for one, else a problem document."""
    if scope.get(ROUTE) != PAGE or "text/html" not in Headers(scope=scope).get("accept", ""):
        return problem_response(error)
    from consentry.server.pages.route import error_page

    return error_page(error if isinstance(error, ConsentryError) else Internal(), Request(scope))


async def _refuse_page(request: Request, error: Exception) -> Response:
    """What the pages' framework refuses by itself, such as a method."""
    assert isinstance(error, HTTPException)
    answer = _answer(_of_framework(error), request.scope)
    answer.headers.update(error.headers or {})
    return answer


def _of_framework(error: HTTPException) -> Exception:
    if error.status_code == 404:
        return UnknownPath("there is nothing at this path: see `/openapi.json`")
    if error.status_code == 405:
        return NotAcceptedMethod("this page does not take this method")
    return error


def _host(scope: Scope) -> str | None:
    found = [value for name, value in scope["headers"] if name == b"host"]
    return found[0].decode("latin-1") if len(found) == 1 else None


def table(services: Services) -> tuple[Endpoint, ...]:
    """Every route of the API, as it holds under these settings."""
    from dataclasses import replace

    rows = (*endpoints(), openapi_endpoint())
    if not services.settings.metrics.public:
        return rows
    return tuple(replace(row, access=ANYBODY) if row.path == "/metrics" else row for row in rows)


def create_app(services: Services) -> ASGIApp:
    """The whole server as one ASGI application. Its lifespan starts and stops the live events, not the gate."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            services.stop()
            await mcp.close()
            await http.close()
            await services.hub.close()

    mcp = McpDoor(services)
    http = HttpDoor(services)
    by_path: dict[str, list[Endpoint]] = {}
    for row in table(services):
        by_path.setdefault(row.path, []).append(row)
    resources = {path: Resource(services, path, rows) for path, rows in by_path.items()}
    fixed = {path: one for path, one in resources.items() if "{" not in path}
    routes = [Route("/mcp/{resource}", mcp)]  # the busiest first
    routes += [Route(path, http) for path in ("/http/{resource}", "/http/{resource}/{path:path}")]
    routes += [Route(path, one) for path, one in sorted(resources.items()) if "{" in path]
    if services.settings.identity.scim.token is not None:
        routes.append(Route(f"{SCIM}{{path:path}}", ScimDoor(services)))
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False
    app.router.default = Pages(services, _pages(services))
    # Errors are answered at the edge, so the framework's own layers around the router are left out.
    app.middleware_stack = app.router
    return Edge(app, fixed, services)


def _pages(services: Services) -> ASGIApp | None:
    """The pages, where they are installed."""
    from importlib.util import find_spec

    if find_spec("consentry.server.pages") is None or find_spec("jinja2") is None:
        return None
    from fastapi import FastAPI

    try:
        from consentry.server.pages.router import pages as router_of_pages
    except ImportError:
        return None
    pages = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    pages.include_router(router_of_pages())
    pages.state.services = services
    pages.add_exception_handler(HTTPException, _refuse_page)
    pages.router.redirect_slashes = False
    return pages
