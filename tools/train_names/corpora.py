"""The training text: labelled sets read as text with character spans."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

LABELS = {
    "PERSON": "PERSON",
    "PER": "PERSON",
    "person": "PERSON",
    "LOCATION": "LOCATION",
    "LOC": "LOCATION",
    "location": "LOCATION",
    "ORGANIZATION": "ORGANIZATION",
    "ORG": "ORGANIZATION",
    "corporation": "ORGANIZATION",
    "NRP": "NRP",
    "TITLE": "TITLE",
    "STREET_ADDRESS": "STREET_ADDRESS",
}
UNSURE = {"group", "MISC", "DEMOGRAPHIC", "POSTAL_CODE", "product", "creative-work"}
"""Types that may or may not be ours: not learned from, either way."""
NO_SPACE_BEFORE = frozenset(".,!?;:)]}%'’”…")
NO_SPACE_AFTER = frozenset("([{$#@“‘")


@dataclass(frozen=True, slots=True)
class Document:
    """Text, spans of (start, end, label), spans that are not learned from, and where it comes from."""

    text: str
    spans: list[tuple[int, int, str]]
    unsure: list[tuple[int, int]] = field(default_factory=list)
    source: str = ""
    cluster: str = ""


def read(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def from_spans(path: Path, source: str) -> list[Document]:
    """A file in the spans format."""
    out = []
    for row in read(path):
        spans, unsure = [], []
        for span in row["spans"]:
            if (label := LABELS.get(span["type"])) is not None:
                spans.append((span["start"], span["end"], label))
            elif span["type"] in UNSURE:
                unsure.append((span["start"], span["end"]))
        out.append(Document(row["text"], spans, unsure, source, str(row.get("template", ""))))
    return out


def from_tags(path: Path, source: str) -> list[Document]:
    """A file of tokens and BIO tags, joined to text as it would be written."""
    return [_joined(row["tokens"], row["tags"], source) for row in read(path)]


def _joined(tokens: list[str], tags: list[str], source: str) -> Document:
    text, spans, unsure = "", [], []
    open_type, start = None, 0
    glue = True
    for word, tag in zip(tokens, tags, strict=True):
        if not word:
            continue
        if not tag.startswith("I-") and open_type:
            _close(open_type, start, len(text), spans, unsure)
            open_type = None
        if not glue and not (word[:1] in NO_SPACE_BEFORE and len(word) <= 3) and word != "n't":
            text += " "
        if tag.startswith("B-"):
            open_type, start = tag[2:], len(text)
        text += word
        glue = word in NO_SPACE_AFTER
    if open_type:
        _close(open_type, start, len(text), spans, unsure)
    return Document(text, spans, unsure, source)


def _close(kind: str, start: int, end: int, spans: list, unsure: list) -> None:
    if kind in LABELS:
        spans.append((start, end, LABELS[kind]))
    else:
        unsure.append((start, end))


def paragraphs(document: Document, longest: int = 1500) -> list[Document]:
    """A long document cut at empty lines, so that batches are even."""
    if len(document.text) <= longest:
        return [document]
    out, start = [], 0
    cuts = [found.end() for found in re.finditer(r"\n\s*\n", document.text)] + [len(document.text)]
    for index, cut in enumerate(cuts):
        following = cuts[index + 1] if index + 1 < len(cuts) else None
        if following is not None and following - start <= longest:
            continue
        piece = document.text[start:cut]
        spans = [(a - start, b - start, label) for a, b, label in document.spans if start <= a and b <= cut]
        unsure = [(a - start, b - start) for a, b in document.unsure if start <= a and b <= cut]
        out.append(Document(piece, spans, unsure, document.source))
        start = cut
    return out
