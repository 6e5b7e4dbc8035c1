"""The one base of every error that Consentry raises on purpose, and what a log may say of any other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

LOG_FIELDS: Final = "consentry_fields"
"""The attribute of a log record that holds what is told beside the event: ids, codes, numbers and places."""
_PLACES = 8


class ConsentryError(Exception):
    """Something that a reader can act on.

    The message is a lower-case clause that names the input in backticks and says what to do. It never holds a
    sensitive value: it may be logged, shown and sent. `code` is stable and is what programs compare.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    """The HTTP status that the API answers with."""


class InvalidInput(ConsentryError):
    """The input cannot be understood; nothing was done."""

    code = "invalid_input"
    status = 400


class NotFound(ConsentryError):
    """There is no such thing, or the asker may not know of it."""

    code = "not_found"
    status = 404


class Unavailable(ConsentryError):
    """A part that the answer needs is down; the action is denied meanwhile."""

    code = "unavailable"
    status = 503


def coded(code: str, **fields: str) -> Mapping[str, Mapping[str, object]]:
    """The `extra` of a log call about an error of ours."""
    return {LOG_FIELDS: {"code": code, **fields}}


def traced(error: BaseException) -> Mapping[str, Mapping[str, object]]:
    """The `extra` of a log call about an unexpected error: its type and where it was raised.

    Never its text, nor `exc_info`, whose text every formatter but ours prints: a library quotes in it whatever it was
    given (invariant 10).
    """
    return {LOG_FIELDS: {"error": type(error).__name__, "at": places(error)}}


def places(error: BaseException) -> list[str]:
    """Where an error came from: file and line of each frame, innermost last."""
    found = []
    trace = error.__traceback__
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        _, mark, inside = path.rpartition("/consentry/")
        found.append(f"{inside if mark else path.rpartition('/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return found[-_PLACES:]
