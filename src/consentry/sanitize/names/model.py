"""The model file: a header and arrays, read in place; and the forward pass in numpy.

Layout: 8 bytes magic, 4 bytes little-endian header length, a JSON header `{"meta": …, "arrays": {name: [dtype, shape,
offset]}}`, then the arrays, each at a multiple of 64 from the start of the file. Nothing in it is executed.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from consentry.errors import ConsentryError
from consentry.sanitize.names import features
from consentry.sanitize.names.tokens import U8, U64, Tables, Tokens

MAGIC: Final = b"CNSNAME1"
FILE: Final = "names.model"
DIGEST_FILE: Final = "names.model.sha256"
_SINGLE_THREADED: Final = 1 << 18
"""Multiplications up to which OpenBLAS keeps a product on the calling thread."""
F32 = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]
_GATHERED: Final = 512
"""Rows that are gathered at once, so that they stay in the processor's cache."""
_REMEMBERED: Final = 1 << 15
_DTYPES: Final = {"int8": np.int8, "uint8": np.uint8, "uint32": np.uint32, "uint64": np.uint64, "float32": np.float32}


class ModelUnusable(ConsentryError):
    """The model of names is missing or is not the one that was shipped; nothing is scanned with it."""

    code: ClassVar[str] = "model_unusable"
    status: ClassVar[int] = 503


class Memory:
    """Vectors of types that were met lately, each in the one place that its key says. Words repeat (Zipf), so most of
    a text is found here. Safe to share between threads."""

    def __init__(self, width: int) -> None:
        self._keys = np.arange(1, _REMEMBERED + 1, dtype=np.uint64)  # of the next place each, so that none is met
        self._vectors = np.zeros((_REMEMBERED, width), np.float32)
        self._lock = threading.Lock()

    def recall(self, keys: U64) -> tuple[F32, Rows]:
        """Some vectors, and for each key the row of its own among them, or -1."""
        slots = (keys & np.uint64(_REMEMBERED - 1)).astype(np.intp)
        used = np.zeros(_REMEMBERED, bool)
        with self._lock:
            met = self._keys[slots] == keys
            used[slots[met]] = True
            vectors = self._vectors[used]
        row = np.cumsum(used) - 1
        return vectors, np.where(met, row[slots], -1)

    def keep(self, keys: U64, vectors: F32) -> None:
        """Puts each in its place, over what stood there."""
        slots = (keys & np.uint64(_REMEMBERED - 1)).astype(np.intp)
        slots, first = np.unique(slots, return_index=True)
        with self._lock:
            self._keys[slots] = keys[first]
            self._vectors[slots] = vectors[first]


@dataclass(frozen=True, slots=True)
class Model:
    """Weights, word lists and character tables.

    `table` holds one row per feature (int8, times `scale`), `known` the sorted keys of types whose vectors stand ready
    in `vectors`. `likely` are words that may be names in lower case (`likely_bits`: their first 20 bits), `never` types
    that are no part of a name. `window` and `output` are the two layers; `labels` are BIO labels, `O` first.
    """

    labels: tuple[str, ...]
    tables: Tables
    lists: Mapping[str, U64]
    table: npt.NDArray[np.int8]
    scale: F32
    gaps: F32
    window: F32
    window_bias: F32
    output: F32
    output_bias: F32
    transitions: F32
    likely: U64
    likely_bits: npt.NDArray[np.bool_]
    never: U64
    known: U64
    vectors: F32
    memory: Memory

    def type_vectors(self, tokens: Tokens, chosen: Rows) -> tuple[F32, Rows]:
        """The vectors of the types among the chosen tokens, and for each chosen token the row of its type."""
        keys = features.type_keys(tokens.key[chosen], tokens.shape[chosen])
        found, kind = self.memory.recall(keys)
        fresh = np.flatnonzero(kind < 0)
        if not len(fresh):
            return found, kind
        unique, first, inverse = np.unique(keys[fresh], return_index=True, return_inverse=True)
        kind[fresh] = len(found) + inverse
        vectors = np.empty((len(unique), self.table.shape[1]), np.float32)
        at = np.minimum(np.searchsorted(self.known, unique), max(len(self.known) - 1, 0))
        ready = self.known[at] == unique if len(self.known) else np.zeros(len(unique), bool)
        vectors[ready] = self.vectors[at[ready]]
        if not ready.all():
            vectors[~ready] = self.compute(tokens, chosen[fresh[first[~ready]]])
        self.memory.keep(unique, vectors)
        return np.concatenate((found, vectors)), kind

    def compute(self, tokens: Tokens, chosen: Rows) -> F32:
        """Vectors of types from their features."""
        rows = features.rows(
            tokens.prefix,
            tokens.start[chosen],
            tokens.end[chosen],
            tokens.key[chosen],
            tokens.shape[chosen],
            dict(self.lists),
        )
        total = np.zeros((len(rows), self.table.shape[1]), np.int32)
        for slot in range(rows.shape[1]):
            total += self.table[rows[:, slot]]
        return total * self.scale

    def emissions(self, vectors: F32, kind: Rows, gap: U8, slots: Rows, size: int, where: Rows) -> F32:
        """Label scores of the slots `where` among `size`; the token at `slots[i]` is of type `kind[i]` after `gap[i]`.

        A slot without a token is padding and counts for nothing. The window layer is applied once per pair of type and
        gap, and each token adds up the parts of its neighbours.
        """
        pair = kind * len(self.gaps) + gap
        used = np.zeros(len(vectors) * len(self.gaps), bool)
        used[pair] = True
        pairs = np.flatnonzero(used)
        place = np.cumsum(used)[pair]
        at = np.zeros(size, np.intp)
        at[slots] = place
        seen = vectors[pairs // len(self.gaps)] + self.gaps[pairs % len(self.gaps)]
        hidden = np.repeat(self.window_bias[None], len(where), 0)
        # The first row of each part belongs to padding. One buffer for all: new ones cost more than the sums.
        blocks = _blocks(seen, self.window.size // (2 * features.WINDOW + 1), first=1)
        part = np.empty((*blocks.shape[:2], len(self.window_bias)), np.float32)
        rows = part.reshape(-1, len(self.window_bias))
        taken = np.empty((_GATHERED, len(self.window_bias)), np.float32)
        for offset, weights in enumerate(self.window.reshape(-1, vectors.shape[1], len(self.window_bias))):
            np.matmul(blocks, weights, out=part)
            places = at[where + (offset - features.WINDOW)]
            for start in range(0, len(places), _GATHERED):
                some = places[start : start + _GATHERED]
                hidden[start : start + _GATHERED] += rows.take(some, 0, out=taken[: len(some)], mode="clip")
        np.maximum(hidden, 0, out=hidden)
        return product(hidden, self.output) + self.output_bias

    def may_start_low(self, key: U64) -> npt.NDArray[np.bool_]:
        """Whether each word, written in lower case, may be a name nevertheless."""
        rows = np.flatnonzero(self.likely_bits[(key >> np.uint64(44)).astype(np.intp)])
        out = np.zeros(len(key), bool)
        out[rows] = features.contains(self.likely, key[rows])
        return out


def product(left: F32, right: F32) -> F32:
    """The matrix product, in blocks of rows so small that a BLAS library does not start threads for them.

    A pool of threads that waits for a busy core costs ten times what these products take. Blocks of one size also
    make a row's result independent of how many other rows there are.
    """
    return np.asarray(np.matmul(_blocks(left, right.size), right).reshape(-1, right.shape[1])[: len(left)])


def _blocks(left: F32, size: int, first: int = 0) -> F32:
    """The rows in blocks to be multiplied with a matrix of `size` numbers, `first` rows of nought before them."""
    count, width = left.shape
    block = max(1, _SINGLE_THREADED // size)
    blocks = np.zeros((-(-(count + first) // block), block, width), np.float32)
    blocks.reshape(-1, width)[first : first + count] = left
    return blocks


def read(path: Path, digest: str | None) -> Model:
    """The model in `path`.

    Raises `ModelUnusable` where the file is missing, damaged, or has another SHA-256 than `digest`.
    """
    try:
        raw = np.memmap(path, np.uint8, "r")
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"the model of names `{path.name}` cannot be read; reinstall consentry") from error
    if digest is not None and hashlib.sha256(raw.data).hexdigest() != digest:
        raise ModelUnusable(f"the model of names `{path.name}` is not the one that was shipped; reinstall consentry")
    try:
        return _parsed(raw)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ModelUnusable(f"the model of names `{path.name}` is damaged; reinstall consentry") from error


def _parsed(raw: npt.NDArray[np.uint8]) -> Model:
    if raw[:8].tobytes() != MAGIC:
        raise ValueError("not a model of names")
    size = int.from_bytes(raw[8:12].tobytes(), "little")
    header = json.loads(raw[12 : 12 + size].tobytes())
    arrays = {
        name: np.frombuffer(raw.data, _DTYPES[dtype], int(np.prod(shape)), offset).reshape(shape)
        for name, (dtype, shape, offset) in header["arrays"].items()
    }
    lists = {name: arrays.pop(f"list.{name}") for name in features.LISTS}
    tables = Tables(arrays.pop("classes"), arrays.pop("folded"))
    bits = np.zeros(1 << 20, bool)
    bits[(arrays["likely"] >> np.uint64(44)).astype(np.intp)] = True
    return Model(
        labels=tuple(header["meta"]["labels"]),
        tables=tables,
        lists=lists,
        likely_bits=bits,
        memory=Memory(arrays["table"].shape[1]),
        **arrays,
    )


def write(path: Path, labels: tuple[str, ...], arrays: Mapping[str, npt.NDArray[np.generic]]) -> str:
    """Writes a model file; the same arrays give the same bytes. Returns its SHA-256."""
    names = sorted(arrays)
    shapes: dict[str, list[object]] = {name: [str(arrays[name].dtype), list(arrays[name].shape), 0] for name in names}
    offsets: dict[str, int] = {}
    meta = {"labels": list(labels)}
    room = 12 + len(json.dumps({"meta": meta, "arrays": shapes})) + 16 * len(names)
    offset = -(-room // 64) * 64
    for name in names:
        shapes[name][2] = offsets[name] = offset
        offset += -(-arrays[name].nbytes // 64) * 64
    header = json.dumps({"meta": meta, "arrays": shapes}).encode()
    out = bytearray(offset)
    out[:12] = MAGIC + len(header).to_bytes(4, "little")
    out[12 : 12 + len(header)] = header
    for name in names:
        data = np.ascontiguousarray(arrays[name]).tobytes()
        start = offsets[name]
        out[start : start + len(data)] = data
    path.write_bytes(out)
    return hashlib.sha256(out).hexdigest()


_lock = threading.Lock()
_shipped: list[Model] = []


def shipped() -> Model:
    """The model that came with the package, read and checked once per process. Raises `ModelUnusable`."""
    with _lock:
        if not _shipped:
            home = Path(str(resources.files(__package__)))
            try:
                digest = (home / DIGEST_FILE).read_text(encoding="ascii").split()[0]
            except (OSError, ValueError, IndexError) as error:
                raise ModelUnusable("the digest of the model of names is missing; reinstall consentry") from error
            _shipped.append(read(home / FILE, digest))
        return _shipped[0]
