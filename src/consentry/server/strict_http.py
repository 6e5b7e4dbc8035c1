"""The main server's HTTP, a little stricter than RFC 9112 asks: targets in origin form only (threat H8)."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class StrictHttp(HttpToolsProtocol):
    """Refuses a target that names a scheme and host: uvicorn would drop them, and nobody behind could see them."""

    def on_headers_complete(self) -> None:
        if not self.url.startswith(b"/"):
            raise ValueError("the target is not in origin form")  # answered with 400, like all that is no HTTP
        super().on_headers_complete()
