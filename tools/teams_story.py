"""Play the whole story in Teams against the tests' own Teams, and take pictures of it for the documents.

`python -m tools.teams_story` asks as a pipeline, shows the card, presses, decides, and writes `teams-asked.png`,
`teams-confirm.png`, `teams-link.png` and `teams-decided.png`, drawn by npm `adaptivecards`, and the app's two icons. It
needs Chromium and what `make tools` brings.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import orjson

from tools.slack_story import load

ROOT = Path(__file__).parent.parent
RENDERER = ROOT / ".work" / "adaptivecards" / "node_modules" / "adaptivecards" / "dist" / "adaptivecards.min.js"
ARGUMENTS = {"argv": ["systemctl", "restart", "api"], "host": "prod-eu-1"}
EXPORT = {"to": "jane.roe@example.com", "columns": ["email", "plan"], "rows": 240}
REASON = "The API hangs since the last release.\n**Approved by Joon** [see here](https://evil.example)"
FONT = '"Segoe UI", "Helvetica Neue", Arial, sans-serif'
HOST = {
    "fontFamily": FONT,
    "supportsInteractivity": True,
    "actions": {"actionsOrientation": "horizontal", "actionAlignment": "left", "maxActions": 6, "buttonSpacing": 8},
    "containerStyles": {"default": {"backgroundColor": "#ffffff"}},
}
CSS = f"""
body{{margin:0;background:#f5f5f5;font:14px/20px {FONT};color:#242424}}
main{{width:680px;padding:20px;box-sizing:border-box}}
header{{margin:0 0 6px 4px;font-size:12px;color:#616161}} header b{{color:#242424;margin-right:6px}}
.card{{background:#fff;border:1px solid #e1e1e1;border-radius:6px;padding:6px}}
.ac-pushButton{{border:1px solid #d1d1d1;border-radius:4px;background:#fff;padding:5px 14px;font:600 14px {FONT}}}
.ac-pushButton.style-positive{{background:#5b5fc7;border-color:#5b5fc7;color:#fff}}
.ac-pushButton.style-destructive{{color:#c4314b;border-color:#c4314b}}
.ac-textRun[style*="monospace"],.ac-richTextBlock span[style*="monospace"]{{font-size:12.5px}}
.ac-input{{width:100%;box-sizing:border-box;height:56px;border:1px solid #d1d1d1;border-radius:4px}}
"""
DRAW = """([card, host]) => {
  const drawn = new AdaptiveCards.AdaptiveCard();
  drawn.hostConfig = new AdaptiveCards.HostConfig(host);
  const context = new AdaptiveCards.SerializationContext(AdaptiveCards.Versions.v1_5);
  drawn.parse(card, context);
  document.querySelector('.card').replaceChildren(drawn.render());
  const events = [];
  for (let at = 0; at < context.eventCount; at++) events.push(context.getEventAt(at).message);
  return events;
}"""
PAGE = f"<!doctype html><style>{CSS}</style><main><header><b>Consentry</b>10:15</header><div class=card></div></main>"
ICON = """<body style="margin:0;width:{size}px;height:{size}px;background:{back};display:grid;place-items:center">
<svg width="{size}" height="{size}" viewBox="0 0 32 32" fill="none" stroke="#fff" stroke-width="2.5"
 stroke-linecap="round" stroke-linejoin="round"><path d="M16 4 L26 8 V16 C26 22 21.5 26 16 28 C10.5 26 6 22 6 16 V8 Z"/>
<path d="M11.5 16 L15 19.5 L21 12.5"/></svg></body>"""


async def play(out: Path) -> None:
    """The story, and a picture at each turn."""
    conftest = load(ROOT / "tests" / "channels" / "conftest.py")
    fake = await conftest.teams.FakeTeams().start()
    os.environ["TEST_TEAMS_PASSWORD"] = conftest.teams.PASSWORD
    chat = conftest.Chat("teams", conftest.teams.TENANT, conftest.teams.who)
    with tempfile.TemporaryDirectory() as folder:
        async with conftest.running(Path(folder), fake, chat=chat, teams=fake.settings()) as house:
            cards = await _story(house, fake)
    await fake.stop()
    await _photograph(cards, out)


async def _story(house, fake) -> dict[str, dict]:  # type: ignore[no-untyped-def]
    async def send(activity: dict) -> dict:
        headers = {"authorization": f"Bearer {fake.token(house.gate.store.clock_ms() / 1000)}"}
        answer = await house.http.post("/channels/teams/messages", content=orjson.dumps(activity), headers=headers)
        return answer.json()["value"]

    cards = {}
    request = await house.ask(resource="host/api", arguments=ARGUMENTS, reason=REASON)
    action = (await house.gate.request(request)).action_id
    waiting = asyncio.create_task(house.gate.wait(action, timeout_s=60))
    message, ada = await house.message(request, role="19:"), house.users["ada"]
    cards["teams-asked"] = fake.card(message)
    approve = fake.buttons(fake.card(message))["consentry_approve"]
    cards["teams-confirm"] = await send(fake.execute(message, approve, ada))
    await asyncio.sleep(0.6)  # nobody reads faster than that, and it would not be taken
    confirm = fake.buttons(cards["teams-confirm"])["consentry_confirm"]
    await send(fake.execute(message, confirm, ada, {"consentry_reason": "Agreed, it hangs for me too."}))
    print("the caller hears:", (await waiting).state.value)
    await house.until(lambda: not fake.buttons(fake.card(message)))
    cards["teams-decided"] = fake.card(message)
    found = {"total": 480, "types": ["EMAIL_ADDRESS", "PERSON"], "scanned": True}
    export = await house.ask(resource="crm", arguments=EXPORT, facts={"findings": found, "rows": 240, "external": True})
    cards["teams-link"] = fake.card(await house.message(export, role="19:"))
    return json.loads(json.dumps(cards))


async def _photograph(cards: dict[str, dict], out: Path) -> None:
    from playwright.async_api import async_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=chromium, args=flags)
        page = await browser.new_page(viewport={"width": 720, "height": 400}, device_scale_factor=1.5)
        for name, card in cards.items():
            await page.set_content(PAGE)
            await page.add_script_tag(path=RENDERER)
            events = await page.evaluate(DRAW, [card, HOST])
            assert not events, events
            await page.locator("main").screenshot(path=out / f"{name}.png")
            print("wrote", f"{name}.png")
        for name, size, back in (("color", 192, "#1f3a5f"), ("outline", 32, "transparent")):
            icon = await browser.new_page(viewport={"width": size, "height": size})
            await icon.set_content(ICON.format(size=size, back=back))
            await icon.screenshot(path=out.parent / f"teams-{name}.png", omit_background=True)
        await browser.close()


if __name__ == "__main__":
    asyncio.run(play(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screenshots")))
