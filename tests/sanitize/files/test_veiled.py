"""Reports do not tell what the output no longer does: names of columns, keys, folders and files can be values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from consentry.cli.root import build
from consentry.sanitize.files.run import Job, run_tree
from consentry.sanitize.files.veiled import veiled_path
from consentry.sanitize.report import Overview, render

MAIL = "ada@lovelace.org"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in" / f"email={MAIL}"
    source.mkdir(parents=True)
    (source / f"{MAIL}.json").write_text(f'{{"{MAIL}": {{"card": "4111111111111111", "n": ["+1 415 555 2671"]}}}}')
    pq.write_table(pa.table({MAIL: ["4111111111111111"], "s": [{MAIL: "+1 415 555 2671"}]}), source / "a.parquet")
    (source / f"{MAIL}.bin").write_bytes(b"\x00\x01")
    pq.write_table(pa.table({MAIL: [b"\xff\xfe"]}), source / "b.parquet")
    return tmp_path / "in"


@pytest.mark.parametrize("changes", [True, False])
def test_f2_reports_hold_no_value_in_names(
    changes: bool, folder: Path, tmp_path: Path, job: Callable[..., Job]
) -> None:
    done, refused = run_tree(folder, tmp_path / "out" if changes else None, job(changes=changes))
    assert len(done) == 2
    assert len(refused) == 2
    for report in done:
        assert {place for place, _, _ in report.tally.seen} & {"<EMAIL_ADDRESS>.card", "<EMAIL_ADDRESS>"}
        assert MAIL not in repr((report.tally, report.verdicts, report.shown))
        assert MAIL in report.path
    for one in refused:
        assert MAIL not in one.shown
        assert MAIL not in one.reason.replace(one.path, "")
    pairs = [(one.shown, one.reason.replace(one.path, one.shown)) for one in refused]
    page = render(Overview("t", "now", None, done, pairs))
    assert "lovelace" not in page.replace(str(tmp_path), "").replace(f"out/email={MAIL}", "")


def test_the_html_report_of_the_command_holds_no_value(folder: Path, tmp_path: Path) -> None:
    args = ["scan", str(folder), "--no-names", "--report", str(tmp_path / "r.html"), "--json"]
    result = CliRunner().invoke(build(), args)
    assert result.exit_code == 1
    assert "lovelace" not in (tmp_path / "r.html").read_text()
    files = json.loads(result.stdout)["files"]
    assert MAIL not in json.dumps([one["findings"] + one["columns"] for one in files])


def test_a_path_keeps_its_shape(job: Callable[..., Job]) -> None:
    cleaner = job().recipe().cleaner()
    shown = veiled_path(f"/srv/data/email={MAIL}/{MAIL}.csv", cleaner.engines.full)
    assert shown == "/srv/data/email=<EMAIL_ADDRESS>/<EMAIL_ADDRESS>.csv"
    assert veiled_path("in/plain.csv", cleaner.engines.full) == "in/plain.csv"
