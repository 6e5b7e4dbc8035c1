"""The conformance suite, over Slack by HTTP and by socket, the web pages and the API."""

from __future__ import annotations

import asyncio
import copy
import importlib.util
import json
import re
import sys
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from consentry.server.guard import COOKIE
from consentry.server.pages.routes import inbox


def _suite():
    name = "consentry_tests_conformance"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "conformance.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


suite = _suite()
Outcome, Shown = suite.Outcome, suite.Shown
pytestmark = pytest.mark.asyncio(loop_scope="module")
IN_CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


@dataclass
class SlackPlace:
    """Slack, by whichever way its callbacks come."""

    house: object
    fake: object
    module: object
    socket: bool = False

    async def shown(self, request: str):
        message = await self.house.message(request)
        buttons = self.fake.buttons(message)
        return Shown(self.fake.words(message), "consentry_approve" in buttons, not buttons)

    async def _send(self, payload: dict) -> dict | None:
        if self.socket:
            return await self.fake.envelope("interactive", payload)
        answer = await self.house.interact(payload)
        assert answer.status_code == 200, answer.text
        return json.loads(answer.content) if answer.content else None

    async def open(self, who: str, request: str, verdict: str = "approve"):
        message = await self.house.message(request)
        views, whispers = len(self.fake.views), len(self.fake.whispers)
        action = f"consentry_{verdict}"
        if action not in self.fake.buttons(message):  # a button of before, or one that was made up
            deny = self.fake.buttons(message).get("consentry_deny") or {"value": message_id(message)}
            message = {**message, "blocks": [{"type": "actions", "elements": [button(action, deny["value"])]}]}
        await self._send(self.fake.pressed(message, action, self.house.users[who]))
        assert len(self.fake.views) + len(self.fake.whispers) == views + whispers + 1
        return self.fake.views[-1] if len(self.fake.views) > views else None

    async def confirm(self, who: str, opened, *, reason=None, offer=None, extra=None):
        payload = self.fake.submitted(opened, self.house.users[who], reason)
        if offer is not None:
            payload["view"]["private_metadata"] = offer
        return self._outcome(await self._send({**payload, **(extra or {})}))

    @staticmethod
    def _outcome(answer: dict | None):
        if answer == {"response_action": "clear"}:
            return Outcome(True)
        return Outcome(False, " ".join((answer or {}).get("errors", {}).values()))

    async def decide(self, who: str, request: str, verdict: str = "approve", reason=None):
        opened = await self.open(who, request, verdict)
        if opened is None:
            return Outcome(False, self.said(who))
        return await self.confirm(who, opened, reason=reason)

    def said(self, who: str) -> str:
        last = self.fake.whispers[-1]
        assert last["user"] == self.house.users[who]
        return last["text"]

    def down(self, is_down: bool) -> None:
        self.fake.down = is_down
        self.fake.hung_up = 0

    def trouble(self, kind: str) -> None:
        detail = {"limit": 5, "status": 503}.get(kind)
        self.fake.trouble["chat.postMessage"].append((kind, detail))

    def tried(self) -> bool:
        return self.fake.hung_up > 1 if self.fake.down else not self.fake.trouble["chat.postMessage"]

    def count(self, request: str) -> int:
        found = [one for place in self.fake.messages.values() for one in place if "thread_ts" not in one]
        events = [one["metadata"]["event_payload"]["request"] for one in found if one["channel"].startswith("C")]
        return events.count(request)

    def transcript(self) -> str:
        return json.dumps([(one.method, one.arguments) for one in self.fake.calls], ensure_ascii=False)

    async def twice(self, who: str, opened):
        """Two presses of the dialog's button, each signed for itself."""
        sent = [self._send(self.fake.submitted(opened, self.house.users[who])) for _ in range(2)]
        return [self._outcome(one) for one in await asyncio.gather(*sent)]

    async def replay(self, who: str, request: str):
        opened = await self.open(who, request)
        payload = self.fake.submitted(opened, self.house.users[who])
        assert self._outcome(await self._send(payload)).taken
        return self._outcome(await self._send(copy.deepcopy(payload)))

    async def callback(self, request: str, who: str, *, signature=None, without=None, team=None, on_message_of=None):
        message = await self.house.message(request)
        payload = self.fake.pressed(message, "consentry_approve", self.house.users[who])
        if team is not None:
            payload["team"]["id"] = payload["user"]["team_id"] = team
        if without is not None:
            del payload[without]
        if on_message_of is not None:
            payload["message"]["ts"] = (await self.house.message(on_message_of))["ts"]
        now = self.house.gate.store.clock_ms() / 1000
        changes = {
            None: {},
            "unsigned": {"signature": None},
            "forged": {"signature": "v0=" + "0" * 64},
            "old": {"request_timestamp": str(int(now) - 301)},
            "future": {"request_timestamp": str(int(now) + 301)},
            "wordy": {"request_timestamp": "now"},
            "no_time": {"request_timestamp": None},
            "twice": {"request_timestamp": f"{int(now)}, {int(now)}"},
        }[signature]
        return (await self.house.interact(payload, **changes)).status_code

    @staticmethod
    def check_contained(words: str, forged: str) -> None:
        """What the payload wrote stands in code and nowhere else."""
        assert forged in words
        assert forged not in IN_CODE.sub("", words)


def message_id(message: dict) -> str:
    return message["metadata"]["event_payload"]["id"]


def button(action: str, value: str) -> dict:
    return {"type": "button", "action_id": action, "value": value, "text": {"type": "plain_text", "text": "?"}}


@dataclass
class WebPlace:
    """The page of a request, as a browser opens it and posts its form."""

    house: object

    def _headers(self, who: str) -> dict[str, str]:
        return {"cookie": f"{COOKIE}={self.house.tokens[who]}"}

    async def shown(self, request: str):
        page = (await self.house.http.get(f"/requests/{request}", headers=self._headers("ada"))).text
        article = page[page.index('<article class="detail"') :]
        form = 'value="approve"' in article
        return Shown(unescape(re.sub(r"<[^>]*>", "", article)), form, not form)

    async def decide(self, who: str, request: str, verdict: str = "approve", reason=None):
        shown = (await self.house.gate.preview(request)).digest
        fields = {
            "verdict": verdict, "shown_digest": shown, "reason": reason or "",
            "shown_at": str(self.house.gate.store.clock_ms() - 5_000),
        }  # fmt: skip
        origin = self.house.services.origin
        answer = await self.house.http.post(
            f"/requests/{request}/vote",
            content=urlencode(fields),
            headers={
                **self._headers(who), "origin": origin, "sec-fetch-site": "same-origin",
                "content-type": "application/x-www-form-urlencoded",
            },
            follow_redirects=False,
        )  # fmt: skip
        return Outcome(answer.status_code == 303, unescape(re.sub(r"<[^>]*>", "", answer.text)))


@dataclass
class ApiPlace:
    """The API, as a program of a person calls it."""

    house: object

    def _headers(self, who: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self.house.tokens[who]}"}

    async def shown(self, request: str):
        found = (await self.house.http.get(f"/v1/requests/{request}", headers=self._headers("ada"))).json()
        votes = "".join(f"\n{one['name']}: {one['verdict']}" for one in found["votes"])
        text = f"{found['state']}\n{found['preview']['text']}{votes}"
        return Shown(text, found["may_vote"]["allowed"], found["state"] != "pending")

    async def decide(self, who: str, request: str, verdict: str = "approve", reason=None):
        shown = (await self.house.gate.preview(request)).digest
        body = {"verdict": verdict, "shown_digest": shown, "reason": reason}
        answer = await self.house.http.post(f"/v1/requests/{request}/votes", json=body, headers=self._headers(who))
        return Outcome(answer.status_code == 200, "" if answer.status_code == 200 else answer.json()["detail"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def socket_house(patch, slack_module, start_house, tmp_path_factory):
    fake = await slack_module.FakeSlack().start()
    async with start_house(tmp_path_factory.mktemp("socket"), fake, mode="socket") as one:
        await one.until(lambda: fake.sockets)
        yield one
    await fake.stop()


class TestSlackByHttp(suite.ChatConformance):
    @pytest.fixture
    def place(self, house, fake, slack_module):
        return SlackPlace(house, fake, slack_module)


class TestSlackBySocket(suite.ChatConformance):
    """Without the tests of signatures and of HTTP's answers: the socket is Slack's own."""

    test_d1_what_the_provider_did_not_sign_just_now_is_refused = None
    test_d1_a_missing_field_is_a_refusal = None
    test_a_button_on_somebody_elses_message_is_nothing = None
    test_the_same_user_id_of_another_team_is_somebody_else = None

    @pytest.fixture
    def house(self, socket_house):
        return socket_house

    @pytest.fixture
    def place(self, socket_house, slack_module):
        return SlackPlace(socket_house, socket_house.slack, slack_module, socket=True)

    async def test_d9_the_http_callbacks_are_off(self, house) -> None:
        answer = await house.interact({"type": "block_actions"})
        assert answer.status_code == 404


class TestWeb(suite.Conformance):
    @pytest.fixture
    def place(self, house, monkeypatch):
        monkeypatch.setattr(inbox, "LEAST_MS", 0)
        return WebPlace(house)


class TestApi(suite.Conformance):
    @pytest.fixture
    def place(self, house):
        return ApiPlace(house)
