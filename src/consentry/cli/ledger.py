"""`consentry ledger`: checkpoint, prove, export, serve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from consentry.actions import Json
from consentry.cli.output import AsJson, document, say, tell

if TYPE_CHECKING:
    from consentry.server.settings import Settings

Data = Annotated[
    Path | None, typer.Option("--data", envvar="CONSENTRY_DATA", help="Data directory. Default: the platform's.")
]
Config = Annotated[Path | None, typer.Option("--config", help="Settings. Default: ./consentry.toml.")]


def register(app: typer.Typer) -> None:
    """Add the command group to `app`."""
    group = typer.Typer(
        help="The log: its checkpoint, proofs, export, and a server for auditors.", no_args_is_help=True
    )
    group.command("checkpoint")(checkpoint)
    group.command("prove")(prove)
    group.command("export")(export)
    group.command("serve")(serve)
    app.add_typer(group, name="ledger")


def checkpoint(as_json: AsJson = False) -> None:
    """Print the newest signed checkpoint of the server. Keep it: a later log must extend it."""
    from consentry.cli import api
    from consentry.ledger.checkpoint import read_checkpoint

    with api.connect(token="") as server:
        note = server.raw("/ledger/checkpoint")
    if as_json:
        one = read_checkpoint(note)
        document({"origin": one.origin, "size": one.size, "root": one.root.hex(), "note": note.decode()})
    else:
        typer.echo(note.decode(), nl=False)


def prove(
    action: Annotated[str, typer.Argument(metavar="ACTION_ID", help="The action, `act_…`.")],
    out: Annotated[Path | None, typer.Option("--out", help="Write it here rather than to standard output.")] = None,
) -> None:
    """Fetch an action's receipt: its entries, and the proof that they are in the log."""
    from consentry.cli import api
    from consentry.errors import InvalidInput

    with api.connect() as server:
        receipt = server.raw(api.at("receipts", action))
    if out is None:
        typer.echo(receipt.decode(), nl=False)
        return
    try:
        out.write_bytes(receipt)
    except OSError as error:
        raise InvalidInput(f"`{out}` cannot be written: {error.strerror}") from None
    tell(f"verify it with `consentry verify {out} --key ledger.vkey`")


def export(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new directory, or a `.zip` or `.tar` file.")],
    data: Data = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Write the whole log, to be verified and kept elsewhere. Works beside the data, with the server up or not."""
    import asyncio

    from consentry.consent.gate import Gate
    from consentry.errors import InvalidInput

    async def run(settings: Settings) -> int:
        from dataclasses import replace

        from consentry.server.build import gate_settings

        gate = await Gate.open(replace(gate_settings(settings), background=False))
        try:
            await gate.export_bundle(out)
            return await gate.ledger_size()
        finally:
            await gate.close()

    try:
        size = asyncio.run(run(_existing(data, config)))
    except FileExistsError:
        raise InvalidInput(f"`{out}` exists: an export is a new file or folder") from None
    except OSError as error:
        raise InvalidInput(f"`{out}` cannot be written: {error.strerror}") from None
    done: dict[str, Json] = {"path": str(out), "entries": size}
    document(done) if as_json else say(f"{size} entries are in {out}")


def serve(
    bundle: Annotated[
        Path | None, typer.Argument(metavar="[BUNDLE]", help="An exported bundle. Default: the log in the data.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes a free one.")] = 7273,
    data: Data = None,
    config: Config = None,
) -> None:
    """Serve the log to auditors as static files (C2SP tlog-tiles): it holds commitments only, so it may be public."""
    from consentry.cli.serving import serve_bundle, serve_store

    if bundle is not None:
        serve_bundle(bundle, host, port)
    else:
        serve_store(_existing(data, config).store_url, host, port)


def _existing(data: Path | None, config: Path | None) -> Settings:
    """The settings of an installation that is there: looking must not make one."""
    from consentry.errors import InvalidInput
    from consentry.server.settings import load

    settings = load(config, data_dir=data)
    if settings.store.url is None and not (settings.data_dir / "consentry.db").exists():
        raise InvalidInput(f"there is no installation in `{settings.data_dir}`: name it with `--data`")
    return settings
