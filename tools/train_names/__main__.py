"""Trains the tagger of names: `python -m tools.train_names ../shared/bench/pii --out MODEL` (docs/names.md).

`--leave-out` names sets that are not trained on, so that they can be reported as foreign; `synth-test` keeps a quarter
of the template clusters of the synthetic sets apart. `--report` scores the written model on every development set.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

SETS = ("tab", "wnut", "btc", "wikigold", "synth")


def main(arguments: list[str] | None = None) -> int:
    """Reads the labelled sets, fits, writes the model and its SHA-256 beside it. Returns 0."""
    parser = argparse.ArgumentParser(
        prog="consentry-train", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the folder of labelled sets (pii/ of the benchmark data)")
    parser.add_argument("--out", type=Path, required=True, help="where the model file goes")
    parser.add_argument("--leave-out", default="", help=f"comma separated: {', '.join(SETS)}, synth-test")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--report", action="store_true")
    args = parser.parse_args(arguments)

    from tools.train_names import fit

    left_out = set(filter(None, args.leave_out.split(",")))
    documents = training(args.data, left_out)
    print(f"{len(documents)} documents", file=sys.stderr)
    fitted = fit.fit(
        documents, fit.Setting(epochs=args.epochs, seed=args.seed), log=lambda line: print(line, file=sys.stderr)
    )
    digest = fit.save(args.out, *fitted)
    args.out.with_name(args.out.name + ".sha256").write_text(f"{digest}  {args.out.name}\n", encoding="ascii")
    print(f"{args.out.name} {args.out.stat().st_size} bytes sha256 {digest}")
    if args.report:
        report(args.data, args.out)
    return 0


def is_test(cluster: str) -> bool:
    """Whether a template cluster belongs to the quarter kept apart."""
    return int(hashlib.sha256(cluster.encode()).hexdigest(), 16) % 4 == 0


def training(data: Path, left_out: set[str]) -> list:
    """The documents that are trained on, long ones cut at paragraphs."""
    from tools.train_names import corpora

    sets = {
        "tab": [
            piece for one in corpora.from_spans(data / "tab_train.jsonl", "tab") for piece in corpora.paragraphs(one)
        ],
        "wnut": corpora.from_tags(data / "ner/wnut17_train.jsonl", "wnut"),
        "btc": corpora.from_tags(data / "ner/btc_dev.jsonl", "btc"),
        "wikigold": corpora.from_tags(data / "ner/wikigold_dev.jsonl", "wikigold"),
        "synth": [
            one
            for name in ("synth_v2_dev", "generated_large_dev")
            for one in corpora.from_spans(data / f"{name}.jsonl", "synth")
        ],
    }
    if "synth-test" in left_out:
        sets["synth"] = [one for one in sets["synth"] if not is_test(one.cluster)]
    return [one for name in SETS if name not in left_out for one in sets[name]]


def report(data: Path, path: Path) -> None:
    """Precision, recall and F2 by type on each development set, at IoU 0.5 and exact."""
    from consentry.sanitize.detector import NO_CONTEXT
    from consentry.sanitize.names import model, tagger
    from tools.train_names import corpora, evaluate

    detector = tagger.NameDetector(model.read(path, None))

    def scan(text: str) -> list[tuple[int, int, str]]:
        return [(one.start, one.end, one.type) for one in detector.scan(text, NO_CONTEXT) if one.score >= 0.5]

    sets = {
        "tab_dev": corpora.from_spans(data / "tab_dev.jsonl", "tab"),
        "wnut17_dev": corpora.from_tags(data / "ner/wnut17_dev.jsonl", "wnut"),
        "btc_dev": corpora.from_tags(data / "ner/btc_dev.jsonl", "btc"),
        "wikigold_dev": corpora.from_tags(data / "ner/wikigold_dev.jsonl", "wikigold"),
        "synth_v2_dev (test clusters)": [
            one for one in corpora.from_spans(data / "synth_v2_dev.jsonl", "synth") if is_test(one.cluster)
        ],
        "generated_large_dev (test clusters)": [
            one for one in corpora.from_spans(data / "generated_large_dev.jsonl", "synth") if is_test(one.cluster)
        ],
    }
    for name, documents in sets.items():
        loose, exact = evaluate.score(scan, documents), evaluate.score(scan, documents, 1.0)
        for label, (precision, recall, f2, count) in loose.items():
            if count:
                print(
                    f"{name:36} {label:15} {count:5}  P {precision:.3f}  R {recall:.3f}  F2 {f2:.3f}  "
                    f"exact F2 {exact[label][2]:.3f}"
                )


if __name__ == "__main__":
    raise SystemExit(main())
