"""One file, or a folder of them, looked at or sanitized."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from consentry.errors import ConsentryError
from consentry.sanitize.columns import Verdict
from consentry.sanitize.files import decode
from consentry.sanitize.files.ahead import ahead
from consentry.sanitize.files.atomic import appearing
from consentry.sanitize.files.cleaner import Cleaner, Engines, Recipe
from consentry.sanitize.files.engines import build_engines
from consentry.sanitize.files.formats import Format, format_of
from consentry.sanitize.files.pool import Done, ordered
from consentry.sanitize.files.problems import FileUnreadable, OutputInUse
from consentry.sanitize.files.survey import verdicts_of
from consentry.sanitize.files.tally import FileReport, Tally
from consentry.sanitize.files.veiled import veiled, veiled_path, without_values
from consentry.sanitize.profiles import Profile
from consentry.sanitize.transforms import KeyRing

MAX_DOCUMENT: Final = 512 << 20
"""Bytes of one `.json` document, which is read whole; use JSON Lines for more."""

_SIDECARS: Final = frozenset({"_metadata", "_common_metadata", "_SUCCESS", ".DS_Store"})
Advance = Callable[[int], None]
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Job:
    """How to go about it. `advance` is told bytes of input as they are done."""

    profile: Profile
    workers: int = 1
    encoding: str = "utf-8"
    changes: bool = True
    keys: KeyRing | None = None
    engines: Callable[[Profile], Engines] | None = None
    advance: Advance = field(default=lambda _: None)

    def recipe(self) -> Recipe:
        keys = self.keys or KeyRing.from_reference(self.profile.key)
        return Recipe(self.profile, keys, self.engines or build_engines, self.changes)


@dataclass(frozen=True, slots=True)
class Refused:
    """A file of a folder that could not be done, and why; nothing of it was written. `shown` is the path for pages
    that others read."""

    path: str
    code: str
    reason: str
    shown: str = ""


def run_file(source: Path, target: Path | None, job: Job, recipe: Recipe, cleaner: Cleaner) -> FileReport:
    """One file. Without a target it is only looked at. Raises `ConsentryError`; then no target appears."""
    if target is not None and target.exists() and target.samefile(source):
        raise OutputInUse(f"the output `{target}` is the input; name another file")
    kind = format_of(source)
    size = source.stat().st_size
    task = _Task(source, kind, job, recipe, cleaner, size)
    with ExitStack() as stack:
        out = stack.enter_context(appearing(target)) if target is not None else None
        verdicts = task.run(out)
    report = FileReport(str(source), kind, size, None if target is None else str(target), task.tally, verdicts)
    return without_values(report, cleaner.engines.full)


def run_tree(
    source: Path, target: Path | None, job: Job, on_done: Callable[[FileReport | Refused], None] = lambda _: None
) -> tuple[list[FileReport], list[Refused]]:
    """A file, or every file under a folder. In a folder, files that cannot be read are refused and the others done.

    Raises `ConsentryError` where the source is a single file that cannot be done.
    """
    recipe = job.recipe()
    cleaner = recipe.cleaner()
    if not source.is_dir():
        report = run_file(source, target, job, recipe, cleaner)
        on_done(report)
        return [report], []
    if target is not None and target.resolve().is_relative_to(source.resolve()):
        raise OutputInUse(f"the output `{target}` lies in the input; name a folder outside it")
    done: list[FileReport] = []
    refused: list[Refused] = []
    taken: set[Path] = set()
    for path in files_under(source):
        try:
            place = None if target is None else _mirrored(path.relative_to(source), target, cleaner, taken)
            done.append(run_file(path, place, job, recipe, cleaner))
            on_done(done[-1])
        except (ConsentryError, OSError) as error:
            cleaner.take_tally()
            code = error.code if isinstance(error, ConsentryError) else "file_unreadable"
            text = str(error) if isinstance(error, ConsentryError) else f"`{path}` cannot be read: {error.strerror}"
            shown = veiled_path(str(path), cleaner.engines.full)
            refused.append(Refused(str(path), code, _without_values(text, str(path), cleaner), shown))
            on_done(refused[-1])
    return done, refused


def _without_values(reason: str, path: str, cleaner: Cleaner) -> str:
    """A reason with the names of columns in it looked at, for patterns only: our own words are no names of people.

    The path stays: somebody has to find the file.
    """
    parts = reason.split(path)
    shown = veiled(parts, cleaner.engines.codes)
    return path.join(shown[part] for part in parts)


def files_under(folder: Path) -> list[Path]:
    """Regular files in a fixed order, without links out of the folder and without sidecars that hold old statistics."""
    return sorted(
        path for path in folder.rglob("*") if path.is_file() and not path.is_symlink() and path.name not in _SIDECARS
    )


def _mirrored(relative: Path, target: Path, cleaner: Cleaner, taken: set[Path]) -> Path:
    """The place in the output folder. Names of folders and files can hold values (`email=ada@…/`) and are sanitized."""
    parts = []
    for part in relative.parts:
        key, equals, value = part.partition("=")
        new = key + equals + cleaner.cells([value], "(folder names)", path=(key,))[0] if equals else part
        new = new if equals else _clean_name(part, cleaner)
        parts.append(new.replace("/", "_"))
    place = target.joinpath(*parts)
    stem, count = place.stem, 1
    while place in taken:
        count += 1
        place = place.with_name(f"{stem}_{count}{place.suffix}")
    taken.add(place)
    return place


def _clean_name(name: str, cleaner: Cleaner) -> str:
    """A name without its ending first: with it, `ada@example.org.csv` is no mailbox under a domain that there is."""
    stem, dot, ending = name.rpartition(".")
    if stem and ending.isalnum():
        name = cleaner.cells([stem], "(file names)")[0] + dot + ending
    return cleaner.cells([name], "(file names)")[0]


class _Task:
    """One file under way: its counts and how each format goes."""

    def __init__(self, source: Path, kind: Format, job: Job, recipe: Recipe, cleaner: Cleaner, size: int) -> None:
        self.source, self.kind, self.job, self.recipe, self.cleaner = source, kind, job, recipe, cleaner
        self.tally = Tally()
        self._size = size
        self._told = 0

    def run(self, out: BinaryIO | None) -> tuple[Verdict, ...]:
        run = {
            "text": self._text,
            "json": self._json,
            "jsonl": self._lines,
            "csv": self._csv,
            "parquet": self._parquet,
            "arrow": self._arrow,
        }[self.kind]
        verdicts = run(out)
        self.tally.merge(self.cleaner.take_tally())
        self._advance_to(self._size)
        return verdicts

    def _text(self, out: BinaryIO | None) -> tuple[Verdict, ...]:
        from consentry.sanitize.files import text

        encoding = self._encoding()
        parts = text.text_parts(self.source, self.cleaner, encoding)
        self._bytes(out, self._each(parts, text.work(self.source, encoding)))
        return ()

    def _lines(self, out: BinaryIO | None) -> tuple[Verdict, ...]:
        from consentry.sanitize.files import json_lines

        encoding = self._encoding()
        plan = json_lines.survey_lines(self.source, self.cleaner, encoding)
        parts = json_lines.line_parts(self.source)
        self._bytes(out, self._each(parts, json_lines.work(self.source, encoding, plan)))
        return verdicts_of(plan)

    def _json(self, out: BinaryIO | None) -> tuple[Verdict, ...]:
        from consentry.sanitize.files import json_lines

        if self._size > MAX_DOCUMENT:
            raise FileUnreadable(
                f"`{self.source}` is one JSON document of over {MAX_DOCUMENT >> 20} MiB; write it as JSON Lines"
            )
        encoding = self._encoding()
        data = self.source.read_bytes()
        bom = decode.UTF8_BOM if data.startswith(decode.UTF8_BOM) else b""
        text = decode.decoded(self.source, data[len(bom) :], encoding, len(bom), 1)
        new, plan = json_lines.clean_document(text, self.cleaner, self.source, encoding)
        if out is not None:
            out.write(bom + new.encode(encoding))
        return verdicts_of(plan)

    def _csv(self, out: BinaryIO | None) -> tuple[Verdict, ...]:
        from consentry.sanitize.files import delimited

        encoding = self._encoding()
        dialect, plan = delimited.open_dialect(self.source, self.cleaner, encoding)
        parts = delimited.record_parts(self.source)
        self._bytes(out, self._each(parts, delimited.work(self.source, encoding, dialect, plan)))
        return verdicts_of(plan)

    def _parquet(self, out: BinaryIO | None) -> tuple[Verdict, ...]:
        from consentry.sanitize.files import parquet

        file = parquet.opened(self.source)
        plan = parquet.survey_file(file, self.source, self.cleaner)
        # Two are best spent on threads: pyarrow reads and writes without the interpreter, and nothing is sent around.
        workers = self.job.workers if self.job.workers > 2 else 1
        if workers > 1 and file.num_row_groups >= 2 * workers:
            results = self._each(range(file.num_row_groups), parquet.group_work(self.source, plan), workers)
        elif self.job.workers > 1:
            results = ahead(self._each(ahead(parquet.batches(file, self.source)), parquet.batch_work(plan), workers))
        else:
            results = self._each(parquet.batches(file, self.source), parquet.batch_work(plan))
        total = max(1, file.metadata.num_rows)
        counted = self._counted(results, lambda made: sum(batch.num_rows for batch in made), total)
        if out is None:
            for _ in counted:
                pass
        else:
            parquet.write(out, file, counted, self.cleaner)
        return verdicts_of(plan)

    def _arrow(self, out: BinaryIO | None) -> tuple[Verdict, ...]:
        from consentry.sanitize.files import ipc

        schema, batches = ipc.read(self.source)
        first = list(islice(batches, 4))
        plan = ipc.survey_batches(first, self.source, self.cleaner)
        results = self._each(chain(first, batches), ipc.work(plan))
        if out is None:
            for _ in results:
                pass
        else:
            ipc.write(out, self.source, schema, results, self.cleaner)
        return verdicts_of(plan)

    def _encoding(self) -> str:
        encoding = decode.checked_encoding(self.job.encoding)
        with self.source.open("rb") as file:
            decode.refuse_wide(self.source, file.read(65_536))
        return encoding

    def _each(
        self, parts: Iterable[object], work: Callable[..., Result], workers: int | None = None
    ) -> Iterator[Result]:
        for done in ordered(parts, work, self.recipe, self.cleaner, workers or self.job.workers):
            yield self._taken(done)

    def _taken(self, done: Done[Result]) -> Result:
        self.tally.merge(done.tally)
        return done.result

    def _bytes(self, out: BinaryIO | None, results: Iterable[bytes]) -> None:
        for data in results:
            if out is not None:
                out.write(data)
            self._advance_to(min(self._size, self._told + len(data)))

    def _counted(self, results: Iterable[Result], rows: Callable[[Result], int], total: int) -> Iterator[Result]:
        seen = 0
        for result in results:
            seen += rows(result)
            yield result
            self._advance_to(self._size * min(seen, total) // total)

    def _advance_to(self, done: int) -> None:
        if done > self._told:
            self.job.advance(done - self._told)
            self._told = done
