"""Several requests on one page: each shown in full, each decided by itself."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def ask(site, count: int = 3) -> list[str]:
    """Requests of one shape, the first with something hidden in it."""
    notes = ["rtl \u202e hidden", *[f"note {n}" for n in range(1, count)]]
    return [await site.ask("dataset.export", "s3://lake/a", {"note": note}) for note in notes]


def path(ids) -> str:
    return "/together?" + "&".join(f"id={one}" for one in ids)


async def form(site, read, ids, least_ms: int | None = None, who: str = "ben", **verdicts: str) -> dict[str, str]:
    page = read((await site.get(path(ids), who)).text)
    away = 1_500 * len(ids) + 500 if least_ms is None else least_ms
    fields = {f"digest-{one}": page.hidden(f"digest-{one}") for one in ids}
    fields["shown_at"] = str(int(page.hidden("shown_at")) - away)
    fields["reason"] = "read each"
    return {**fields, **{f"verdict-{ids[int(at[1:])]}": verdict for at, verdict in verdicts.items()}}


async def states(site, ids) -> list[str]:
    return [(await site.gate.request(one)).state.value for one in ids]


async def test_each_is_shown_in_full_and_nothing_is_chosen(site, read) -> None:
    ids = await ask(site)
    answer = await site.get(path(ids))
    page = read(answer.text)
    for one in ids:
        shown = (await site.gate.preview(one)).digest
        assert page.hidden(f"digest-{one}") == shown
    checked = [one["value"] for one in page.all("input") if one.get("type") == "radio" and "checked" in one]
    assert checked == ["later"] * 3
    assert "\u202e" not in answer.text
    assert "\\u{202e}" in page.text
    assert [one.get("value") for one in page.all("button") if one.get("name") == "verdict"] == ["each"]
    assert not [one for one in page.all("button") + page.all("input") if "autofocus" in one]


async def test_each_is_decided_by_itself_with_one_reason(site, read) -> None:
    ids = await ask(site)
    answer = await site.post("/together", await form(site, read, ids, _0="approve", _1="deny"))
    assert "2 of 2 words were taken" in read(answer.text).text
    assert await states(site, ids) == ["approved", "denied", "pending"]
    (vote,) = (await site.gate.request(ids[1])).votes
    assert (vote.reason, vote.channel, vote.person) == ("read each", "web", site.people["ben"].id)


async def test_c7_one_that_fails_leaves_the_others_and_says_why(site, read) -> None:
    ids = await ask(site)
    fields = await form(site, read, ids, _0="approve", _1="approve", _2="approve")
    await site.decide(ids[1], "chidi", "deny")
    fields[f"digest-{ids[2]}"] = "ab" * 32
    page = read((await site.post("/together", fields)).text)
    assert "1 of 3 words were taken" in page.text
    assert "was denied before your vote" in page.text
    assert "look at the request again" in page.text
    assert await states(site, ids) == ["approved", "denied", "pending"]


async def test_d8_it_takes_as_long_as_each_by_itself(site, read) -> None:
    ids = await ask(site)
    answer = await site.post("/together", await form(site, read, ids, 1_600, _0="approve", _1="approve", _2="approve"))
    assert answer.status_code == 409
    assert "faster than anybody reads" in read(answer.text).text
    checked = [
        one["value"] for one in read(answer.text).all("input") if one.get("type") == "radio" and "checked" in one
    ]
    assert checked == ["approve"] * 3
    assert await states(site, ids) == ["pending"] * 3


async def test_d8_what_was_not_shown_is_not_decided(site, read) -> None:
    *shown, other = await ask(site)
    fields = await form(site, read, shown, _0="approve")
    await site.post("/together", {**fields, f"verdict-{other}": "approve"})
    assert await states(site, [*shown, other]) == ["approved", "pending", "pending"]


async def test_a_passkey_signs_one_action_on_its_own_page(site, read) -> None:
    from consentry.policy.model import Assurance

    ids = await ask(site, 2)

    def stricter(tx) -> None:
        from consentry.consent.rows import dump, load_request
        from consentry.store import tables

        value = load_request(tx, ids[0]).obligations.to_json()
        value["stages"][0]["assurance"] = Assurance.PASSKEY.value
        rows = tables.requests
        tx.execute(rows.update().where(rows.c.id == ids[0]).values(obligations=dump(value)))

    await site.gate.store.write(stricter)
    page = read((await site.get(path(ids))).text)
    choices = [one["name"] for one in page.all("input") if one.get("value") == "approve"]
    assert choices == [f"verdict-{ids[1]}"]
    assert "open it by itself" in page.text
    answer = read((await site.post("/together", await form(site, read, ids, _0="approve", _1="approve"))).text)
    assert "1 of 2 words were taken" in answer.text
    assert "approve there with a passkey" in answer.text
    assert await states(site, ids) == ["pending", "approved"]


async def test_a4_the_author_gets_no_choice_and_no_vote(site, read) -> None:
    ids = await ask(site, 2)
    page = read((await site.get(path(ids), "ana")).text)
    assert not [one for one in page.all("input") if one.get("type") == "radio"]
    fields = await form(site, read, ids, who="ana", _0="approve", _1="approve")
    assert "0 of 2 words were taken" in read((await site.post("/together", fields, "ana")).text).text
    assert await states(site, ids) == ["pending", "pending"]


async def test_a9_an_agent_decides_nothing_here(site, read) -> None:
    ids = await ask(site, 2)
    fields = await form(site, read, ids, _0="approve")
    assert (await site.post("/together", fields, "agent")).status_code == 403
    assert await states(site, ids) == ["pending", "pending"]


async def test_d5_a_form_from_elsewhere_decides_nothing(site, read) -> None:
    ids = await ask(site, 2)
    fields = await form(site, read, ids, _0="approve")
    answer = await site.post("/together", fields, origin="https://evil.example", sec_fetch_site="cross-site")
    assert answer.status_code == 403
    assert await states(site, ids) == ["pending", "pending"]


async def test_only_what_is_alike_and_theirs_is_put_together(site) -> None:
    ids = await ask(site, 2)
    other = await site.ask("secret.rotate", "vault/prod/db", {"length": 16})
    for named, status in (([], 400), ([*ids, other], 400), (["req_none"], 404), ([f"req_{n}" for n in range(21)], 400)):
        assert (await site.get(path(named))).status_code == status
    assert (await site.get(path(ids), "eve")).status_code == 404
    assert (await site.get(path([ids[0], *ids]))).status_code == 200


async def test_nothing_chosen_is_said(site, read) -> None:
    ids = await ask(site, 2)
    answer = await site.post("/together", await form(site, read, ids))
    assert answer.status_code == 400
    assert "nothing was chosen" in read(answer.text).text


async def test_the_inbox_has_ticks_for_what_is_alike(site, read) -> None:
    ids = await ask(site)
    page = read((await site.get("/")).text)
    ticks = {one["value"]: one["form"] for one in page.all("input") if one.get("type") == "checkbox"}
    assert set(ids) <= set(ticks)
    assert len({ticks[one] for one in ids}) == 1
    assert ticks[ids[0]] in [one.get("id") for one in page.all("form")]
    assert not [one for one in page.all("input") if "checked" in one]
    assert not [one for one in read((await site.get("/", "ana")).text).all("input") if one.get("type") == "checkbox"]


async def test_ticks_lead_there_by_mouse_and_keyboard(site, window) -> None:
    ids = await ask(site, 2)
    page = await (await window("ben")).open("/")
    for one in ids:
        await page.check(f'input[type=checkbox][value="{one}"]')
    await page.focus(".alike button")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/together?*")
    button = page.locator("button[name=verdict]")
    assert await button.get_attribute("aria-disabled") == "true"
    await page.locator(f'input[name="verdict-{ids[0]}"][value="approve"]').check()
    await page.wait_for_selector("button[name=verdict]:not([aria-disabled])")
    await button.click()
    await page.wait_for_selector("[role=status] >> text=1 of 1 word was taken")
    assert await states(site, ids) == ["approved", "pending"]


@pytest.mark.parametrize(("scheme", "size"), [("light", (390, 844)), ("dark", (1440, 900))])
async def test_pages_of_much_that_is_alike_pass_axe(site, window, axe_script, scheme, size) -> None:
    """The inbox with its ticks, the page of several, and how reviews go, each with something on it."""
    ids = await ask(site, 5)
    for one in ids[:3]:
        await site.decide(one, "chidi", "approve")
    person = await window("ben", scheme=scheme, size=size)
    for where in ("/", path(ids[2:]), "/load"):
        page = await person.open(where)
        if await page.query_selector("form[data-decide]"):
            await page.wait_for_selector("button[name=verdict]:not([aria-disabled])")
        await page.evaluate(axe_script)
        result = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        found = [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in result["violations"]]
        assert found == [], where
        assert await page.evaluate("document.documentElement.scrollWidth") <= size[0], where
        await page.close()
