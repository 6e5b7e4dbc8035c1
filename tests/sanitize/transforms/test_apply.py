"""Findings applied to texts: what is found is gone, spans hold, and a second pass changes nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.sanitize import profiles
from consentry.sanitize.finding import Finding
from consentry.sanitize.transforms import Plan, apply, settle
from consentry.sanitize.transforms.apply import finish, finish_many

WORDS = {
    "PERSON": ["Ada Lovelace", "Grace Hopper", "Øyvind"],
    "EMAIL_ADDRESS": ["ada@lovelace.org", "g.hopper@navy.mil"],
    "PHONE_NUMBER": ["+1 415 555 2671", "020 7946 0018"],
    "CREDIT_CARD": ["4111 1111 1111 1111", "378282246310005"],
    "IP_ADDRESS": ["10.1.2.3", "2001:db8:1:2::3"],
    "AGE": ["34", "91"],
    "DATE_TIME": ["3/8/1971", "8 March 1971", "1971-03-08"],
    "POSTAL_CODE": ["94107", "SW1A 1AA"],
    "URL": ["https://lovelace.org/ada"],
    "US_SSN": ["078-05-1120"],
    "SECRET": ["ghp_16C7e42F292c6912E7710c838347Ae178B4a"],
    "LOCATION": ["Marylebone"],
    "ORGANIZATION": ["Analytical Engines"],
    "USERNAME": ["alovelace"],
}
FIND = [(entity, re.compile(rf"(?<!\w){re.escape(word)}(?!\w)")) for entity, words in WORDS.items() for word in words]
SHAPES = [
    ("EMAIL_ADDRESS", re.compile(r"[\w.]+@[\w.]+\w")),
    ("PHONE_NUMBER", re.compile(r"\+\d[\d ]{6,20}\d")),
    ("PERSON", re.compile(r"\b[A-Z][a-z]+ [A-Z][a-z]+\b")),
    ("IP_ADDRESS", re.compile(r"\b\d+\.\d+\.\d+\.\d+\b|\b[0-9a-f]{4}:[0-9a-f:]+\b")),
    ("URL", re.compile(r"https://\S+")),
    ("AGE", re.compile(r"\b\d\d\b(?= years)")),
    ("DATE_TIME", re.compile(r"\b(?:19|20)\d\d(?:-\d\d)*\b")),
]


def greedy(text: str) -> list[Finding]:
    """A scanner that finds more than any real one: every known word and everything of a likely shape."""
    return [
        Finding(entity, *found.span(), 0.9, "test", "test")
        for entity, pattern in [*FIND, *SHAPES]
        for found in pattern.finditer(text)
    ]


FILLERS = ["is", "and", "years", "<PERSON>", "[REDACTED]", "**", ",", "…", "\n", "at"]
texts = st.lists(st.sampled_from([word for words in WORDS.values() for word in words] + FILLERS), max_size=12).map(
    " ".join
)


@pytest.fixture(params=["default", "training-data", "logs", "share-with-vendor", "llm-prompt"])
def plan(request: pytest.FixtureRequest) -> Plan:
    return profiles.load(request.param).plan()


PLANS = {
    name: profiles.load(name).plan() for name in ["default", "training-data", "logs", "share-with-vendor", "llm-prompt"]
}


@given(texts, st.sampled_from(sorted(PLANS)))
def test_twice_changes_nothing_more(text: str, name: str) -> None:
    plan = PLANS[name]
    once, _ = settle(text, greedy, plan)
    twice, _ = settle(once.text, greedy, plan)
    assert twice.text == once.text


@given(texts, st.sampled_from(sorted(PLANS)))
def test_a_run_with_another_key_changes_nothing_more(text: str, name: str) -> None:
    once, _ = settle(text, greedy, PLANS[name])
    twice, _ = settle(once.text, greedy, profiles.load(name).plan())
    assert twice.text == once.text


@given(texts, st.sampled_from(sorted(PLANS)))
def test_no_value_of_a_transformed_span_is_left(text: str, name: str) -> None:
    plan = PLANS[name]
    applied, findings = settle(text, greedy, plan)
    for finding in findings:
        value = text[finding.start : finding.end]
        if plan.acts_on(finding) and not plan.step(finding.type).transform.made(value, _about(finding)):
            if value.isdigit() and len(value) < 4:
                continue  # two digits stand in many a stand-in
            if value in ("<PERSON>", "PERSON"):
                continue
            assert not re.search(rf"(?<!\w){re.escape(value)}(?!\w)", applied.text), (finding.type, applied.text)


@given(texts, st.sampled_from(sorted(PLANS)))
def test_spans_index_the_original_and_the_output(text: str, name: str) -> None:
    applied, _ = settle(text, greedy, PLANS[name])
    rebuilt, at = [], 0
    for one in applied.replacements:
        rebuilt += [text[at : one.start], applied.text[one.out_start : one.out_end]]
        at = one.end
    assert "".join(rebuilt) + text[at:] == applied.text


@given(st.lists(texts, max_size=5), st.sampled_from(sorted(PLANS)))
def test_many_texts_finished_together_are_as_each_alone(many: list[str], name: str) -> None:
    plan, found = PLANS[name], [greedy(text) for text in many]
    together = finish_many(many, found, lambda again: [greedy(text) for text in again], plan)
    assert together == [finish(text, mine, greedy, plan) for text, mine in zip(many, found, strict=True)]


def test_overlapping_findings_go_together() -> None:
    text = "see https://x.org/?u=ada@x.org now"
    found = [
        Finding("URL", 4, 20, 0.6, "t", "t"),
        Finding("EMAIL_ADDRESS", 21, 30, 0.9, "t", "t"),
        Finding("URL", 4, 30, 0.5, "t", "t"),
    ]
    assert apply(text, found, PLANS["default"]).text == "see <EMAIL_ADDRESS> now"


def test_the_same_value_elsewhere_goes_too() -> None:
    text = "Lovelace wrote. Then Lovelace left; Lovelaces did not."
    applied = apply(text, [Finding("PERSON", 0, 8, 0.9, "t", "t")], PLANS["default"])
    assert applied.text == "<PERSON> wrote. Then <PERSON> left; Lovelaces did not."


def test_a_kept_type_does_not_shield_what_lies_in_it() -> None:
    text = "on 1971-03-08 by ada"
    found = [Finding("DATE_TIME", 3, 20, 0.9, "t", "t"), Finding("USERNAME", 17, 20, 0.8, "t", "t")]
    out = apply(text, found, PLANS["logs"]).text
    assert out.startswith("on 1971-03-08 by <USERNAME#")


def test_scores_under_the_least_are_left() -> None:
    plan = profiles.parse("[types.PERSON]\nmin_score = 0.8", "t").plan()
    assert apply("Ada", [Finding("PERSON", 0, 3, 0.7, "t", "t")], plan).text == "Ada"


def _about(finding: Finding):  # type: ignore[no-untyped-def]
    from consentry.sanitize.transforms import About

    return About(finding.type, finding.subtype)


def test_f_work_grows_with_the_text_where_much_is_ours_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts the spans that each finding is held against: few, however many stand in the text."""
    import sys

    applying = sys.modules[apply.__module__]
    looked: list[int] = []
    subtract = applying._subtract

    def counted(text: str, start: int, end: int, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        looked.append(len(spans))
        return subtract(text, start, end, spans)

    monkeypatch.setattr(applying, "_subtract", counted)
    word = "ada@lovelace.org "
    text = ("<PERSON> " + word) * 2_000
    step = len("<PERSON> " + word)
    found = [Finding("EMAIL_ADDRESS", at + 9, at + step - 1, 0.9, "test", "test") for at in range(0, len(text), step)]
    done = apply(text, found, profiles.load("default").plan())
    assert "ada" not in done.text
    assert len(looked) == 2_000
    assert sum(looked) <= 4_000


def test_a_span_that_another_covers_is_still_cut_out() -> None:
    from consentry.sanitize.transforms.apply import _subtract, _Taken

    taken = _Taken([(0, 30), (2, 4), (35, 36)])
    assert _subtract("x" * 40, 20, 38, taken.over(20, 38)) == [(30, 35), (36, 38)]
