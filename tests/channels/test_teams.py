"""The whole way through Teams: installed, linked, asked, shown, pressed, confirmed, updated, told."""

from __future__ import annotations

import asyncio
import json
import re

import orjson
import pytest

from consentry.consent import sweeping
from consentry.server.guard import COOKIE

pytestmark = pytest.mark.asyncio(loop_scope="module")
PATH = "/channels/teams/messages"


@pytest.fixture
def house(teams_house):
    return teams_house


@pytest.fixture
def teams(fake_teams, house):
    """Sends an activity with a good token; what is answered."""

    async def send(activity: dict) -> dict | None:
        token = fake_teams.token(house.gate.store.clock_ms() / 1000)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        answer = await house.http.post(PATH, content=orjson.dumps(activity), headers=headers)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.content) if answer.content else None

    return send


async def _chat(teams, fake, user: str) -> dict:
    """Somebody installs the bot for themselves; what it says first."""
    members = [{"id": f"28:{fake.activity('x', user, 'a:x')['recipient']['id'][3:]}"}]
    await teams(fake.activity("conversationUpdate", user, f"a:{user}", membersAdded=members))
    return fake.messages[f"a:{user}"][-1]


async def _write(teams, fake, user: str, text: str, conversation: str | None = None) -> dict:
    """What the bot answers to something that somebody writes."""
    place = conversation or f"a:{user}"
    await teams(fake.activity("message", user, place, text=text))
    return fake.messages[place][-1]["activity"]


async def test_a_decision_in_teams_releases_the_caller(house, fake_teams, teams) -> None:
    await _chat(teams, fake_teams, house.users["mara"])
    request = await house.ask(arguments={"argv": ["systemctl", "restart", "api"]}, reason="the API hangs")
    action = (await house.gate.request(request)).action_id
    waiting = asyncio.create_task(house.gate.wait(action, timeout_s=60))
    message = await house.message(request, role="19:")
    card = fake_teams.card(message)
    words = fake_teams.words(card)
    for part in ("shell.exec", "host/a", "systemctl", "Mara", "etl", "the API hangs", "releasers-decide", "expires"):
        assert part in words
    ada = house.users["ada"]
    asked = await teams(fake_teams.execute(message, fake_teams.buttons(card)["consentry_approve"], ada))
    assert asked["type"] == "application/vnd.microsoft.card.adaptive"
    assert "Approve this?" in fake_teams.words(asked["value"])
    assert "systemctl" in fake_teams.words(asked["value"])
    confirm = fake_teams.buttons(asked["value"])["consentry_confirm"]
    typed = {"consentry_reason": "Restart is fine."}
    answer = await teams(fake_teams.execute(message, confirm, ada, typed))
    assert "You have decided." in fake_teams.words(answer["value"])
    assert "Ada⟧\u00a0approved by teams:\u00a0⟦Restart is fine." in fake_teams.words(answer["value"])
    decision = await waiting
    assert (decision.state.value, decision.decided_reason) == ("approved", "Restart is fine.")
    await house.until(lambda: "Approved" in fake_teams.words(fake_teams.card(message)))
    assert fake_teams.buttons(fake_teams.card(message)) == {}
    told = await house.message(request, role=f"a:{house.users['mara']}")
    assert "What was asked for you" in fake_teams.words(fake_teams.card(told))


async def test_those_who_may_decide_get_news_by_themselves_and_nobody_else(
    house, fake_teams, teams, teams_module
) -> None:
    request = await house.ask("terraform.apply")
    message = await house.message(request, role="19:")
    refresh = fake_teams.card(message)["refresh"]
    users = {f"8:orgid:{teams_module.who(house.users[name])}" for name in ("ada", "ben", "dan")}
    assert set(refresh["userIds"]) == users, "not who asked, not who is no reviewer, not who is not linked"
    ada, ben = house.users["ada"], house.users["ben"]
    before = await teams(fake_teams.execute(message, refresh["action"], ada))
    assert set(fake_teams.buttons(before["value"])) == {"consentry_approve", "consentry_deny"}
    asked = await teams(fake_teams.execute(message, fake_teams.buttons(before["value"])["consentry_approve"], ada))
    await teams(fake_teams.execute(message, fake_teams.buttons(asked["value"])["consentry_confirm"], ada))
    after = await teams(fake_teams.execute(message, refresh["action"], ada))
    assert fake_teams.buttons(after["value"]) == {}
    assert "You have voted on this request." in fake_teams.words(after["value"])
    bens = await teams(fake_teams.execute(message, refresh["action"], ben))
    assert set(fake_teams.buttons(bens["value"])) == {"consentry_approve", "consentry_deny"}
    assert "1 of 2" in fake_teams.words(bens["value"])
    eve = await teams(fake_teams.execute(message, refresh["action"], "U0EVE"))
    assert "link" in eve["value"]
    mara = await teams(fake_teams.execute(message, refresh["action"], house.users["mara"]))
    assert fake_teams.buttons(mara["value"]) == {}


async def test_not_now_shows_the_card_again_and_decides_nothing(house, fake_teams, teams) -> None:
    request = await house.ask()
    message = await house.message(request, role="19:")
    ada = house.users["ada"]
    approve = fake_teams.buttons(fake_teams.card(message))["consentry_approve"]
    asked = await teams(fake_teams.execute(message, approve, ada))
    back = await teams(fake_teams.execute(message, fake_teams.buttons(asked["value"])["consentry_look"], ada))
    assert "consentry_approve" in fake_teams.buttons(back["value"])
    assert await house.state(request) == "pending"


async def test_reminder_and_escalation_stand_beneath_the_message(house, fake_teams) -> None:
    request = await house.ask()
    message = await house.message(request, role="19:")
    for title in ("Still waiting", "Escalated"):
        house.clock.ahead_ms += 11 * 60_000
        await house.gate.store.write(lambda tx: sweeping.sweep(tx, house.gate._core))

        def said(wanted: str = title) -> bool:
            return any(wanted in fake_teams.words(fake_teams.card(one)) for one in fake_teams.thread(message))

        await house.until(said)
    assert [one["activity"]["replyToId"] for one in fake_teams.thread(message)] == [message["id"]] * 2


async def test_d3_linking_takes_a_sign_in_on_both_sides(house, fake_teams, teams, teams_module) -> None:
    await house.person("kim", "releasers", linked=False)
    house.users["kim"] = "U0KIM"
    request = await house.ask()
    message = await house.message(request, role="19:")
    approve = fake_teams.buttons(fake_teams.card(message))["consentry_approve"]
    assert "link" in (await teams(fake_teams.execute(message, approve, "U0KIM")))["value"]
    answer = await _write(teams, fake_teams, "U0KIM", "link")
    card = answer["attachments"][0]["content"]
    url = card["actions"][0]["url"]
    assert re.fullmatch(rf"{house.services.origin}/linked/[\w-]{{43}}", url)
    path = url.removeprefix(house.services.origin)
    cookie = {"cookie": f"{COOKIE}={house.tokens['kim']}"}
    page = await house.http.get(path, headers=cookie)
    assert "Microsoft Teams" in page.text
    assert teams_module.who("U0KIM") in page.text
    assert "link" in (await teams(fake_teams.execute(message, approve, "U0KIM")))["value"], "looking links nothing"
    headers = {**cookie, "origin": house.services.origin, "sec-fetch-site": "same-origin"}
    form = {**headers, "content-type": "application/x-www-form-urlencoded"}
    assert (await house.http.post(path, content=b"", headers=form, follow_redirects=False)).status_code == 303
    message = await house.message(
        await house.ask(), role="19:"
    )  # accounts have no say in what is older than their link
    approve = fake_teams.buttons(fake_teams.card(message))["consentry_approve"]
    assert (await teams(fake_teams.execute(message, approve, "U0KIM")))["type"] == teams_module.CARD
    assert (await house.http.post(path, content=b"", headers=form, follow_redirects=False)).status_code == 404


async def test_a_link_is_for_the_eyes_of_one(house, fake_teams, teams) -> None:
    """In a channel everybody would read it, and whoever opens it first would be that user."""
    answer = await _write(
        teams, fake_teams, "U0ADA", "<at>Consentry</at> link", "19:approvals@thread.tacv2;messageid=1"
    )
    assert "/linked/" not in json.dumps(answer)
    assert "chat of our own" in answer["text"]


async def test_what_waits_is_listed_for_whoever_may_decide_it(house, fake_teams, teams) -> None:
    request = await house.ask(resource="host/listed")
    mine = await _write(teams, fake_teams, house.users["ada"], "<at>Consentry</at>  LIST ")
    assert "host/listed" in fake_teams.words(mine["attachments"][0]["content"])
    theirs = await _write(teams, fake_teams, house.users["cho"], "list")
    assert "Nothing waits for you" in fake_teams.words(theirs["attachments"][0]["content"])
    nobody = await _write(teams, fake_teams, "U0NOBODY", "list")
    assert "Nobody has linked this account" in nobody["text"]
    assert "`link`" in (await _write(teams, fake_teams, house.users["ada"], "what?"))["text"]
    await house.gate.withdraw(request, (await house.gate.request(request)).action.actor)


async def test_unlinking_takes_the_account_away(house, fake_teams, teams) -> None:
    identity = await house.link("dan", "U0DAN2")
    assert identity
    assert "nobody's any more" in (await _write(teams, fake_teams, "U0DAN2", "unlink"))["text"]
    assert "Nobody has linked" in (await _write(teams, fake_teams, "U0DAN2", "list"))["text"]
    house.users["dan"] = "U0DAN"


async def test_people_who_took_the_bot_out_are_not_written_to(house, fake_teams, teams, teams_module) -> None:
    mara = house.users["mara"]
    await _chat(teams, fake_teams, mara)
    bot = [{"id": f"28:{teams_module.APP}"}]
    await teams(fake_teams.activity("conversationUpdate", mara, f"a:{mara}", membersRemoved=bot))
    request = await house.ask()
    session = await house.services.directory.authenticate(house.tokens["ben"])
    await house.vote_elsewhere(request, session, "deny", "no")
    message = await house.message(request, role="19:")
    await house.until(lambda: not fake_teams.buttons(fake_teams.card(message)))
    assert fake_teams.find(request, role=f"a:{mara}") is None


async def test_d1_an_activity_is_sent_to_where_the_token_says_only(house, fake_teams, teams) -> None:
    """Else the bot's own token would go wherever a body says."""
    activity = fake_teams.activity("message", "U0ADA", "a:U0ADA", text="list", serviceUrl="https://evil.example/teams/")
    token = fake_teams.token(house.gate.store.clock_ms() / 1000)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    assert (await house.http.post(PATH, content=orjson.dumps(activity), headers=headers)).status_code == 401


async def test_where_nobody_may_look_it_is_sent_again(house, fake_teams) -> None:
    """Without the right to read the channel: rather twice than not at all."""
    fake_teams.may_look = False
    fake_teams.trouble["create"].append(("lost", None))
    request = await house.ask()
    await house.until(lambda: not fake_teams.trouble["create"])
    house.clock.ahead_ms += 60_000

    def copies() -> int:
        return sum(request in json.dumps(place[0]["activity"]) for place in fake_teams.messages.values() if place)

    await house.until(lambda: copies() == 2)
    fake_teams.may_look = True


async def test_a_token_that_was_taken_back_is_replaced(house, fake_teams) -> None:
    fake_teams.tokens.clear()
    request = await house.ask()
    house.clock.ahead_ms += 60_000
    await house.message(request, role="19:")


async def test_a_workflow_is_told_with_a_link_and_reminded(workflow_house) -> None:
    house, fake = workflow_house, workflow_house.slack
    fake.trouble["workflow"].extend([("limit", 1), ("status", 502), ("refused", None)])
    request = await house.ask(arguments={"to": "jane.roe@example.com"}, reason="for jane.roe@example.com")
    await house.until(lambda: not fake.trouble["workflow"])
    house.clock.ahead_ms += 60_000
    await house.until(lambda: fake.workflow)
    card = fake.workflow[0]["attachments"][0]["content"]
    assert [action["type"] for action in card["actions"]] == ["Action.OpenUrl"]
    assert card["actions"][0]["url"].endswith(f"/requests/{request}")
    house.clock.ahead_ms += 11 * 60_000
    await house.gate.store.write(lambda tx: sweeping.sweep(tx, house.gate._core))
    await house.until(lambda: len(fake.workflow) == 2)
    assert "Still waiting" in fake.words(fake.workflow[1]["attachments"][0]["content"])
    assert "jane.roe" not in json.dumps(fake.workflow)
    assert await house.state(request) == "pending"
    assert (await house.http.post(PATH, content=b"{}")).status_code == 404


async def test_the_address_of_a_workflow_stands_in_no_error(workflow_house) -> None:
    from consentry.store import tables

    house, fake = workflow_house, workflow_house.slack
    fake.down = True
    await house.ask()
    await house.until(lambda: fake.hung_up)

    def errors(tx) -> list:
        return [row.last_error for row in tx.execute(tables.channel_messages.select()).all() if row.last_error]

    for _ in range(300):
        if found := await house.gate.store.read(errors):
            break
        await asyncio.sleep(0.01)
    fake.down = False
    assert found
    assert not any("secret-of-the-address" in one or "127.0.0.1" in one for one in found)
