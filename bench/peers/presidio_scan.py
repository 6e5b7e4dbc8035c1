"""Presidio's patterns over texts; run by an interpreter that has `bench/peers.txt` installed.

Reads one JSON document from standard input, `{"job": "patterns" | "cases" | "time", …}`, and writes one to standard
output.
No NLP model is loaded: the tokens come from a blank pipeline, so context words work and names are not looked for.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry, predefined_recognizers
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine


class BlankEngine(NlpEngine):
    """Tokens and lemmas equal to the words, no entities."""

    def __init__(self) -> None:
        self.nlp = spacy.blank("en")
        self.engine_name = "blank"

    def load(self) -> None: ...

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        doc = self.nlp(text)
        return NlpArtifacts([], doc, [token.idx for token in doc], [token.lower_ for token in doc], self, language)

    def process_batch(self, texts: Any, language: str, **more: Any) -> Any:
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        return False

    def is_punct(self, word: str, language: str) -> bool:
        return not any(map(str.isalnum, word))

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]


def engine(every: bool) -> AnalyzerEngine:
    """Presidio with the recognizers that it turns on by default, or with every pattern recognizer that it carries."""
    nlp = BlankEngine()
    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=nlp)
    for recognizer in list(registry.recognizers):
        if recognizer.name in ("SpacyRecognizer", "StanzaRecognizer", "TransformersRecognizer"):
            registry.recognizers.remove(recognizer)
    if every:
        for name in predefined_recognizers.__all__:
            made = getattr(predefined_recognizers, name)
            if isinstance(made, type) and any(
                base.__name__ in ("PatternRecognizer", "LocalRecognizer") for base in made.__mro__[1:]
            ):
                try:
                    one = made(supported_language="en")
                except Exception:  # a recognizer that needs a model or a service
                    continue
                if not {entity for other in registry.recognizers for entity in other.supported_entities}.issuperset(
                    one.supported_entities
                ):
                    registry.add_recognizer(one)
    return AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en"])


def main() -> None:
    job = json.load(sys.stdin)
    analyzer = engine(job["job"] == "cases")
    if job["job"] == "time":
        for text in job["texts"][:5]:
            analyzer.analyze(text, "en")
        started = time.process_time()
        found = sum(len(analyzer.analyze(text, "en")) for text in job["texts"])
        json.dump({"seconds": time.process_time() - started, "found": found}, sys.stdout)
        return
    answers = []
    for item in job["items"]:
        entities = [item["entity"]] if item.get("entity") else None
        try:
            found = analyzer.analyze(item["text"], "en", entities=entities, score_threshold=job["threshold"])
        except ValueError:
            found = []  # this build has no recognizer for the entity
        answers.append([[one.start, one.end, one.entity_type, one.score] for one in found])
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
