"""The one base of every error that Consentry raises on purpose."""

from __future__ import annotations

from typing import ClassVar


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
