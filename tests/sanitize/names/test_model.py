"""The model file: read as written, refused when it is not what was shipped."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from consentry.errors import ConsentryError
from consentry.sanitize.names import features, model


def small() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    width = 4
    arrays = {
        "table": rng.integers(-9, 9, (features.ROWS, width)).astype(np.int8),
        "scale": np.full(width, 0.1, np.float32),
        "gaps": rng.normal(size=(4, width)).astype(np.float32),
        "window": rng.normal(size=(width * (2 * features.WINDOW + 1), 5)).astype(np.float32),
        "window_bias": np.zeros(5, np.float32),
        "output": rng.normal(size=(5, 3)).astype(np.float32),
        "output_bias": np.zeros(3, np.float32),
        "transitions": np.zeros((3, 3), np.float32),
        "classes": np.zeros(0x10000, np.uint8),
        "folded": np.arange(0x10000, dtype=np.uint32),
        "likely": np.zeros(0, np.uint64),
        "never": np.zeros(0, np.uint64),
        "known": np.zeros(0, np.uint64),
        "vectors": np.zeros((0, width), np.float32),
    }
    return {**arrays, **{f"list.{name}": np.arange(3, dtype=np.uint64) for name in features.LISTS}}


@pytest.fixture
def written(tmp_path):
    path = tmp_path / "names.model"
    return path, model.write(path, ("O", "B-PERSON", "I-PERSON"), small())


def test_a_model_is_read_as_it_was_written(written):
    path, digest = written
    loaded = model.read(path, digest)
    assert loaded.labels == ("O", "B-PERSON", "I-PERSON")
    for name, array in small().items():
        if name.startswith("list."):
            np.testing.assert_array_equal(loaded.lists[name[5:]], array)
        elif name not in ("classes", "folded"):
            np.testing.assert_array_equal(getattr(loaded, name), array)


def test_the_same_arrays_give_the_same_bytes(written, tmp_path):
    assert model.write(tmp_path / "again", ("O", "B-PERSON", "I-PERSON"), small()) == written[1]
    assert hashlib.sha256(written[0].read_bytes()).hexdigest() == written[1]


def test_e9_a_missing_model_fails_closed(tmp_path):
    with pytest.raises(model.ModelUnusable, match="cannot be read"):
        model.read(tmp_path / "none.model", None)


@pytest.mark.parametrize("at", [0, 9, 40, 5000, -1])
def test_e9_a_model_with_one_changed_byte_fails_closed(written, at):
    path, digest = written
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)
    with pytest.raises(model.ModelUnusable, match="not the one that was shipped"):
        model.read(path, digest)


@pytest.mark.parametrize("size", [1, 11, 100, 4000])
def test_e9_a_truncated_model_fails_closed(written, size):
    path, _ = written
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(model.ModelUnusable) as caught:
        model.read(path, None)
    assert isinstance(caught.value, ConsentryError)
    assert caught.value.code == "model_unusable"


def test_an_unknown_type_of_array_is_refused_not_unpickled(written):
    path, _ = written
    raw = path.read_bytes()
    size = int.from_bytes(raw[8:12], "little")
    header = json.loads(raw[12 : 12 + size])
    header["arrays"]["table"][0] = "object"
    changed = json.dumps(header).encode().ljust(size)
    path.write_bytes(raw[:12] + changed[:size] + raw[12 + size :])
    with pytest.raises(model.ModelUnusable):
        model.read(path, None)


def test_the_shipped_model_is_small_and_is_the_one_that_is_named():
    from importlib import resources

    home = resources.files("consentry.sanitize.names")
    raw = (home / model.FILE).read_bytes()
    assert len(raw) <= 20_000_000
    assert (home / model.DIGEST_FILE).read_text().split()[0] == hashlib.sha256(raw).hexdigest()
    assert model.shipped() is model.shipped()


def test_remembered_types_have_the_vectors_that_were_kept():
    memory = model.Memory(2)
    rng = np.random.default_rng(3)
    keys = np.unique(rng.integers(0, 1 << 63, 50_000).astype(np.uint64))  # more than there are places
    vectors = rng.normal(size=(len(keys), 2)).astype(np.float32)
    assert (memory.recall(keys)[1] == -1).all()
    memory.keep(keys, vectors)
    found, row = memory.recall(keys)
    met = row >= 0
    assert 1 << 14 < met.sum() < len(keys)
    np.testing.assert_array_equal(found[row[met]], vectors[met])
