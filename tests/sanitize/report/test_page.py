"""The report: nothing raw, nothing from elsewhere, and what it shows is what it was given."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.sanitize.columns import Verdict
from consentry.sanitize.files.tally import FileReport, Tally, preview
from consentry.sanitize.report import Overview, render, write

SECRET = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


def overview(place: str = "email", path: str = "people.csv") -> Overview:
    tally = Tally(values=3)
    tally.at(place, "EMAIL_ADDRESS").add(0.99, "hash", "an address", "ada@lovelace.org", "EMAIL_ADDRESS", 12_345)
    tally.at(place, "SECRET", "github_token").add(1.0, "redact", "a token", SECRET, "SECRET")
    verdict = Verdict(place, "EMAIL_ADDRESS", "direct", 0.99, ("its name says EMAIL_ADDRESS",))
    report = FileReport(path, "csv", 2_048, "out.csv", tally, (verdict,))
    return Overview("people.csv", "2026-01-01 12:00 UTC", "logs", [report], [("x.bin", "is not read here")])


def test_nothing_raw_is_on_the_page() -> None:
    page = render(overview())
    assert "lovelace" not in page
    assert SECRET not in page
    assert "ghp_" not in page
    assert "12\u202f345" in page
    assert "github_token" in page


def test_nothing_comes_from_elsewhere_and_the_policy_names_what_is_here() -> None:
    page = render(overview())
    assert not re.search(r"""(?:\bsrc=|\bhref=|url\(|@import|https?:)""", page)
    assert " style=" not in page
    assert not re.search(r"\son\w+=", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    for tag in ("style", "script"):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert text is not None
        digest = base64.b64encode(hashlib.sha256(text[1].encode()).digest()).decode()
        assert f"{tag}-src &#39;sha256-{digest}&#39;" in page or f"{tag}-src 'sha256-{digest}'" in page


def test_names_from_files_are_escaped_and_made_visible() -> None:
    page = render(overview(place="<script>alert(1)</script>\u202e", path='"><img>.csv'))
    assert "<script>alert" not in page
    assert "<img>" not in page
    assert "\u202e" not in page
    assert "\\u202e" in page


def test_the_same_overview_gives_the_same_bytes(tmp_path: Path) -> None:
    write(overview(), tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text("utf-8") == render(overview())


def test_no_files_is_a_page_too() -> None:
    assert "No file was read." in render(Overview("nothing", "now", None, []))


@pytest.mark.parametrize(
    ("value", "entity", "shown"),
    [
        ("ada@lovelace.org", "EMAIL_ADDRESS", "a••@••••••••.•••"),
        ("4111 1111", "CREDIT_CARD", "•••• ••••"),
        (SECRET, "SECRET", "•••_••••••••••••••••••••…"),
        ("Ada", "PERSON", "•••"),
        ("a\nb", "PERSON", "• •"),
    ],
)
def test_previews(value: str, entity: str, shown: str) -> None:
    assert preview(value, entity) == shown


@given(st.text(max_size=60), st.sampled_from(["PERSON", "SECRET", "US_SSN"]))
def test_previews_show_at_most_one_letter(value: str, entity: str) -> None:
    shown = preview(value, entity)
    assert sum(one.isalnum() for one in shown) <= (entity != "SECRET")
    assert len(shown) <= 25
