"""Linking a Slack account: signed in on both sides, by an explicit press, once (threats D2, D3, D5, A5)."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest

from consentry.channels import linking
from consentry.server.guard import COOKIE

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture
def page(house):
    """`await page("POST", path, "eve")`: the page as a browser of somebody asks for it."""

    async def ask(method: str, path: str, who: str | None = None, **headers: str):
        sent = {"cookie": f"{COOKIE}={house.tokens[who]}"} if who else {}
        if method == "POST":
            sent |= {"origin": house.services.origin, "sec-fetch-site": "same-origin"}
        return await house.http.request(method, path, headers={**sent, **headers}, follow_redirects=False)

    return ask


@pytest.fixture
def command(house, fake):
    async def send(user: str, text: str) -> dict:
        answer = await house.post("/channels/slack/commands", fake.command(user, text))
        assert answer.status_code == 200, answer.text
        return answer.json()

    return send


def path_in(answer: dict) -> str:
    return urlsplit(re.search(r"<(http[^|>]+)", answer["text"]).group(1)).path


async def mine(house, name: str) -> list:
    return [one.subject for one in await house.services.directory.identities(house.people[name])]


async def test_a_person_links_their_account_and_decides(house, fake, page, command) -> None:
    answer = await command("U0EVE", "link")
    assert answer["response_type"] == "ephemeral"
    path = path_in(answer)
    shown = await page("GET", path, "eve")
    assert "U0EVE" in shown.text
    assert "T0TEAM" in shown.text
    assert (await page("POST", path, "eve")).status_code == 303
    assert await mine(house, "eve") == ["U0EVE"]
    request = await house.ask()
    message = await house.message(request)
    await house.interact(fake.pressed(message, "consentry_approve", "U0EVE"))
    await house.interact(fake.submitted(fake.views[-1], "U0EVE"))
    assert await house.state(request) == "approved"
    types = [one.type async for one in _events(house)]
    assert "person.linked" in types
    assert (await command("U0EVE", "unlink"))["text"] == "This Slack account is nobody's any more."
    assert await mine(house, "eve") == []


async def _events(house):
    size = await house.gate.ledger_size()
    async for one in house.gate.events(0):
        yield one
        if one.seq >= size - 1:
            return


async def test_d5_looking_links_nothing(house, page, command) -> None:
    path = path_in(await command("U0SCAN", "link"))
    for method in ("GET", "HEAD", "GET"):
        await page(method, path, "eve")
    assert (await page("GET", path)).headers["location"] == f"/sign-in?next={path}"
    assert (await page("POST", path)).status_code == 401
    assert await mine(house, "eve") == []


async def test_d5_another_sites_form_links_nothing(house, page, command) -> None:
    path = path_in(await command("U0SITE", "link"))
    cross = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert (await page("POST", path, "eve", **cross)).status_code == 403
    assert await mine(house, "eve") == []


async def test_a_link_works_once_and_not_for_long(house, page, command) -> None:
    path = path_in(await command("U0ONCE", "link"))
    assert (await page("POST", path, "cho")).status_code == 303
    assert (await page("POST", path, "eve")).status_code == 404
    late = path_in(await command("U0LATE", "link"))
    house.clock.ahead_ms += linking.VALID_MS
    assert (await page("POST", late, "eve")).status_code == 404
    assert (await page("POST", "/linked/" + "A" * 43, "eve")).status_code == 404


async def test_a5_an_account_of_one_person_is_not_given_to_another(house, page, command) -> None:
    path = path_in(await command(house.users["ada"], "link"))
    answer = await page("POST", path, "eve")
    assert answer.status_code == 409
    assert await mine(house, "eve") == []
    assert house.users["ada"] in await mine(house, "ada")


async def test_the_command_lists_what_waits_for_whoever_types_it(house, command) -> None:
    request = await house.ask(resource="host/listed")
    listed = await command(house.users["ada"], "")
    assert request in str(listed["blocks"])
    assert request not in str((await command(house.users["mara"], ""))["blocks"])
    assert "consentry link" in (await command("U0NOBODY", ""))["text"]
    assert "/consentry unlink" in (await command(house.users["ada"], "help"))["text"]


@pytest.mark.parametrize("missing", ["team_id", "user_id", "command"])
async def test_d1_a_command_without_a_field_is_refused(house, fake, missing) -> None:
    fields = fake.command("U0ADA")
    del fields[missing]
    assert (await house.post("/channels/slack/commands", fields)).status_code == 400


async def test_d1_a_command_that_slack_did_not_sign_is_refused(house, fake) -> None:
    answer = await house.post("/channels/slack/commands", fake.command("U0ADA", "link"), signature="v0=" + "1" * 64)
    assert answer.status_code == 401
    assert answer.json()["code"] == "bad_signature"


async def test_the_link_is_kept_as_a_hash_only(house, command) -> None:
    from consentry.store import tables

    token = path_in(await command("U0HASH", "link")).rpartition("/")[2]
    rows = await house.gate.store.read(lambda tx: tx.execute(tables.channel_links.select()).all())
    assert token.encode() not in b"".join(bytes(row.hash) for row in rows)
    assert all(len(row.hash) == 32 for row in rows)


async def test_what_is_linked_in_a_session_that_an_administrator_opened_says_so(house, fake, page, command) -> None:
    """Whoever makes sign-in links can act as others; nothing hides that, in chat neither."""
    made = await house.services.directory.invite(house.people["ada"], "eve@example.org")
    kept, house.tokens["eve"] = house.tokens["eve"], (await house.services.directory.sign_in(made.token)).token
    try:
        assert (await page("POST", path_in(await command("U0PUPPET", "link")), "eve")).status_code == 303
    finally:
        house.tokens["eve"] = kept
    request = await house.ask()
    await house.interact(fake.pressed(await house.message(request), "consentry_approve", "U0PUPPET"))
    await house.interact(fake.submitted(fake.views[-1], "U0PUPPET"))
    assert await house.state(request) == "approved"
    entries = [one async for one in _events(house) if one.request_id == request or one.type == "person.linked"]
    by = {one.type: one.fields.get("by") for one in entries}
    assert by["person.linked"] == by["request.vote"] == house.people["ada"]
    await command("U0PUPPET", "unlink")


async def test_d3_whoever_was_talked_into_linking_is_told_and_unlinks_by_one_press(house, page, command) -> None:
    """A link that somebody else typed for: Eve follows it and presses; every page tells her, with the way out."""
    assert (await page("POST", path_in(await command("U0ATTACKER", "link")), "eve")).status_code == 303
    for path in ("/", "/identities", "/history"):
        assert "U0ATTACKER" in (await page("GET", path, "eve")).text, path
    shown = (await page("GET", "/", "eve")).text
    assert "was linked to you" in shown
    assert "U0ATTACKER" not in (await page("GET", "/", "ada")).text
    undo = re.search(r'action="(/identities/[^"]+/unlink)"', shown).group(1)
    assert (await page("GET", undo, "eve")).status_code in (404, 405)
    assert (await page("POST", undo, "ada")).status_code == 404
    assert (await page("POST", undo, "eve", **{"sec-fetch-site": "cross-site"})).status_code == 403
    assert await mine(house, "eve") == ["U0ATTACKER"]
    assert (await page("POST", undo, "eve")).status_code == 303
    assert await mine(house, "eve") == []
    assert "was linked to you" not in (await page("GET", "/", "eve")).text
    assert "consentry link" in (await command("U0ATTACKER", ""))["text"]
    assert [one.type async for one in _events(house)][-1] == "person.unlinked"


async def test_a_notice_stays_until_its_person_has_read_it(house, page, command) -> None:
    await page("POST", path_in(await command("U0MINE", "link")), "eve")
    dismiss = re.search(r'action="(/notices/[^"]+/dismiss)"', (await page("GET", "/", "eve")).text).group(1)
    assert (await page("POST", dismiss, "ada")).status_code == 404
    assert "U0MINE" in (await page("GET", "/", "eve")).text
    assert (await page("POST", dismiss, "eve")).status_code == 303
    assert "U0MINE" not in (await page("GET", "/", "eve")).text
    assert await mine(house, "eve") == ["U0MINE"]
    await command("U0MINE", "unlink")


async def test_what_waited_before_the_link_is_not_listed_in_the_chat(house, page, command) -> None:
    request = await house.ask(resource="host/older")
    house.clock.ahead_ms += 1
    await page("POST", path_in(await command("U0LATER", "link")), "eve")
    newer = await house.ask(resource="host/newer")
    listed = str((await command("U0LATER", ""))["blocks"])
    assert newer in listed
    assert request not in listed
    await command("U0LATER", "unlink")


async def test_an_account_at_a_provider_is_not_ones_own_to_unlink(house, page) -> None:
    person = house.people["eve"]
    made = await house.services.directory.link(None, person, "oidc", "https://id.example.org", "eve-1")
    assert (await page("POST", f"/identities/{made.id}/unlink", "eve")).status_code == 404
    await house.services.directory.unlink(None, made.id)
