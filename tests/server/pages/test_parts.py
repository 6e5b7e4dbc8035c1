"""The small pure parts: assets, forms, paths, facts, differences, icons."""

from __future__ import annotations

import hashlib

import pytest
from jinja2 import UndefinedError

from consentry.errors import ConsentryError
from consentry.server.pages import assets, templating
from consentry.server.pages.forms import Form, InvalidForm, parse_pairs
from consentry.server.pages.response import CONTENT_SECURITY_POLICY, local_path
from consentry.server.pages.routes.inbox import LEAST_MS, MOST_MS, TooSoon, check_shown
from consentry.server.pages.views.difference import changes
from consentry.server.pages.views.facts import DataClass, found


def test_assets_are_named_by_their_content() -> None:
    for name, asset in assets.by_name().items():
        stem, digest, suffix = asset.path.rsplit(".", 2)
        assert name == f"{stem}.{suffix}"
        assert hashlib.sha256(asset.body).hexdigest().startswith(digest)
        answer = assets.respond(asset.path)
        assert "immutable" in answer.headers["cache-control"]
        assert answer.body == asset.body


@pytest.mark.parametrize("path", ["", "app.css", "app.000000000000.css", "../assets.py", "vendor/htmx.min.js"])
def test_nothing_else_is_an_asset(path: str) -> None:
    with pytest.raises(assets.UnknownAsset):
        assets.respond(path)


def test_the_vendored_library_comes_with_its_licence() -> None:
    assert b"htmx" in assets.by_name()["htmx.min.js"].body[:400]
    assert b"Zero-Clause BSD" in assets.by_name()["htmx.LICENSE.txt"].body


def test_nothing_of_the_styles_or_scripts_is_fetched_from_elsewhere() -> None:
    for name, asset in assets.by_name().items():
        if name.endswith((".css", ".js")) and not name.startswith("htmx"):
            assert b"http://" not in asset.body
            assert b"https://" not in asset.body
            assert b"eval(" not in asset.body
            assert b"innerHTML" not in asset.body


def test_the_content_security_policy_allows_own_files_only() -> None:
    parts = dict(part.strip().split(" ", 1) for part in CONTENT_SECURITY_POLICY.split(";"))
    assert parts["default-src"] == "'none'"
    assert set(parts.values()) == {"'none'", "'self'"}


def test_templates_always_escape_and_know_their_variables() -> None:
    env = templating.environment()
    assert env.autoescape is True
    assert env.from_string("{{ x }}").render(x="<script>") == "&lt;script&gt;"
    with pytest.raises(UndefinedError):
        env.from_string("{{ missing }}").render()


@pytest.mark.parametrize("name", sorted(templating.environment().list_templates()))
def test_templates_have_no_inline_script_style_or_handler(name: str) -> None:
    source, _, _ = templating.environment().loader.get_source(templating.environment(), name)
    for word in ("<style", " style=", "javascript:", "|safe", " onclick", " onload", "hx-on", "hx-vals", "autofocus"):
        assert word not in source, (name, word)
    assert source.count("<script") == source.count("<script ")


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/requests/req_1", "/requests/req_1"),
        ("/history?state=denied", "/history?state=denied"),
        (None, "/"), ("", "/"), ("//evil.example", "/"), ("https://evil.example/", "/"), ("/\\evil.example", "/"),
        ("/x\nSet-Cookie: a", "/"), ("javascript:alert(1)", "/"), ("requests", "/"),
    ],
)  # fmt: skip
def test_a_link_to_us_leads_nowhere_else(text: str | None, path: str) -> None:
    assert local_path(text) == path


@pytest.mark.parametrize(
    "data", [b"a=1&a=2", b"a=%ff", "a=\u00e9".encode(), b"&".join(b"a%d=1" % n for n in range(300))]
)
def test_a_form_that_reads_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidForm):
        parse_pairs(data)


def test_a_form_keeps_what_was_typed() -> None:
    assert parse_pairs(b"reason=+two+spaces++&x=%E2%82%AC%0D%0Ay") == {"reason": " two spaces  ", "x": "€\ny"}


@pytest.mark.parametrize("text", ["", "-1", "1.5", "٣", "1e3", "0", "101", "9" * 30])
def test_numbers_of_a_form_are_bounded(text: str) -> None:
    with pytest.raises(InvalidForm, match="`uses`"):
        Form({"uses": text}).whole("uses", least=1, most=100)


@pytest.mark.parametrize("age", [0, LEAST_MS - 1, MOST_MS + 1, -60_000])
def test_d8_a_vote_on_what_was_hardly_shown_is_refused(age: int) -> None:
    now = 1_800_000_000_000
    with pytest.raises(TooSoon):
        check_shown(str(now - age), now)


@pytest.mark.parametrize("text", ["", "x", "-5", "1e9", "9" * 40, "²"])
def test_d8_a_missing_time_is_a_refusal(text: str) -> None:
    with pytest.raises(TooSoon):
        check_shown(text, 1_800_000_000_000)


def test_facts_become_figures_and_nothing_is_lost() -> None:
    rows = [
        ("findings", '{"scanned": true, "total": 37440, "types": ["PERSON", "EMAIL_ADDRESS"]}'),
        ("rows", "12480"), ("external", "true"), ("destination", '"s3://x\\u{202e}"'), ("tables", '["a"]'),
    ]  # fmt: skip
    shown = found(rows)
    assert [(one.label, one.loud) for one in shown.figures] == [
        ("sensitive values", True), ("rows", False), ("leaves the boundary", True),
    ]  # fmt: skip
    assert shown.classes == (DataClass("EMAIL_ADDRESS", None), DataClass("PERSON", None))
    assert shown.rest == (("destination", '"s3://x\\u{202e}"'),)
    assert shown.lists == (("tables", ("a",)),)
    assert shown.scanned is True


def test_counts_by_class_are_shown_the_largest_first() -> None:
    rows = [("findings", '{"counts": {"A": 2, "B": 9}, "scanned": true, "total": 11, "types": ["A", "B"]}')]
    assert found(rows).classes == (DataClass("B", 9), DataClass("A", 2))


def test_a_part_that_was_looked_at_is_no_count() -> None:
    shown = found([("findings", '{"scanned": false, "total": 3, "types": ["SECRET"]}')])
    assert shown.scanned is False
    assert shown.figures[0].value == "≥ 3"


def test_a_change_of_policy_is_told_line_by_line() -> None:
    found = changes({"a.cedar": "one\ntwo\n", "b.cedar": "x\n"}, {"a.cedar": "one\n2\n", "c.cedar": "new"})
    assert [(one.name, one.word) for one in found] == [
        ("a.cedar", "changed"),
        ("b.cedar", "dropped"),
        ("c.cedar", "new"),
    ]
    assert [(line.kind, line.text) for line in found[0].lines[1:]] == [("same", " one"), ("cut", "-two"), ("add", "+2")]
    assert found[2].lines[-1].text == "+new (no line end)"


def test_errors_of_the_pages_have_codes() -> None:
    assert {one.code for one in (TooSoon, InvalidForm, assets.UnknownAsset)} == {
        "not_looked_at", "invalid_form", "unknown_asset",
    }  # fmt: skip
    assert issubclass(TooSoon, ConsentryError)
