"""Passkeys in Chromium with its virtual authenticator: registering one, approving with it, and every way it fails."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pytest
import pytest_asyncio

from consentry.consent.states import RequestState
from consentry.ledger.keys import parse_keys
from consentry.ledger.verify import verify_receipt
from consentry.server.guard import COOKIE

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(300)]

POLICY = """
@id("strong") @review("group:stewards") @assurance("passkey")
permit (principal, action == Action::"secret.read", resource);
"""
NOTE = "[data-decide-note]"


@dataclass
class Desk:
    """One steward at a browser, at the address where passkeys work."""

    world: object
    ada: object
    agent: object
    page: object
    cdp: object
    said: list[str]

    @property
    def gate(self):
        return self.world.services.gate

    @property
    def origin(self) -> str:
        return self.world.services.passkeys.site.origin

    async def add(self, **changes: object) -> str:
        options = {
            "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
            "isUserVerified": True, "automaticPresenceSimulation": True, **changes,
        }  # fmt: skip
        return (await self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": options}))["authenticatorId"]

    async def register(self, name: str = "Blue key") -> None:
        await self.page.goto(f"{self.origin}/passkeys")
        await self.page.fill("[name=name]", name)
        await self.page.get_by_role("button", name="Register a passkey").click()

    async def ask(self, **arguments: object) -> dict:
        return await self.world.submit(self.agent, arguments=arguments)

    async def open(self, request_id: str) -> None:
        await self.page.goto(f"{self.origin}/requests/{request_id}")

    async def approve(self) -> None:
        await self.page.wait_for_selector("button[value=approve]:not([aria-disabled])")
        await self.page.fill("[name=reason]", "looked at it")
        await self.page.get_by_role("button", name="Approve with passkey").click()

    async def state(self, request_id: str) -> RequestState:
        return (await self.gate.request(request_id)).state


@pytest_asyncio.fixture(loop_scope="session")
async def desk(chromium, start, tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "rules.cedar").write_text(POLICY)
    async with start(policy={"dir": tmp_path / "policies"}) as world:
        ada, agent = await world.person("ada@example.org", "stewards"), await world.agent("etl")
        context = await chromium.new_context()
        origin = world.services.passkeys.site.origin
        await context.add_cookies([{"name": COOKIE, "value": ada.token, "url": origin}])
        page = await context.new_page()
        said: list[str] = []
        page.on("console", lambda one: said.append(one.text) if "Content Security Policy" in one.text else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        cdp = await context.new_cdp_session(page)
        await cdp.send("WebAuthn.enable")
        yield Desk(world, ada, agent, page, cdp, said)
        await context.close()
        assert said == []


async def test_a_person_registers_a_passkey_and_approves_with_it(desk) -> None:
    await desk.add()
    await desk.register()
    await desk.page.wait_for_selector("td:has-text('Blue key')")
    asked = await desk.ask(n=1)
    await desk.open(asked["request_id"])
    await desk.approve()
    await desk.page.wait_for_selector(".result >> text=Approved")
    raw, keys = await desk.gate.receipt(asked["id"]), parse_keys((await desk.gate.ledger_keys()).decode())
    assert verify_receipt(raw, keys).findings == ()
    votes = [orjson.loads(one["entry"]) for one in orjson.loads(raw)["entries"] if '"request.vote"' in one["entry"]]
    assert [(vote["assurance"], vote["channel"], "signature" in vote) for vote in votes] == [(3, "web", True)]


async def test_whoever_has_none_is_led_to_register_one_and_may_still_deny(desk) -> None:
    asked = await desk.ask(n=1)
    await desk.open(asked["request_id"])
    assert await desk.page.get_by_role("button", name="Approve").count() == 0
    assert "you have no passkey here" in await desk.page.inner_text(NOTE)
    await desk.page.get_by_role("link", name="Your passkeys").click()
    await desk.page.wait_for_selector("text=You have no passkey")
    await desk.open(asked["request_id"])
    await desk.page.wait_for_selector("button[value=deny]:not([aria-disabled])")
    await desk.page.get_by_role("button", name="Deny").click()
    await desk.page.wait_for_selector(".result >> text=Denied")


async def test_a12_a_passkey_that_is_younger_than_the_request_gives_no_button(desk) -> None:
    asked = await desk.ask(n=1)
    await desk.add()
    await desk.register()
    await desk.page.wait_for_selector("td:has-text('Blue key')")
    await desk.open(asked["request_id"])
    assert "younger than this request" in await desk.page.inner_text(NOTE)
    assert await desk.page.get_by_role("button", name="Approve").count() == 0


async def test_a_person_who_is_not_verified_signs_nothing_and_may_try_again(desk, until) -> None:
    key = await desk.add()
    await desk.register()
    await desk.page.wait_for_selector("td:has-text('Blue key')")
    asked = await desk.ask(n=1)
    await desk.open(asked["request_id"])
    await desk.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": key, "isUserVerified": False})
    await desk.approve()
    await desk.page.wait_for_selector(f"{NOTE}[data-failed]")
    assert "nothing was signed" in await desk.page.inner_text(NOTE)
    assert await desk.state(asked["request_id"]) is RequestState.PENDING
    await desk.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": key, "isUserVerified": True})
    await desk.approve()
    await desk.page.wait_for_selector(".result >> text=Approved")


async def test_a_passkey_removed_meanwhile_is_told_and_decides_nothing(desk) -> None:
    await desk.add()
    await desk.register()
    await desk.page.wait_for_selector("td:has-text('Blue key')")
    asked = await desk.ask(n=1)
    await desk.open(asked["request_id"])
    (passkey,) = await desk.world.services.passkeys.of(desk.ada.id)
    await desk.world.delete(f"/v1/passkeys/{passkey.id}", desk.world.admin, status=204)
    await desk.approve()
    await desk.page.wait_for_selector(f"{NOTE}[data-failed]")
    assert "you have no passkey here" in await desk.page.inner_text(NOTE)
    assert await desk.state(asked["request_id"]) is RequestState.PENDING


async def test_the_same_device_is_not_registered_twice(desk) -> None:
    await desk.add()
    await desk.register()
    await desk.page.wait_for_selector("td:has-text('Blue key')")
    await desk.register("again")
    await desk.page.wait_for_selector("[data-passkey-note][data-failed]")
    assert "holds a passkey of yours" in await desk.page.inner_text("[data-passkey-note]")


async def test_a_passkey_is_removed_on_the_page(desk) -> None:
    await desk.add()
    await desk.register()
    await desk.page.get_by_role("button", name="Remove Blue key").click()
    await desk.page.wait_for_selector("text=You have no passkey")


async def test_whoever_took_over_a_session_removes_nothing(desk) -> None:
    key = await desk.add()
    await desk.register()
    await desk.page.wait_for_selector("td:has-text('Blue key')")
    await desk.cdp.send("WebAuthn.clearCredentials", {"authenticatorId": key})
    await desk.page.get_by_role("button", name="Remove Blue key").click()
    await desk.page.wait_for_selector("[data-remove-note][data-failed]")
    (passkey,) = await desk.world.services.passkeys.of(desk.ada.id)
    headers = {"cookie": f"{COOKIE}={desk.ada.token}", "origin": desk.world.services.origin}
    answer = await desk.world.http.post(f"/passkeys/{passkey.id}/remove", data={"assertion": ""}, headers=headers)
    assert answer.status_code == 403
    assert await desk.world.services.passkeys.of(desk.ada.id) == (passkey,)


async def test_an_old_session_is_told_to_sign_in_again(desk) -> None:
    desk.world.clock.ahead_ms = 11 * 60_000
    await desk.page.goto(f"{desk.origin}/passkeys")
    assert await desk.page.get_by_role("button", name="Register a passkey").count() == 0
    assert "sign out and sign in again" in await desk.page.inner_text("main")


async def test_at_another_address_the_page_says_where_passkeys_work(desk) -> None:
    origin = desk.world.services.origin
    assert origin != desk.origin
    await desk.page.context.add_cookies([{"name": COOKIE, "value": desk.ada.token, "url": origin}])
    await desk.page.goto(f"{origin}/passkeys")
    assert await desk.page.get_by_role("button", name="Register a passkey").count() == 0
    assert f"Passkeys work at {desk.origin}" in await desk.page.inner_text("main")


async def test_the_form_without_its_script_decides_nothing(desk) -> None:
    """A page whose script was stopped posts an empty signature: the server says what is missing."""
    await desk.add()
    await desk.register()
    await desk.page.wait_for_selector("td:has-text('Blue key')")
    asked = await desk.ask(n=1)
    shown = (await desk.gate.preview(asked["request_id"])).digest
    fields = {"verdict": "approve", "shown_digest": shown, "shown_at": str(desk.gate.store.clock_ms() - 5_000)}
    headers = {"cookie": f"{COOKIE}={desk.ada.token}", "origin": desk.world.services.origin}
    path = f"/requests/{asked['request_id']}/vote"
    for assertion, status in (("", 403), ("{}", 400), ("[", 400), ('{"credential_id": "AA"}', 400)):
        answer = await desk.world.http.post(path, data={**fields, "assertion": assertion}, headers=headers)
        assert answer.status_code == status, answer.text
    assert await desk.state(asked["request_id"]) is RequestState.PENDING


@pytest.mark.slow
async def test_the_pages_pass_axe(desk, axe_script) -> None:
    await desk.add()
    await desk.register()
    await desk.page.wait_for_selector("td:has-text('Blue key')")
    asked = await desk.ask(n=1)
    for path in ("/passkeys", f"/requests/{asked['request_id']}"):
        await desk.page.goto(desk.origin + path)
        await desk.page.evaluate(axe_script + "\n;0")
        found = await desk.page.evaluate("async () => (await axe.run()).violations.map((one) => one.id)")
        assert found == [], path
