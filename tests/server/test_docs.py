"""docs/api.md names every route, and no route that does not exist."""

from __future__ import annotations

import re
from pathlib import Path

from consentry.server.routes import endpoints

TEXT = (Path(__file__).parents[2] / "docs" / "api.md").read_text("utf-8")
LAST_WORDS = {"enable", "merge", "revoke", "owner"}
"""Written after a comma, behind the path of a verb beside them."""


def _shape(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path.partition("?")[0])


def test_every_route_is_in_the_docs() -> None:
    named = {_shape(path) for path in re.findall(r"/[a-z0-9/_.{}: -]*(?:\{[^}]*\}[a-z/-]*)*", TEXT)}
    named = {path.strip() for path in named}
    for row in endpoints():
        shape = _shape(row.path)
        stem, _, last = shape.rpartition("/")
        beside = last in LAST_WORDS and any(path.startswith(stem) for path in named) and f"`{last}`" in TEXT
        assert shape in named or beside or shape == "/ledger/tile/{}", row.path


def test_every_path_of_the_docs_is_a_route() -> None:
    shapes = {_shape(row.path) for row in endpoints()} | {"/openapi.json"}
    for path in re.findall(r"`(?:[A-Z]+ )?(/v1/[^` ]+)", TEXT):
        assert _shape(path) in shapes, path
