"""The conformance suite over Teams, and who may speak for it: tokens of the Bot Framework."""

from __future__ import annotations

import asyncio
import copy
import importlib.util
import json
import re
import sys
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest
from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from consentry.identity import jwt_keys


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
PATH = "/channels/teams/messages"
VERBS = {"approve": "consentry_approve", "deny": "consentry_deny"}


@dataclass
class TeamsPlace:
    """Teams, as a person with its client meets it."""

    house: object
    fake: object
    module: object
    heard: tuple[str, str] = ("", "")

    def now(self) -> float:
        return self.house.gate.store.clock_ms() / 1000

    async def post(self, activity: dict, *authorization: str):
        """An activity, by default with a token as the Bot Framework makes them."""
        tokens = authorization or (f"Bearer {self.fake.token(self.now())}",)
        headers = [("content-type", "application/json"), *(("authorization", one) for one in tokens if one)]
        return await self.house.http.post(PATH, content=orjson.dumps(activity), headers=headers)

    async def send(self, activity: dict, user: str) -> dict:
        answer = await self.post(activity)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["statusCode"] == 200
        if told["type"] == self.module.CARD:
            return told["value"]
        self.heard = (user, told["value"])
        return {}

    async def shown(self, request: str):
        card = self.fake.card(await self.house.message(request, role="19:"))
        verbs = self.fake.buttons(card)
        return Shown(self.fake.words(card), "consentry_approve" in verbs, not verbs)

    async def open(self, who: str, request: str, verdict: str = "approve"):
        message, user = await self.house.message(request, role="19:"), self.house.users[who]
        action = {"verb": VERBS[verdict], "data": {"consentry_message": message_id(self.fake.card(message))}}
        found = await self.send(self.fake.execute(message, action, user), user)
        return (message, self.fake.buttons(found)["consentry_confirm"]) if found else None

    def _confirming(self, who: str, opened, reason=None, offer=None, extra=None) -> dict:
        message, action = opened
        typed = {"consentry_reason": reason or ""} | ({"consentry_offer": offer} if offer else {}) | (extra or {})
        return {**self.fake.execute(message, action, self.house.users[who], typed), **(extra or {})}

    async def confirm(self, who: str, opened, **tampering):
        found = await self.send(self._confirming(who, opened, **tampering), self.house.users[who])
        return Outcome(True) if found else Outcome(False, self.said(who))

    async def decide(self, who: str, request: str, verdict: str = "approve", reason=None):
        opened = await self.open(who, request, verdict)
        if opened is None:
            return Outcome(False, self.said(who))
        return await self.confirm(who, opened, reason=reason)

    def said(self, who: str) -> str:
        user, text = self.heard
        assert user == self.house.users[who]
        return text

    def down(self, is_down: bool) -> None:
        self.fake.down, self.fake.hung_up = is_down, 0

    def trouble(self, kind: str) -> None:
        self.fake.trouble["create"].append((kind, {"limit": 5, "status": 503}.get(kind)))

    def tried(self) -> bool:
        return self.fake.hung_up > 1 if self.fake.down else not self.fake.trouble["create"]

    def count(self, request: str) -> int:
        found = [place[0] for place in self.fake.messages.values() if place[0]["channel"] == self.module.CHANNEL]
        return sum(request in json.dumps(one["activity"]) for one in found)

    def transcript(self) -> str:
        """What the connector was sent; the bot's sign-in holds its secret, as it must."""
        return json.dumps([(one.path, one.body) for one in self.fake.calls if one.kind != "token"], ensure_ascii=False)

    async def twice(self, who: str, opened):
        sent = [self.post(self._confirming(who, opened)) for _ in range(2)]
        answers = [one.json() for one in await asyncio.gather(*sent)]
        return [Outcome(one["type"] == self.module.CARD) for one in answers]

    async def replay(self, who: str, request: str):
        activity = self._confirming(who, await self.open(who, request))
        assert await self.send(activity, who)
        found = await self.send(copy.deepcopy(activity), who)
        assert self.heard[1] == "That was answered already."
        return Outcome(bool(found), self.heard[1])

    async def callback(self, request: str, who: str, *, signature=None, without=None, team=None, on_message_of=None):
        message, user = await self.house.message(request, role="19:"), self.house.users[who]
        action = self.fake.buttons(self.fake.card(message))["consentry_approve"]
        more = {} if team is None else {"tenant": self.module.who(team)}
        activity = self.fake.execute(message, action, user, **more)
        if on_message_of is not None:
            activity["replyToId"] = (await self.house.message(on_message_of, role="19:"))["id"]
        missing = {
            "user": "from", "team": "channelData", "channel": "conversation", "message": "replyToId",
            "trigger_id": "id",
        }  # fmt: skip
        if without == "actions":
            del activity["value"]["action"]
        elif without is not None:
            del activity[missing.get(without, without)]
        now = self.now()
        good = f"Bearer {self.fake.token(now)}"
        changes = {
            None: (good,),
            "unsigned": ("",),
            "forged": (f"Bearer {self.fake.token(now, key=STRANGER)}",),
            "old": (f"Bearer {self.fake.token(now - 4000)}",),
            "future": (f"Bearer {self.fake.token(now + 400)}",),
            "wordy": (f"Bearer {self.fake.token(now, exp='tomorrow')}",),
            "no_time": (f"Bearer {self.fake.token(now, exp=None)}",),
            "twice": (good, good),
        }[signature]
        answer = await self.post(activity, *changes)
        if answer.status_code == 200 and answer.json()["type"] != self.module.CARD:
            self.heard = (user, answer.json()["value"])
        return answer.status_code

    @staticmethod
    def check_contained(words: str, forged: str) -> None:
        """What the payload wrote stands in text runs, which have no markup, and in a type of its own."""
        assert forged in words
        assert forged not in re.sub("⟦[^⟧]*⟧", "", words)


STRANGER = RSAKey.generate_key(2048, {"kid": "key-0"}, auto_kid=False)


def message_id(card: dict) -> str:
    return card["body"][0]["id"]


@pytest.fixture
def house(teams_house):
    return teams_house


@pytest.fixture
def place(teams_house, fake_teams, teams_module):
    return TeamsPlace(teams_house, fake_teams, teams_module)


class TestTeams(suite.ChatConformance):
    """All of it."""


def _unsigned(claims: dict) -> str:
    def part(value: dict) -> str:
        return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


@pytest.mark.parametrize(
    ("defect", "changes"),
    [
        ("another issuer", {"iss": "https://sts.windows.net/x/"}),
        ("another bot", {"aud": "16fd2706-8baf-433b-82eb-8c7fada847da"}),
        ("two audiences", {"aud": ["0f8fad5b-d9cb-469f-a165-70867728950e", "another"]}),
        ("no audience", {"aud": None}),
        ("no service", {"serviceurl": None}),
        ("another service", {"serviceurl": "https://smba.example/teams/"}),
        ("no beginning", {"nbf": None}),
    ],
)
async def test_d1_a_token_for_something_else_is_refused(house, place, fake_teams, defect, changes) -> None:
    request = await house.ask()
    message = await house.message(request, role="19:")
    action = fake_teams.buttons(fake_teams.card(message))["consentry_approve"]
    activity = fake_teams.execute(message, action, house.users["ada"])
    answer = await place.post(activity, f"Bearer {fake_teams.token(place.now(), **changes)}")
    assert answer.status_code == 401, defect
    assert answer.json()["code"] == "bad_token"
    assert await place.send(activity, house.users["ada"]), "the same activity with a good token is taken"


async def test_d1_tokens_of_other_algorithms_are_refused(house, place, fake_teams) -> None:
    claims = {"iss": "https://api.botframework.com", "aud": "0f8fad5b-d9cb-469f-a165-70867728950e",
              "nbf": int(place.now()), "exp": int(place.now()) + 60, "serviceurl": fake_teams.service}  # fmt: skip
    public = fake_teams.keys[-1][0].as_pem(private=False)
    header = {"alg": "HS256", "typ": "JWT", "kid": fake_teams.keys[-1][0].kid}
    mac = jws.serialize_compact(header, json.dumps(claims).encode(), _octets(public), algorithms=["HS256"])
    activity = fake_teams.activity("message", "U0ADA", "a:1", text="list")
    for token in (_unsigned(claims), mac, "x.y.z"):
        assert (await place.post(activity, f"Bearer {token}")).status_code == 401


def _octets(pem: bytes) -> OctKey:
    """A key for a MAC made of a public key, as somebody would who hopes that it is taken for one."""
    encoded = urlsafe_b64encode(pem.replace(b"-----", b"=====")).decode().rstrip("=")
    return OctKey.import_key({"kty": "oct", "k": encoded})


async def test_d1_a_key_that_is_endorsed_for_another_channel_is_refused(house, place, fake_teams, monkeypatch) -> None:
    monkeypatch.setattr(jwt_keys, "COOL_DOWN_S", 0.0)
    webchat = fake_teams.rotate("webchat")
    try:
        activity = fake_teams.activity("message", "U0ADA", "a:1", text="x")
        token = fake_teams.token(place.now(), key=webchat)
        assert (await place.post(activity, f"Bearer {token}")).status_code == 401
    finally:
        fake_teams.keys.pop()


async def test_a_key_that_appears_is_asked_for_and_a_stranger_does_not_make_us_ask_all_the_time(
    house, place, fake_teams
) -> None:
    house.clock.ahead_ms += 60_000
    activity = fake_teams.activity("message", "U0ADA", "a:1", text="x")
    fake_teams.rotate()
    assert (await place.post(activity)).status_code == 200
    asked = fake_teams.asked_keys
    unknown = RSAKey.generate_key(2048, {"kid": "key-unknown"}, auto_kid=False)
    for _ in range(5):
        token = fake_teams.token(place.now(), key=unknown)
        assert (await place.post(activity, f"Bearer {token}")).status_code == 401
    assert fake_teams.asked_keys == asked


@pytest.mark.parametrize("where", ["channelData", "conversation"])
async def test_people_of_another_tenant_decide_nothing(house, place, fake_teams, teams_module, where) -> None:
    """Even with the object id of somebody who is linked, and where only one of the two places says so."""
    request = await house.ask()
    message = await house.message(request, role="19:")
    action = fake_teams.buttons(fake_teams.card(message))["consentry_approve"]
    activity = fake_teams.execute(message, action, house.users["ada"])
    other = teams_module.who("another tenant")
    if where == "channelData":
        activity["channelData"]["tenant"]["id"] = other
    else:
        activity["conversation"]["tenantId"] = other
    assert await place.send(activity, house.users["ada"]) == {}
    assert "another tenant" in place.said("ada")


async def test_a5_an_object_id_is_one_person_in_any_case(house, place, fake_teams) -> None:
    request = await house.ask("terraform.apply")
    assert (await place.decide("ada", request)).taken
    message = await house.message(request, role="19:")
    action = {"verb": "consentry_approve", "data": {"consentry_message": message_id(fake_teams.card(message))}}
    activity = fake_teams.execute(message, action, house.users["ada"])
    activity["from"]["aadObjectId"] = activity["from"]["aadObjectId"].upper()
    assert await place.send(activity, house.users["ada"]) == {}
    assert "you have voted" in place.said("ada").lower()


async def test_names_and_addresses_that_teams_tells_are_not_believed(house, place, fake_teams) -> None:
    request = await house.ask()
    message = await house.message(request, role="19:")
    action = fake_teams.buttons(fake_teams.card(message))["consentry_approve"]
    activity = fake_teams.execute(message, action, "a stranger")
    activity["from"] |= {"name": "Ada", "userPrincipalName": "ada@example.org", "email": "ada@example.org"}
    assert await place.send(activity, "a stranger") == {}
    assert "link" in place.heard[1]


async def test_a_card_that_one_was_shown_is_no_use_to_another(house, place, fake_teams) -> None:
    """Ben sends what Ada's card holds, from where it stands."""
    request = await house.ask()
    message, action = await place.open("ada", request)
    assert await place.send(fake_teams.execute(message, action, house.users["ben"]), house.users["ben"]) == {}
    assert await house.state(request) == "pending"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"name": "task/fetch"}, 400),
        ({"channelId": "webchat"}, 400),
        ({"type": 7}, 400),
        ({"value": {"action": {"type": "Action.Submit", "verb": "consentry_approve", "data": {}}}}, 400),
        ({"value": {"action": {"type": "Action.Execute", "verb": "consentry_everything", "data": {}}}}, 400),
        ({"value": {"action": {"type": "Action.Execute", "verb": "consentry_approve", "data": {}}}}, 400),
        ({"type": "typing"}, 200),
        ({"type": "messageReaction"}, 200),
    ],
)
async def test_what_is_not_ours_is_refused_or_left_alone(house, place, fake_teams, change, status) -> None:
    request = await house.ask()
    message = await house.message(request, role="19:")
    action = fake_teams.buttons(fake_teams.card(message))["consentry_approve"]
    activity = {**fake_teams.execute(message, action, house.users["ada"]), **change}
    assert (await place.post(activity)).status_code == status
    assert await house.state(request) == "pending"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"type":"invoke","type":"message"}', b"\xff"])
async def test_a_body_that_is_no_activity_is_refused(house, place, fake_teams, body) -> None:
    headers = {"authorization": f"Bearer {fake_teams.token(place.now())}", "content-type": "application/json"}
    assert (await house.http.post(PATH, content=body, headers=headers)).status_code == 400
