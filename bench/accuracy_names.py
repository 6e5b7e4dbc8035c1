"""Names, places and organisations: accuracy on every development set and speed, of the shipped model.

    python bench/accuracy_names.py ../shared/bench/pii

Scores: same label, greedy one-to-one, at IoU 0.5 and exact (F2 weighs recall four times). The shipped model has seen
the training halves that docs/names.md lists; the figures for unseen sets come from `consentry-train --leave-out`.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tools.train_names import corpora
from tools.train_names.__main__ import report

from consentry.sanitize import names
from consentry.sanitize.detector import NO_CONTEXT


def speed(text: str, runs: int = 7) -> float:
    """Megabytes per second of one core, median of `runs` after one to warm up."""
    detector = names.detector()
    detector.scan(text, NO_CONTEXT)
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        detector.scan(text, NO_CONTEXT)
        taken.append(time.perf_counter() - start)
    return len(text.encode()) / 1e6 / statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, help="another model than the shipped one")
    args = parser.parse_args()
    shipped = Path(names.__file__).with_name("names.model")
    report(args.data, args.model or shipped)
    court = "\n\n".join(one.text for one in corpora.from_spans(args.data / "tab_dev.jsonl", "tab"))
    tweets = "\n".join(one.text for one in corpora.from_tags(args.data / "ner/btc_dev.jsonl", "btc"))
    plain = "it was a quiet morning and nobody had come to the market yet, so they waited. " * 3000
    for name, text in (("court decisions", court), ("tweets", tweets), ("plain lower-case prose", plain)):
        print(f"speed  {name:24} {speed(text):6.1f} MB/s")


if __name__ == "__main__":
    main()
