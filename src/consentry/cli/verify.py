"""`consentry verify`: offline, with nothing but the file and the log's public key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consentry.cli.output import AsJson, document, say, tell

if TYPE_CHECKING:
    from consentry.ledger.report import Report

KEY_FILE = "ledger.vkey"


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command("verify")(verify)


def verify(
    subject: Annotated[Path, typer.Argument(metavar="RECEIPT_OR_BUNDLE", help="A receipt, a bundle, or a tile tree.")],
    key: Annotated[
        Path | None,
        typer.Option("--key", help="The log's public keys (`ledger.vkey`), from somewhere other than the file itself."),
    ] = None,
    known: Annotated[
        list[Path] | None,
        typer.Option("--known", help="A checkpoint that you kept: the log must extend it. May be given again."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether it is valid (0), tampered (5), or unverifiable (6). Needs no server and no network."""
    import gc

    from consentry.ledger.verify import verify_path

    gc.disable()  # a verifier makes no cycles, and looking for them would take a third of the time of a long log
    report = verify_path(subject, key, tuple(_read(one) for one in known or ()))
    if as_json:
        document(report.to_json())  # type: ignore[arg-type]
    else:
        _show(report, subject, key)
    raise typer.Exit(report.exit_code)


def _show(report: Report, subject: Path, key: Path | None) -> None:
    say(f"{report.outcome.value}: {report.subject} {subject.name}")
    for finding in report.findings:
        say(f"  {finding.outcome.value} at {finding.where}: {finding.message} [{finding.code}]")
    if report.origin:
        say(f"  log {report.origin} at size {report.size}")
    say(f"  checked {report.entries} entries, {report.checkpoints} checkpoints, {report.disclosures} disclosures")
    if key is None:
        tell(f"give the log's key with `--key {KEY_FILE}`: a file cannot vouch for itself")


def _read(path: Path) -> bytes:
    from consentry.errors import InvalidInput

    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"`{path}` cannot be read: {error.strerror}") from None
