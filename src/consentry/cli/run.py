"""`consentry run -- COMMAND`: exactly this command, here, with these files, once, after consent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consentry.cli.output import span_ms, tell

if TYPE_CHECKING:
    from consentry.client.model import Decision


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("run", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})(run)


def run(
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND ARGS…", help="What to run, as it is.")],
    resource: Annotated[
        str | None, typer.Option("--resource", help="What it acts on. Default: `host/` and this machine's name.")
    ] = None,
    operation: Annotated[
        str | None, typer.Option("--operation", help="Default: `shell.exec`, or Terraform's own for `terraform`.")
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="For the people who decide.")] = None,
    wait: Annotated[str, typer.Option("--wait", help="How long to wait for people: 30s, 15m, 2h.")] = "15m",
    env: Annotated[
        list[str] | None, typer.Option("--env", help="Pass this variable; its value is shown and bound.")
    ] = None,
    secret_env: Annotated[
        list[str] | None, typer.Option("--secret-env", help="Pass this variable; only its name is shown and bound.")
    ] = None,
    operand: Annotated[
        list[Path] | None, typer.Option("--operand", help="Pin this file too: it must not change until the start.")
    ] = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read standard input whole, pin it, and pass it on.")] = False,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Run from the files themselves, checked just before, not from copies.")
    ] = False,
) -> None:
    """Run a command once people consented to exactly that command: program, arguments, folder, environment, files.

    Files among the arguments are pinned by hash when people are asked, hashed again at the start, and the command
    gets private copies of exactly those bytes. The environment is a few plain variables and what you name.
    """
    from consentry.cli import api
    from consentry.cli.shell import Chosen, Command, perform
    from consentry.client import Consentry, StillPending

    chosen = Chosen(tuple(env or ()), tuple(secret_env or ()), tuple(operand or ()), stdin, in_place)
    bound = Command.bind(command, chosen)
    url, token = api.credentials()
    with Consentry(url, token, on_pending=_waiting) as gate:
        admission = gate.admit(
            operation or bound.operation,
            resource=resource or bound.resource,
            arguments=bound.arguments,
            operands=bound.operands,
            reason=reason,
            wait_s=span_ms(wait, "--wait") / 1000,
        )
        try:
            with admission as claim:
                code = perform(bound, claim)
                claim.summary, claim.failed = f"exit {code}", code != 0
        except StillPending as error:
            raise StillPending(
                f"nobody decided within {wait}; request `{error.request_id}` stays open, and nothing runs when it is"
                f" decided: `consentry requests withdraw {error.request_id}`, and ask again with a longer `--wait`",
                action_id=error.action_id,
                request_id=error.request_id,
            ) from None
    if code:
        tell(f"the command ended with {code}")
        raise typer.Exit(1)


def _waiting(decision: Decision) -> None:
    for reason in decision.reasons:
        tell(f"paused: {reason.text}")
    tell(f"waiting for consent: {decision.url or decision.request_id}")
