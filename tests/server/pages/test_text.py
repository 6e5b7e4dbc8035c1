from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from consentry.consent.preview import visible
from consentry.server.pages import text

NOW = 1_800_000_000_000


@pytest.mark.parametrize(
    ("raw", "html"),
    [
        ("plain", "plain"),
        ("<b>", "&lt;b&gt;"),
        ("a\u202eb", 'a<i class="esc">\\u{202e}</i>b'),
        ("a\u200bb", 'a<i class="esc">\\u{200b}</i>b'),
        ("a\nb", 'a<i class="esc">\\n</i>b'),
        ("\\u{202e}", "\\\\u{202e}"),
        ("\\n", "\\\\n"),
        ("\u00a0", '<i class="esc">\\u{00a0}</i>'),
        ('"onload="x', "&#34;onload=&#34;x"),
    ],
)
def test_d6_what_hides_is_spelled_out_and_marked(raw: str, html: str) -> None:
    assert text.seen(raw) == Markup(html)


@given(st.text())
def test_d6_no_letters_can_pass_for_a_mark(raw: str) -> None:
    """Take the marks away, and what is left is the text as `visible` spells it: nothing added, nothing lost."""
    html = str(text.seen(raw))
    bare = html.replace('<i class="esc">', "").replace("</i>", "")
    assert Markup(bare).unescape() == visible(raw)
    marks = re.findall(r'<i class="esc">(.*?)</i>', html)
    assert len(marks) == sum(1 for char in raw if visible(char) != char and char != "\\")


@given(st.text())
def test_seen_holds_no_other_element(raw: str) -> None:
    rest = str(text.seen(raw)).replace('<i class="esc">', "").replace("</i>", "")
    assert "<" not in rest
    assert '"' not in rest


def test_line_breaks_of_boxes_are_kept() -> None:
    assert text.seen_lines("a\r\nb\u202e") == Markup('a\nb<i class="esc">\\u{202e}</i>')


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (NOW - 3_000, "just now"),
        (NOW - 40_000, "40 s ago"),
        (NOW - 240_000, "4 min ago"),
        (NOW - 7_200_000, "2 h ago"),
        (NOW - 3 * 86_400_000, "3 days ago"),
        (NOW - 30 * 86_400_000, "2026-12-16"),
        (NOW + 90_000, "in 1 min"),
        (NOW + 5_000, "in 5 s"),
    ],
)
def test_times_are_relative(ms: int, said: str) -> None:
    assert text.relative_time(ms, NOW) == said


@pytest.mark.parametrize(
    ("left", "said"),
    [(-5, "0:00"), (9_000, "0:09"), (754_000, "12:34"), (3_661_000, "1:01:01"), (3 * 86_400_000, "3 d 0 h")],
)
def test_what_is_left_is_a_clock(left: int, said: str) -> None:
    assert text.clock(left) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [("req_019aabcdef0123456789", "req_…456789"), ("ab" * 32, "ababababab…"), ("short", "short"), ("per_1", "per_1")],
)
def test_ids_are_shortened_to_what_tells_them_apart(value: str, said: str) -> None:
    assert text.short(value) == said


@pytest.mark.parametrize(("value", "said"), [(7, "7"), (9_400, "9k"), (37_440, "37k"), (2_000_000, "2M")])
def test_counts_fit_a_pill(value: int, said: str) -> None:
    assert text.compact(value) == said


@pytest.mark.parametrize(("name", "said"), [("Ana Ferreira", "AF"), ("ben", "B"), ("", "?"), ("<b>", "?")])
def test_initials(name: str, said: str) -> None:
    assert text.initials(name) == said
