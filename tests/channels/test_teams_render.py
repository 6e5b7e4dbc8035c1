"""Cards for Teams: valid for version 1.5, within the limits, and with nothing that the payload could make of them."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentry.channels.card import FOUND, SAYS, WHAT, WHO, WHY, Card, Part, Row, Word
from consentry.channels.deciding import Offer
from consentry.channels.digests import MOST
from consentry.channels.model import NoteKind, Role
from consentry.channels.teams import render
from consentry.channels.teams.text import shown
from consentry.channels.teams_webhook import render as workflow
from consentry.consent.model import BallotVerdict
from consentry.consent.preview import visible
from consentry.consent.states import RequestState
from consentry.policy.model import Assurance

HERE = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("consentry_tests_adaptive", HERE / "adaptive.py")
adaptive = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(adaptive)
VALID = jsonschema.Draft202012Validator(adaptive.CARD)
USERS = tuple(f"0f8fad5b-d9cb-469f-a165-{number:012d}" for number in range(80))
EVIL = "**Approved by Ada** [open](https://evil.example) <at>everyone</at>  {{DATE(2020-01-01T00:00:00Z, SHORT)}}"

CARD = Card(
    request="req_1",
    url="https://consentry.example.com/requests/req_1",
    operation="shell.exec",
    resource="host/a",
    state=RequestState.PENDING,
    parts=(
        Part(WHO, (Row("person", "Mara"),)),
        Part(WHAT, (Row("operation", "shell.exec"), Row("arguments", '{\n  "a": [\n    1\n  ]\n}'))),
        Part(FOUND, (Row("tables", '[\n "a"\n]'), Row("rows", "3"))),
        Part(WHY, (Row("a-rule", "Somebody looks at it"),)),
        Part(SAYS, (Row("reason", EVIL),), payload=True),
    ),
    data="3 rows",
    asked=("releasers", "admins"),
    quorum=2,
    approvals=1,
    stage=0,
    stages=2,
    words=(Word("Ada", True, "teams", EVIL), Word("Ben", False, "web", None)),
    assurance=Assurance.CHAT,
    digest="ab" * 32,
    joined=2,
    expires_at_ms=1_795_340_000_000,
)


def _cards(card: Card = CARD) -> dict[str, dict]:
    """Every card that there is."""
    found = {
        f"{role} {state}": render.message(replace(card, state=state), "msg_1", role, USERS).card
        for role in Role
        for state in RequestState
    }
    found |= {f"note {kind}": render.note(card, kind, "not_1").card for kind in NoteKind}
    found |= {f"confirm {one}": render.confirm(Offer("ofr_1", one, card), "msg_1") for one in BallotVerdict}
    found["link"] = render.message(replace(card, assurance=Assurance.PASSKEY), "msg_1", Role.REVIEW).card
    found["mine"] = render.review(card, "msg_1", buttons=False, said="You have voted on this request.")
    found["list"] = render.listing([card, card], "https://consentry.example.com").card
    for state in RequestState:
        found[f"collected {state}"] = render.collected([replace(card, state=state), card], "msg_1").card
    found["nothing"] = render.listing([], "https://consentry.example.com").card
    for kind in (None, *NoteKind):
        found[f"workflow {kind}"] = workflow.message(card, "msg_1", Role.REVIEW, kind)["attachments"][0]["content"]
    return found


@pytest.mark.parametrize("name", sorted(_cards()))
def test_every_card_is_valid_for_version_1_5(name) -> None:
    VALID.validate(_cards()[name])


@pytest.mark.parametrize(
    "change",
    [
        {"version": "1.6"},
        {"body": [{"type": "CodeBlock", "codeSnippet": "x"}]},
        {"body": [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "x"}], "targetWidth": "narrow"}]},
        {"body": [{"type": "TextBlock", "id": "x", "text": "[a](https://evil.example)"}]},
        {"actions": [{"type": "Action.Submit", "title": "Approve", "data": {}}]},
        {"refresh": {"action": {"type": "Action.Execute", "title": "x", "verb": "consentry_look", "data": {}}}},
    ],
)
def test_what_teams_does_not_show_would_be_seen(change) -> None:
    with pytest.raises(jsonschema.ValidationError):
        VALID.validate({**_cards()["mine"], **change})


def test_it_has_what_decides_it() -> None:
    card = render.message(CARD, "msg_1", Role.REVIEW, USERS).card
    verbs = [action.get("verb") for action in card["actions"]]
    assert verbs == ["consentry_approve", "consentry_deny", None]
    approve, deny, _ = card["actions"]
    assert approve["fallback"] == {"type": "Action.OpenUrl", "title": "Open to approve", "url": CARD.url}
    assert deny["fallback"] == "drop"
    assert approve["data"] == {"consentry_message": "msg_1"}, "nothing that a client carries is a decision"
    assert card["refresh"]["userIds"] == [f"8:orgid:{user}" for user in USERS[: render.MOST_USERS]]
    assert "refresh" not in render.message(CARD, "msg_1", Role.REVIEW).card
    assert "refresh" not in render.confirm(Offer("ofr_1", BallotVerdict.DENY, CARD), "msg_1"), (
        "it would lose the reason"
    )


def test_d4_where_the_rule_asks_for_more_approving_is_a_link() -> None:
    card = render.message(replace(CARD, assurance=Assurance.SESSION), "msg_1", Role.REVIEW, USERS).card
    assert [(action["type"], action["title"]) for action in card["actions"]] == [
        ("Action.OpenUrl", "Open to approve"),
        ("Action.Execute", "Deny"),
    ]


@pytest.mark.parametrize("state", [state for state in RequestState if state is not RequestState.PENDING])
def test_what_is_decided_has_no_button(state) -> None:
    card = render.message(replace(CARD, state=state), "msg_1", Role.REVIEW, USERS).card
    assert [action["type"] for action in card["actions"]] == ["Action.OpenUrl"]
    assert "refresh" not in card


def _runs(card: dict) -> list[dict]:
    return [one for block in card["body"] if block["type"] == "RichTextBlock" for one in block["inlines"]]


@pytest.mark.parametrize("name", sorted(_cards()))
def test_d6_payload_stands_in_text_runs_only(name) -> None:
    """A text block is read as Markdown; a text run is not."""
    card = _cards()[name]
    blocks = [block.get("text", "") for block in card["body"] if block["type"] != "RichTextBlock"]
    for text in [*blocks, card["fallbackText"], *(action["title"] for action in card.get("actions", []))]:
        assert "Approved by Ada" not in text
    for run in _runs(card):
        if "Approved by Ada" in run["text"]:
            assert run["fontType"] == "monospace"
            assert "{{DATE" not in run["text"]


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        ("a b", "a b"),
        ("a  b", "a \u00a0b"),
        (" a", "\u00a0a"),
        ("a ", "a\u00a0"),
        ("   ", "\u00a0\u00a0\u00a0"),
        ("", "\u00a0"),
        ("{{DATE(2020-01-01T00:00:00Z)}}", "{\\u{007b}DATE(2020-01-01T00:00:00Z)}}"),
        ("{{{time(x)}}", "{{\\u{007b}time(x)}}"),
        ("{{x}}", "{{x}}"),
    ],
)
def test_b3_a_line_is_shown_as_it_is(text, looks) -> None:
    assert shown(text) == looks


@given(st.text(alphabet="ab {}DATE(\\\u00a0\u202e\n", max_size=30))
def test_b3_no_two_texts_look_the_same(text) -> None:
    """What a preview holds can be told from what is shown of it."""
    line = visible(text)
    back = shown(line).replace("{\\u{007b}", "{{").replace("\u00a0", " ") if line else ""
    assert back == line


_TEXTS = st.text(alphabet=st.sampled_from('a "\\é漢😀\n<&*_'), max_size=3000)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from((WHO, WHAT, WHY, SAYS)), _TEXTS), max_size=6),
    _TEXTS,
    st.lists(_TEXTS, max_size=12),
)
def test_every_message_is_within_the_limit_and_whole_or_says_so(parts, resource, reasons) -> None:
    card = replace(
        CARD,
        parts=tuple(Part(title, (Row("x", text),)) for title, text in parts),
        resource=resource,
        asked=(resource[:1000],),
        data=resource[:1000],
        words=tuple(Word(text[:300], True, "teams", text) for text in reasons),
    )
    cards = _cards(card)
    for name, one in cards.items():
        assert (
            render.size({"type": "message", "summary": "x" * 200, "attachments": [{"content": one}]}) <= render.LIMIT
        ), name
    verbs = [action.get("verb") for action in cards["review pending"]["actions"]]
    assert ("consentry_approve" in verbs) == render.fits(card)
    if render.fits(card):
        said = "".join(run["text"] for run in _runs(cards["review pending"]))
        for title, text in parts:
            lines = [text] if title == WHY else text.split("\n")
            assert all(shown(line) in said for line in lines)


def test_size_counts_what_teams_counts() -> None:
    assert render.size("ab") == 8
    assert render.size("漢漢") == 8
    assert render.size("漢" * 100) == 302


def test_a_workflow_is_told_nothing_of_the_payload_and_gets_no_button() -> None:
    told = json.dumps(workflow.message(CARD, "msg_1", Role.REVIEW))
    assert "Action.Execute" not in told
    assert "Approved by Ada" not in told
    assert "Mara" in told
    assert CARD.url in told


def _url(card: Card, number: int, origin: str) -> Card:
    return replace(card, request=f"req_{number}", url=f"{origin}/requests/req_{number}")


@pytest.mark.parametrize("origin", ["https://consentry.example.com", "https://" + "long." * 40 + "example.com"])
@pytest.mark.parametrize("text", ["host/a", EVIL * 10, "\U0001f600" * 4_000, '"\\' * 3_000, "\u202e" * 500])
def test_a_list_holds_every_request_however_long_they_are(text, origin) -> None:
    """Nothing expires unseen (threat D6: and nothing of the payload is more than text)."""
    text = visible(text)
    card = replace(CARD, resource=text, data=text, asked=(text,) * 9, words=(Word(text, False, "web", text),) * 9)
    cards = [_url(card, number, origin) for number in range(MOST)]
    cards[1] = replace(cards[1], state=RequestState.DENIED)
    found = render.collected(cards, "msg_1")
    VALID.validate(found.card)
    assert render.size({"attachments": [{"content": found.card}]}) <= render.LIMIT
    assert found.summary == f"Consent asked: {MOST - 1} of {MOST} waiting"
    told = [one for one in found.card["body"] if CARD.operation in json.dumps(one)]
    assert len(told) == MOST
    texts = [one["text"] for one in found.card["body"] if one["type"] == "TextBlock"]
    assert texts == [found.summary], "payload stands in text runs only"


def test_a_list_of_ordinary_requests_links_each() -> None:
    cards = [_url(CARD, number, "https://consentry.example.com") for number in range(MOST)]
    shown = json.dumps(render.collected(cards, "msg_1").card)
    assert all(f'/requests/req_{number}"' in shown for number in range(MOST))
    assert '"Action.Execute"' not in shown
