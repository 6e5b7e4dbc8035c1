"""A Teams of our own: the bot's sign-in, the Bot Framework's keys, the connector, Graph, a workflow.

It keeps a transcript of every call, takes messages at the pace that Teams takes where it is told to, and fails in the
ways in which networks do. Paths and shapes are those of learn.microsoft.com.
"""

from __future__ import annotations

import html
import json
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web
from joserfc import jws
from joserfc.jwk import RSAKey

APP = "0f8fad5b-d9cb-469f-a165-70867728950e"
PASSWORD = "fake-teams-client-secret"
TENANT = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
TEAM = "16fd2706-8baf-433b-82eb-8c7fada847da"
CHANNEL = "19:approvals@thread.tacv2"
ISSUER = "https://api.botframework.com"
CARD = "application/vnd.microsoft.card.adaptive"
KINDS = ("token", "create", "post", "update", "graph", "workflow")


@dataclass(frozen=True)
class Call:
    """One call as it came, and the status that answered it."""

    kind: str
    path: str
    body: dict
    status: int
    at: float


def who(user: str) -> str:
    """The object id of somebody in the tenant."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, user))


@dataclass
class FakeTeams:
    """A running service. `down` hangs up on everybody; `trouble[kind]` is what befalls the next calls of that kind.

    Troubles: `("status", 503)`, `("limit", 2)` (a 429 with that `Retry-After`), `("lost", None)` (done, and the answer
    never arrives), `("refused", None)` (hung up before anything was done).
    """

    now: Callable[[], float] = time.time
    limit: bool = False
    down: bool = False
    calls: list[Call] = field(default_factory=list)
    messages: dict[str, list[dict]] = field(default_factory=lambda: defaultdict(list))
    workflow: list[dict] = field(default_factory=list)
    trouble: dict[str, deque] = field(default_factory=lambda: defaultdict(deque))
    posted: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    keys: list[tuple[RSAKey, list[str]]] = field(default_factory=list)
    may_look: bool = True
    asked_keys: int = 0
    limited: int = 0
    hung_up: int = 0
    url: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    _runner: web.AppRunner | None = None
    _stamp: int = 1_700_000_000_000

    async def start(self) -> FakeTeams:
        self.rotate()
        app = web.Application(client_max_size=8 << 20)
        routes = (
            ("POST", "/login/{tenant}/oauth2/v2.0/token", "token", self._token),
            ("POST", "/teams/v3/conversations", "create", self._create),
            ("POST", "/teams/v3/conversations/{conversation}/activities", "post", self._post),
            ("POST", "/teams/v3/conversations/{conversation}/activities/{activity}", "post", self._post),
            ("PUT", "/teams/v3/conversations/{conversation}/activities/{activity}", "update", self._update),
            ("GET", "/graph/v1.0/teams/{team}/channels/{channel}/messages", "graph", self._look),
            ("GET", "/graph/v1.0/teams/{team}/channels/{channel}/messages/{message}/replies", "graph", self._look),
            ("POST", "/workflow/secret-of-the-address", "workflow", self._work),
        )
        for method, path, kind, handler in routes:
            app.router.add_route(method, path, self._serving(kind, handler))
        app.router.add_get("/.well-known/openidconfiguration", self._metadata)
        app.router.add_get("/.well-known/keys", self._keys)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        return self

    async def stop(self) -> None:
        await self._runner.cleanup()

    @property
    def service(self) -> str:
        return f"{self.url}/teams/"

    def settings(self, **more) -> dict:
        """`channels.teams` for a server that is to speak to this."""
        link = f"https://teams.microsoft.com/l/channel/19%3Aapprovals%40thread.tacv2/Approvals?groupId={TEAM}"
        return {
            "app_id": APP, "app_password": "env:TEST_TEAMS_PASSWORD", "tenant": TENANT, "channel": link,
            "login_url": f"{self.url}/login", "openid_url": f"{self.url}/.well-known/openidconfiguration",
            "service_url": self.service, "graph_url": f"{self.url}/graph", **more,
        }  # fmt: skip

    # What Consentry calls.

    def _serving(self, kind: str, handler):
        async def serve(request: web.Request) -> web.StreamResponse:
            if self.down:
                self.hung_up += 1
                request.transport.abort()
                return web.Response()
            trouble, detail = self.trouble[kind].popleft() if self.trouble[kind] else (None, None)
            if trouble == "refused":
                request.transport.abort()
                return web.Response()
            if trouble == "status":
                return web.Response(status=detail, text="<html>oops</html>")
            if trouble == "limit":
                return _too_fast(detail)
            body = await self._read(request)
            scope = {"graph": "https://graph.microsoft.com/.default"}.get(kind, "https://api.botframework.com/.default")
            if kind not in ("token", "workflow"):
                bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
                if self.tokens.get(bearer) != scope:
                    return self._said(kind, request, body, 401, {"error": {"code": "Unauthorized"}})
            status, answer = handler(request, body)
            response = self._said(kind, request, body, status, answer)
            if trouble == "lost":
                request.transport.abort()
            return response

        return serve

    @staticmethod
    async def _read(request: web.Request) -> dict:
        if request.content_type == "application/json":
            return await request.json()
        return dict(await request.post())

    def _said(self, kind: str, request: web.Request, body: dict, status: int, answer: dict) -> web.Response:
        self.calls.append(Call(kind, request.path, body, status, self.now()))
        headers = {"Retry-After": "1"} if status == 429 else None
        return web.json_response(answer, status=status, headers=headers)

    def _token(self, request: web.Request, form: dict) -> tuple[int, dict]:
        wanted = ("client_credentials", APP, PASSWORD, TENANT)
        came = tuple(form.get(name) for name in ("grant_type", "client_id", "client_secret"))
        if (*came, request.match_info["tenant"]) != wanted:
            return 401, {"error": "invalid_client"}
        token = f"bot-token-{len(self.tokens)}"
        self.tokens[token] = form["scope"]
        return 200, {"token_type": "Bearer", "expires_in": 3600, "access_token": token}

    def _create(self, _request: web.Request, body: dict) -> tuple[int, dict]:
        assert body["bot"]["id"] == f"28:{APP}"
        assert body["tenantId"] == TENANT
        channel = body["channelData"]["channel"]["id"]
        if self._limited(channel):
            return 429, {}
        made = self._put(None, channel, body["activity"])
        return 201, {"id": made["conversation"], "activityId": made["id"]}

    def _post(self, request: web.Request, body: dict) -> tuple[int, dict]:
        conversation = request.match_info["conversation"]
        if self._limited(conversation):
            return 429, {}
        return 201, {"id": self._put(conversation, conversation.partition(";")[0], body)["id"]}

    def _put(self, conversation: str | None, channel: str, activity: dict) -> dict:
        self._stamp += 1
        made = {"id": str(self._stamp), "channel": channel, "activity": activity, "edits": 0}
        made["conversation"] = conversation or f"{channel};messageid={self._stamp}"
        self.messages[made["conversation"]].append(made)
        return made

    def _update(self, request: web.Request, body: dict) -> tuple[int, dict]:
        for one in self.messages[request.match_info["conversation"]]:
            if one["id"] == request.match_info["activity"]:
                one.update(activity=body, edits=one["edits"] + 1)
                return 200, {"id": one["id"]}
        return 404, {"error": {"code": "ActivityNotFoundInConversation"}}

    def _look(self, request: web.Request, _body: dict) -> tuple[int, dict]:
        if not self.may_look or request.match_info["team"] != TEAM:
            return 403, {"error": {"code": "Forbidden"}}
        channel, thread = request.match_info["channel"], request.match_info.get("message")
        found = [one for place in self.messages.values() for one in place if one["channel"] == channel]
        if thread is None:
            found = [one for one in found if one["conversation"].endswith(one["id"])]
        else:
            found = [one for one in found if one["conversation"].endswith(f"={thread}") and one["id"] != thread]
        begin = int(request.query.get("$skiptoken", "0"))
        end = begin + min(50, int(request.query["$top"]))
        answer = {"value": [self._as_graph(one) for one in found[::-1][begin:end]]}
        more = {"@odata.nextLink": f"{self.url}{request.path}?$top=50&$skiptoken={end}"} if end < len(found) else {}
        return 200, answer | more

    @staticmethod
    def _as_graph(one: dict) -> dict:
        cards = [
            {"contentType": CARD, "content": json.dumps(part["content"])}
            for part in one["activity"].get("attachments", [])
        ]
        return {"id": one["id"], "attachments": cards}

    def _work(self, _request: web.Request, body: dict) -> tuple[int, dict]:
        self.workflow.append(body)
        return 202, {}

    def _limited(self, place: str) -> bool:
        """7 messages a second, 60 in half a minute, to each conversation."""
        if not self.limit:
            return False
        now, times = self.now(), self.posted[place]
        early = sum(now - at < 1 for at in times) >= 7 or sum(now - at < 30 for at in times) >= 60
        self.limited += early
        if not early:
            times.append(now)
        return early

    # The Bot Framework's keys and tokens.

    def rotate(self, *endorsements: str) -> RSAKey:
        """A new key, beside those that were."""
        key = RSAKey.generate_key(2048, {"kid": f"key-{len(self.keys)}", "use": "sig"}, auto_kid=False)
        self.keys.append((key, list(endorsements) or ["msteams", "skype"]))
        return key

    async def _metadata(self, _request: web.Request) -> web.Response:
        told = {
            "issuer": ISSUER, "jwks_uri": f"{self.url}/.well-known/keys",
            "id_token_signing_alg_values_supported": ["RS256"],
        }  # fmt: skip
        return web.json_response(told)

    async def _keys(self, _request: web.Request) -> web.Response:
        self.asked_keys += 1
        keys = [{**key.as_dict(private=False), "endorsements": named} for key, named in self.keys]
        return web.json_response({"keys": keys})

    def token(self, now_s: float, *, key: RSAKey | None = None, **changes) -> str:
        """A token as the Bot Framework makes them. A change to `None` takes a claim out."""
        key = key or self.keys[-1][0]
        claims = {
            "iss": ISSUER, "aud": APP, "nbf": int(now_s), "exp": int(now_s) + 3600, "serviceurl": self.service,
            **changes,
        }  # fmt: skip
        payload = json.dumps({name: value for name, value in claims.items() if value is not None}).encode()
        return jws.serialize_compact({"alg": "RS256", "typ": "JWT", "kid": key.kid}, payload, key)

    # What people see and do.

    def find(self, request_id: str, *, role: str = "19:") -> dict | None:
        """The message about a request in a channel (`19:`) or in a chat with somebody (`a:`)."""
        for conversation, place in self.messages.items():
            asked = place if role.startswith("a:") else place[:1]
            for one in asked if conversation.startswith(role) else []:
                if request_id in json.dumps(one["activity"]):
                    return one
        return None

    def thread(self, message: dict) -> list[dict]:
        """The answers beneath a message."""
        return [one for one in self.messages[message["conversation"]] if one["id"] != message["id"]]

    @staticmethod
    def card(message: dict) -> dict:
        return message["activity"]["attachments"][0]["content"]

    @staticmethod
    def buttons(card: dict) -> dict[str, dict]:
        """The buttons of a card that call the bot, by their verb."""
        return {one["verb"]: one for one in card.get("actions", []) if one["type"] == "Action.Execute"}

    @staticmethod
    def words(card: dict) -> str:
        """The texts of a card, a line each. What stands in a text run is text, so it is shown escaped, and in ⟦⟧ where
        it is payload; a text block is read as Markdown, so it is shown as it is."""
        lines = []
        for one in card["body"]:
            if one["type"] == "TextBlock":
                lines.append(one["text"])
            for item in [one.get("label", "")] if one["type"] == "Input.Text" else []:
                lines.append(item)
            if one["type"] == "RichTextBlock":
                runs = [(run, html.escape(run["text"], quote=False)) for run in one["inlines"]]
                lines.append("".join(f"⟦{text}⟧" if run.get("fontType") else text for run, text in runs))
        return "\n".join([*lines, html.escape(card.get("fallbackText", ""), quote=False)])

    def activity(self, kind: str, user: str, conversation: str, *, tenant: str = TENANT, **more) -> dict:
        """An activity as Teams sends it."""
        self._stamp += 1
        personal = conversation.startswith("a:")
        return {
            "type": kind,
            "id": f"f:{self._stamp}",
            "timestamp": "2026-01-01T10:00:00.000Z",
            "channelId": "msteams",
            "serviceUrl": self.service,
            "from": {"id": f"29:{user}", "name": "Ada Admin", "aadObjectId": who(user)},
            "recipient": {"id": f"28:{APP}", "name": "Consentry"},
            "conversation": {
                "id": conversation, "tenantId": tenant, "conversationType": "personal" if personal else "channel",
                "isGroup": not personal,
            },
            "channelData": {"tenant": {"id": tenant}, "source": {"name": "message"}},
            **more,
        }  # fmt: skip

    def execute(self, message: dict, action: dict, user: str, typed: dict | None = None, **more) -> dict:
        """`adaptiveCard/action` for an action of a card that stands where a message does."""
        data = {**action.get("data", {}), **(typed or {})}
        pressed = {"type": "Action.Execute", "title": action.get("title"), "verb": action["verb"], "data": data}
        value = {"action": pressed, "trigger": "manual"}
        return self.activity(
            "invoke",
            user,
            message["conversation"],
            name="adaptiveCard/action",
            replyToId=message["id"],
            value=value,
            **more,
        )


def _too_fast(seconds: int) -> web.Response:
    return web.json_response({}, status=429, headers={"Retry-After": str(seconds)})
