"""Play the whole story in Slack against the tests' own Slack, and take pictures of it for the documents.

`python -m tools.slack_story` asks as a pipeline, shows the message, opens the dialog, decides, and writes
`slack-asked.png`, `slack-dialog.png`, `slack-link.png` and `slack-decided.png`. It needs Chromium.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from tools import blocks

ROOT = Path(__file__).parent.parent
ARGUMENTS = {"argv": ["systemctl", "restart", "api"], "host": "prod-eu-1"}
EXPORT = {"to": "jane.roe@example.com", "columns": ["email", "plan"], "rows": 240}
REASON = "The API hangs since the last release.\n```\n*Approved by Joon* <!channel>"


def load(path: Path) -> ModuleType:
    """A module that is no part of a package."""
    spec = importlib.util.spec_from_file_location(f"story_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


async def play(out: Path) -> None:
    """The story, and a picture at each turn."""
    conftest = load(ROOT / "tests" / "channels" / "conftest.py")
    for name, constant in conftest.SECRETS.items():
        os.environ[name] = getattr(conftest.slack, constant)
    fake = await conftest.slack.FakeSlack().start()
    with tempfile.TemporaryDirectory() as folder:
        async with conftest.running(Path(folder), fake) as house:
            pictures = await _story(house, fake)
    await fake.stop()
    await _photograph(pictures, out)


async def _story(house, fake) -> dict[str, str]:  # type: ignore[no-untyped-def]
    pictures = {}
    request = await house.ask(resource="host/api", arguments=ARGUMENTS, reason=REASON)
    action = (await house.gate.request(request)).action_id
    waiting = asyncio.create_task(house.gate.wait(action, timeout_s=60))
    message = await house.message(request)
    pictures["slack-asked"] = blocks.post(message)
    await house.interact(fake.pressed(message, "consentry_approve", house.users["ada"]))
    pictures["slack-dialog"] = blocks.modal(fake.views[-1])
    await asyncio.sleep(0.6)  # nobody reads faster than that, and it would not be taken
    answer = await house.interact(fake.submitted(fake.views[-1], house.users["ada"], "Agreed, it hangs for me too."))
    assert answer.json() == {"response_action": "clear"}, answer.text
    print("the caller hears:", (await waiting).state.value)
    await house.until(lambda: not fake.buttons(message))
    pictures["slack-decided"] = blocks.post(message)
    found = {"total": 480, "types": ["EMAIL_ADDRESS", "PERSON"], "scanned": True}
    facts = {"findings": found, "rows": 240, "external": True}
    export = await house.ask(resource="crm", arguments=EXPORT, facts=facts)
    pictures["slack-link"] = blocks.post(await house.message(export))
    return pictures


async def _photograph(pictures: dict[str, str], out: Path) -> None:
    from playwright.async_api import async_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    flags = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=chromium, args=flags)
        page = await browser.new_page(viewport={"width": 720, "height": 400}, device_scale_factor=1.5)
        for name, inner in pictures.items():
            await page.set_content(blocks.page(inner))
            await page.locator("main").screenshot(path=out / f"{name}.png")
            print("wrote", f"{name}.png")
        await browser.close()


if __name__ == "__main__":
    asyncio.run(play(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/screenshots")))
