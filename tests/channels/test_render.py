"""Blocks within Slack's limits whatever is in them, and nothing in them that came from a payload works."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block
from slack_sdk.models.views import View

from consentry.channels.card import Card, Part, Row, Word, build
from consentry.channels.deciding import Offer
from consentry.channels.model import NoteKind, Role
from consentry.channels.slack import render
from consentry.channels.slack.text import LIMIT, code, fence, fenced, pieces
from consentry.consent.model import BallotVerdict
from consentry.consent.preview import visible
from consentry.consent.states import RequestState
from consentry.policy.model import Assurance

NASTY = st.text(st.sampled_from("`*_~<>&!@#|\n\\{}u0 \u202e\u200bab;"), max_size=400)
LIVE = re.compile(r"<(?!https://x\.example|!date\^\d+\^\{date_short_pretty\} \{time\}\|)[^>]*>")


def card(value: str = "v", **changes) -> Card:
    values = {
        "request": "req_1", "url": "https://x.example/requests/req_1",
        "operation": "shell.exec", "resource": visible(value),
        "state": RequestState.PENDING, "data": "3 rows",
        "parts": (
            Part("Who", (Row("agent", visible(value)),)),
            Part("What", (Row("operation", "shell.exec"), Row("arguments", value))),
            Part("Pinned by hash", (Row(visible(value), "ab" * 32),)),
            Part("Why you are asked", (Row("rule", visible(value)),)),
            Part("What the caller says (not checked)", (Row("reason", visible(value)),), payload=True),
        ),
        "asked": (visible(value),), "quorum": 1, "approvals": 0, "stage": 0, "stages": 2,
        "words": (Word(visible(value), True, "web", visible(value)),),
        "assurance": Assurance.CHAT, "digest": "ab" * 32, "joined": 2, "expires_at_ms": 1_800_000_000_000,
    }  # fmt: skip
    return Card(**{**values, **changes})


def check(message: render.Message) -> str:
    """Slack's own models take it, and what could be markup in it is ours."""
    assert len(message.blocks) <= 50
    total = len(message.text)
    said = []
    for block in Block.parse_all(list(message.blocks)):
        block.validate_json()
    for block in message.blocks:
        texts = [block["text"]] if "text" in block else [one for one in block["elements"] if one["type"] == "mrkdwn"]
        for text in texts:
            assert len(text["text"]) <= (150 if block["type"] == "header" else 3000)
            total += len(text["text"])
            said.append(text["text"])
    assert total < 13_000
    return "\n".join(said)


@given(NASTY, st.sampled_from(list(RequestState)), st.sampled_from(list(Role)))
def test_d6_whatever_is_in_it_no_markup_of_the_payload_lives(value, state, role) -> None:
    said = check(render.message(card(value, state=state), "msg_1", role))
    assert not LIVE.search(said)
    outside = re.sub(r"```.*?```", "", said, flags=re.DOTALL)
    assert "```" not in outside
    assert outside.count("`") % 2 == 0


@given(NASTY)
def test_d6_code_is_not_left(value) -> None:
    assert code(value).count("`") == 2
    inner = fence(fenced(value))
    assert inner.count("```") == 2
    assert not re.search(r"[<>]", code(value) + inner)


@given(st.text(max_size=300), st.integers(1, 40))
def test_pieces_are_the_whole_and_split_no_escape(text, times) -> None:
    whole = fenced(text * times)
    found = list(pieces(whole, 200))
    assert all(len(one) <= 200 for one in found)
    assert "".join(found).replace("\n", "") == whole.replace("\n", "")
    assert not any(re.search(r"&(amp|lt|gt)?$|&l$|&g$|&a$|&am$", one) for one in found[:-1] if "&" in one)


@pytest.mark.parametrize("verdict", list(BallotVerdict))
def test_the_dialog_is_one_that_slack_takes(verdict) -> None:
    view = render.modal(Offer("ofr_" + "0" * 40, verdict, card("x" * 500)))
    View(**view).validate_json()
    assert view["private_metadata"] == "ofr_" + "0" * 40
    assert "approve" in str(view).lower() if verdict is BallotVerdict.APPROVE else "deny" in str(view).lower()


def test_d8_the_dialogs_only_field_takes_lines_so_enter_sends_nothing() -> None:
    view = render.modal(Offer("ofr_1", BallotVerdict.APPROVE, card()))
    (field,) = [block["element"] for block in view["blocks"] if block["type"] == "input"]
    assert field["multiline"] is True
    assert field["focus_on_load"] is True  # so the focus is not on a button


@pytest.mark.parametrize(
    ("changes", "approve"),
    [
        ({}, True),
        ({"assurance": Assurance.SESSION}, False),
        ({"assurance": Assurance.PASSKEY}, False),
        ({"state": RequestState.APPROVED}, False),
        ({"parts": (Part("What", (Row("arguments", "[SECRET]", whole=False),)),)}, False),
        ({"parts": (Part("What", (Row("arguments", "x" * 12_000),)),)}, False),
    ],
)
def test_invariant_7_approve_stands_only_under_the_whole(changes, approve) -> None:
    one = card(**changes)
    said = str(render.message(one, "msg_1", Role.REVIEW).blocks)
    assert (render.APPROVE in said) is approve
    assert (render.DENY in said) is one.pending


@pytest.mark.parametrize("length", range(LIMIT - 3, LIMIT + 4))
def test_a_value_at_the_limit_is_shown_whole(length) -> None:
    one = card(parts=(Part("What", (Row("arguments", "&" * (length // 5)),)),))
    said = check(render.message(one, "msg_1", Role.REVIEW))
    assert said.count("&amp;") == length // 5


def test_notes_are_short() -> None:
    for kind in NoteKind:
        assert len(render.note(card(), kind)) < 500


def test_what_cannot_be_looked_at_is_not_shown(tmp_path) -> None:
    """INVARIANT 9: a mask that fails hides."""
    from consentry.actions import Action, Actor, Kind
    from consentry.consent.model import Request
    from consentry.consent.preview import Preview, Section
    from consentry.policy.model import Facts, Obligations, Roster, Stage

    def broken(_text: str) -> str:
        raise RuntimeError

    action = Action(Actor(Kind.AGENT, "agt_1"), "shell.exec", "host", {"k": "top secret"}, (), {})
    request = Request(
        "req_1", action, "act_1", ("act_1",), RequestState.PENDING, 0, 0, frozenset(), Facts(), (),
        Obligations((Stage(("group:a",), assurance=Assurance.CHAT),)), "v", "d", 0, 1, "top secret",
    )  # fmt: skip
    preview = Preview((Section("What", (("resource", "host"), ("arguments", "top secret"))),), "d")
    one = build(request, preview, Roster(version=1), broken, "https://x.example")
    assert "top secret" not in str(one)
    assert not one.approvable
