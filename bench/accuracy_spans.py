"""The whole sanitizer on sentences of templates that its model of names has not seen, by presidio-research's evaluator.

    python3 -m venv /tmp/peers && /tmp/peers/bin/pip install -r bench/peers.txt
    consentry-train ../shared/bench/pii --leave-out synth-test --out /tmp/apart.model
    CONSENTRY_PEERS_PYTHON=/tmp/peers/bin/python python bench/accuracy_spans.py /tmp/apart.model

F weighs recall four times as that evaluator does by default; F1 stands beside it. Its authors publish .845 for a tuned
transformer on the whole set at the same IoU.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table as Grid

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.train_names.__main__ import is_test

import peer
import shared
from accuracy_structured import spans
from consentry.sanitize import Engine
from consentry.sanitize import secrets as secret_detectors
from consentry.sanitize.names import model, tagger
from consentry.sanitize.patterns.detector import PatternDetector
from scoring import Span

SETS = ("synth_v2_dev", "generated_large_dev")
IOU = 0.7


def engine(path: Path) -> Engine:
    """Patterns, secrets, and names by the model of this file."""
    names = tagger.NameDetector(model.read(path, None))
    return Engine([PatternDetector.default(None, 0.5), secret_detectors.detector(), names], 0.5, None)


def judged(name: str, whole: Engine, types: Collection[str] | None, beta: float) -> Any | None:
    """What the evaluator says of one set; `types` limits both sides to what the set labels."""
    items = []
    for record in shared.records(f"pii/{name}.jsonl"):
        if not is_test(record["template"]):
            continue
        found: list[Span] = [(one.start, one.end, one.type) for one in whole.scan(record["text"])]
        if types is not None:
            found = [one for one in found if one[2] in types]
        items.append({"text": record["text"], "wanted": spans(record), "found": found})
    return peer.ask("span_evaluator.py", {"iou": IOU, "beta": beta, "items": items})


def labelled(name: str) -> set[str]:
    """The types that a set labels anywhere."""
    return {one["type"] for record in shared.records(f"pii/{name}.jsonl") for one in record["spans"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path, help="a model made with `--leave-out synth-test`")
    whole = engine(parser.parse_args().model)
    console = Console(width=140)
    for name in SETS:
        types = labelled(name)
        answer = judged(name, whole, types, 2.0)
        if answer is None:
            raise SystemExit("name an interpreter with presidio-evaluator in CONSENTRY_PEERS_PYTHON")
        one = judged(name, whole, types, 1.0)
        every = judged(name, whole, None, 2.0)
        grid = Grid(title=f"{name}, templates kept apart, SpanEvaluator at IoU {IOU}")
        for title in ("label", "precision", "recall", "F2", "F1", "spans"):
            grid.add_column(title, justify="left" if title == "label" else "right")
        grid.add_row("personal data", *(f"{value:.3f}" for value in answer["pii"]), f"{one['pii'][2]:.3f}", "")
        grid.add_row("with types it does not label", *(f"{value:.3f}" for value in every["pii"]), "", "")
        for label, (precision, recall, f2, count) in sorted(answer["labels"].items(), key=lambda row: -row[1][3]):
            grid.add_row(
                label, f"{precision:.3f}", f"{recall:.3f}", f"{f2:.3f}", f"{one['labels'][label][2]:.3f}", str(count)
            )
        console.print(grid)


if __name__ == "__main__":
    main()
