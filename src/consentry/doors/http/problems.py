"""Errors as callers of an HTTP API see them: problem documents (RFC 9457) with a stable `code`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson

from consentry.actions import Json
from consentry.errors import ConsentryError

MEDIA = "application/problem+json"
INSIDE = "something failed inside the door; nothing was done that is not on the action. The log has the details"


def document(error: BaseException, more: Mapping[str, Json]) -> dict[str, Json]:
    """The members of the problem. What is not a `ConsentryError` says nothing of itself.

    `error` repeats them where the SDKs of language models look.
    """
    known = isinstance(error, ConsentryError)
    code = error.code if isinstance(error, ConsentryError) else "internal"
    detail = (str(error) if known else INSIDE).encode("utf-8", "replace").decode("utf-8")
    return {
        "type": f"urn:consentry:problem:{code}",
        "title": HTTPStatus(status_of(error)).phrase,
        "status": status_of(error),
        "detail": detail,
        "code": code,
        "error": {"type": code, "code": code, "message": detail},
        **more,
    }


def status_of(error: BaseException) -> int:
    return error.status if isinstance(error, ConsentryError) else 500


def answer(
    error: BaseException, more: Mapping[str, Json], headers: Mapping[str, str]
) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body."""
    body = orjson.dumps(document(error, more))
    fixed = [("content-type", MEDIA), ("content-length", str(len(body))), ("cache-control", "no-store")]
    if status_of(error) == HTTPStatus.UNAUTHORIZED:
        fixed.append(("www-authenticate", "Bearer"))
    return status_of(error), [*fixed, *headers.items()], body


def event(error: BaseException, more: Mapping[str, Json]) -> bytes:
    """The same as the last event of a stream that has begun."""
    return b"event: error\ndata: " + orjson.dumps(document(error, more)) + b"\n\n"
