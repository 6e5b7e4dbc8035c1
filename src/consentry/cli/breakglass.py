"""`consentry break-glass`: act now, answer for it."""

from __future__ import annotations

from typing import Annotated

import typer

from consentry.actions import Json
from consentry.cli.output import AsJson, document, moment, say, tell


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("break-glass")(break_glass)


def break_glass(
    operation: Annotated[str, typer.Argument(metavar="OPERATION", help="Such as `sql.ddl`.")],
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help="What it acts on.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it cannot wait; everybody who was skipped is told.")],
    argument: Annotated[
        list[str] | None,
        typer.Option("--argument", metavar="NAME=VALUE", help="An argument; the value is JSON, or text."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take the right to perform one exact action now. A review stays open until somebody else closes it."""
    from consentry.cli import api

    body: dict[str, Json] = {
        "operation": operation,
        "resource": resource,
        "arguments": dict(map(_argument, argument or ())),
        "reason": reason,
    }
    with api.connect() as server:
        decision = server.post("/v1/break-glass", body)
        taken = server.post(api.at("actions", str(decision["id"]), "claim"), {})
    if as_json:
        document({"decision": decision, "claim": taken})
        return
    say(f"action {decision['id']} is yours to perform until {moment(taken['lease_until'])}: claim {taken['claim_id']}")
    tell(f'say how it went: POST /v1/claims/{taken["claim_id"]}/outcome with {{"status": "succeeded"}} or failed')
    tell("everybody who was skipped is told; a review stays open until somebody else closes it")


def _argument(text: str) -> tuple[str, Json]:
    from consentry.actions import parse
    from consentry.errors import InvalidInput

    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidInput("`--argument` must read NAME=VALUE")
    try:
        return name, parse(value, what=name)
    except InvalidInput:
        return name, value
