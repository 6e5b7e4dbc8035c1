"""An operator's larger model: asked only about unsure spans, and a real ONNX model made here."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from consentry.errors import InvalidInput
from consentry.sanitize.finding import Finding
from consentry.sanitize.names import larger
from consentry.sanitize.names.onnx import OnnxJudge


class Recorder:
    def __init__(self, answer: tuple[str | None, float]) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def judge(self, text: str, spans: Sequence[tuple[int, int]]) -> list[tuple[str | None, float]]:
        self.asked += [text[start:end] for start, end in spans]
        return [self.answer for _ in spans]


TEXT = "x" * 500 + " Paris and Anna " + "y" * 500
SURE = Finding("PERSON", 511, 515, 0.99, "names", "r")
UNSURE = Finding("LOCATION", 501, 506, 0.6, "names", "r")


def test_only_unsure_spans_are_asked_about():
    model = Recorder(("PERSON", 0.9))
    settled = larger.settle(TEXT, [UNSURE, SURE], model, 0.8)
    assert model.asked == ["Paris"]
    assert [(one.type, one.start, one.score) for one in settled] == [("PERSON", 501, 0.9), ("PERSON", 511, 0.99)]


def test_a_span_in_which_it_sees_no_name_is_dropped():
    assert larger.settle(TEXT, [UNSURE, SURE], Recorder((None, 0.9)), 0.8) == [SURE]


@pytest.fixture
def folder(tmp_path):
    """A token classifier of two layers: a label per word, looked up."""
    onnx = pytest.importorskip("onnx")
    tokenizers = pytest.importorskip("tokenizers")
    pytest.importorskip("onnxruntime")
    import numpy as np

    words = {"[UNK]": 0, "Paris": 1, "Anna": 2, "and": 3}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    table = np.array([[9, 0, 0], [0, 9, 0], [0, 0, 9], [9, 0, 0]], np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gather", ["table", "input_ids"], ["logits"])],
        "tiny",
        [onnx.helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["batch", "tokens"])],
        [onnx.helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", "tokens", 3])],
        [onnx.numpy_helper.from_array(table, "table")],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, str(tmp_path / "model.onnx"))
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "O", "1": "B-LOC", "2": "B-PER"}}))
    return tmp_path


def test_a_real_onnx_model_judges_spans(folder):
    judge = OnnxJudge(folder)
    text = "Paris and Anna"
    (place, sure), (person, _), (nothing, _) = judge.judge(text, [(0, 5), (10, 14), (6, 9)])
    assert (place, person, nothing) == ("LOCATION", "PERSON", None)
    assert sure > 0.99


def test_the_tagger_asks_it(folder):
    from consentry.sanitize.detector import NO_CONTEXT
    from consentry.sanitize.names.model import shipped
    from consentry.sanitize.names.tagger import NameDetector

    model = Recorder((None, 1.0))
    detector = NameDetector(shipped(), second=model)
    plain = NameDetector(shipped()).scan("Unclear Thing met Anna Kowalska of Zz.", NO_CONTEXT)
    kept = detector.scan("Unclear Thing met Anna Kowalska of Zz.", NO_CONTEXT)
    assert [one for one in plain if one.score >= 0.8] == kept


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tokenizers")
    with pytest.raises(InvalidInput, match="larger model"):
        OnnxJudge(tmp_path)
