"""The log where it cannot be written as it is meant to."""

from __future__ import annotations

import io
import logging

import pytest

from consentry.server.logs import Handler, JsonFormatter

SECRET = "ada@example.org"


def line(stream: io.TextIOBase) -> None:
    """Log while an error is under way whose message holds what nobody may read."""
    handler = Handler(stream)
    handler.setFormatter(JsonFormatter())
    record = logging.LogRecord("consentry", logging.ERROR, __file__, 1, "söme_event", None, None)
    try:
        raise ValueError(SECRET)
    except ValueError:
        handler.handle(record)


def test_a_closed_stream_makes_nobody_quote_the_errors_under_way(capsys) -> None:
    stream = io.StringIO()
    stream.close()
    line(stream)
    assert "".join(capsys.readouterr()) == ""


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_line_that_the_stream_cannot_hold_is_told_as_lost(capsys, encoding) -> None:
    data = io.BytesIO()
    stream = io.TextIOWrapper(data, encoding=encoding)
    line(stream)
    stream.flush()
    lost = '{"level":"error","event":"log_line_lost"}\n'
    assert (data.getvalue().decode() == lost) == (encoding == "ascii")
    assert SECRET not in data.getvalue().decode() + "".join(capsys.readouterr())
