"""Structured types on the synthetic sets, recogniser cases, and false findings on clean text, with Presidio beside."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

import peer
import shared
from consentry.sanitize import Context, Engine, Sanitizer
from consentry.sanitize.patterns.detector import PatternDetector
from scoring import Counts, Span, Table

SETS = ("synth_v2_dev", "generated_large_dev")
STRUCTURED = (
    "CREDIT_CARD", "PHONE_NUMBER", "DATE_TIME", "EMAIL_ADDRESS", "IBAN_CODE", "US_SSN", "IP_ADDRESS", "URL",
    "US_DRIVER_LICENSE",
)  # fmt: skip
MORE = ("AGE", "POSTAL_CODE", "STREET_ADDRESS", "NRP", "TITLE")
CASES = ("recognizer_cases_dev", "recognizer_cases_other_dev")
CLEAN = "ner/wikigold_dev"
PRESIDIO_THRESHOLD = 0.4


def spans(record: dict[str, Any]) -> list[Span]:
    """The labelled spans of a record."""
    return [(one["start"], one["end"], one["type"]) for one in record["spans"]]


def ours(engine: Engine, text: str) -> list[Span]:
    """Our findings as spans."""
    return [(one.start, one.end, one.type) for one in engine.scan(text)]


def presidio(texts: list[str]) -> list[list[Span]] | None:
    """Presidio's findings as spans, overlaps resolved by score as its anonymizer does."""
    job = {"job": "patterns", "threshold": PRESIDIO_THRESHOLD, "items": [{"text": text} for text in texts]}
    answers = peer.ask("presidio_scan.py", job)
    if answers is None:
        return None
    return [_resolved(found) for found in answers]


def _resolved(found: list[list[Any]]) -> list[Span]:
    kept: list[Span] = []
    for start, end, label, _ in sorted(found, key=lambda one: (-one[3], one[0] - one[1], one[0])):
        if all(end <= left or start >= right for left, right, _ in kept):
            kept.append((start, end, label))
    return kept


def synthetic(console: Console, engine: Engine) -> None:
    """F2 by type on each synthetic set."""
    for name in SETS:
        records = list(shared.records(f"pii/{name}.jsonl"))
        mine = [ours(engine, record["text"]) for record in records]
        theirs = presidio([record["text"] for record in records])
        _print_set(console, name, [spans(record) for record in records], mine, theirs)


def _print_set(
    console: Console, name: str, wanted: list[list[Span]], mine: list[list[Span]], theirs: list[list[Span]] | None
) -> None:
    exact, half, peers = Table(), Table(), Table()
    for index, want in enumerate(wanted):
        exact.add(want, mine[index], 1.0)
        half.add(want, mine[index], 0.5)
        peers.add(want, theirs[index] if theirs else [], 0.5)
    grid = Grid(title=f"{name}: structured types", title_justify="left")
    for heading in ("type", "n", "precision", "recall", "F2 IoU≥.5", "F2 exact", "Presidio F2 IoU≥.5"):
        grid.add_column(heading, justify="left" if heading == "type" else "right")
    rows = [*((label, (label,)) for label in STRUCTURED), ("structured, micro", STRUCTURED)]
    rows += [(label, (label,)) for label in MORE]
    for label, labels in rows:
        at_half, at_exact, of_peer = half.micro(labels), exact.micro(labels), peers.micro(labels)
        figures = [at_half.precision, at_half.recall, at_half.f(2), at_exact.f(2)]
        beside = f"{of_peer.f(2):.3f}" if theirs else "–"
        grid.add_row(label, str(at_half.right + at_half.missed), *(f"{figure:.3f}" for figure in figures), beside)
    console.print(grid)


def cases(console: Console) -> None:
    """Recogniser cases: what each type alone finds, before any threshold, and what the default engine reports."""
    records = [record for name in CASES for record in shared.records(f"pii/{name}.jsonl")]
    items = [{"text": record["text"], "entity": record["entity"]} for record in records]
    answers = peer.ask("presidio_scan.py", {"job": "cases", "threshold": 0.0, "items": items})
    default = Sanitizer.default(names=False, secrets=False)
    alone: defaultdict[str, Counts] = defaultdict(Counts)
    together: defaultdict[str, Counts] = defaultdict(Counts)
    beside: defaultdict[str, Counts] = defaultdict(Counts)
    agree: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    engines: dict[str, Engine] = {}
    for index, record in enumerate(records):
        entity, text = record["entity"], record["text"]
        if entity not in engines:
            engines[entity] = Engine([PatternDetector.default([entity])], 0.0)
        found = [(one.start, one.end) for one in engines[entity].scan(text, Context())]
        all_found = [(one.start, one.end) for one in default.scan(text) if one.type == entity]
        agree[entity][1] += 1
        agree[entity][0] += _count(record, found, alone[entity])
        _count(record, all_found, together[entity])
        if answers is not None:
            _count(record, [(start, end) for start, end, *_ in answers[index]], beside[entity])
    _print_cases(console, alone, together, beside, agree)


def _count(record: dict[str, Any], found: list[tuple[int, int]], counts: Counts) -> bool:
    """Adds one case to the counts; says whether count and spans agree."""
    if record["expected_spans"] is None:
        right = min(len(found), record["expected_count"])
        counts.right += right
        counts.extra += len(found) - right
        counts.missed += record["expected_count"] - right
        return len(found) == record["expected_count"]
    wanted = {(start, end) for start, end in record["expected_spans"]}
    right = len(wanted & set(found))
    counts.right += right
    counts.extra += len(found) - right
    counts.missed += len(wanted) - right
    return wanted == set(found)


def _print_cases(
    console: Console,
    alone: dict[str, Counts],
    together: dict[str, Counts],
    beside: dict[str, Counts],
    agree: dict[str, list[int]],
) -> None:
    grid = Grid(title="recogniser cases", title_justify="left")
    for heading in ("type", "agree", "of", "precision", "recall", "Presidio P", "Presidio R", "default engine R"):
        grid.add_column(heading, justify="left" if heading == "type" else "right")
    for entity in sorted(alone):
        mine, other = alone[entity], beside.get(entity)
        theirs = (f"{other.precision:.2f}", f"{other.recall:.2f}") if other else ("–", "–")
        right, total = agree[entity]
        grid.add_row(
            entity, str(right), str(total), f"{mine.precision:.2f}", f"{mine.recall:.2f}", *theirs,
            f"{together[entity].recall:.2f}",
        )  # fmt: skip
    right, total = (sum(column) for column in zip(*agree.values(), strict=True))
    grid.add_row("all", str(right), str(total), "", "", "", "", "")
    console.print(grid)


def clean(console: Console, engine: Engine) -> None:
    """Findings per MB of encyclopedia text, by type: hardly any of them is anybody's data."""
    text = "\n".join(" ".join(record["tokens"]) for record in shared.records(f"pii/{CLEAN}.jsonl"))
    theirs = presidio([text])
    mine: defaultdict[str, int] = defaultdict(int)
    other: defaultdict[str, int] = defaultdict(int)
    for _, _, label in ours(engine, text):
        mine[label] += 1
    for _, _, label in theirs[0] if theirs else []:
        other[label] += 1
    grid = Grid(title="findings per MB of clean text (wikigold)", title_justify="left")
    for heading in ("type", "ours", "Presidio"):
        grid.add_column(heading, justify="left" if heading == "type" else "right")
    per_mb = 1e6 / len(text.encode())
    for label in sorted({*mine, *other}):
        grid.add_row(label, f"{mine[label] * per_mb:.0f}", f"{other[label] * per_mb:.0f}" if theirs else "–")
    console.print(grid)


def run(console: Console) -> None:
    """All tables of structured types."""
    engine = Sanitizer.default(names=False, secrets=False).engine
    synthetic(console, engine)
    cases(console)
    clean(console, engine)
