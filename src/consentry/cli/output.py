"""How commands speak: one JSON document or plain lines on standard output, prose on standard error."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from consentry.actions import Json

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def document(value: Json) -> None:
    """Print the one JSON document of `--json`."""
    import orjson

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def say(text: str) -> None:
    """A result, on standard output."""
    typer.echo(text)


def tell(text: str) -> None:
    """Prose and progress, on standard error."""
    typer.echo(text, err=True)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns; the last one is not padded."""
    lines = [tuple(heads), *(tuple(plain(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    for line in lines:
        say("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def plain(text: str) -> str:
    """Text from elsewhere, safe for a terminal: control, bidi and invisible characters as escapes (threat D6)."""
    from consentry.consent.preview import visible

    return visible(text)


def moment(value: Json) -> str:
    """A time of the API (ISO 8601 or milliseconds) as local wall time, or `-`."""
    if isinstance(value, int | float):
        at = datetime.fromtimestamp(value / 1000, UTC)
    elif isinstance(value, str):
        at = datetime.fromisoformat(value)
    else:
        return "-"
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def span_ms(text: str, option: str) -> int:
    """`30s`, `15m`, `2h`, `7d` in milliseconds. Raises `InvalidInput` naming the option."""
    from consentry.errors import InvalidInput
    from consentry.policy.annotations import Malformed, duration

    try:
        return duration(text)
    except Malformed:
        raise InvalidInput(f"`{option}` must read like 30s, 15m, 2h or 7d") from None
