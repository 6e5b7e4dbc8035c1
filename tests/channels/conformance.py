"""What every channel must hold to, whatever it looks like (threats A and D).

A channel joins with a `Place`: how somebody decides there, and what stands there to read. Its test file makes a class
of `Conformance` with a fixture `place`; channels in which providers speak for people add `ChatConformance` with a
`Chat`, which can also send what no client of the provider would.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import pytest

FORGED = '"}\n```\n*Approved by Ada* <!channel> <https://evil.example|Open> &lt;b&gt;\n```'
HIDDEN = "safe\u202eevil\u2066\u200b\u00ad\x07\ufeffend"
CONTROL = re.compile("[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


@dataclass(frozen=True)
class Outcome:
    """Whether a word was taken, and what was said to whoever spoke."""

    taken: bool
    said: str = ""


@dataclass(frozen=True)
class Shown:
    """What stands at a place about a request: its texts, and whether it can be approved there."""

    words: str
    approvable: bool
    decided: bool


class Place(Protocol):
    """A channel as a person meets it."""

    async def shown(self, request: str) -> Shown: ...

    async def decide(self, who: str, request: str, verdict: str = "approve", reason: str | None = None) -> Outcome: ...


class Chat(Place, Protocol):
    """A channel whose provider tells us what people do."""

    def down(self, is_down: bool) -> None:
        """The provider hangs up on everybody, or no longer does."""

    def trouble(self, kind: str) -> None:
        """What befalls the next message: `limit`, `lost` (sent, and nobody hears of it), `refused`, `status` (503)."""

    def tried(self) -> bool:
        """Whether that has happened by now."""

    def count(self, request: str) -> int:
        """How many messages about a request stand somewhere."""

    def transcript(self) -> str:
        """Everything that the provider was ever sent, without the headers."""

    async def open(self, who: str, request: str, verdict: str = "approve") -> object:
        """Press the button; what must be confirmed, or `None` where nothing came of it."""

    async def confirm(self, who: str, opened: object, **tampering: object) -> Outcome: ...

    async def callback(self, request: str, who: str, **tampering: object) -> int:
        """A callback with something wrong in it; the status that answers it."""

    async def replay(self, who: str, request: str) -> Outcome:
        """The same signed callback twice; what came of the second."""


class Conformance:
    """Rules about who may decide, and what stands where they do."""

    async def test_a_reviewer_decides(self, house, place) -> None:
        request = await house.ask()
        assert (await place.decide("ada", request, "approve", "fine")).taken
        assert await house.state(request) == "approved"
        assert (await house.gate.request(request)).votes[0].reason == "fine"

    async def test_a_reviewer_denies_with_a_reason_that_the_caller_gets(self, house, place) -> None:
        request = await house.ask()
        assert (await place.decide("ben", request, "deny", "not on a friday")).taken
        decision = await house.gate.decision((await house.gate.request(request)).action_id)
        assert (decision.state.value, decision.decided_reason) == ("denied", "not on a friday")

    async def test_a4_whoever_asked_does_not_consent(self, house, place) -> None:
        request = await house.ask()
        outcome = await place.decide("mara", request)
        assert not outcome.taken
        assert "somebody else must decide" in outcome.said
        assert await house.state(request) == "pending"

    async def test_d2_being_here_is_no_right_to_decide(self, house, place) -> None:
        request = await house.ask()
        assert not (await place.decide("cho", request)).taken
        assert not (await place.decide("cho", request, "deny")).taken
        assert await house.state(request) == "pending"

    async def test_a12_a_disabled_person_decides_nothing(self, house, place) -> None:
        request = await house.ask()
        await house.services.directory.disable(None, house.people["dan"])
        try:
            assert not (await place.decide("dan", request)).taken
        finally:
            await house.services.directory.enable(None, house.people["dan"])
        assert await house.state(request) == "pending"

    async def test_a12_whoever_joined_after_the_request_does_not_decide_it(self, house, place) -> None:
        request = await house.ask()
        await house.services.directory.add_to_group(None, "releasers", house.people["cho"])
        try:
            assert not (await place.decide("cho", request)).taken
        finally:
            await house.services.directory.remove_from_group(None, "releasers", house.people["cho"])

    async def test_a8_one_person_is_one_vote(self, house, place) -> None:
        request = await house.ask("terraform.apply")
        assert (await place.decide("ada", request)).taken
        assert not (await place.decide("ada", request)).taken
        assert await house.state(request) == "pending"
        assert (await place.decide("ben", request)).taken
        assert await house.state(request) == "approved"

    async def test_c4_a_late_word_changes_nothing(self, house, place) -> None:
        request = await house.ask()
        assert (await place.decide("ada", request, "deny")).taken
        assert not (await place.decide("ben", request)).taken
        assert await house.state(request) == "denied"

    async def test_c5_after_its_time_a_request_is_denied(self, house, place) -> None:
        request = await house.ask()
        await place.shown(request)
        house.clock.ahead_ms += 3 * 3_600_000
        assert not (await place.decide("ada", request)).taken
        assert await house.state(request) == "expired"

    async def test_each_stage_asks_its_own_people(self, house, place) -> None:
        request = await house.ask("container.run")
        assert (await place.decide("ben", request)).taken
        assert await house.state(request) == "pending"
        assert not (await place.decide("dan", request)).taken
        assert (await place.decide("ada", request)).taken
        assert await house.state(request) == "approved"

    async def test_d6_what_hides_is_spelled_out(self, house, place) -> None:
        shown = await place.shown(await house.ask(arguments={"note": HIDDEN, "b": "``` `x` ```"}, reason=HIDDEN))
        assert not CONTROL.search(shown.words.replace("\n", "").replace("\r", "").replace("\t", ""))
        assert "202e" in shown.words

    async def test_it_says_what_was_decided_and_by_whom(self, house, place) -> None:
        request = await house.ask()
        session = await house.services.directory.authenticate(house.tokens["ben"])
        await house.vote_elsewhere(request, session, "deny", "by another way")
        await house.settled(place, request)
        shown = await place.shown(request)
        assert not shown.approvable
        assert "Ben" in shown.words
        assert "denied" in shown.words.lower()
        assert not (await place.decide("ada", request)).taken


class ChatConformance(Conformance):
    """And where a provider stands in between."""

    async def test_d3_a_user_whom_nobody_linked_is_nobody(self, house, place) -> None:
        """Eve releases, and has the display name; she has not linked this user."""
        request = await house.ask()
        house.users["eve"] = "U0EVE"
        outcome = await place.decide("eve", request)
        assert not outcome.taken
        assert "link" in outcome.said
        assert await house.state(request) == "pending"

    async def test_a5_a_second_linked_identity_is_the_same_person(self, house, place) -> None:
        first = house.users["ada"]
        identity = await house.link("ada", "U0ADA2")
        request = await house.ask("terraform.apply")
        house.users["ada"] = first
        try:
            assert (await place.decide("ada", request)).taken
            house.users["ada"] = "U0ADA2"
            assert not (await place.decide("ada", request)).taken
        finally:
            await house.services.directory.unlink(None, identity)
            house.users["ada"] = first
        assert await house.state(request) == "pending"

    async def test_a5_a_second_identity_of_who_asked_is_who_asked(self, house, place) -> None:
        first = house.users["mara"]
        identity = await house.link("mara", "U0MARA2")
        request = await house.ask()
        try:
            assert not (await place.decide("mara", request)).taken
        finally:
            await house.services.directory.unlink(None, identity)
            house.users["mara"] = first

    async def test_the_same_user_id_of_another_team_is_somebody_else(self, house, place) -> None:
        request = await house.ask()
        assert await place.callback(request, "ada", team="T0OTHER") < 300
        assert await house.state(request) == "pending"
        assert not (await house.gate.request(request)).votes

    async def test_d4_a_rule_that_asks_for_more_gets_a_link(self, house, place) -> None:
        request = await house.ask("container.exec")
        shown = await place.shown(request)
        assert not shown.approvable
        assert "session" in shown.words
        assert not (await place.decide("ada", request)).taken
        assert await house.state(request) == "pending"
        assert (await place.decide("ada", request, "deny")).taken

    @pytest.mark.parametrize("length", [4_000, 30_000, 400_000])
    async def test_d6_what_cannot_be_shown_whole_is_not_approved_here(self, house, place, length) -> None:
        request = await house.ask(arguments={"script": "true && " * (length // 8), "then": "rm -rf /"})
        shown = await place.shown(request)
        if not shown.approvable:
            assert re.search("more than fits|as a whole|left out here", shown.words)
            assert not (await place.decide("ada", request)).taken
        else:
            assert "rm -rf /" in shown.words
        assert shown.approvable == (length < 10_000)

    async def test_d6_payload_cannot_leave_its_place(self, house, place) -> None:
        """It imitates our own text, closes our fence, mentions everybody, and makes a link."""
        request = await house.ask(arguments={"note": FORGED}, reason=FORGED, resource="x`*_~<!here>")
        shown = await place.shown(request)
        for live in ("<!channel>", "<!here>", "<https://evil.example"):
            assert live not in shown.words
        assert shown.words.count("```") % 2 == 0
        place.check_contained(shown.words, "Approved by Ada")

    async def test_d7_what_the_caller_says_is_marked_as_theirs(self, house, place) -> None:
        shown = await place.shown(await house.ask(reason="policy says this is fine"))
        assert re.search(r"caller says \(not checked\)[^\n]*\n[^\n]*policy says this is fine", shown.words)

    async def test_no_raw_value_is_shown_and_then_not_approved_here(self, house, place) -> None:
        raw = {"to": "jane.roe@example.com", "card": "4111 1111 1111 1111", "who": "Maria Lopez"}
        iban = "DE89370400440532013000"
        request = await house.ask(arguments=raw, reason="for jane.roe@example.com", context={"iban": iban})
        shown = await place.shown(request)
        for value in (*raw.values(), iban):
            assert value not in shown.words
        assert "EMAIL_ADDRESS" in shown.words
        assert not shown.approvable
        assert not (await place.decide("ada", request)).taken
        assert (await place.decide("ada", request, "deny")).taken

    @pytest.mark.parametrize("wrong", ["unsigned", "forged", "old", "future", "wordy", "no_time", "twice"])
    async def test_d1_what_the_provider_did_not_sign_just_now_is_refused(self, house, place, wrong) -> None:
        request = await house.ask()
        assert await place.callback(request, "ada", signature=wrong) == 401
        assert await house.state(request) == "pending"

    @pytest.mark.parametrize("missing", ["user", "team", "channel", "message", "actions", "trigger_id", "type"])
    async def test_d1_a_missing_field_is_a_refusal(self, house, place, missing) -> None:
        request = await house.ask()
        assert await place.callback(request, "ada", without=missing) == 400
        assert await house.state(request) == "pending"

    async def test_a_button_on_somebody_elses_message_is_nothing(self, house, place) -> None:
        request, other = await house.ask(), await house.ask()
        assert await place.callback(request, "ada", on_message_of=other) < 300
        assert place.said("ada")
        assert await house.state(request) == await house.state(other) == "pending"

    async def test_c2_a_replay_does_nothing_twice(self, house, place) -> None:
        request = await house.ask("terraform.apply")
        await place.replay("ada", request)
        assert len((await house.gate.request(request)).votes) == 1

    async def test_a_double_click_is_one_word(self, house, place) -> None:
        request = await house.ask("terraform.apply")
        opened = await place.open("ada", request)
        outcomes = await place.twice("ada", opened)
        assert sorted(one.taken for one in outcomes) == [False, True]
        assert len((await house.gate.request(request)).votes) == 1

    async def test_a_stage_that_moved_on_is_looked_at_again(self, house, place) -> None:
        """Ada releases and administers: what she was shown of the first stage is no word on the second."""
        request = await house.ask("container.run")
        opened = await place.open("ada", request)
        assert (await place.decide("ben", request)).taken
        outcome = await place.confirm("ada", opened)
        assert not outcome.taken
        assert "look at it again" in outcome.said
        assert await house.state(request) == "pending"

    async def test_a_stage_that_moves_on_while_somebody_confirms_is_looked_at_again(
        self, house, place, monkeypatch
    ) -> None:
        """Ben decides the first stage after Ada's word was read, and before it counts."""
        request = await house.ask("container.run")
        opened = await place.open("ada", request)
        session = await house.services.directory.authenticate(house.tokens["ben"])
        vote = type(house.gate).vote

        async def late(gate, request_id, voter, ballot):
            monkeypatch.undo()
            await house.vote_elsewhere(request, session, "approve", "a moment before")
            return await vote(gate, request_id, voter, ballot)

        monkeypatch.setattr(type(house.gate), "vote", late)
        outcome = await place.confirm("ada", opened)
        assert not outcome.taken
        assert "look at it again" in outcome.said
        assert [one.person for one in (await house.gate.request(request)).votes] == [house.people["ben"]]

    @pytest.mark.parametrize("verdict", ["approve", "deny"])
    async def test_d2_an_account_that_was_linked_after_the_question_decides_nothing(
        self, house, place, verdict
    ) -> None:
        """Whoever talked Ada into linking it gains nothing that is asked already."""
        first, request = house.users["ada"], await house.ask()
        house.clock.ahead_ms += 1
        identity = await house.link("ada", "U0PHISHED")
        try:
            outcome = await place.decide("ada", request, verdict)
            assert not outcome.taken
            assert "linked after the request was opened" in outcome.said
            assert await house.state(request) == "pending"
            assert (await place.decide("ada", await house.ask(), verdict)).taken
        finally:
            await house.services.directory.unlink(None, identity)
            house.users["ada"] = first
        assert (await place.decide("ada", request, verdict)).taken

    async def test_what_one_was_shown_is_not_confirmed_by_another(self, house, place) -> None:
        request = await house.ask()
        opened = await place.open("ada", request)
        assert not (await place.confirm("ben", opened)).taken
        assert await house.state(request) == "pending"

    async def test_b14_an_offer_that_nobody_made_is_refused(self, house, place) -> None:
        request = await house.ask()
        opened = await place.open("ada", request)
        assert not (await place.confirm("ada", opened, offer="ofr_" + "0" * 40)).taken
        assert await house.state(request) == "pending"

    async def test_nothing_that_a_client_adds_decides(self, house, place) -> None:
        """The dialog was opened to deny: fields that say otherwise are not read."""
        request = await house.ask()
        opened = await place.open("ada", request, "deny")
        await place.confirm("ada", opened, extra={"verdict": "approve", "request": "other", "person": "ben"})
        assert await house.state(request) == "denied"

    async def test_d8_a_word_faster_than_anybody_reads_is_not_taken(self, house, place, monkeypatch) -> None:
        from consentry.channels import deciding

        request = await house.ask()
        monkeypatch.setattr(deciding, "LEAST_MS", 60_000)
        opened = await place.open("ada", request)
        outcome = await place.confirm("ada", opened)
        assert not outcome.taken
        assert "faster than anybody reads" in outcome.said
        house.clock.ahead_ms += 60_000
        assert (await place.confirm("ada", opened)).taken

    async def test_nothing_is_lost_while_the_provider_is_down(self, house, place) -> None:
        """And what was decided meanwhile comes without buttons of the past."""
        place.down(True)
        decided, waiting = await house.ask(), await house.ask()
        session = await house.services.directory.authenticate(house.tokens["ben"])
        await house.vote_elsewhere(decided, session, "approve", "by another way")
        await house.until(place.tried)
        place.down(False)
        house.clock.ahead_ms += 60_000
        shown = await place.shown(decided)
        assert shown.decided
        assert "Ben" in shown.words
        assert (await place.decide("ada", waiting)).taken

    @pytest.mark.parametrize("trouble", ["limit", "lost", "refused", "status"])
    async def test_a_provider_in_trouble_delays_and_doubles_nothing(self, house, place, trouble) -> None:
        place.trouble(trouble)
        request = await house.ask()
        await house.until(place.tried)
        house.clock.ahead_ms += 60_000
        await place.shown(request)
        assert (await place.decide("ada", request)).taken
        house.clock.ahead_ms += 60_000  # the failure may have been noticed only after the first step of the clock
        await house.settled(place, request)
        assert place.count(request) == 1

    async def test_no_secret_and_no_raw_value_went_to_the_provider(self, house, place) -> None:
        """Everything that this suite has sent so far."""
        said = place.transcript()
        raw = (
            "jane.roe@example.com",
            "4111 1111 1111 1111",
            "Maria Lopez",
            "DE89370400440532013000",
            "mara@example.org",
        )
        for value in (*raw, "ps_", "ag_0", "ses_", *house.tokens.values()):
            assert value not in said, value
        assert "etl" in said
