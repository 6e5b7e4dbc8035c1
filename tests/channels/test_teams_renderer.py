"""Cards through Microsoft's own renderer (npm `adaptivecards`) in Chromium: what a reviewer sees of a payload."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest

from consentry.channels.card import SAYS, WHAT, Card, Part, Row
from consentry.channels.deciding import Offer
from consentry.channels.model import NoteKind, Role
from consentry.channels.teams import render
from consentry.consent.model import BallotVerdict
from consentry.consent.preview import visible
from consentry.consent.states import RequestState
from consentry.policy.model import Assurance

ROOT = Path(__file__).parents[2]
RENDERER = ROOT / ".work" / "adaptivecards" / "node_modules" / "adaptivecards" / "dist" / "adaptivecards.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
pytestmark = [
    pytest.mark.skipif(not RENDERER.exists(), reason="npm `adaptivecards` is not here: run `make tools`"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: run `make tools`"),
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
]
DRAW = """card => {
  AdaptiveCards.AdaptiveCard.onProcessMarkdown = (text, result) => {
    result.outputHtml = text.replace(/\\[(.*?)\\]\\((.*?)\\)/g, '<a href="$2">$1</a>')
      .replace(/\\*\\*(.*?)\\*\\*/g, '<strong>$1</strong>');
    result.didProcess = true;
  };
  const drawn = new AdaptiveCards.AdaptiveCard();
  const context = new AdaptiveCards.SerializationContext(AdaptiveCards.Versions.v1_5);
  drawn.parse(card, context);
  const shown = drawn.render();
  document.body.replaceChildren(shown);
  const events = [];
  for (let at = 0; at < context.eventCount; at++) events.push(context.getEventAt(at).message);
  return {
    text: shown.innerText, events,
    links: [...shown.querySelectorAll('a')].map(one => one.href),
    strong: shown.querySelectorAll('strong').length,
    buttons: [...shown.querySelectorAll('button')].map(one => one.innerText),
    focused: document.activeElement === document.body,
  };
}"""
PAYLOADS = [
    "**Approved by Ada** [open](https://evil.example)",
    "{{DATE(2020-01-01T00:00:00Z, SHORT)}} {{TIME(2020-01-01T10:00:00Z)}}",
    "a  b   c ",
    "   lead",
    "<at>everyone</at> <b>x</b> &amp; <script>alert(1)</script>",
    "safe\u202eevil\u200b\u00a0end",
    "${name} {{x}} \\n \\u{202e}",
]


@pytest.fixture(scope="module")
def draw():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.set_content("<!doctype html><body></body>")
        page.add_script_tag(path=RENDERER)
        yield lambda card: page.evaluate(DRAW, card)
        browser.close()


def _card(payload: str) -> Card:
    text = visible(payload)
    parts = (Part(WHAT, (Row("arguments", f"{text}\nsecond"),)), Part(SAYS, (Row("reason", text),), payload=True))
    return Card(
        "req_1", "https://consentry.example.com/requests/req_1", "shell.exec", text, RequestState.PENDING, parts, None,
        ("releasers",), 1, 0, 0, 1, (), Assurance.CHAT, "ab" * 32, 0, 1_795_340_000_000,
    )  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_d6_a_reviewer_sees_exactly_what_the_payload_is(draw, payload) -> None:
    card = render.message(_card(payload), "msg_1", Role.REVIEW).card
    seen = draw(card)
    assert seen["events"] == []
    wanted = visible(payload).replace("{{DATE(", "{\\u{007b}DATE(").replace("{{TIME(", "{\\u{007b}TIME(")
    assert seen["text"].replace("\u00a0", " ").count(wanted) == 3, "as resource, as argument and as what they say"
    assert seen["links"] == []
    assert seen["strong"] == 0
    assert seen["buttons"] == ["Approve", "Deny", "Open"]
    assert seen["focused"], "nothing has the focus beforehand (threat D8)"


def test_a_text_block_would_have_been_read_as_markdown(draw) -> None:
    """That the tests above could see it."""
    block = {"type": "TextBlock", "text": f"{PAYLOADS[0]} {PAYLOADS[1]}"}
    seen = draw({"type": "AdaptiveCard", "version": "1.5", "body": [block]})
    assert seen["links"] == ["https://evil.example/"]
    assert seen["strong"] == 1
    assert "DATE" not in seen["text"]


def test_a_card_of_1_6_would_have_been_seen(draw) -> None:
    seen = draw({"type": "AdaptiveCard", "version": "1.6", "body": [{"type": "Carousel", "pages": []}]})
    assert seen["events"]


def test_every_other_card_is_drawn_too(draw) -> None:
    card = _card("x")
    shown = [
        render.confirm(Offer("ofr_1", BallotVerdict.APPROVE, card), "msg_1"),
        render.note(card, NoteKind.REMINDED, "not_1").card,
        render.listing([card], "https://consentry.example.com").card,
        render.message(card, "msg_1", Role.REQUESTER).card,
        render.message(card, "msg_1", Role.GLASS).card,
    ]
    for one in shown:
        seen = draw(one)
        assert seen["events"] == []
        assert seen["text"].strip()
