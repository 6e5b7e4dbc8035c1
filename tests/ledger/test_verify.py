"""The verifier against what can be done to a log, a bundle or a receipt: it names it, and never says valid."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consentry.ledger.bundle import Manifest, bundle_files, write_bundle
from consentry.ledger.checkpoint import Checkpoint, sign_checkpoint
from consentry.ledger.entry import encode_entry
from consentry.ledger.keys import LogKey, format_keys, parse_keys, rotate
from consentry.ledger.merkle import Frontier, leaf_hash
from consentry.ledger.note import Signer, sign_note
from consentry.ledger.receipt import Disclosure
from consentry.ledger.report import Outcome, Report
from consentry.ledger.tiles import MappingReader, decode_bundle, encode_bundle, tile_tree
from consentry.ledger.verify import verify_bundle, verify_path, verify_receipt, verify_tiles

TIME = "2026-01-02T03:04:05.678Z"
ORIGIN = "example.com/consentry"
SALT = bytes(range(32))
THIEF = Signer(ORIGIN, bytes([7]) * 32)
NEW = Signer(ORIGIN, bytes([8]) * 32)
CRM = Disclosure(0, "resource", SALT, b"crm")


def flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def found(report: Report) -> list[tuple[str, str]]:
    return [(finding.code, finding.where) for finding in report.findings]


def check(files: dict[str, bytes], keys: list[LogKey], *known: bytes) -> Report:
    return verify_bundle(MappingReader(files), keys, known)


def test_an_honest_bundle_is_valid(log: Any) -> None:
    report = check(log.bundle((1, 256, 599), (CRM,)), log.keys, log.checkpoint_at(300))
    assert (report.outcome, report.exit_code, found(report)) == (Outcome.VALID, 0, [])
    assert (report.entries, report.tiles, report.disclosures, report.rules) == (600, 4, 1, True)
    assert (report.origin, report.size) == (ORIGIN, 600)
    assert report.to_json()["outcome"] == "valid"


def test_one_bit_changed_in_an_entry_names_the_entry(log: Any) -> None:
    files = log.bundle()
    entries = decode_bundle(files["tile/entries/001"])
    where = entries[44].index(b"pe_steward") if b"pe_steward" in entries[44] else entries[44].index(b"act")
    entries[44] = flip(entries[44], where * 8)
    files["tile/entries/001"] = encode_bundle(entries)
    report = check(files, log.keys)
    assert report.exit_code == 5
    assert ("entry_changed", "entry 300") in found(report)
    assert not any(code == "tile_changed" for code, _ in found(report))


@pytest.mark.parametrize("path", ["tile/0/000", "tile/0/002.p/88", "tile/1/000.p/2"])
def test_one_bit_changed_in_a_tile_names_the_tile(log: Any, path: str) -> None:
    files = log.bundle()
    files[path] = flip(files[path], 32 * 8 + 3)
    report = check(files, log.keys)
    assert report.exit_code == 5
    assert found(report) == [("tile_changed", f"{path} hash 1")]


def test_one_bit_changed_in_a_checkpoint_names_the_checkpoint(log_of: Any, story: Any) -> None:
    log = log_of(story("act1"))
    files = log.bundle((3,))
    for path in ("checkpoint", "checkpoints/3"):
        for bit in range(len(files[path]) * 8):
            report = check({**files, path: flip(files[path], bit)}, log.keys)
            assert report.exit_code in (5, 6)
            assert path in [f.where for f in report.findings]


def test_every_changed_byte_of_a_small_bundle_is_noticed(log_of: Callable[..., Any], story: Callable[..., Any]) -> None:
    log = log_of(story("act1"))
    files = log.bundle((3,), (CRM,))
    assert check(files, log.keys).exit_code == 0
    for path, data in files.items():
        for at in range(len(data)):
            report = check({**files, path: flip(data, at * 8 + at % 8)}, log.keys)
            assert report.exit_code in (5, 6), f"a changed bit in byte {at} of {path} was not noticed"


def test_every_missing_file_of_a_bundle_is_noticed(log: Any) -> None:
    files = log.bundle((3,), (CRM,))
    del files["disclosures.json"]
    assert check(files, log.keys).exit_code == 0, "a bundle without disclosures is whole"
    for path in files:
        report = check({p: d for p, d in files.items() if p != path}, log.keys)
        assert report.exit_code in (5, 6), path


def test_g4_a_tail_cut_off_is_noticed(log: Any) -> None:
    files = log.bundle()
    del files["tile/entries/002.p/88"]
    report = check(files, log.keys)
    assert (report.exit_code, found(report)[-1]) == (5, ("tail_cut", "entry 512"))


def test_g4_a_shorter_log_than_the_keeper_knows_is_noticed(log: Any, log_of: Callable[..., Any], story: Any) -> None:
    short = log_of([event for n in range(99) for event in story(f"act{n:03d}")])
    assert check(short.bundle(), log.keys).exit_code == 0, "by itself a shorter log is a valid one"
    report = check(short.bundle(), log.keys, log.checkpoint)
    assert (report.exit_code, found(report)) == (5, [("tail_cut", "known checkpoint 1")])


@pytest.mark.parametrize("index", [5, 255, 256, 300, 598])
def test_an_entry_left_out_is_named(log: Any, index: int) -> None:
    files = log.bundle()
    short, _ = tile_tree(log.entries[:index] + log.entries[index + 1 :])
    files.update({path: data for path, data in short.items() if "entries" in path})
    files["tile/entries/002.p/88"] = files.pop("tile/entries/002.p/87")
    report = check(files, log.keys)
    assert report.exit_code == 5
    first = next(where for code, where in found(report) if code in ("entry_missing", "entry_changed"))
    assert first == f"entry {index}"


def test_an_entry_left_out_of_its_bundle_only_is_named(log: Any) -> None:
    files = log.bundle()
    entries = decode_bundle(files["tile/entries/001"])
    files["tile/entries/001"] = encode_bundle(entries[:10] + entries[11:])
    report = check(files, log.keys)
    assert report.exit_code == 5
    assert ("entry_missing", "entry 266") in found(report)
    assert not any(code == "tile_changed" for code, _ in found(report))


def test_a_missing_file_inside_the_log_is_named_and_unverifiable(log: Any) -> None:
    for path, code in (("tile/entries/001", "entries_missing"), ("tile/0/001", "tile_missing")):
        report = check({p: d for p, d in log.bundle().items() if p != path}, log.keys)
        assert (code, path) in found(report)
        assert report.exit_code in (5, 6)


def test_a_log_written_anew_does_not_lead_to_the_signed_root(log: Any, log_of: Any, story: Any) -> None:
    other = log_of([event for n in range(100, 200) for event in story(f"act{n:03d}")])
    report = check({**other.bundle(), "checkpoint": log.checkpoint}, log.keys)
    assert (report.exit_code, found(report)) == (5, [("root_mismatch", "checkpoint")])


def test_g8_two_roots_signed_for_one_size_are_a_fork(log: Any, log_of: Any, story: Any) -> None:
    other = log_of([event for n in range(100, 200) for event in story(f"act{n:03d}")])
    report = check(log.bundle(), log.keys, other.checkpoint)
    assert report.exit_code == 5
    assert ("fork", "known checkpoint 1") in found(report)


def test_g8_a_history_that_left_a_signed_one_is_a_fork(log: Any, log_of: Any, story: Any) -> None:
    other = log_of([*(e for n in range(50) for e in story(f"act{n:03d}")), *story("elsewhere")])
    report = check(log.bundle(), log.keys, other.checkpoint)
    assert (report.exit_code, found(report)) == (5, [("fork", "known checkpoint 1")])
    assert check(log.bundle(), log.keys, other.checkpoint_at(300)).exit_code == 0


def test_a_wrong_key_is_unverifiable_and_says_which(log: Any) -> None:
    report = check(log.bundle(), [LogKey(THIEF.verifier)])
    assert report.exit_code == 6
    assert ("wrong_key", "checkpoint") in found(report)
    assert any(f"{log.signer.verifier.key_id:08x}" in f.message for f in report.findings)


def test_a_log_rewritten_and_signed_with_another_key_is_never_valid(log: Any, log_of: Any, story: Any) -> None:
    forged = log_of(story("act666"), THIEF)
    assert check(forged.bundle(), log.keys).exit_code == 6
    assert check(forged.bundle(), log.keys, log.checkpoint).exit_code == 5


def _rotated(log: Any) -> tuple[dict[str, bytes], list[LogKey]]:
    """A log whose key was rotated after entry 6; the checkpoint of size 7 is signed by both keys."""
    size = len(log.entries)
    keys = list(rotate(log.keys, NEW.verifier, 7))
    root = Frontier().extend(leaf_hash(e) for e in log.entries[:7]).root()
    bridge = sign_checkpoint(Checkpoint(ORIGIN, 7, root), [log.signer, NEW])
    checkpoints = {3: log.checkpoint_at(3), 7: bridge}
    manifest = Manifest(ORIGIN, size, (3, 7))
    files = dict(bundle_files(log.reader, manifest, log.checkpoint_at(size, NEW), checkpoints, keys))
    return files, keys


@pytest.fixture
def rotated_log(log_of: Callable[..., Any], story: Any, log: Any) -> Any:
    rotation = ("ledger.key_rotated", {"old_key": log.signer.verifier.vkey, "new_key": NEW.verifier.vkey})
    return log_of([*story("act1"), rotation, *story("act2")])


def test_g5_a_rotated_key_is_not_tampering(rotated_log: Any) -> None:
    files, keys = _rotated(rotated_log)
    for given_keys in (keys, rotated_log.keys):
        report = check(files, given_keys)
        assert (report.exit_code, found(report)) == (0, []), "with all keys, or with the first one only"


def test_g5_a_new_key_that_no_rotation_vouches_for_is_unverifiable(rotated_log: Any) -> None:
    files, _ = _rotated(rotated_log)
    files = {**files, "checkpoint": rotated_log.checkpoint_at(13, THIEF)}
    report = check(files, rotated_log.keys)
    assert ("wrong_key", "checkpoint") in found(report)
    assert report.exit_code == 6


def test_g5_a_retired_key_cannot_sign_on(rotated_log: Any) -> None:
    files, keys = _rotated(rotated_log)
    for given_keys in (keys, rotated_log.keys):
        report = check({**files, "checkpoint": rotated_log.checkpoint_at(13)}, given_keys)
        assert (report.exit_code, found(report)[0]) == (5, ("key_out_of_range", "checkpoint"))


def test_g5_a_rotation_entry_outside_what_the_old_key_signed_vouches_for_nothing(rotated_log: Any) -> None:
    files, _ = _rotated(rotated_log)
    manifest = Manifest(ORIGIN, 13, (3,))
    files = {**files, "bundle.json": manifest.encode()}
    assert check(files, rotated_log.keys).exit_code == 6


def test_g10_an_empty_log_is_valid_and_an_empty_root_for_a_longer_one_is_not(log_of: Any) -> None:
    empty = log_of([])
    assert check(empty.bundle(), empty.keys).exit_code == 0
    lie = sign_note(f"{ORIGIN}\n5\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n", [empty.signer])
    assert check({**empty.bundle(), "checkpoint": lie}, empty.keys).exit_code == 5


def test_g9_a_claimed_size_beyond_measure_ends_at_once(log: Any) -> None:
    huge = sign_checkpoint(Checkpoint(ORIGIN, 2**62, bytes(32)), [log.signer])
    report = check({**log.bundle(), "checkpoint": huge}, log.keys)
    assert report.exit_code == 5


@pytest.mark.parametrize("size", [0, 1, 31, 8191, 8193, 70_000])
def test_g9_damaged_files_are_noticed_whatever_their_length(log: Any, size: int) -> None:
    files = log.bundle()
    for path in files:
        report = check({**files, path: os.urandom(size)}, log.keys)
        assert report.exit_code in (5, 6), path


def test_semantic_rules_are_checked_in_bundles(log_of: Any, story: Any) -> None:
    events = story("act1")
    events[4] = ("grant.claimed", {**events[4][1], "digest": "f" * 64})
    log = log_of(events)
    report = check(log.bundle(), log.keys)
    assert (report.exit_code, found(report)) == (5, [("digest_differs", "entry 4")])


def test_entries_outside_the_grammar_are_named(log_of: Any, story: Any) -> None:
    log = log_of(story("act1"))
    bad = type(log)([*log.entries, b'{"type":"grant.lost"}'], log.signer)
    report = check(bad.bundle(), log.keys)
    assert (report.exit_code, found(report)) == (5, [("entry_invalid", "entry 6")])


def test_disclosures_must_open_commitments(log: Any) -> None:
    for wrong, code in (
        (Disclosure(0, "resource", SALT, b"crn"), "disclosure_changed"),
        (Disclosure(0, "resource", bytes(32), b"crm"), "disclosure_changed"),
        (Disclosure(0, "resource", b"short", b"crm"), "disclosure_changed"),
        (Disclosure(0, "digest", SALT, b"crm"), "disclosure_unknown"),
        (Disclosure(1, "resource", SALT, b"crm"), "disclosure_unknown"),
        (Disclosure(600, "resource", SALT, b"crm"), "disclosure_unknown"),
    ):
        report = check(log.bundle((), (CRM, wrong)), log.keys)
        assert (report.exit_code, [c for c, _ in found(report)]) == (5, [code])


def test_published_logs_of_ours_and_of_others_verify(log: Any, shared_ledger: Path) -> None:
    report = verify_tiles(log.reader, log.keys)
    assert (report.exit_code, report.rules) == (0, True)
    tessera = shared_ledger / "tessera-testlog"
    report = verify_path(tessera, tessera / "testdata.vkey")
    assert (report.exit_code, report.size, report.entries, report.rules) == (0, 15, 15, False)
    for size in (1, 256, 600):
        golden = shared_ledger / "golden"
        report = verify_path(golden / f"log-{size}", golden / f"log-{size}.vkey")
        assert (report.exit_code, report.size) == (0, size)
        assert verify_path(golden / f"log-{size}", tessera / "testdata.vkey").exit_code == 6


def test_an_honest_receipt_is_valid(log: Any) -> None:
    data = log.receipt("act042", (Disclosure(42 * 6, "resource", SALT, b"crm"),)).encode()
    report = verify_receipt(data, log.keys, [log.checkpoint])
    assert (report.exit_code, report.entries, report.disclosures, found(report)) == (0, 6, 1, [])


def test_every_changed_bit_of_a_receipt_is_noticed(log_of: Any, story: Any) -> None:
    log = log_of(story("act1") + story("act2"))
    data = log.receipt("act2", (Disclosure(6, "resource", SALT, b"crm"),)).encode()
    assert verify_receipt(data, log.keys).exit_code == 0
    for bit in range(len(data) * 8):
        if bit % 8 == (bit // 8) % 8 or b'"' in data[bit // 8 : bit // 8 + 1]:
            assert verify_receipt(flip(data, bit), log.keys).exit_code in (5, 6), f"bit {bit}"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_g9_receipts_of_any_shape_are_answered(log: Any, data: st.DataObject) -> None:
    document = orjson.loads(log.receipt("act042").encode())
    name = data.draw(st.sampled_from(sorted(document)))
    document[name] = data.draw(st.none() | st.integers(-1, 2) | st.text(max_size=3) | st.lists(st.none(), max_size=2))
    if name != "disclosures" or document[name] != []:
        assert verify_receipt(orjson.dumps(document), log.keys).exit_code in (5, 6)


def test_a_receipt_with_an_entry_left_out_is_unverifiable(log: Any) -> None:
    data = log.receipt("act042", skip="request.opened").encode()
    report = verify_receipt(data, log.keys)
    assert report.exit_code == 6
    assert ("request_unknown", "entry 253") in found(report)


def test_a_receipt_of_another_action_or_of_none_is_refused(log: Any) -> None:
    receipt = orjson.loads(log.receipt("act042").encode())
    for changed in ({"action": "act043"}, {"entries": []}, {"entries": receipt["entries"][::-1]}):
        assert verify_receipt(orjson.dumps({**receipt, **changed}), log.keys).exit_code == 5


def test_a_receipt_under_another_key_or_a_fork_is_refused(log: Any) -> None:
    data = log.receipt("act042").encode()
    assert found(verify_receipt(data, [LogKey(THIEF.verifier)])) == [("wrong_key", "checkpoint")]
    fork = sign_checkpoint(Checkpoint(ORIGIN, 600, bytes(32)), [log.signer])
    assert ("fork", "known checkpoint 1") in found(verify_receipt(data, log.keys, [fork]))


@pytest.mark.parametrize("name", ["bundle", "bundle.zip", "bundle.tar"])
def test_bundles_verify_from_disk(log: Any, tmp_path: Path, name: str) -> None:
    write_bundle(tmp_path / name, log.bundle((256,), (CRM,)).items())
    (tmp_path / "keys").write_text(format_keys(log.keys))
    report = verify_path(tmp_path / name, tmp_path / "keys")
    assert (report.exit_code, report.subject, report.entries, found(report)) == (0, "bundle", 600, [])
    assert found(verify_path(tmp_path / name, None)) == [("no_key", "key")]
    assert verify_path(tmp_path / name, None).exit_code == 6


@pytest.mark.parametrize("name", ["bundle.zip", "bundle.tar"])
def test_g9_damaged_archives_never_verify_by_accident(log_of: Any, story: Any, tmp_path: Path, name: str) -> None:
    log = log_of(story("act1"))
    files = log.bundle()
    write_bundle(tmp_path / name, files.items())
    (tmp_path / "keys").write_text(format_keys(log.keys))
    data = (tmp_path / name).read_bytes()
    for end in range(0, len(data), max(1, len(data) // 40)):
        (tmp_path / name).write_bytes(data[:end])
        report = verify_path(tmp_path / name, tmp_path / "keys")
        whole = name.endswith(".tar") and end >= len(data.rstrip(b"\0"))
        assert report.exit_code in (5, 6) or whole
    for at in range(0, len(data), 97):
        (tmp_path / name).write_bytes(flip(data, at * 8))
        verify_path(tmp_path / name, tmp_path / "keys")


def test_receipts_verify_from_disk(log: Any, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(f"# our log\n\n{log.signer.verifier.vkey}\n")
    (tmp_path / "receipt.json").write_bytes(log.receipt("act042").encode())
    assert verify_path(tmp_path / "receipt.json", tmp_path / "keys").exit_code == 0
    assert verify_path(tmp_path / "receipt.json", None).exit_code == 6


def test_g9_paths_that_are_nothing_are_unverifiable_and_never_waited_for(log: Any, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(format_keys(log.keys))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "text").write_text("hello")
    (tmp_path / "nothing").write_bytes(b"")
    for name in ("pipe", "empty", "other.json", "text", "nothing", "absent"):
        assert verify_path(tmp_path / name, keys).exit_code == 6, name
    for name in ("absent", "text", "empty", "pipe"):
        assert found(verify_path(tmp_path / "text", tmp_path / name)) == [("key_unreadable", "key")]


def test_key_files_round_trip_and_malformed_ones_are_refused(log: Any) -> None:
    keys = rotate(log.keys, NEW.verifier, 7)
    assert parse_keys(format_keys(keys)) == keys
    assert [(k.from_size, k.to_size) for k in keys] == [(0, 8), (7, None)]
    vkey = log.signer.verifier.vkey
    for text in ("", "# only\n", f"{vkey} x", f"{vkey} 5 4", f"{vkey} 1 2 3", f"{vkey} -1", vkey[1:]):
        with pytest.raises(Exception, match="key"):
            parse_keys(text)


def test_rules_hold_for_an_entry_of_every_kind(log_of: Any) -> None:
    started = ("ledger.started", {"instance": "i1", "new_key": NEW.verifier.vkey})
    log = log_of([started, ("person.disabled", {"person": "pe_1"})])
    assert encode_entry(started[0], TIME, started[1]) == log.entries[0]
    assert check(log.bundle(), log.keys).exit_code == 0
