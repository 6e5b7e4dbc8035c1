"""Routes that answer people: errors become pages, and who is not signed in is led to the sign-in page."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from consentry.errors import ConsentryError
from consentry.identity.errors import NotSignedIn
from consentry.server.pages.response import html, local_path, see_other


class PageRoute(APIRoute):
    """A route whose errors are for eyes."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except ConsentryError as error:
                return error_page(error, request)

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
    return html("error.html", status=error.status, title=_title(error), text=str(error), code=error.code, now_ms=0)


def _title(error: ConsentryError) -> str:
    if error.status == 404:
        return "There is nothing here"
    if error.status in (401, 403):
        return "That is not yours to do"
    if error.status >= 500:
        return "Something is down"
    return "That did not work"
