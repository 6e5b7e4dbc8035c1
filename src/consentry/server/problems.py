"""Every error as a problem document (RFC 9457) with a stable `code`; nothing of the inside leaks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from consentry.errors import ConsentryError

MEDIA = "application/problem+json"


class FieldError(BaseModel):
    """What is wrong with one member of the input."""

    pointer: str = Field(description="where: `#/member/0` in the body, `?name` in the query")
    detail: str


class Problem(BaseModel):
    """An error, for programs by `code` and for people by `detail` (RFC 9457)."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": True})

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="stable; what programs compare")
    errors: list[FieldError] | None = None


class NotAcceptedMethod(ConsentryError):
    """The path exists, and does not take this method."""

    code = "method_not_allowed"
    status = 405


class UnknownPath(ConsentryError):
    """There is nothing at this path."""

    code = "not_found"
    status = 404


class UnsupportedMedia(ConsentryError):
    """The body's `Content-Type` is not one that the route reads."""

    code = "unsupported_media_type"
    status = 415


class InvalidBody(ConsentryError):
    """The body or query is well-formed and does not fit the schema."""

    code = "invalid_fields"
    status = 422

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(f"`{errors[0].pointer}`: {errors[0].detail}" if errors else "the input does not fit")
        self.errors = tuple(errors)


class CrossSite(ConsentryError):
    """Another site's page sent this, or a browser that does not say which one."""

    code = "cross_site"
    status = 403


class UnknownHost(ConsentryError):
    """The `Host` header names another server (DNS rebinding)."""

    code = "unknown_host"
    status = 421


class TooManyAttempts(ConsentryError):
    """Too many attempts failed; wait as long as `Retry-After` says."""

    code = "too_many_attempts"
    status = 429

    def __init__(self, seconds: int) -> None:
        super().__init__(f"too many attempts failed: try again in {seconds} seconds")
        self.seconds = seconds


class Internal(ConsentryError):
    """A defect: what it was is in the log, and nowhere else."""

    code = "internal"
    status = 500

    def __init__(self) -> None:
        super().__init__("something failed inside; nothing was done that is not on the action. The log has the details")


def problem_of(error: ConsentryError) -> Problem:
    """An error as a document."""
    return Problem(
        type=f"urn:consentry:problem:{error.code}",
        title=HTTPStatus(error.status).phrase,
        status=error.status,
        detail=str(error).encode("utf-8", "replace").decode("utf-8"),
        code=error.code,
        errors=list(error.errors) if isinstance(error, InvalidBody) else None,
    )


def problem_response(error: BaseException, *, headers: Mapping[str, str] | None = None) -> Response:
    """The answer for an error. What is not a `ConsentryError` says nothing of itself."""
    if not isinstance(error, ConsentryError):
        error = Internal()
    document = problem_of(error).model_dump(exclude_none=True)
    return Response(orjson.dumps(document), error.status, {**_headers(error, error.status), **(headers or {})}, MEDIA)


def _headers(error: BaseException, status: int) -> dict[str, str]:
    headers = {"cache-control": "no-store"}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = str(getattr(error, "challenge", "Bearer"))
    if (seconds := getattr(error, "seconds", None)) is not None:
        headers["retry-after"] = str(seconds)
    return headers


def invalid(error: ValidationError, *, where: str) -> InvalidBody:
    """pydantic's complaints, by place; never the value, nor a name that the caller chose unless it is plain."""
    found = []
    for one in error.errors(include_input=False, include_url=False, include_context=False)[:20]:
        parts = [_plain(part) for part in one["loc"]]
        pointer = "?" + ".".join(parts) if where == "query" else "#" + "".join(f"/{part}" for part in parts)
        found.append(FieldError(pointer=pointer, detail=one["msg"].removeprefix("Value error, ")))
    return InvalidBody(found)


def _plain(part: int | str) -> str:
    text = str(part)[:64]
    return text if text.isascii() and text.replace("_", "").replace("-", "").isalnum() else "…"
