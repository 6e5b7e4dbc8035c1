"""What the server reads in submitted actions, and that it denies what it cannot read (invariant 9)."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from consentry.actions import Operand
from consentry.actions.texts import texts
from consentry.consent.errors import OperandChanged
from consentry.sanitize import Sanitizer
from consentry.server.dataset import read_table
from consentry.server.lens import LensFailed, Remembering, facts, scan_texts, to_scan
from consentry.server.looking import pin

CSV = "id,name,email\n1,Ada,ada@example.org\n2,Bob,bob@example.org\n3,Cyd,\n"


@pytest.fixture(scope="module")
def sanitizer() -> Sanitizer:
    return Sanitizer.default(names=False)


def test_texts_are_keys_values_and_long_numbers() -> None:
    assert sorted(texts({"a": ["x", {"b": 4111111111111111}], "n": 7, "f": 1.5e9, "t": True, "z": None})) == sorted(
        ["a", "x", "b", "4111111111111111", "n", "f", "1500000000.0", "t", "z"]
    )


@pytest.mark.parametrize(
    ("arguments", "types"),
    [
        ({"to": "ada@example.org"}, {"EMAIL_ADDRESS": 1}),
        ({"rows": [{"mail": "ada@example.org"}, {"mail": "bob@example.org"}]}, {"EMAIL_ADDRESS": 2}),
        ({"ada@example.org": 1}, {"EMAIL_ADDRESS": 1}),
        ({"limit": 100, "table": "books"}, {}),
    ],
)
def test_findings_over_arguments(sanitizer, arguments, types) -> None:
    scanner = Remembering(sanitizer)
    for _ in range(2):  # the second time from memory
        assert scan_texts(to_scan(arguments, 10_000)[0], scanner) == Counter(types)


def test_a_number_is_looked_at_as_well(sanitizer) -> None:
    assert scan_texts(to_scan({"card": 4111111111111111}, 10_000)[0], Remembering(sanitizer))["CREDIT_CARD"] == 1


def test_more_than_the_limit_is_denied_rather_than_half_scanned() -> None:
    with pytest.raises(LensFailed):
        to_scan({"x": "y" * 101}, 100)


@pytest.mark.parametrize(
    ("operation", "scanned"),
    [("mcp.tool.call", True), ("llm.prompt", True), ("dataset.export", False), ("s3.put", False), ("sql.copy", False)],
)
def test_looking_at_arguments_says_nothing_of_data_elsewhere(operation, scanned) -> None:
    assert facts(operation, {}, looked=True).values["findings"]["scanned"] is scanned
    assert facts(operation, {}, looked=False).values["findings"]["scanned"] is False


def test_a_table_counts_declared_columns_and_scans_the_others(tmp_path, sanitizer) -> None:
    path = tmp_path / "people.csv"
    path.write_text(CSV, "utf-8")
    table = read_table(path, {"name": "PERSON"}, sanitizer.engine)
    assert (table.rows, table.columns, table.masked) == (3, ("email", "id", "name"), ("name",))
    assert table.findings == {"PERSON": 3, "EMAIL_ADDRESS": 2}
    assert table.whole
    assert table.sha256 == hashlib.sha256(CSV.encode()).hexdigest()
    assert not read_table(path, {"name": "PERSON"}, None).whole


def test_jsonl_and_parquet_are_read_alike(tmp_path, sanitizer) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "p.jsonl").write_text('{"name": "Ada", "email": "ada@example.org"}\n{"name": "Bob"}\n', "utf-8")
    pq.write_table(pa.table({"name": ["Ada", "Bob"], "email": ["ada@example.org", None]}), tmp_path / "p.parquet")
    for name in ("p.jsonl", "p.parquet"):
        table = read_table(tmp_path / name, {"email": "EMAIL_ADDRESS"}, sanitizer.engine)
        assert (table.rows, table.findings) == (2, {"EMAIL_ADDRESS": 1})


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("p.csv", b"id,email\n1\n"),
        ("p.csv", b"id,id\n1,2\n"),
        ("p.csv", b"id,mail\n1,x\n"),
        ("p.csv", b"\xff\xfe"),
        ("p.jsonl", b"[1]\n"),
        ("p.jsonl", b"{\n"),
        ("p.parquet", b"PAR1"),
        ("p.bin", b"email\n"),
    ],
)
def test_a_file_that_cannot_be_read_as_it_says_is_denied(tmp_path, sanitizer, name, data) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(LensFailed):
        read_table(tmp_path / name, {"email": "EMAIL_ADDRESS"}, sanitizer.engine)


def test_a_missing_file_is_denied(tmp_path) -> None:
    with pytest.raises(LensFailed):
        read_table(tmp_path / "none.csv", {}, None)


def test_b1_a_dataset_is_pinned_whether_or_not_the_caller_does(tmp_path) -> None:
    good, path = "a" * 64, tmp_path / "d.csv"
    assert pin((), "crm", path, good) == (Operand("crm", good),)
    for name in ("crm", str(path), "d.csv"):
        given = (Operand(name, good),)
        assert pin(given, "crm", path, good) == given
        with pytest.raises(OperandChanged):
            pin((Operand(name, "b" * 64),), "crm", path, good)


def _dataset(tmp_path) -> dict[str, object]:
    path = tmp_path / "people.csv"
    path.write_text(CSV, "utf-8")
    return {"customers": {"kind": "dataset", "path": str(path), "columns": {"email": "EMAIL_ADDRESS"}}}


async def test_an_export_of_personal_data_goes_to_the_stewards(start, tmp_path) -> None:
    async with start(resources=_dataset(tmp_path)) as server:
        agent, steward = await server.agent("etl"), await server.person("s@example.org", "data-stewards")
        asked = await server.submit(agent, "dataset.export", "customers", arguments={"to": "vendor"})
        assert [reason["policy"] for reason in asked["reasons"]] == ["pii-export-needs-steward"]
        request = await server.get(f"/v1/requests/{asked['request_id']}", steward)
        assert request["facts"]["rows"] == 3
        assert request["facts"]["findings"] == {"total": 2, "types": ["EMAIL_ADDRESS"], "scanned": True}
        assert "ada@example.org" not in str(request)
        digest = hashlib.sha256(CSV.encode()).hexdigest()
        assert request["action"]["operands"] == [{"name": "customers", "sha256": digest}]


async def test_b1_a_file_changed_after_consent_is_not_exported(start, tmp_path) -> None:
    async with start(resources=_dataset(tmp_path)) as server:
        agent, steward = await server.agent("etl"), await server.person("s@example.org", "data-stewards")
        asked = await server.submit(agent, "dataset.export", "customers")
        await server.vote(steward, asked["request_id"])
        (tmp_path / "people.csv").write_text(CSV + "4,Dan,dan@example.org\n", "utf-8")
        refused = await server.post(f"/v1/actions/{asked['id']}/claim", agent, status=409)
        assert refused["code"] == "operand_changed"


async def test_b1_a_hash_that_is_not_the_files_is_refused_at_once(start, tmp_path) -> None:
    async with start(resources=_dataset(tmp_path)) as server:
        agent = await server.agent("etl")
        body = {"operation": "dataset.export", "resource": "customers"}
        body["operands"] = [{"name": "people.csv", "sha256": "0" * 64}]
        assert (await server.post("/v1/actions", agent, body, status=409))["code"] == "operand_changed"


async def test_a_failing_sanitizer_denies(server, monkeypatch) -> None:
    agent = await server.agent("etl")

    class Broken:
        def scan(self, text: str) -> list:
            raise RuntimeError(text)

    monkeypatch.setattr(server.services.lens, "_scanner", Remembering(Broken()))
    body = {"operation": "llm.prompt", "resource": "model", "arguments": {"prompt": "my secret thing 1"}}
    answer = await server.post("/v1/actions", agent, body, status=403)
    assert answer["code"] == "lens_failed"
    assert "secret thing" not in str(answer)
