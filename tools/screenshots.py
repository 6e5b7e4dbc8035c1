"""Photograph the inbox of a real server: docs/screenshots/{inbox,request}-{light,dark}.png.

Starts `consentry up --demo` on a free port with data of its own, signs in by the one-time link that it prints, and
opens the demo's request. Needs Chromium and Playwright: `python tools/screenshots.py [--out DIR]`.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

OUT = Path(__file__).resolve().parent.parent / "docs" / "screenshots"
SIZE = {"width": 1440, "height": 900}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
LINK = re.compile(r"(http://\S+?)/sign-in#token=(\S+)")


def main() -> int:
    """Take all pictures; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT, help="where the pictures go")
    out: Path = parser.parse_args().out
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        print("chromium is not installed: apt-get install chromium", file=sys.stderr)
        return 1
    out.mkdir(parents=True, exist_ok=True)
    with server() as (origin, token), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        state = sign_in(browser, origin, token)
        for scheme in ("light", "dark"):
            context = browser.new_context(viewport=SIZE, color_scheme=scheme, storage_state=state)
            photograph(context.new_page(), origin, scheme, out)
            context.close()
        browser.close()
    return 0


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """A running demo: its address, and the token of its sign-in link."""
    with tempfile.TemporaryDirectory(prefix="consentry-shots-") as data:
        command = [sys.executable, "-m", "consentry", "up", "--demo", "--no-browser", "--port", "0", "--data", data]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603
        try:
            assert process.stdout is not None
            found = next((match for line in process.stdout if (match := LINK.search(line))), None)
            if found is None:
                raise SystemExit("the server ended before it printed its sign-in link")
            yield found[1], found[2]
        finally:
            process.terminate()
            process.wait(30)


def sign_in(browser: Browser, origin: str, token: str) -> object:
    """Use the link as a person does; returns the browser's state with the session in it."""
    context = browser.new_context(viewport=SIZE)
    page = context.new_page()
    page.goto(f"{origin}/sign-in#token={token}")
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector(".item")
    state = context.storage_state()
    context.close()
    return state


def photograph(page: Page, origin: str, scheme: str, out: Path) -> None:
    """The inbox as it opens, and the first request in it."""
    page.goto(origin)
    page.wait_for_selector('#live-list[data-state="on"]')
    page.screenshot(path=out / f"inbox-{scheme}.png")
    page.click(".item")
    page.wait_for_selector("button[value=approve]:not([aria-disabled])")
    page.wait_for_timeout(300)
    page.screenshot(path=out / f"request-{scheme}.png")


if __name__ == "__main__":
    sys.exit(main())
