"""Routes that answer people: errors become pages, and who is not signed in is led to the sign-in page."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from consentry.consent.errors import NotAllowed
from consentry.errors import ConsentryError, traced
from consentry.identity.errors import NotSignedIn
from consentry.server.pages.response import html, local_path, see_other
from consentry.server.problems import CrossSite, Internal

log = logging.getLogger("consentry")


class PageRoute(APIRoute):
    """A route whose errors are for eyes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except ConsentryError as error:
                return error_page(error, request)
            except (HTTPException, RequestValidationError):
                raise  # the framework's own, answered where it is set up
            except Exception as error:
                log.error("internal", extra=traced(error))
                return error_page(Internal(), request)

        return answer


def page_router() -> APIRouter:
    """A router of pages; they are no part of the API's description."""
    return APIRouter(route_class=PageRoute, include_in_schema=False, default_response_class=Response)


def error_page(error: ConsentryError, request: Request) -> Response:
    """What went wrong, in words. Nobody signed in: to the sign-in page, and back here afterwards."""
    if isinstance(error, NotSignedIn):
        path = request.url.path if request.method in ("GET", "HEAD") else "/"
        query = f"?{request.url.query}" if request.url.query and path != "/" else ""
        back = local_path(path + query)
        return see_other("/sign-in" if back == "/" else f"/sign-in?next={quote(back)}")
    values = {"title": _title(error), "text": str(error), "code": error.code, "elsewhere": _elsewhere(error)}
    answer = html("error.html", status=error.status, now_ms=0, **values)
    if (seconds := getattr(error, "seconds", None)) is not None:
        answer.headers["Retry-After"] = str(seconds)
    return answer


def _elsewhere(error: ConsentryError) -> tuple[str, str] | None:
    """Where else one could go on from here, and what to call it."""
    if isinstance(error, NotAllowed):
        return "/sign-in", "Sign in as somebody else"
    return None


def _title(error: ConsentryError) -> str:
    if error.status == 404:
        return "There is nothing here"
    if isinstance(error, CrossSite):
        return "That came from somewhere else"
    if error.status in (401, 403):
        return "That is not yours to do"
    if error.status >= 500:
        return "Something is down"
    return "That did not work"
