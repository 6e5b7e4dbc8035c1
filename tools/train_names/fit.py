"""Fits the tagger with PyTorch on one CPU thread pool and writes the model file. Seeded throughout."""

from __future__ import annotations

import random
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from consentry.sanitize.names import features, model, tokens
from tools.train_names import wordlists
from tools.train_names.corpora import Document
from tools.train_names.synthetic import Filler, own, refilled

KINDS = ("PERSON", "LOCATION", "ORGANIZATION", "NRP", "TITLE", "STREET_ADDRESS")
LABELS = ("O", *(f"{prefix}-{kind}" for kind in KINDS for prefix in "BI"))
SIZE, HIDDEN = 32, 64
SOURCES = ("", "tab", "wnut", "btc", "wikigold", "synth", "templates", "plain")
PAD = features.WINDOW
IGNORE = -1


@dataclass(frozen=True, slots=True)
class Setting:
    """What one fit is made with."""

    epochs: int = 10
    seed: int = 7
    rounds: int = 25
    refill: float = 0.5
    batch: int = 1500
    rate: float = 3e-3


def tables() -> tokens.Tables:
    """Classes and folded forms of the first 65,536 code points, from the Unicode data of this Python."""
    classes = np.zeros(0x10000, np.uint8)
    folded = np.arange(0x10000, dtype=np.uint32)
    for code in range(0x10000):
        char = chr(code)
        category = unicodedata.category(char)
        if char in "\n\r\x0b\x0c\u2028\u2029\x1e":
            classes[code] = tokens.BREAK
        elif char.isspace() or category in ("Zs", "Cf"):
            classes[code] = tokens.SPACE
        elif category in ("Lu", "Lt"):
            classes[code] = tokens.UPPER
        elif category[0] in "LM":
            classes[code] = tokens.LOWER
        elif category == "Nd":
            classes[code] = tokens.DIGIT
        lower = wordlists.folded(char) if category[0] == "L" else char
        folded[code] = ord(lower) if len(lower) == 1 else code
        if category == "Nd":
            folded[code] = ord("0")
    return tokens.Tables(classes, folded)


def word_lists(documents: Sequence[Document], chars: tokens.Tables) -> dict[str, np.ndarray]:
    """Sorted hashes of each list of `features.LISTS`."""
    seen = Counter(
        word for document in documents for word in document.text.split() if word.islower() and word.isalpha()
    )
    common = [word for word, count in seen.items() if count >= 4 and len(word) > 1]
    return {name: _hashes(words, chars) for name, words in wordlists.lists(common).items()}


def _hashes(words: Sequence[str], chars: tokens.Tables) -> np.ndarray:
    found = [np.zeros(0, np.uint64)]
    for at in range(0, len(words), 4000):
        found.append(tokens.tokenize_codes(tokens.codes_of(" ".join(words[at : at + 4000])), chars).key)
    return np.unique(np.concatenate(found))


@dataclass(frozen=True, slots=True)
class Stream:
    """Many documents as one row of tokens with padding between: feature rows per type, type per token, labels."""

    rows: np.ndarray
    kind: np.ndarray
    gap: np.ndarray
    label: np.ndarray
    source: np.ndarray
    bounds: list[tuple[int, int]]


def stream(documents: Sequence[Document], chars: tokens.Tables, lists: dict[str, np.ndarray]) -> Stream:
    """All documents after one another, `PAD` rows of nothing around each."""
    parts, seen, blocks, base = [], np.zeros(0, np.uint64), [], 0
    for group in _groups(documents):
        piece, label, owner, source = _joined(group, chars)
        _unlearn(group, piece, label, owner, chars, lists["nationality"])
        at = np.arange(len(piece)) + PAD * (owner + 1)
        size = len(piece) + PAD * (len(group) + 1)
        row = {
            "key": np.zeros(size, np.uint64),
            "gap": np.full(size, 4),
            "label": np.full(size, IGNORE),
            "source": np.zeros(size, np.int64),
        }
        keys = features.type_keys(piece.key, piece.shape)
        row["key"][at], row["gap"][at], row["label"][at], row["source"][at] = keys, piece.gap, label, source
        fresh, first = np.unique(keys, return_index=True)
        first = first[~np.isin(fresh, seen)]
        blocks.append(
            features.rows(
                piece.prefix, piece.start[first], piece.end[first], piece.key[first], piece.shape[first], lists
            )
        )
        seen = np.concatenate([seen, keys[first]])
        starts = np.flatnonzero(np.diff(owner, prepend=-1))
        stops = np.append(starts[1:], len(owner))
        bounds = [(base + int(at[i]), base + int(at[j - 1]) + 1) for i, j in zip(starts, stops, strict=True)]
        parts.append((row, bounds))
        base += size
    key = np.concatenate([row["key"] for row, _ in parts])
    order = np.argsort(seen)
    kind = np.where(key == 0, 0, order[np.searchsorted(seen[order], key) % len(seen)] + 1)
    empty = np.zeros((1, features.SLOTS), np.int32)
    joined = {
        name: np.concatenate([row[name] for row, _ in parts]).astype(np.int64) for name in ("gap", "label", "source")
    }
    return Stream(
        np.concatenate([empty, *blocks]),
        kind,
        joined["gap"],
        joined["label"],
        joined["source"],
        [b for _, bs in parts for b in bs],
    )


def _groups(documents: Sequence[Document]) -> list[list[Document]]:
    groups: list[list[Document]] = [[]]
    size = 0
    for document in documents:
        if size + len(document.text) + 3 > tokens.LONGEST // 2 and groups[-1]:
            groups.append([])
            size = 0
        groups[-1].append(document)
        size += len(document.text) + 3
    return groups


def _joined(
    group: Sequence[Document], chars: tokens.Tables
) -> tuple[tokens.Tokens, np.ndarray, np.ndarray, np.ndarray]:
    """Tokens of the documents set after one another, their labels, the document of each, and its source."""
    texts = [document.text[: tokens.LONGEST // 2 - 3] for document in group]
    starts = np.concatenate([[0], np.cumsum([len(text) + 3 for text in texts])])[:-1]
    piece = tokens.tokenize_codes(tokens.codes_of("\n\n\n".join(texts)), chars)
    owner = np.searchsorted(starts, piece.start, side="right") - 1
    label = np.zeros(len(piece), np.int64)
    for document, base in zip(group, starts.tolist(), strict=True):
        for start, end in document.unsure:
            low, high = np.searchsorted(piece.end, base + start, side="right"), np.searchsorted(piece.start, base + end)
            label[low:high] = IGNORE
        for start, end, name in document.spans:
            low, high = np.searchsorted(piece.end, base + start, side="right"), np.searchsorted(piece.start, base + end)
            label[low:high] = LABELS.index(f"I-{name}")
            label[low : low + 1] = LABELS.index(f"B-{name}")
    sources = np.array([SOURCES.index(document.source) for document in group])
    return piece, label, owner, sources[owner]


def _unlearn(
    group: Sequence[Document],
    piece: tokens.Tokens,
    label: np.ndarray,
    owner: np.ndarray,
    chars: tokens.Tables,
    nations: np.ndarray,
) -> None:
    """Leaves out what the sets do not label as we would: nationalities, and the handles of social media."""
    plain = np.array([document.source in ("synth", "templates", "plain") for document in group])[owner]
    label[~plain & (label == 0) & features.contains(nations, piece.key) & (piece.shape != 0)] = IGNORE
    social = np.array([document.source in ("btc", "wnut") for document in group])[owner]
    handle = np.flatnonzero(piece.key == tokens.word_hash("@", chars)) + 1
    handle = handle[handle < len(label)]
    label[handle[social[handle]]] = IGNORE


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(features.ROWS, SIZE, mode="sum", padding_idx=0, sparse=True)
        nn.init.normal_(self.table.weight, std=0.05)
        with torch.no_grad():
            self.table.weight[0] = 0
        self.gaps = nn.Embedding(5, SIZE)
        self.source = nn.Embedding(len(SOURCES), HIDDEN)
        nn.init.zeros_(self.source.weight)
        self.window = nn.Conv1d(SIZE, HIDDEN, 2 * PAD + 1, padding=PAD)
        self.output = nn.Linear(HIDDEN, len(LABELS))

    def forward(self, rows: torch.Tensor, kind: torch.Tensor, gap: torch.Tensor, source: torch.Tensor) -> torch.Tensor:
        """Label scores of every place of a stream; row 0 of `rows` is padding."""
        vectors = nn.functional.embedding(kind, self.table(rows)) + self.gaps(gap)
        seen = nn.functional.dropout(vectors * (gap != 4).unsqueeze(1), 0.1, self.training)
        hidden = torch.relu(self.window(seen.T.unsqueeze(0))[0].T + self.source(source))
        return self.output(nn.functional.dropout(hidden, 0.3, self.training))


def augmented(documents: Sequence[Document], filler: Filler, setting: Setting) -> list[Document]:
    """The documents of one epoch: some refilled, some in lower case or capitals, and our own templates."""
    draw = filler.random
    out = []
    for document in [*documents, *own(filler, setting.rounds)]:
        if document.source in ("tab", "wikigold", "synth") and draw.random() < (
            0.85 if document.source == "synth" else setting.refill
        ):
            document = refilled(document, filler, 0.9 if document.source == "synth" else 0.6)
        case = draw.random()
        if case < 0.07 and len(document.text) < 400:
            text = document.text.lower()
        elif case < 0.11 and len(document.text) < 400:
            text = document.text.upper()
        else:
            text = document.text
        if len(text) == len(document.text):
            document = Document(text, document.spans, document.unsure, document.source, document.cluster)
        out.append(document)
    draw.shuffle(out)
    return out


def fit(
    documents: Sequence[Document], setting: Setting, log=print
) -> tuple[Net, tokens.Tables, dict[str, np.ndarray], list[Document]]:
    """Trains on `documents` and our own templates. Deterministic for a seed on one kind of machine."""
    torch.manual_seed(setting.seed)
    torch.set_num_threads(1)
    random.seed(setting.seed)
    rng = np.random.default_rng(setting.seed)
    chars = tables()
    lists = word_lists(documents, chars)
    words = sorted(
        {
            word
            for document in documents
            for word in document.text.split()
            if word.isalpha() and word.islower() and 3 < len(word) < 11
        }
    )
    filler = Filler(setting.seed, words)
    net = Net()
    sparse = torch.optim.SparseAdam([net.table.weight], lr=2 * setting.rate)
    dense = torch.optim.AdamW(
        [p for name, p in net.named_parameters() if name != "table.weight"], lr=setting.rate, weight_decay=0.01
    )
    for epoch in range(setting.epochs):
        fall = 1.0 - epoch / setting.epochs * 0.9
        sparse.param_groups[0]["lr"], dense.param_groups[0]["lr"] = 2 * setting.rate * fall, setting.rate * fall
        data = stream(augmented(documents, filler, setting), chars, lists)
        total = count = 0.0
        net.train()
        at = 0
        while at < len(data.bounds):
            first, stop = data.bounds[at][0], at
            while stop < len(data.bounds) and data.bounds[stop][1] - first <= setting.batch:
                stop += 1
            stop = max(stop, at + 1)
            low, high = first - PAD, data.bounds[stop - 1][1] + PAD
            at = stop
            used, kind = np.unique(data.kind[low:high], return_inverse=True)
            rows = data.rows[used].copy()
            if used[0] != 0:
                rows, kind = np.concatenate([np.zeros((1, features.SLOTS), np.int32), rows]), kind + 1
            drop = rng.random(rows.shape) < np.where(np.arange(features.SLOTS) < 2, 0.3, 0.12)
            rows[drop] = 0
            label = data.label[low:high]
            learned = int((label != IGNORE).sum())
            if not learned:
                continue
            source = np.where(rng.random(len(label)) < 0.5, 0, data.source[low:high])
            given = (rows.astype(np.int64), kind, data.gap[low:high], source)
            out = net(*(torch.from_numpy(part) for part in given))
            loss = nn.functional.cross_entropy(out, torch.from_numpy(label), ignore_index=IGNORE, label_smoothing=0.02)
            sparse.zero_grad()
            dense.zero_grad()
            loss.backward()
            sparse.step()
            dense.step()
            total += loss.item() * learned
            count += learned
        log(f"epoch {epoch + 1}: loss {total / count:.4f} over {int(count)} tokens")
    return net, chars, lists, augmented(documents, filler, setting)


def transitions() -> np.ndarray:
    """What may follow what: an inside only after its own kind."""
    out = np.zeros((len(LABELS), len(LABELS)), np.float32)
    for column, to in enumerate(LABELS):
        if to[0] == "I":
            for row, of in enumerate(LABELS):
                if of[2:] != to[2:]:
                    out[row, column] = -1e4
    return out


def arrays(
    net: Net, chars: tokens.Tables, lists: dict[str, np.ndarray], documents: Sequence[Document]
) -> dict[str, np.ndarray]:
    """The arrays of the model file: the table in 8 bits, the frequent types made ready."""
    table = net.table.weight.detach().numpy().copy()
    table[0] = 0
    limit = np.maximum(np.quantile(np.abs(table), 0.9999, axis=0), 1e-6).astype(np.float32)
    scale = (limit / 127).astype(np.float32)
    small = np.clip(np.rint(table / scale), -127, 127).astype(np.int8)
    out: dict[str, np.ndarray] = {
        "table": small,
        "scale": scale,
        "gaps": net.gaps.weight.detach().numpy()[:4].astype(np.float32),
        "window": np.ascontiguousarray(
            net.window.weight.detach().numpy().transpose(2, 1, 0).reshape(-1, HIDDEN)
        ).astype(np.float32),
        "window_bias": (net.window.bias + net.source.weight[0]).detach().numpy().astype(np.float32),
        "output": np.ascontiguousarray(net.output.weight.detach().numpy().T).astype(np.float32),
        "output_bias": net.output.bias.detach().numpy().astype(np.float32),
        "transitions": transitions(),
        "classes": chars.classes,
        "folded": chars.folded,
        "likely": np.setdiff1d(
            np.concatenate([lists["first"], lists["country"], lists["nationality"]]), lists["common"]
        ),
        **{f"list.{name}": words for name, words in lists.items()},
    }
    known, vectors, never = _ready(small, scale, chars, lists, documents)
    return {**out, "known": known, "vectors": vectors, "never": never}


def _ready(
    small: np.ndarray,
    scale: np.ndarray,
    chars: tokens.Tables,
    lists: dict[str, np.ndarray],
    documents: Sequence[Document],
    most: int = 12000,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The commonest types with their vectors, and the types that are seen often and never in a name."""
    keys, rows, inside = [], [], []
    for group in _groups(documents):
        piece, label, _, _ = _joined(group, chars)
        key = features.type_keys(piece.key, piece.shape)
        fresh, first = np.unique(key, return_index=True)
        keys.append(key)
        inside.append(label != 0)
        rows.append(
            (
                fresh,
                features.rows(
                    piece.prefix, piece.start[first], piece.end[first], piece.key[first], piece.shape[first], lists
                ),
            )
        )
    every, count = np.unique(np.concatenate(keys), return_counts=True)
    named = np.isin(every, np.concatenate(keys)[np.concatenate(inside)])
    kept = np.sort(every[np.lexsort((every, -count))[:most]])
    vectors = np.zeros((len(kept), small.shape[1]), np.float32)
    for fresh, feature_rows in rows:
        at = np.searchsorted(kept, fresh)
        hit = (at < len(kept)) & (kept[np.minimum(at, len(kept) - 1)] == fresh)
        vectors[at[hit]] = small[feature_rows[hit]].astype(np.int32).sum(1) * scale
    return kept, vectors, np.sort(every[(count >= 12) & ~named])


def save(
    path: Path, net: Net, chars: tokens.Tables, lists: dict[str, np.ndarray], documents: Sequence[Document]
) -> str:
    return model.write(path, LABELS, arrays(net, chars, lists, documents))
