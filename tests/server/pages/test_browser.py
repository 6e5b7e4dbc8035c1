"""The pages in Chromium: by keyboard alone, live, on a phone, for everybody (axe), and without an accident (D5, D8)."""

from __future__ import annotations

import asyncio
import re
from urllib.parse import urlsplit

import pytest

from consentry.consent.states import RequestState

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

PHONE = (390, 844)
WIDE = (1440, 900)
LEAST_MS = 1_500
_SIGHT = "Document.prototype.__defineGetter__('visibilityState', () => window.sight()); window.sight"


async def _armed(page) -> None:
    await page.wait_for_selector("button[name=verdict]:not([aria-disabled])")


async def _live(page) -> None:
    await page.wait_for_selector('#live-list[data-state="on"]')


async def _state(site, request_id: str) -> RequestState:
    return (await site.gate.request(request_id)).state


# ---- signing in ----


async def test_d5_a_link_is_used_up_by_a_click_only(site, window, until) -> None:
    link = await site.world.services.directory.invite(None, "ben@example.org")
    person = await window(None)
    for _ in range(2):  # a scanner that runs scripts opens the link and looks at everything
        page = await person.open(f"/sign-in#token={link.token}")
        await until(page, "document.querySelector('[name=token]').value !== ''")
        assert link.token not in page.url
        await page.close()
    page = await person.open(f"/sign-in#token={link.token}")
    await until(page, "document.querySelector('[name=token]').value !== ''")
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_selector("text=You can decide")
    assert page.url == f"{site.origin}/"


async def test_signing_in_works_without_scripts(site, window) -> None:
    link = await site.world.services.directory.invite(None, "ben@example.org")
    person = await window(None, java_script_enabled=False)
    page = await person.open("/sign-in", ready=False)
    await page.fill("[name=token]", link.token)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("link", name="dataset.export").first.click()
    title = await page.get_by_role("heading", level=1).inner_text()
    assert title.split() == ["dataset.export", "on", "s3://partner/customers.csv"]
    await page.wait_for_timeout(LEAST_MS)
    await page.get_by_role("button", name="Approve").click()
    await page.wait_for_selector(".result >> text=Approved")


# ---- deciding by keyboard ----


async def test_a_request_is_decided_by_keyboard_alone(site, window, until) -> None:
    page = await (await window("ben")).open("/")
    await page.keyboard.press("j")
    focused = "document.activeElement.dataset.id"
    assert await page.evaluate(focused) == site.ids["export"]
    await page.keyboard.press("j")
    assert await page.evaluate(focused) != site.ids["export"]
    await page.keyboard.press("k")
    await page.keyboard.press("Enter")
    await page.wait_for_selector("#request")
    await until(page, "document.activeElement.matches('[data-heading]')")
    assert page.url.endswith(site.ids["export"])
    assert await page.get_attribute(f'.item[data-id="{site.ids["export"]}"]', "aria-current") == "true"
    await _armed(page)
    await page.keyboard.press("r")
    await page.keyboard.type("checked the contract")
    await page.keyboard.press("Enter")  # a new line, and nothing else
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.value") == "deny"
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.value") == "approve"
    assert await _state(site, site.ids["export"]) is RequestState.PENDING
    await page.keyboard.press("Enter")
    await page.wait_for_selector(".result >> text=Approved")
    request = await site.gate.request(site.ids["export"])
    assert request.state is RequestState.APPROVED
    assert request.votes[0].reason.strip() == "checked the contract"


async def test_going_back_shows_the_list_again(site, window) -> None:
    page = await (await window("ben")).open("/")
    await page.click(".item >> nth=0")
    await page.wait_for_selector("#request")
    await page.go_back()
    await page.wait_for_selector(".glance")
    assert page.url == f"{site.origin}/"


# ---- D8 ----


async def test_d8_nothing_that_decides_has_focus_and_no_key_decides(site, window) -> None:
    page = await (await window("ben")).open(f"/requests/{site.ids['export']}")
    assert await page.evaluate("document.activeElement === document.body")
    await _armed(page)
    for key in ("Enter", "Space", "a", "y", "d", "r", "Enter", "Control+Enter", "Escape", "Enter", "Shift+Enter"):
        await page.keyboard.press(key)
    await page.wait_for_timeout(200)
    assert await _state(site, site.ids["export"]) is RequestState.PENDING
    assert page.url.endswith(site.ids["export"])


async def test_d8_a_click_at_once_decides_nothing(site, window) -> None:
    """Opening by Enter, with Enter held down or a click that comes too soon, finds no button that works."""
    page = await (await window("ben")).open("/")
    await page.evaluate(f"{_SIGHT} = () => 'hidden'")  # however slow this is: time counts in sight only
    await page.keyboard.press("j")
    await page.keyboard.down("Enter")
    await page.wait_for_selector("button[value=approve]")
    await page.keyboard.down("Enter")
    await page.keyboard.up("Enter")
    assert await page.get_attribute("button[value=approve]", "aria-disabled") == "true"
    await page.click("button[value=approve]", force=True)
    await page.focus("button[value=approve]")
    await page.keyboard.press("Enter")
    await page.wait_for_timeout(200)
    assert await _state(site, site.ids["export"]) is RequestState.PENDING
    await page.evaluate(f"{_SIGHT} = () => 'visible'")
    await _armed(page)
    await page.click("button[value=deny]")
    await page.wait_for_selector(".result >> text=Denied")


# ---- live ----

_SHIFT = """(sinceLoading) => {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: sinceLoading });
}"""


async def test_a_page_that_arrives_in_pieces_is_drawn_once(site, window) -> None:
    """The inner half of a page comes late: what was drawn of the first would be moved by it."""
    held = asyncio.Event()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        away_reader, away = await asyncio.open_connection("127.0.0.1", urlsplit(site.origin).port)
        away.write(re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", request)[:-2] + b"connection: close\r\n\r\n")
        answer = await away_reader.read(-1)
        middle = answer.find(b'id="decide"') if b'id="decide"' in answer else len(answer)
        writer.write(answer[:middle])
        await writer.drain()
        if middle < len(answer):
            await held.wait()
        writer.write(answer[middle:])
        writer.close()
        away.close()

    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        page = await (await window("ben")).context.new_page()
        await page.goto(f"http://127.0.0.1:{port}/requests/{site.ids['export']}", wait_until="commit")
        await page.evaluate(_SHIFT, True)
        await page.wait_for_timeout(600)  # long enough to draw, if it does
        drawn = await page.evaluate("performance.getEntriesByType('paint').length")
        held.set()
        await _armed(page)
        assert await page.evaluate("window.shift") == 0
        assert drawn == 0


async def test_what_is_new_is_announced_and_moves_nothing(site, window, until) -> None:
    page = await (await window("ben")).open("/")
    await _live(page)
    await page.evaluate(_SHIFT, False)
    tops = "[...document.querySelectorAll('.item')].map(item => item.getBoundingClientRect().top)"
    before = await page.evaluate(tops)
    asked = await site.ask(arguments={"month": "12"})
    await page.wait_for_selector('#live-list[data-state="news"]')
    assert "1 new request" in await page.inner_text("#live-list")
    assert await page.evaluate(tops) == before
    await until(page, "document.querySelector('[data-count=inbox]').textContent === '4'")
    assert await page.evaluate("window.shift") == 0
    await page.keyboard.press("n")
    await page.wait_for_selector(f'.item[data-id="{asked}"]')
    await page.click(f'.item[data-id="{asked}"]')
    await until(page, "document.activeElement.matches('[data-heading]')")


async def test_what_others_decided_is_marked_in_its_place(site, window) -> None:
    page = await (await window("ben")).open("/")
    await _live(page)
    await page.evaluate(_SHIFT, False)
    await site.decide(site.ids["export"], "chidi", "deny")
    await page.wait_for_selector(f'.item[data-id="{site.ids["export"]}"][data-gone]')
    shown = "getComputedStyle(document.querySelector('[data-gone] .item-left'), '::after').content"
    assert await page.evaluate(shown) == '"decided"'
    assert await page.evaluate("window.shift") == 0


async def test_an_open_request_says_that_it_changed_and_a_late_vote_is_told(site, window) -> None:
    page = await (await window("ben")).open(f"/requests/{site.ids['export']}")
    await page.wait_for_selector('#live-request[data-state="on"]')
    await _armed(page)
    await page.evaluate(_SHIFT, False)
    await site.decide(site.ids["export"], "chidi", "deny", "no contract")
    await page.wait_for_selector("#live-request >> text=was denied")
    assert await page.evaluate("window.shift") == 0
    await page.get_by_role("link", name="Reload").click()
    await page.wait_for_selector("text=no contract")
    assert await page.query_selector("button[value=approve]") is None


async def test_a_hidden_tab_keeps_no_connection(site, window) -> None:
    page = await (await window("ben")).open("/")
    await _live(page)
    streams = site.world.services.streams
    assert streams.taken == 1
    await page.evaluate("window.dispatchEvent(new Event('pagehide'))")
    for _ in range(100):
        if streams.taken == 0:
            break
        await page.wait_for_timeout(20)
    assert streams.taken == 0


async def test_countdowns_run(site, window, until) -> None:
    page = await (await window("ben")).open(f"/requests/{site.ids['export']}")
    first = await page.inner_text(".countdown time")
    await until(page, "first => document.querySelector('.countdown time').textContent !== first", first)


# ---- for everybody ----


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
async def test_axe_finds_nothing_and_no_page_is_wider_than_the_screen(
    site, window, pages_of, axe_script, scheme, size
) -> None:
    """Every page, with everything that can be unfolded unfolded; the console stays silent (no CSP violation)."""
    person = await window("ben", scheme=scheme, size=size)
    for path in [*pages_of(site), "/sign-in"]:
        page = await person.open(path)
        if await page.query_selector("form[data-decide]"):
            await _armed(page)
        await page.evaluate("document.querySelectorAll('main details').forEach(one => { one.open = true; })")
        await page.evaluate(axe_script)
        result = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        found = [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in result["violations"]]
        assert found == [], path
        assert await page.evaluate("document.documentElement.scrollWidth") <= size[0], path
        if size != PHONE and await page.query_selector(".split"):
            assert await page.evaluate("document.documentElement.scrollHeight") <= size[1], path
        await page.close()


async def test_the_request_page_passes_axe(site, window, axe_script) -> None:
    page = await (await window("ben", scheme="dark")).open(f"/requests/{site.ids['export']}")
    await _armed(page)
    await page.evaluate(axe_script)
    result = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in result["violations"]] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_refusal_passes_axe(site, window, axe_script, scheme) -> None:
    for who, path, status in (("agent", "/history", 403), ("ben", "/nothing", 404)):
        page = await (await window(who, scheme=scheme, size=PHONE)).context.new_page()  # its console may complain
        answer = await page.goto(site.origin + path, wait_until="load")
        assert answer.status == status
        await page.evaluate(axe_script)
        result = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in result["violations"]] == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


async def test_a_phone_shows_the_list_then_the_request(site, window) -> None:
    page = await (await window("ben", size=PHONE, has_touch=True)).open("/")
    assert await page.is_visible("#requests")
    assert not await page.is_visible("#detail")
    await page.tap(".item >> nth=0")
    await page.wait_for_selector("#request")
    assert not await page.is_visible("#requests")
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert await page.is_visible("button[value=approve]")
    await page.tap("summary >> text=Menu")
    await page.get_by_role("navigation", name="Menu").get_by_role("link", name="History").tap()
    await page.wait_for_url("**/history")


async def test_the_theme_is_kept(site, window) -> None:
    person = await window("ben", scheme="light")
    page = await person.open("/")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(colour)
    await page.click(".side [data-theme-toggle]")  # light
    await page.click(".side [data-theme-toggle]")  # dark
    dark = await page.evaluate(colour)
    assert dark != light
    again = await person.open("/history")
    assert await again.evaluate(colour) == dark


async def test_help_opens_and_closes_by_keyboard(site, window) -> None:
    page = await (await window("ben")).open("/")
    await page.keyboard.press("?")
    assert await page.is_visible("#help")
    assert "No key approves or denies" in await page.inner_text("#help")
    await page.keyboard.press("Escape")
    assert not await page.is_visible("#help")
    await page.keyboard.press("g")
    await page.keyboard.press("h")
    await page.wait_for_url("**/history")


async def test_the_skip_link_comes_first_and_focus_shows(site, window) -> None:
    page = await (await window("ben")).open("/history")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.textContent") == "Skip to content"
    await page.keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"
    await page.keyboard.press("Tab")
    assert await page.evaluate("getComputedStyle(document.activeElement).boxShadow") != "none"


async def test_motion_is_reduced_where_asked(site, window) -> None:
    page = await (await window("ben", reduced_motion="reduce")).open(f"/requests/{site.ids['export']}")
    assert await page.evaluate("getComputedStyle(document.querySelector('.button')).transitionDuration") in ("0s", "")


async def test_no_payload_runs_as_a_script(site, window) -> None:
    hostile = '"\'><img src=x onerror="window.hit=1"><script>window.hit=1</script>'
    asked = await site.ask(resource=hostile, arguments={hostile: hostile}, reason=hostile)
    page = await (await window("ben")).open("/")
    await page.click(f'.item[data-id="{asked}"]')
    await page.wait_for_selector("#request")
    assert await page.evaluate("window.hit") is None
    assert hostile in await page.inner_text("#request h1")


async def test_ids_are_copied_whole(site, window) -> None:
    person = await window("ben", permissions=["clipboard-read", "clipboard-write"])
    page = await person.open(f"/requests/{site.ids['export']}")
    await page.click(".pane-detail .copy >> nth=0")
    await page.wait_for_selector(".copy[data-done]")
    assert await page.evaluate("navigator.clipboard.readText()") == site.ids["export"]
