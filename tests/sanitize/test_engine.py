from __future__ import annotations

from collections.abc import Sequence

import pytest

from consentry.sanitize import Context, DetectorFailed, Engine, Finding, Sanitizer


class Fixed:
    """Reports the same finding in every text that is long enough."""

    def __init__(self, name: str, finding: tuple[str, int, int, float]) -> None:
        self.name = name
        self.types = frozenset([finding[0]])
        self._finding = finding

    def scan(self, text: str, context: Context) -> list[Finding]:
        entity, start, end, score = self._finding
        return [Finding(entity, start, end, score, self.name, "fixed")] if len(text) >= end else []


class Broken:
    name = "broken"
    types = frozenset(["PERSON"])

    def scan(self, text: str, context: Context) -> list[Finding]:
        raise RuntimeError("secret value in the message")


class BrokenForMany(Fixed):
    def scan_many(self, texts: Sequence[str], contexts: Sequence[Context]) -> list[list[Finding]]:
        raise RuntimeError("no")


def test_findings_of_all_detectors_are_joined_and_resolved() -> None:
    engine = Engine([Fixed("a", ("PERSON", 0, 4, 0.6)), Fixed("b", ("URL", 2, 6, 0.9)), Fixed("c", ("AGE", 7, 8, 0.5))])
    assert [one.type for one in engine.scan("0123456789")] == ["PERSON", "URL", "AGE"]


def test_what_is_under_the_least_score_neither_stands_nor_displaces() -> None:
    engine = Engine([Fixed("a", ("PERSON", 0, 4, 0.6)), Fixed("b", ("URL", 2, 6, 0.4))])
    assert [one.type for one in engine.scan("0123456789")] == ["PERSON"]


def test_only_the_types_asked_for_are_reported() -> None:
    engine = Engine([Fixed("a", ("PERSON", 0, 4, 0.6)), Fixed("b", ("URL", 2, 6, 0.9))], types=["PERSON"])
    assert [one.type for one in engine.scan("0123456789")] == ["PERSON"]
    assert engine.types == {"PERSON"}


def test_many_texts_give_what_each_alone_gives() -> None:
    engine = Engine([Fixed("a", ("PERSON", 0, 4, 0.6)), Fixed("b", ("URL", 5, 6, 0.9))])
    texts = ["", "0123", "0123456"]
    assert engine.scan_many(texts) == [engine.scan(text) for text in texts]


def test_e9_a_failing_detector_fails_the_call() -> None:
    engine = Engine([Fixed("a", ("PERSON", 0, 4, 0.6)), Broken()])
    with pytest.raises(DetectorFailed, match="`broken` failed") as caught:
        engine.scan("my card is 4111 1111 1111 1111")
    assert "secret value" not in str(caught.value)
    with pytest.raises(DetectorFailed):
        engine.scan_many(["x"])


def test_e9_a_detector_that_fails_on_many_fails_the_call() -> None:
    with pytest.raises(DetectorFailed):
        Engine([BrokenForMany("a", ("PERSON", 0, 4, 0.6))]).scan_many(["0123"])


def test_e9_nothing_is_returned_half_sanitized() -> None:
    with pytest.raises(DetectorFailed):
        Sanitizer(Engine([Fixed("a", ("PERSON", 0, 4, 0.6)), Broken()])).sanitize("0123456789")
