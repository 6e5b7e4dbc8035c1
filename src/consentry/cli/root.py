"""All commands by name, and the one way out: exit codes and error lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

import typer
from typer.core import TyperGroup

from consentry.errors import ConsentryError

if TYPE_CHECKING:
    from typer._click import Command, Context, HelpFormatter

DONE, FAILED, USAGE, DENIED, EXPIRED, TAMPERED, UNVERIFIABLE = range(7)
"""Exit codes; those of `verify` come from `consentry.ledger.report`."""

INTERRUPTED = 130

_EXIT_BY_CODE = {
    "denied": DENIED,
    "not_granted": DENIED,
    "withdrawn": DENIED,
    "revoked": DENIED,
    "void": DENIED,
    "operand_changed": DENIED,
    "already_claimed": DENIED,
    "not_admitted": DENIED,
    "expired": EXPIRED,
    "still_pending": EXPIRED,
    "invalid_fields": USAGE,
}


@dataclass(frozen=True, slots=True)
class Lazy:
    """Where a command is, and its line in `consentry --help`. The module adds it with `register(app)`."""

    module: str
    help: str


COMMANDS: Mapping[str, Lazy] = {
    "up": Lazy("up", "Start the server and the inbox."),
    "demo": Lazy("demo", "The whole story in one terminal: asked, paused, consented, sanitized, proved."),
    "doctor": Lazy("doctor", "Say what is wrong with this installation, and what to do."),
    "login": Lazy("session", "Sign in with a one-time link; keeps the session in your configuration folder."),
    "logout": Lazy("session", "End the session and forget it."),
    "whoami": Lazy("session", "Say who the server takes you for."),
    "requests": Lazy("requests", "List, show and decide requests."),
    "grants": Lazy("grants", "List, create and revoke grants."),
    "break-glass": Lazy("breakglass", "Perform at once what policy would ask people about; reviewed afterwards."),
    "run": Lazy("run", "Run a command once people consented to exactly that command."),
    "door": Lazy("door", "One door in the foreground: MCP on standard input and output, HTTP."),
    "policy": Lazy("policy", "Check, test, explain and replay policies."),
    "people": Lazy("people", "List, invite, link and disable people."),
    "groups": Lazy("groups", "List groups, and put people in and out of them."),
    "agents": Lazy("agents", "List, create, rotate and revoke agents."),
    "scan": Lazy("sanitize", "Find personal data and secrets in files."),
    "sanitize": Lazy("sanitize", "Find and transform personal data and secrets in files."),
    "ledger": Lazy("ledger", "The log: its checkpoint, proofs, export, and a server for auditors."),
    "verify": Lazy("verify", "Verify a receipt, a bundle or a tile tree, offline."),
}


class LazyGroup(TyperGroup):
    """Knows its commands by name and imports the one that is called."""

    def list_commands(self, ctx: Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> Command | None:
        return load(cmd_name) if cmd_name in COMMANDS else None

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.help) for name, lazy in COMMANDS.items()])


@cache
def _group(module: str) -> Mapping[str, Command]:
    """The commands that one module adds."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    app.callback()(lambda: None)
    import_module(f"consentry.cli.{module}").register(app)
    return cast("Mapping[str, Command]", typer.main.get_group(app).commands)


def load(name: str) -> Command:
    """The command of that name."""
    return _group(COMMANDS[name].module)[name]


def build() -> typer.Typer:
    """The root command."""
    app = typer.Typer(
        name="consentry",
        cls=LazyGroup,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 denied, 4 expired, 5 tampered, 6 unverifiable.",
    )
    app.callback()(_root)
    return app


def _version(wanted: bool) -> None:
    if wanted:
        from consentry import __version__

        typer.echo(f"consentry {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
) -> None:
    """Privileged actions of agents and pipelines happen when verified people consent to exactly that action."""


def run(argv: Sequence[str]) -> int:
    """Run one command; answers the exit code. Never a traceback, unless `CONSENTRY_DEBUG` asks for it."""
    try:
        build()(args=list(argv), prog_name="consentry", standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else DONE if end.code is None else FAILED
    except ConsentryError as error:
        for line in _lines(error):
            _complain(line)
        return exit_code(error)
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        _hush()
        return FAILED
    except Exception as error:
        if os.environ.get("CONSENTRY_DEBUG"):
            raise
        _complain(f"a defect in Consentry (`{type(error).__name__}`): set CONSENTRY_DEBUG=1 to see where [defect]")
        return FAILED
    return DONE


def exit_code(error: ConsentryError) -> int:
    """3 denied, 4 expired, 2 where the input was at fault, else 1."""
    return _EXIT_BY_CODE.get(error.code, USAGE if error.status == 400 else FAILED)


def _lines(error: ConsentryError) -> list[str]:
    """What is said of an error: one line, but for policies, which have one for each thing that is wrong with them."""
    from consentry.policy.problems import PolicyInvalid

    if isinstance(error, PolicyInvalid):
        return [str(problem) for problem in error.problems]
    return [f"{error} [{error.code}]"]


def _hush() -> None:
    """Nobody reads any more: what is still buffered goes nowhere, and exiting says nothing."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _complain(text: str) -> None:
    typer.echo(f"error: {text}", err=True)
