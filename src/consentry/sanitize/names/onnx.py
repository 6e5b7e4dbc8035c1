"""A token-classification model in ONNX as the larger model (the extra `onnx`: onnxruntime and tokenizers).

The folder holds `model.onnx` (inputs `input_ids`, `attention_mask` and perhaps `token_type_ids`; output `logits`:
batch, tokens, labels), `tokenizer.json` (Hugging Face tokenizers) and `config.json` with `id2label`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from consentry.errors import InvalidInput

_TYPES: Final = {
    "PER": "PERSON",
    "PERSON": "PERSON",
    "LOC": "LOCATION",
    "GPE": "LOCATION",
    "LOCATION": "LOCATION",
    "ORG": "ORGANIZATION",
    "ORGANIZATION": "ORGANIZATION",
    "NORP": "NRP",
    "NRP": "NRP",
}


class OnnxJudge:
    """A `larger.Larger` over a token-classification model. Safe to call from several threads."""

    def __init__(self, folder: Path) -> None:
        try:
            import onnxruntime  # type: ignore[import-untyped, import-not-found, unused-ignore]
            from tokenizers import Tokenizer
        except ImportError as error:
            raise InvalidInput("a larger model needs `consentry[onnx]`; install it or leave the model out") from error
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            self._labels = {int(index): str(label) for index, label in config["id2label"].items()}
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        except Exception as error:
            raise InvalidInput(f"the larger model in `{folder.name}` cannot be read; see the cause") from error
        self._inputs = {put.name for put in self._session.get_inputs()}

    def judge(self, text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[str | None, float]]:
        """The type of the model's best label over each span, and its mean probability there."""
        encoded = self._tokenizer.encode(text)
        ids = np.array([encoded.ids], np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        logits = self._session.run(["logits"], {name: value for name, value in given.items() if name in self._inputs})[
            0
        ][0]
        chances = np.exp(logits - logits.max(1, keepdims=True))
        chances /= chances.sum(1, keepdims=True)
        return [self._span(chances, encoded.offsets, start, end) for start, end in spans]

    def _span(
        self, chances: npt.NDArray[np.float32], offsets: Sequence[tuple[int, int]], start: int, end: int
    ) -> tuple[str | None, float]:
        rows = [row for row, (a, b) in enumerate(offsets) if a < end and start < b]
        if not rows:
            return None, 0.0
        mean = chances[rows].mean(0)
        by_type: dict[str | None, float] = {}
        for index, chance in enumerate(mean.tolist()):
            kind = _TYPES.get(self._labels.get(index, "O").rpartition("-")[2].upper())
            by_type[kind] = by_type.get(kind, 0.0) + chance
        best = max(by_type, key=lambda kind: by_type[kind])
        return best, round(by_type[best], 3)
