"""The pages over HTTP, without a browser: who may open what, what a form can do, what a page holds."""

from __future__ import annotations

import asyncio
import re

import pytest

from consentry.actions import Operand
from consentry.consent.model import ActionState
from consentry.consent.states import RequestState

pytestmark = pytest.mark.asyncio(loop_scope="session")

HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>\u202e\u200b{{7*7}}"


async def _vote_form(site, read, request_id: str, who: str = "ben") -> dict[str, str]:
    page = read((await site.get(f"/requests/{request_id}", who)).text)
    shown_at = int(page.hidden("shown_at")) - 2_000
    return {"shown_digest": page.hidden("shown_digest"), "shown_at": str(shown_at), "reason": "read it"}


async def _state(site, request_id: str) -> RequestState:
    return (await site.gate.request(request_id)).state


# ---- who gets in ----


async def test_every_page_leads_to_the_sign_in_page(site, pages_of) -> None:
    for path in pages_of(site):
        answer = await site.get(path, None)
        assert answer.status_code == 303, path
        assert answer.headers["location"].startswith("/sign-in"), path


async def test_after_signing_in_one_is_back_where_one_wanted_to_be(site) -> None:
    path = f"/requests/{site.ids['export']}"
    led = (await site.get(path, None)).headers["location"]
    assert led == f"/sign-in?next={path}"
    page = await site.get(led, None)
    link = await site.world.services.directory.invite(None, "ben@example.org")
    assert f'name="next" value="{path}"' in page.text
    answer = await site.post("/sign-in", {"token": link.token, "next": path}, None)
    assert answer.headers["location"] == path
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert "SameSite=Strict" in answer.headers["set-cookie"]


async def test_an_agent_gets_no_page_and_no_vote(site, pages_of, read) -> None:
    form = await _vote_form(site, read, site.ids["export"])
    for path in pages_of(site):
        assert (await site.get(path, "agent")).status_code == 403, path
    answer = await site.post(f"/requests/{site.ids['export']}/vote", {**form, "verdict": "approve"}, "agent")
    assert answer.status_code == 403
    assert await _state(site, site.ids["export"]) is RequestState.PENDING


async def test_d9_pages_for_administrators_take_nobody_else(site) -> None:
    for path in ("/people", "/people/invite", "/agents", "/groups/add", f"/people/{site.people['eve'].id}/disable"):
        answer = await (
            site.get(path, "eve") if path == "/people" else site.post(path, {"email": "x@example.org"}, "eve")
        )
        assert answer.status_code == 403, path
    assert (await site.get("/ledger", "eve")).status_code == 403
    assert (await site.get("/ledger", "dora")).status_code == 200
    assert (await site.get("/people", "dora")).status_code == 403


async def test_what_is_not_theirs_does_not_exist(site) -> None:
    for path in (
        f"/requests/{site.ids['export']}",
        f"/actions/{site.ids['done']}",
        "/requests/req_nothing",
        "/nothing",
    ):
        assert (await site.get(path, "eve")).status_code == 404, path
    for path in ("/", "/history", "/grants", "/delegations"):
        page = (await site.get(path, "eve")).text
        assert "partner" not in page, path
        assert "warehouse" not in page, path
    assert "partner" in (await site.get("/history", "dora")).text


# ---- D5: links and scanners ----


async def test_d5_looking_at_a_sign_in_link_consumes_nothing(site) -> None:
    """A scanner gets the page as often as it likes, with and without a token in the query; the link still works."""
    link = await site.world.services.directory.invite(None, "eve@example.org")
    for _ in range(3):
        assert (await site.get("/sign-in", None)).status_code == 200
        answer = await site.get(f"/sign-in?token={link.token}", None)
        assert "set-cookie" not in answer.headers
        assert link.token not in answer.text
        await site.world.http.head("/sign-in")
    answer = await site.post("/sign-in", {"token": link.token}, None)
    assert answer.status_code == 303
    assert (await site.post("/sign-in", {"token": link.token}, None)).status_code == 401


async def test_d5_no_get_changes_anything(site, read) -> None:
    before = await site.gate.ledger_size()
    form = await _vote_form(site, read, site.ids["export"])
    query = "&".join(f"{name}={value}" for name, value in {**form, "verdict": "approve"}.items())
    paths = (
        f"/requests/{site.ids['export']}/vote?{query}", f"/requests/{site.ids['export']}?{query}",
        f"/requests/{site.ids['export']}/withdraw", f"/grants/{site.ids['grant']}/revoke",
        f"/reviews/{site.ids['review']}/close?note=x", f"/delegations/{site.ids['delegation']}/end",
        f"/actions/{site.ids['done']}/apply", "/sign-out", f"/people/{site.people['eve'].id}/disable",
    )  # fmt: skip
    for path in paths:
        assert (await site.get(path)).status_code in (200, 404, 405), path
    assert await site.gate.ledger_size() == before
    assert await _state(site, site.ids["export"]) is RequestState.PENDING


async def test_d5_a_form_from_another_site_decides_nothing(site, read) -> None:
    form = {**await _vote_form(site, read, site.ids["export"]), "verdict": "approve"}
    path = f"/requests/{site.ids['export']}/vote"
    for headers in (
        {"origin": "https://evil.example", "sec_fetch_site": "cross-site"},
        {"origin": "null", "sec_fetch_site": ""},
        {"origin": "", "sec_fetch_site": "cross-site"},
        {"origin": "", "sec_fetch_site": "same-site"},
        {"origin": "", "sec_fetch_site": ""},
    ):
        assert (await site.post(path, form, **headers)).status_code == 403, headers
    assert (await site.post(path, form, None)).status_code in (303, 401)
    assert await _state(site, site.ids["export"]) is RequestState.PENDING
    link = await site.world.services.directory.invite(None, "eve@example.org")
    planted = await site.post(
        "/sign-in", {"token": link.token}, None, origin="https://evil.example", sec_fetch_site="cross-site"
    )
    assert planted.status_code == 403
    assert "set-cookie" not in planted.headers


# ---- deciding ----


async def test_a_vote_by_form_counts_as_that_person_on_the_web(site, read) -> None:
    form = await _vote_form(site, read, site.ids["export"])
    answer = await site.post(f"/requests/{site.ids['export']}/vote", {**form, "verdict": "approve"})
    assert answer.status_code == 303
    request = await site.gate.request(site.ids["export"])
    assert request.state is RequestState.APPROVED
    (vote,) = request.votes
    assert (vote.person, vote.channel, vote.reason) == (site.people["ben"].id, "web", "read it")
    assert vote.shown_digest == form["shown_digest"]
    page = read((await site.get(answer.headers["location"])).text)
    assert "Approved" in page.text
    assert not page.all("textarea")


async def test_d6_a_vote_on_a_stale_view_is_refused_and_says_so(site, read) -> None:
    form = await _vote_form(site, read, site.ids["export"])
    answer = await site.post(
        f"/requests/{site.ids['export']}/vote", {**form, "verdict": "approve", "shown_digest": "0" * 64}
    )
    assert answer.status_code == 409
    page = read(answer.text)
    assert any(one.get("role") == "alert" for _, one in page.elements)
    assert page.hidden("shown_digest") == form["shown_digest"]
    assert "read it" in page.text
    assert await _state(site, site.ids["export"]) is RequestState.PENDING


async def test_d8_a_vote_right_after_the_page_was_made_is_refused(site, read) -> None:
    page = read((await site.get(f"/requests/{site.ids['export']}")).text)
    form = {
        "shown_digest": page.hidden("shown_digest"),
        "shown_at": page.hidden("shown_at"),
        "reason": "",
        "verdict": "approve",
    }
    assert (await site.post(f"/requests/{site.ids['export']}/vote", form)).status_code == 409
    del form["shown_at"]
    assert (await site.post(f"/requests/{site.ids['export']}/vote", form)).status_code == 409
    assert await _state(site, site.ids["export"]) is RequestState.PENDING


async def test_d8_a_form_without_a_pressed_button_decides_nothing(site, read) -> None:
    form = await _vote_form(site, read, site.ids["export"])
    for verdict in ({}, {"verdict": ""}, {"verdict": "APPROVE"}, {"verdict": "yes"}):
        assert (await site.post(f"/requests/{site.ids['export']}/vote", {**form, **verdict})).status_code == 400
    assert await _state(site, site.ids["export"]) is RequestState.PENDING


async def test_whoever_cannot_vote_is_told_why_and_gets_no_button(site, read) -> None:
    mine = await site.ask(
        "secret.rotate", "vault/other", facts={"findings": {"total": 0, "types": [], "scanned": True}}
    )
    page = read((await site.get(f"/requests/{mine}", "ana")).text)
    assert "somebody else must decide" in page.text
    assert not any(one.get("name") == "verdict" for one in page.all("button"))
    await site.decide(site.ids["export"], "chidi", "deny", "not this one")
    late = read((await site.get(f"/requests/{site.ids['export']}")).text)
    assert "Denied" in late.text
    assert "not this one" in late.text
    assert not any(one.get("name") == "verdict" for one in late.all("button"))


async def test_a1_a4_the_author_cannot_approve_by_posting_the_form_anyway(site, read) -> None:
    form = await _vote_form(site, read, site.ids["export"])
    answer = await site.post(f"/requests/{site.ids['export']}/vote", {**form, "verdict": "approve"}, "ana")
    assert answer.status_code == 403
    assert await _state(site, site.ids["export"]) is RequestState.PENDING


async def test_an_author_withdraws(site) -> None:
    assert (
        await site.post(f"/requests/{site.ids['export']}/withdraw", {"reason": "wrong file"}, "ana")
    ).status_code == 303
    assert await _state(site, site.ids["export"]) is RequestState.WITHDRAWN


# ---- what a page holds ----


async def test_b3_what_is_shown_is_the_exact_action(site, read) -> None:
    """Spaces at the ends, tabs and look-alikes stand in the page as they are in the action, visibly."""
    asked = await site.ask(
        resource="s3://bucket/ x ", arguments={"sql": "DROP TABLE a; ", "tab": "a\tb", "nbsp": "a\u00a0b"}
    )
    html = (await site.get(f"/requests/{asked}")).text
    assert "&#34;DROP TABLE a; &#34;" in html
    assert 'a<i class="esc">\\t</i>b' in html
    assert 'a<i class="esc">\\u{00a0}</i>b' in html
    assert "s3://bucket/ x </dd>" in html
    action = (await site.gate.request(asked)).action
    assert action.digest in read(html).text


async def test_d6_hidden_characters_are_marked_on_every_page(site, pages_of) -> None:
    for path in [*pages_of(site), f"/requests/{site.ids['export']}"]:
        html = (await site.get(path)).text
        assert "\u202e" not in html, path
        assert "\u200b" not in html, path
    assert '<i class="esc">\\u{202e}</i>' in html


async def test_d7_the_callers_words_are_marked_as_theirs(site, read) -> None:
    page = read((await site.get(f"/requests/{site.ids['export']}")).text)
    assert "In the caller’s words Hand-over to Acme. <b>please</b>" in page.text
    assert "Written by the caller. Nobody checked it." in page.text
    assert "12 480" in page.text
    assert "EMAIL_ADDRESS" in page.text


async def test_no_payload_becomes_markup_in_any_field(site, read, pages_of) -> None:
    """Names, groups, operations, resources, arguments, reasons, notes, summaries: all hostile, on every page."""
    directory = site.world.services.directory
    person = await site.world.person("mallory@example.org", "data-stewards")
    agent = await directory.create_agent(None, "agent-x", person.id)
    await directory.invite(None, "zed@example.org", name=HOSTILE.split("\u202e")[0])
    asked = await site.ask(
        resource=HOSTILE, arguments={HOSTILE: HOSTILE}, reason=HOSTILE, context={"ticket": HOSTILE, HOSTILE: 1},
        actor=type(site.actor)(site.actor.kind, agent.agent.id),
        facts={"findings": {"total": 1, "types": [HOSTILE], "scanned": True}, "destination": HOSTILE},
    )  # fmt: skip
    await site.decide(asked, "chidi", "deny", HOSTILE)
    assert (await site.post(f"/reviews/{site.ids['review']}/close", {"note": HOSTILE})).status_code == 303
    await site.post(f"/grants/{site.ids['grant']}/revoke", {"reason": HOSTILE})
    action_id = (await site.gate.request(asked)).action_id
    paths = [
        *pages_of(site),
        f"/requests/{asked}",
        f"/actions/{action_id}",
        "/history?resource=" + "%22%3E%3Cscript%3E",
    ]
    held = 0
    for path in paths:
        page = read((await site.get(path)).text)
        for tag, attrs in page.elements:
            assert tag not in ("img", "iframe", "object", "style", "base"), path
            assert not any(name.startswith("on") or name == "style" for name in attrs), path
            if tag == "script":
                assert attrs["src"].startswith("/static/"), path
        assert not any("alert(1)" in words for words in _scripts(page)), path
        assert "49" not in re.findall(r"onerror=alert\(2\)&gt;.{0,80}", (await site.get(path)).text), path
        held += page.text.count("<script>alert(1)</script>")
    assert held >= 6


def _scripts(page) -> list[str]:
    """What stands inside script elements; the parser treats their content as text of its own."""
    return [attrs.get("src", "") for tag, attrs in page.elements if tag == "script"]


async def test_every_page_keeps_to_itself(site, pages_of) -> None:
    for path in [*pages_of(site), "/sign-in", "/nothing"]:
        headers = (await site.get(path)).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["cache-control"] == "no-store", path
        assert headers["content-type"].startswith("text/html"), path


# ---- the other rooms ----


async def test_history_is_filtered_and_paged(site, read) -> None:
    for n in range(55):
        await site.ask(
            "dataset.read", "warehouse", {"n": n}, facts={"findings": {"total": 0, "types": [], "scanned": True}}
        )
    first = (await site.get("/history?operation=dataset.read")).text
    older = re.search(r'href="(/history\?[^"]*before=[^"]*)" rel="next"', first)
    assert older is not None
    assert first.count("<tr>") == 51
    second = (await site.get(older[1].replace("&amp;", "&"))).text
    assert second.count("<tr>") == 6
    assert 'rel="next"' not in second
    assert "rows delivered" not in (await site.get(f"/history?state={ActionState.DENIED.value}")).text
    assert (await site.get("/history?state=nonsense")).status_code == 400
    assert (await site.get("/history?since=yesterday")).status_code == 400
    assert "Nothing matches" in (await site.get("/history?resource=nowhere")).text


async def test_the_page_of_an_action_says_what_the_verifier_says(site, read) -> None:
    page = read((await site.get(f"/actions/{site.ids['done']}")).text)
    assert "Valid" in page.text
    for word in ("request.opened", "request.vote", "request.approved", "grant.claimed", "grant.settled"):
        assert word in page.text
    assert any(one.get("href") == f"/v1/receipts/{site.ids['done']}" for one in page.all("a"))


async def test_a_standing_grant_is_simulated_before_it_is_made(site, read) -> None:
    for n in (1, 2):
        await site.ask(
            "dataset.read", "warehouse", {"limit": n}, facts={"findings": {"total": 0, "types": [], "scanned": True}}
        )
    draft = {
        "actor": site.actor.id, "operation": "dataset.read", "resource": "warehouse",
        "arguments": '{"limit": {"at_most": 1}}', "uses": "3", "hours": "2",
    }  # fmt: skip
    before = len(await site.gate.grants())
    page = read((await site.post("/grants/simulate", draft)).text)
    assert "would have let 1 past action through" in page.text
    assert len(await site.gate.grants()) == before
    assert (await site.post("/grants", {**draft, "reason": " "})).status_code == 400
    assert (await site.post("/grants", {**draft, "reason": "routine"})).status_code == 303
    made = (await site.gate.grants())[0]
    assert (made.kind, made.uses, made.signer) == ("standing", 3, site.people["ben"].id)
    assert (await site.post(f"/grants/{made.id}/revoke", {"reason": ""})).status_code == 303
    assert (await site.gate.grant(made.id)).state.value == "revoked"
    broken = await site.post("/grants/simulate", {**draft, "arguments": '{"limit": 5}'})
    assert broken.status_code == 400
    assert "exactly one bound" in broken.text


async def test_a_standing_grant_may_pin_bytes_and_bound_the_context(site, read) -> None:
    asked = {
        "arguments": {"call": {"limit": 7}},
        "operands": (Operand("plan=out", "ab" * 32),),
        "context": {"run": "n/7"},
    }
    await site.ask("dataset.read", "warehouse", **asked)
    draft = {
        "actor": site.actor.id, "operation": "dataset.read", "resource": "warehouse", "uses": "3", "hours": "2",
        "arguments": '{"/call/limit": {"at_most": 9}}', "operands": f'{{"plan=out": "{"ab" * 32}"}}',
        "context": '{"run": {"prefix": "n/"}}',
    }  # fmt: skip
    assert "would have let 1 past action through" in read((await site.post("/grants/simulate", draft)).text).text
    for without in ("operands", "context"):
        page = read((await site.post("/grants/simulate", {**draft, without: "{}"})).text)
        assert "would have let 0 past actions through" in page.text
    assert (await site.post("/grants", {**draft, "reason": "routine"})).status_code == 303
    shown = read((await site.get("/grants")).text).text
    assert "/call/limit at most 9" in shown
    assert f"plan=out pinned to {'ab' * 32}" in shown
    assert 'context: run prefix "n/"' in shown
    broken = await site.post("/grants/simulate", {**draft, "operands": '{"plan=out": "ABAB"}'})
    assert broken.status_code == 400
    assert "64 lower-case hex digits" in broken.text


async def test_g3_links_and_tokens_are_shown_once(site, read) -> None:
    invited = await site.post("/people/invite", {"email": "fay@example.org", "name": "Fay", "groups": "security"})
    (link,) = re.findall(r"/sign-in#token=([A-Za-z0-9_-]{20,})</code>", invited.text)
    made = await site.post("/agents", {"name": "crawler", "kind": "agent", "owner": site.people["ana"].id})
    (token,) = re.findall(r"<code>(ag_[A-Za-z0-9_-]{20,})</code>", made.text)
    again = (await site.get("/people")).text
    assert link not in again
    assert token not in again
    assert (await site.post("/sign-in", {"token": link}, None)).status_code == 303
    agent = await site.world.services.directory.authenticate(token)
    rotated = await site.post(f"/agents/{agent.subject}/rotate", {})
    assert token not in rotated.text
    assert (await site.post(f"/agents/{agent.subject}/revoke", {})).status_code == 303
    assert (await site.post("/groups/add", {"group": "security", "person": site.people["eve"].id})).status_code == 303
    assert "security" in (await site.gate.roster()).groups_of(site.people["eve"].id)
    assert (
        await site.post("/groups/remove", {"group": "security", "person": site.people["eve"].id})
    ).status_code == 303
    assert (await site.post(f"/people/{site.people['eve'].id}/disable", {"reason": "left"})).status_code == 303
    assert (await site.get("/", "eve")).status_code == 303
    assert (await site.post(f"/people/{site.people['eve'].id}/nonsense", {})).status_code == 400


async def test_out_of_office_and_post_reviews(site, read) -> None:
    form = {"to": site.people["chidi"].id, "starts": "2026-01-01T00:00", "ends": "nonsense"}
    assert (await site.post("/delegations", form)).status_code == 400
    assert (await site.post(f"/delegations/{site.ids['delegation']}/end", {}, "chidi")).status_code == 303
    assert "index is corrupt" not in (await site.get("/reviews", "eve")).text
    assert (await site.post(f"/reviews/{site.ids['review']}/close", {"note": "x"}, "eve")).status_code == 404
    page = read((await site.get("/reviews", "chidi")).text)
    assert "somebody else closes the review" in page.text
    assert (await site.post(f"/reviews/{site.ids['review']}/close", {"note": "fine"}, "chidi")).status_code == 403
    assert (await site.post(f"/reviews/{site.ids['review']}/close", {"note": "index rebuilt"})).status_code == 303
    assert "index rebuilt" in (await site.get("/reviews")).text


async def test_a_change_of_policy_is_proposed_decided_and_put_in_force(site, read) -> None:
    page = read((await site.get("/policies/change")).text)
    files = dict((await site.gate.current_policies()).files)
    form = {}
    for n, name in enumerate(sorted(files)):
        form |= {f"name.{n}": name, f"text.{n}": files[name]}
    assert len([one for one in page.all("textarea") if one["name"].startswith("text.")]) == len(files) + 1
    rule = (
        '@id("new-rule")\n@reason("Nothing leaves today")\n'
        'forbid (principal, action == Action::"dataset.export", resource);'
    )
    broken = await site.post("/policies/change", {**form, "name.new": "extra.cedar", "text.new": rule[:-1]})
    assert broken.status_code == 400
    assert "extra.cedar" in broken.text
    asked = await site.post(
        "/policies/change", {**form, "name.new": "extra.cedar", "text.new": rule, "reason": "today only"}
    )
    assert asked.status_code == 303
    shown = read((await site.get(asked.headers["location"], "chidi")).text)
    assert "What changes, against the policies in force now" in shown.text
    assert '+@id("new-rule")' in shown.text
    request_id = asked.headers["location"].rpartition("/")[2]
    await site.decide(request_id, "chidi", "approve", "agreed")
    action_id = (await site.gate.request(request_id)).action_id
    assert f"/actions/{action_id}/apply" in (await site.get(f"/actions/{action_id}")).text
    assert f"/actions/{action_id}/apply" not in (await site.get(f"/actions/{action_id}", "chidi")).text
    assert (await site.post(f"/actions/{action_id}/apply", {}, "chidi")).status_code in (403, 404)
    assert (await site.post(f"/actions/{action_id}/apply", {})).status_code == 303
    assert "new-rule" in (await site.gate.current_policies()).rules


async def test_policy_is_explained(site, read) -> None:
    form = {"actor": site.actor.id, "operation": "dataset.export", "resource": "x", "arguments": "{}", "facts": ""}
    page = read((await site.post("/policies/explain", form)).text)
    assert "unscanned-export-needs-steward" in page.text
    assert "decides" in page.text
    assert (await site.post("/policies/explain", {**form, "arguments": "{"})).status_code == 400


async def test_the_ledger_page_leads_to_an_action(site, read) -> None:
    await site.gate.checkpoint_now()
    page = read((await site.get("/ledger", "dora")).text)
    assert "consentry.local/ledger" in page.text
    led = await site.get(f"/ledger?action={site.ids['done']}", "dora")
    assert led.headers["location"] == f"/actions/{site.ids['done']}"


async def test_signing_out_ends_the_session(site) -> None:
    assert (await site.get("/", "eve")).status_code == 200
    assert (await site.post("/sign-out", {}, "eve")).status_code == 303
    assert (await site.get("/", "eve")).status_code == 303


async def test_guessing_links_is_slowed_down(site) -> None:
    answers = [(await site.post("/sign-in", {"token": "in_nonsense"}, None)).status_code for _ in range(12)]
    assert answers[0] == 401
    assert answers[-1] == 429


async def test_parallel_votes_by_form_end_a_request_once(site, read) -> None:
    form = await _vote_form(site, read, site.ids["export"])
    path = f"/requests/{site.ids['export']}/vote"
    answers = await asyncio.gather(
        *(
            site.post(path, {**form, "verdict": verdict}, who)
            for who in ("ben", "chidi")
            for verdict in ("approve", "deny")
        )
    )
    assert sorted(one.status_code for one in answers) == [303, 409, 409, 409]
    assert len((await site.gate.request(site.ids["export"])).votes) == 1


# ---- what is refused before a page is reached ----

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
REFUSED = (
    ("GET", "/history", "agent", {}, 403, "not_allowed", "sign in as one"),
    ("POST", "/grants", "ben", {"sec-fetch-site": "cross-site"}, 403, "cross_site", "open Consentry itself"),
    ("POST", "/sign-in", None, {"sec-fetch-site": "cross-site"}, 403, "cross_site", "open Consentry itself"),
    ("GET", "/nothing", "ben", {}, 404, "not_found", "no page has this address"),
    ("POST", "/nothing", "ben", {"sec-fetch-site": "same-origin"}, 405, "method_not_allowed", "this method"),
    ("PUT", "/people", "ben", {"sec-fetch-site": "same-origin"}, 405, "method_not_allowed", "this method"),
)


async def _ask(site, method: str, path: str, who: str | None, headers: dict[str, str]):
    sent = {**site._cookie(who), **headers}
    return await site.world.http.request(method, path, headers=sent, follow_redirects=False)


@pytest.mark.parametrize(("method", "path", "who", "headers", "status", "code", "advice"), REFUSED)
async def test_a_browser_is_refused_with_a_page(site, read, method, path, who, headers, status, code, advice) -> None:
    answer = await _ask(site, method, path, who, {**BROWSER, **headers})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    page = read(answer.text)
    assert code in page.text
    assert advice in page.text
    assert "/" in [link["href"] for link in page.all("a")]


async def test_what_is_no_browser_is_refused_with_a_problem(site) -> None:
    asked = (
        ("/history", {"accept": "application/json"}, 403),
        ("/v1/nothing", {"accept": "application/json"}, 404),
        ("/v1/nothing", BROWSER, 404),
    )
    for path, headers, status in asked:
        answer = await _ask(site, "GET", path, "agent", headers)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path


async def test_a_defect_in_a_page_says_nothing_of_itself(site, monkeypatch) -> None:
    async def fail(_: object) -> None:
        raise RuntimeError("the inside")

    monkeypatch.setattr(type(site.gate), "post_reviews", fail)
    answer = await _ask(site, "GET", "/history", "ben", BROWSER)
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert "internal" in answer.text
    assert "the inside" not in answer.text
