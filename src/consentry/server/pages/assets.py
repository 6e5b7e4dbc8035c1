"""The files that a browser loads: named by their content, so that they may be kept for ever and never be stale.

Style sheets are joined into one file in the order of their names. Nothing is fetched from elsewhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.responses import Response

from consentry.errors import NotFound

PREFIX = "/static/"
STYLES = "app.css"

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}


class UnknownAsset(NotFound):
    """No file of the pages has this name; it may be of another version."""

    code = "unknown_asset"


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent: `path` holds the first 12 hex digits of the SHA-256 of `body`."""

    path: str
    body: bytes
    media_type: str


@cache
def by_name() -> Mapping[str, Asset]:
    """Every asset by the name under which templates ask for it, such as `live.js`."""
    static = files(__package__).joinpath("static")
    styles = b"\n".join(sheet.read_bytes() for sheet in _in(static.joinpath("css")))
    bodies = {STYLES: styles}
    for folder in ("js", "vendor", "images"):
        bodies.update({file.name: file.read_bytes() for file in _in(static.joinpath(folder))})
    return {name: _asset(name, body) for name, body in bodies.items()}


@cache
def _by_path() -> Mapping[str, Asset]:
    return {asset.path: asset for asset in by_name().values()}


def url(name: str) -> str:
    """Where the browser finds the asset."""
    return PREFIX + by_name()[name].path


def respond(path: str) -> Response:
    """The answer to `GET /static/{path}`. Raises `UnknownAsset`."""
    asset = _by_path().get(path)
    if asset is None:
        raise UnknownAsset("`path` names no file of this version: reload the page")
    return Response(
        asset.body,
        media_type=asset.media_type,
        headers={"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"},
    )


def _asset(name: str, body: bytes) -> Asset:
    stem, _, suffix = name.rpartition(".")
    return Asset(f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{suffix}", body, _TYPES[suffix])


def _in(folder: Traversable) -> list[Traversable]:
    if not folder.is_dir():
        return []
    return sorted((file for file in folder.iterdir() if file.is_file()), key=lambda file: file.name)
