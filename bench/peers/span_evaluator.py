"""presidio-research's own SpanEvaluator; run by an interpreter that has `presidio-evaluator` installed.

Reads `{"iou": …, "beta": …, "items": [{"text": …, "wanted": [[start, end, label], …], "found": […]}]}` from standard
input, and writes precision, recall and F of personal data against the rest, and by label, to standard output.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import pandas as pd
import spacy
from presidio_evaluator.evaluation import SpanEvaluator


def labels(starts: list[int], tokens: list[str], spans: list[list[Any]]) -> list[str]:
    """The label of each token: that of the span which it overlaps, or `O`."""
    return [
        next((label for begin, end, label in spans if begin < at + len(token) and at < end), "O")
        for at, token in zip(starts, tokens, strict=True)
    ]


def main() -> None:
    job = json.load(sys.stdin)
    blank = spacy.blank("en")
    rows = []
    for number, item in enumerate(job["items"]):
        words = [(token.idx, token.text) for token in blank(item["text"])]
        starts, tokens = [at for at, _ in words], [word for _, word in words]
        wanted, found = (labels(starts, tokens, item[name]) for name in ("wanted", "found"))
        rows += [
            {"sentence_id": number, "token": word, "start_indices": at, "annotation": want, "prediction": got}
            for at, word, want, got in zip(starts, tokens, wanted, found, strict=True)
        ]
    result = SpanEvaluator(iou_threshold=job["iou"]).calculate_score_on_df(pd.DataFrame(rows), beta=job["beta"])
    by_label = {
        label: [one.precision, one.recall, one.f_beta, one.num_annotated] for label, one in result.per_type.items()
    }
    print(json.dumps({"pii": [result.pii_precision, result.pii_recall, result.pii_f], "labels": by_label}))


if __name__ == "__main__":
    main()
