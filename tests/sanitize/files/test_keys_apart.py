"""Keys that become equal stay as many as they were, in every format that has keys, and sanitized twice."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.sanitize import Sanitizer, profiles
from consentry.sanitize.files.cleaner import Cleaner
from consentry.sanitize.files.json_lines import clean_document
from consentry.sanitize.files.keys_apart import apart
from consentry.sanitize.files.tally import FileReport
from consentry.sanitize.transforms import marks

Run = Callable[..., FileReport]
MARK = "<EMAIL_ADDRESS>"
CASES = [
    ('{"ada@x.org": 1, "bob@x.org": 2}', [MARK, f"{MARK}_2"]),
    ('{"ada@x.org": 1, "<EMAIL_ADDRESS>": 2, "k": 3}', [f"{MARK}_2", MARK, "k"]),
    ('{"<EMAIL_ADDRESS>_2": 0, "ada@x.org": 1, "bob@x.org": 2}', [f"{MARK}_2", MARK, f"{MARK}_3"]),
    ('{"ada@x.org": 1, "n": [{"bob@x.org": 2}], "bob@x.org": 3}', [MARK, "n", f"{MARK}_2"]),
    ('{"ada@x.org": 1, "ada@x.org": 2}', [MARK, MARK]),
]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(("text", "keys"), CASES)
def test_keys_of_one_object_stay_apart(text: str, keys: list[str], name: str, tmp_path: Path, run: Run) -> None:
    (tmp_path / name).write_text(f"{text}\n", "utf-8")
    run(tmp_path / name, tmp_path / f"once-{name}")
    once = (tmp_path / f"once-{name}").read_text("utf-8")
    assert [key for key, _ in json.loads(once, object_pairs_hook=list)] == keys
    run(tmp_path / f"once-{name}", tmp_path / f"twice-{name}")
    assert (tmp_path / f"twice-{name}").read_text("utf-8") == once


@pytest.mark.parametrize("profile", ["default", "training-data", "share-with-vendor"])
@pytest.mark.parametrize("keys", [("Ada Lovelace", "Grace Hopper"), ("ada@example.org", "ADA@example.org")])
def test_keys_stay_apart_with_every_profile(profile: str, keys: tuple[str, str], tmp_path: Path) -> None:
    from consentry.sanitize.files.run import Job, run_tree

    (tmp_path / "a.json").write_text(json.dumps(dict.fromkeys(keys, 1)), "utf-8")
    for source, target in (("a", "b"), ("b", "c")):
        run_tree(tmp_path / f"{source}.json", tmp_path / f"{target}.json", Job(profiles.load(profile)))
    once = json.loads((tmp_path / "b.json").read_text("utf-8"))
    assert len(once) == 2
    assert json.loads((tmp_path / "c.json").read_text("utf-8")) == once


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_keys_of_one_map_stay_apart(kind: pa.DataType) -> None:
    rows = [[("ada@example.org", 1), ("bob@example.org", 2)], None, [("eve@example.org", 3)]]
    batch = pa.record_batch({"m": pa.array(rows, pa.map_(pa.string(), pa.int64())).cast(pa.map_(kind, pa.int64()))})
    sanitizer = Sanitizer.default(names=False)
    once = sanitizer.batch(batch)
    assert once.column("m").to_pylist() == [[(MARK, 1), (f"{MARK}_2", 2)], None, [(MARK, 3)]]
    assert sanitizer.batch(once).equals(once)


@given(st.lists(st.sampled_from(["a@x.org", "b@x.org", "c@x.org", MARK, f"{MARK}_2", "k"]), max_size=8))
def test_equal_keys_stay_equal_and_others_differ(make_cleaner: Callable[..., Cleaner], keys: list[str]) -> None:
    cleaner = make_cleaner(profiles.parse("tables = false", "t"))
    text = "{" + ", ".join(f"{json.dumps(key)}: 1" for key in keys) + "}"
    once = clean_document(text, cleaner, Path("x.json"))[0]
    new = [key for key, _ in json.loads(once, object_pairs_hook=list)]
    assert len(set(zip(keys, new, strict=True))) == len(set(new)) == len(set(keys))
    assert clean_document(once, cleaner, Path("x.json"))[0] == once


def test_thousands_of_equal_keys_take_one_pass() -> None:
    new = apart([str(at) for at in range(20_000)], [MARK] * 20_000)
    assert new[:2] + new[-1:] == [MARK, f"{MARK}_2", f"{MARK}_20000"]


def test_a_number_after_a_mark_is_ours_and_no_more() -> None:
    assert marks.find_marks(f"{MARK}_12") == [(0, len(MARK) + 3)]
    assert marks.find_marks(f"{MARK}_4111111111111111") == [(0, len(MARK))]
