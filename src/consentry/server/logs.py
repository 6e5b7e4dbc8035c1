"""The structured log: one line an event on standard error, ids and our own words only (invariant 10)."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

import orjson

from consentry.errors import LOG_FIELDS, places
from consentry.server.settings import LogSettings

LOGGER = logging.getLogger("consentry")
FIELDS = LOG_FIELDS


def log(level: int, event: str, **fields: str | int | float | None) -> None:
    """Write one event. `fields` hold ids, codes and numbers, never what somebody typed."""
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, event, extra={FIELDS: fields})


class JsonFormatter(logging.Formatter):
    """One JSON object a line. A traceback is given by its places, without the values in its messages."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage() if record.name.startswith("consentry") else record.name,
        }
        line.update(getattr(record, FIELDS, {}))
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = type(record.exc_info[1]).__name__
            line["at"] = places(record.exc_info[1])
        return orjson.dumps(line, default=str).decode("utf-8")


class TextFormatter(logging.Formatter):
    """The same for people."""

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={value}" for name, value in getattr(record, FIELDS, {}).items())
        error = record.exc_info[1] if record.exc_info else None
        where = f" {type(error).__name__} {' '.join(places(error))}" if error is not None else ""
        return f"{record.levelname.lower():7} {record.getMessage()} {fields}{where}".rstrip()


class Handler(logging.StreamHandler[TextIO]):
    """Writes to a stream, and quotes nothing where that fails."""

    def handleError(self, record: logging.LogRecord) -> None:
        """The standard library would print the errors under way, with what their messages hold."""
        with suppress(OSError, ValueError):
            self.stream.write('{"level":"error","event":"log_line_lost"}\n')


def set_up(settings: LogSettings) -> None:
    """Send the package's and the server's log to standard error."""
    handler = Handler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.format == "json" else TextFormatter())
    for name in ("consentry", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
        logger.setLevel(settings.level.upper() if name == "consentry" else logging.WARNING)
