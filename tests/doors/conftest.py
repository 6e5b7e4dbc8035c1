"""What both doors' tests read: the log, as a program that embeds the doors would write it."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

LOGGERS = ("consentry", "aiohttp", "asyncio", "uvicorn")


@pytest.fixture
def logged() -> Callable[[], AbstractContextManager[Callable[[], str]]]:
    """`with logged() as text:` after the server has started: `text()` is the log until now.

    By the standard formatter, which prints tracebacks with their texts, and with each record's own fields.
    """

    @contextmanager
    def listen() -> Iterator[Callable[[], str]]:
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter("%(name)s %(message)s %(consentry_fields)s", defaults=NOTHING))
        loggers = [logging.getLogger(name) for name in LOGGERS]
        levels = [one.level for one in loggers]
        for one in loggers:
            one.addHandler(handler)
            one.setLevel(logging.DEBUG)
        try:
            yield stream.getvalue
        finally:
            for one, level in zip(loggers, levels, strict=True):
                one.removeHandler(handler)
                one.setLevel(level)

    return listen


NOTHING = {"consentry_fields": ""}
