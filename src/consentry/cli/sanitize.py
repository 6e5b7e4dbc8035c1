"""`consentry scan` and `consentry sanitize`: find personal data and secrets in files, and transform them."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from consentry.actions import Json
    from consentry.sanitize.files.run import Refused
    from consentry.sanitize.files.tally import FileReport
    from consentry.sanitize.profiles import Profile

FAILED, USAGE = 1, 2

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Report = Annotated[Path | None, typer.Option("--report", help="Write an HTML report of what was found, masked.")]
Workers = Annotated[int, typer.Option("--workers", min=1, max=256, help="Processes that share one file.")]
Encoding = Annotated[str, typer.Option("--encoding", help="Of text, JSON and CSV: utf-8, latin-1, cp1252, …")]
Names = Annotated[bool, typer.Option("--names/--no-names", help="Look for names, places and organisations.")]
ProfileName = Annotated[str | None, typer.Option("--profile", help="A built-in profile or one of CONSENTRY_PROFILES.")]
Rules = Annotated[Path | None, typer.Option("--rules", help="A profile as a TOML file.")]


def register(app: typer.Typer) -> None:
    """Add both commands to `app`."""
    app.command()(scan)
    app.command()(sanitize)


def scan(
    paths: Annotated[list[Path], typer.Argument(help="Files and folders.", metavar="PATH...")],
    min_score: Annotated[float, typer.Option("--min-score", min=0, max=1, help="Least score to report.")] = 0.5,
    profile: ProfileName = None,
    rules: Rules = None,
    names: Names = True,
    workers: Workers = 1,
    encoding: Encoding = "utf-8",
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Find personal data and secrets in files, without changing anything."""
    chosen = replace(_profile(profile, rules, "default"), min_score=min_score)
    chosen = replace(chosen, names=names and chosen.names)
    done, refused = _run([(path, None) for path in paths], chosen, workers, encoding, changes=False)
    _tell(done, refused, None, report, as_json, title=f"Found in {_title(paths, done, refused)}")


def sanitize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A file or a folder.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="Where it goes; appears when it is complete.")],
    profile: ProfileName = None,
    rules: Rules = None,
    key: Annotated[str | None, typer.Option("--key", help="The profile's key, as env:NAME or file:PATH.")] = None,
    names: Names = True,
    workers: Workers = 1,
    encoding: Encoding = "utf-8",
    report: Report = None,
    as_json: AsJson = False,
) -> None:
    """Find and transform personal data and secrets in files."""
    chosen = _profile(profile, rules, "default")
    chosen = replace(chosen, names=names and chosen.names, key=key or chosen.key)
    done, refused = _run([(source, target)], chosen, workers, encoding, changes=True)
    _tell(done, refused, chosen.name, report, as_json, title=f"Sanitized: {_title([source], done, refused)}")


def _profile(name: str | None, rules: Path | None, default: str) -> Profile:
    from consentry.sanitize import profiles

    if name is not None and rules is not None:
        typer.echo("error: give `--profile` or `--rules`, not both", err=True)
        raise typer.Exit(USAGE)
    return profiles.load(rules if rules is not None else name or default)


def _run(
    pairs: Sequence[tuple[Path, Path | None]], profile: Profile, workers: int, encoding: str, changes: bool
) -> tuple[list[FileReport], list[Refused]]:
    from consentry.sanitize.files.run import Job, files_under, run_tree
    from consentry.sanitize.transforms import KeyRing

    for source, _ in pairs:
        if not source.exists():
            typer.echo(f"error: there is no `{_visible(str(source))}`", err=True)
            raise typer.Exit(USAGE)
    total = sum(one.stat().st_size for path, _ in pairs for one in (files_under(path) if path.is_dir() else [path]))
    keys = KeyRing.from_reference(profile.key)
    done: list[FileReport] = []
    refused: list[Refused] = []
    with _ending_on_term(), _progress(total) as (advance, on_done):
        job = Job(profile, workers, encoding, changes, keys, advance=advance)
        for source, target in pairs:
            some, others = run_tree(source, target, job, on_done)
            done += some
            refused += others
    return done, refused


@contextmanager
def _ending_on_term() -> Iterator[None]:
    """A request to end is as an interrupt: what is half written goes. Handlers are the main thread's to set."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # so that a second one does not end the clearing up
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _progress(total: int) -> Iterator[tuple[Callable[[int], None], Callable[[FileReport | Refused], None]]]:
    """A bar on standard error where that is a terminal, else silence."""
    if not sys.stderr.isatty():
        yield (lambda _: None), (lambda _: None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=total)

        def on_done(one: FileReport | Refused) -> None:
            bar.update(task, description=_visible(Path(one.path).name))

        yield (lambda count: bar.advance(task, count)), on_done


def _tell(
    done: Sequence[FileReport],
    refused: Sequence[Refused],
    profile: str | None,
    report: Path | None,
    as_json: bool,
    title: str,
) -> None:
    if report is not None:
        _write_report(done, refused, profile, report, title)
    if as_json:
        import orjson

        document = {"files": [_file(one) for one in done], "refused": [_refused(one) for one in refused]}
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _table(done, refused)
    for one in refused:
        typer.echo(f"refused: {_visible(one.reason)} [{one.code}]", err=True)
    raise typer.Exit(FAILED if refused else 0)


def _table(done: Sequence[FileReport], refused: Sequence[Refused]) -> None:
    """What was found, by type and place, on standard error."""
    from rich.console import Console
    from rich.table import Table

    from consentry.sanitize.files.tally import merged

    console = Console(stderr=True, highlight=False)
    whole = merged(one.tally for one in done)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for head, side in (("type", "left"), ("found", "right"), ("score", "right"), ("where", "left"), ("done", "left")):
        table.add_column(head, justify="right" if side == "right" else "left", overflow="fold")
    for entity, count in whole.by_type().items():
        rows = [(place, seen) for (place, kind, _), seen in whole.seen.items() if kind == entity]
        rows.sort(key=lambda row: -row[1].count)
        places = ", ".join(dict.fromkeys(place or "text" for place, _ in rows[:4])) + (" …" if len(rows) > 4 else "")
        ways = ", ".join(sorted({seen.done for _, seen in rows}))
        score = max(seen.score for _, seen in rows)
        table.add_row(entity, f"{count:,}", f"{score:.2f}", _markup(places), ways)
    if whole.seen:
        console.print(table)
    files = f"{len(done)} file{'' if len(done) == 1 else 's'}"
    console.print(f"{whole.total:,} findings in {files}, {whole.values:,} values looked at", markup=False)
    for note in whole.notes:
        console.print(f"note: {_visible(note)}", markup=False)


def _markup(text: str) -> str:
    from rich.markup import escape

    return escape(_visible(text))


def _write_report(
    done: Sequence[FileReport], refused: Sequence[Refused], profile: str | None, path: Path, title: str
) -> None:
    from datetime import datetime

    from consentry.sanitize import report

    made = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    pairs = [(one.shown, one.reason.replace(one.path, one.shown)) for one in refused]
    report.write(report.Overview(title, made, profile, done, pairs), path)


def _file(one: FileReport) -> dict[str, Json]:
    findings: list[Json] = [
        {
            "where": place,
            "type": entity,
            "subtype": subtype or None,
            "count": seen.count,
            "score": round(seen.score, 3),
            "done": seen.done,
            "reason": seen.reason,
            "masked": _texts(seen.previews),
        }
        for (place, entity, subtype), seen in sorted(one.tally.seen.items())
    ]
    columns: list[Json] = [
        {
            "column": verdict.column,
            "type": verdict.type,
            "role": verdict.role,
            "confidence": verdict.confidence,
            "reasons": _texts(verdict.reasons),
        }
        for verdict in one.verdicts
    ]
    return {
        "path": one.path,
        "format": one.format,
        "bytes": one.size,
        "out": one.out,
        "found": one.tally.total,
        "values": one.tally.values,
        "findings": findings,
        "columns": columns,
        "notes": _texts(one.tally.notes),
    }


def _texts(texts: Sequence[str]) -> list[Json]:
    return [*texts]


def _refused(one: Refused) -> dict[str, Json]:
    return {"path": one.path, "code": one.code, "reason": one.reason}


def _title(paths: Sequence[Path], done: Sequence[FileReport], refused: Sequence[Refused]) -> str:
    """The names of what was looked at, as reports may show them."""
    shown = {Path(one.path): Path(one.shown) for one in done} | {Path(one.path): Path(one.shown) for one in refused}
    names = []
    for path in paths[:3]:
        inside = next((one for full, one in shown.items() if full.is_relative_to(path)), None)
        names.append(inside.parts[len(path.parts) - 1] if inside is not None and path.parts else "a folder")
    return ", ".join(names) + (" …" if len(paths) > 3 else "")


def _visible(text: str) -> str:
    from consentry.sanitize.report.page import visible

    return visible(text)
