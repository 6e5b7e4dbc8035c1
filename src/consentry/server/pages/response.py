"""Answers as HTML, with the headers that keep a page to itself."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, RedirectResponse, Response

from consentry.server.pages.templating import render

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""Own files only; nothing inline, nothing evaluated, nothing from elsewhere, in nobody's frame."""

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def html(template: str, *, status: int = 200, **values: object) -> Response:
    """A rendered template."""
    return HTMLResponse(render(template, **values), status_code=status, headers=dict(HEADERS))


def see_other(path: str) -> Response:
    """After a form: look there, by GET."""
    return RedirectResponse(path, status_code=303, headers={"Cache-Control": "no-store"})


def local_path(text: str | None) -> str:
    """`text` where it is a path of this server, else `/`: a link to us must not lead on to another site."""
    if not text or not text.startswith("/") or text.startswith("//") or "\\" in text or not text.isprintable():
        return "/"
    parts = urlsplit(text)
    return "/" if parts.scheme or parts.netloc else text
