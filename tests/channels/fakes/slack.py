"""A Slack of our own: the Web API methods that Consentry calls, Socket Mode, and people who press buttons.

It keeps a transcript of every call, takes one message a second a conversation where it is told to, and fails in the
ways in which networks do. Method names, errors and payload shapes are those of docs.slack.dev.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlencode

from aiohttp import WSMsgType, web

TEAM = "T0TEAM"
SIGNING_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BOT_TOKEN = "xoxb-fake-bot-token"
APP_TOKEN = "xapp-fake-app-token"
METHODS = (
    "auth.test", "chat.postMessage", "chat.update", "chat.postEphemeral", "views.open", "users.info",
    "conversations.open", "conversations.history", "conversations.replies", "conversations.list",
    "apps.connections.open",
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One call of a method, as it came, and what was answered."""

    method: str
    arguments: dict
    answer: dict
    at: float


@dataclass
class FakeSlack:
    """A running server. `down` hangs up on everybody; `trouble[method]` is what befalls the next calls.

    Troubles: `("status", 503)`, `("limit", 2)` (a 429 with that `Retry-After`), `("error", "channel_not_found")`,
    `("lost", None)` (done, and the answer never arrives), `("refused", None)` (hung up before anything was done).
    """

    now: Callable[[], float] = time.time
    limit: bool = False
    down: bool = False
    calls: list[Call] = field(default_factory=list)
    messages: dict[str, list[dict]] = field(default_factory=lambda: defaultdict(list))
    views: list[dict] = field(default_factory=list)
    whispers: list[dict] = field(default_factory=list)
    trouble: dict[str, deque] = field(default_factory=lambda: defaultdict(deque))
    channels: dict[str, str] = field(default_factory=dict)
    url: str = ""
    sockets: list = field(default_factory=list)
    last: dict[str, float] = field(default_factory=dict)
    limited: int = 0
    hung_up: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    _runner: web.AppRunner | None = None
    _stamp: int = 0
    _answers: dict[str, asyncio.Future] = field(default_factory=dict)

    async def start(self) -> FakeSlack:
        app = web.Application()
        app.router.add_route("*", "/api/{method}", self._serve)
        app.router.add_get("/link", self._socket)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/api/"
        return self

    async def stop(self) -> None:
        for socket in self.sockets:
            await socket.close()
        await self._runner.cleanup()

    # What Consentry calls.

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        if self.down:
            self.hung_up += 1
            request.transport.abort()
            return web.Response()
        arguments = dict(request.query)
        if request.method == "POST" and request.can_read_body:
            arguments |= await request.json() if "json" in request.content_type else dict(await request.post())
        trouble, detail = self.trouble[method].popleft() if self.trouble[method] else (None, None)
        if trouble == "refused":
            request.transport.abort()
            return web.Response()
        if trouble == "status":
            return web.Response(status=detail, text="<html>oops</html>")
        if trouble == "limit":
            return self._too_fast(detail)
        token = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        if request.headers.get("authorization") != f"Bearer {token}":
            answer = {"ok": False, "error": "invalid_auth"}
        elif trouble == "error":
            answer = {"ok": False, "error": detail}
        elif method not in METHODS:
            answer = {"ok": False, "error": "unknown_method"}
        elif method == "chat.postMessage" and self._limited(arguments.get("channel", "")):
            self.limited += 1
            return self._too_fast(1)
        else:
            answer = {"ok": True, **getattr(self, "_" + method.replace(".", "_"))(arguments)}
        self.calls.append(Call(method, arguments, answer, self.now()))
        self.changed.set()
        if trouble == "lost":
            request.transport.abort()
        return web.json_response(answer)

    def _too_fast(self, seconds: int) -> web.Response:
        return web.json_response(
            {"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": str(seconds)}
        )

    def _limited(self, channel: str) -> bool:
        """One message a second to each conversation. What leaves a second apart may arrive a little nearer."""
        place = self.channels.get(channel, channel)
        early = self.limit and self.now() - self.last.get(place, 0) < 0.6
        if not early:
            self.last[place] = self.now()
        return early

    def _auth_test(self, _arguments: dict) -> dict:
        return {"team": "Example", "team_id": TEAM, "user": "consentry", "user_id": "U0BOT", "bot_id": "B0BOT"}

    def _chat_postMessage(self, arguments: dict) -> dict:
        place = self._place(arguments["channel"])
        self._stamp += 1
        ts = f"{1_700_000_000 + self._stamp}.{self._stamp:06d}"
        message = {**arguments, "channel": place, "ts": ts, "edits": 0}
        self.messages[place].append(message)
        return {"channel": place, "ts": ts, "message": {"ts": ts}}

    def _chat_update(self, arguments: dict) -> dict:
        for message in self.messages[arguments["channel"]]:
            if message["ts"] == arguments["ts"]:
                message.update(arguments, edits=message["edits"] + 1)
        return {"channel": arguments["channel"], "ts": arguments["ts"]}

    def _chat_postEphemeral(self, arguments: dict) -> dict:
        self.whispers.append(arguments)
        return {"message_ts": "1700000000.000001"}

    def _views_open(self, arguments: dict) -> dict:
        view = {**arguments["view"], "id": f"V{len(self.views)}"}
        self.views.append(view)
        return {"view": view}

    def _users_info(self, arguments: dict) -> dict:
        return {"user": {"id": arguments["user"], "name": "somebody", "team_id": TEAM}}

    def _conversations_open(self, arguments: dict) -> dict:
        return {"channel": {"id": "D" + arguments["users"]}}

    def _conversations_list(self, _arguments: dict) -> dict:
        found = [{"id": place, "name": name.removeprefix("#")} for name, place in self.channels.items()]
        return {"channels": found, "response_metadata": {"next_cursor": ""}}

    def _conversations_history(self, arguments: dict) -> dict:
        found = [one for one in self.messages[arguments["channel"]] if "thread_ts" not in one]
        return {"messages": found[::-1][: int(arguments.get("limit", 100))]}

    def _conversations_replies(self, arguments: dict) -> dict:
        ts = arguments["ts"]
        return {"messages": [m for m in self.messages[arguments["channel"]] if ts in (m["ts"], m.get("thread_ts"))]}

    def _apps_connections_open(self, _arguments: dict) -> dict:
        return {"url": self.url.replace("http://", "ws://").replace("/api/", "/link")}

    def _place(self, channel: str) -> str:
        if channel.startswith("#"):
            return self.channels.setdefault(channel, "C" + channel[1:].upper().replace("-", "0").replace("_", "0"))
        return channel

    # Socket Mode.

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        await socket.send_json({"type": "hello", "num_connections": 1})
        self.changed.set()
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                answer = json.loads(message.data)
                future = self._answers.pop(answer.get("envelope_id", ""), None)
                if future is not None and not future.done():
                    future.set_result(answer.get("payload"))
        return socket

    async def envelope(self, kind: str, payload: dict) -> dict | None:
        """Send an envelope over the newest connection; what comes with its acknowledgement."""
        self._stamp += 1
        name = f"envelope-{self._stamp}"
        future = self._answers[name] = asyncio.get_running_loop().create_future()
        await self.sockets[-1].send_json(
            {"type": kind, "envelope_id": name, "payload": payload, "accepts_response_payload": True}
        )
        return await asyncio.wait_for(future, 20)

    # What people see and do.

    def find(self, request_id: str, *, role: str = "C") -> dict | None:
        """The message about a request in a channel (`C`) or in direct messages (`D`)."""
        for place, messages in self.messages.items():
            for one in messages:
                payload = one.get("metadata", {}).get("event_payload", {})
                if payload.get("request") == request_id and place.startswith(role) and "thread_ts" not in one:
                    return one
        return None

    def thread(self, message: dict) -> list[dict]:
        """The answers beneath a message."""
        return [one for one in self.messages[message["channel"]] if one.get("thread_ts") == message["ts"]]

    @staticmethod
    def buttons(message: dict) -> dict[str, dict]:
        """The buttons of a message by their id."""
        rows = [block["elements"] for block in message["blocks"] if block["type"] == "actions"]
        return {one["action_id"]: one for row in rows for one in row}

    @staticmethod
    def words(message: dict) -> str:
        """Every text of a message or a view."""
        found = [message.get("text", "")] if isinstance(message.get("text"), str) else []
        todo = list(message["blocks"])
        while todo:
            one = todo.pop(0)
            for value in one.values():
                if isinstance(value, dict):
                    todo.append(value)
                elif isinstance(value, list):
                    todo += [item for item in value if isinstance(item, dict)]
            if isinstance(one.get("text"), str):
                found.append(one["text"])
        return "\n".join(found)

    def pressed(self, message: dict, action: str, user: str, *, team: str = TEAM) -> dict:
        """`block_actions` for a button of a message."""
        self._stamp += 1
        button = self.buttons(message)[action]
        return {
            "type": "block_actions",
            "user": {"id": user, "username": "Ada Admin", "name": "ada", "team_id": team},
            "api_app_id": "A0APP",
            "token": "unused",
            "container": {"type": "message", "message_ts": message["ts"], "channel_id": message["channel"]},
            "trigger_id": f"{self._stamp}.13345224609.8534564800",
            "team": {"id": team, "domain": "example"},
            "channel": {"id": message["channel"], "name": "approvals"},
            "message": {"type": "message", "ts": message["ts"], "text": message["text"]},
            "actions": [
                {
                    "action_id": action, "block_id": "b", "type": "button", "value": button.get("value"),
                    "text": button["text"], "action_ts": f"{self._stamp}.000000",
                }
            ],
        }  # fmt: skip

    def submitted(self, view: dict, user: str, reason: str | None = None, *, team: str = TEAM) -> dict:
        """`view_submission` for an open dialog."""
        self._stamp += 1
        values = {
            block["block_id"]: {block["element"]["action_id"]: {"type": block["element"]["type"], "value": reason}}
            for block in view["blocks"]
            if block["type"] == "input"
        }
        return {
            "type": "view_submission",
            "team": {"id": team, "domain": "example"},
            "user": {"id": user, "name": "ada", "team_id": team},
            "trigger_id": f"{self._stamp}.13345224609.8534564800",
            "view": {**view, "state": {"values": values}},
        }

    def command(self, user: str, text: str = "", *, team: str = TEAM) -> dict:
        """The fields of `/consentry`."""
        self._stamp += 1
        return {
            "command": "/consentry", "text": text, "team_id": team, "user_id": user, "user_name": "ada",
            "channel_id": "C1", "trigger_id": f"{self._stamp}.1", "response_url": "https://hooks.slack.invalid/x",
        }  # fmt: skip


def signed(fields: dict, at: float, secret: str = SIGNING_SECRET) -> tuple[bytes, dict[str, str]]:
    """A form and its headers as Slack signs them."""
    body = urlencode(fields).encode()
    stamp = str(int(at))
    mac = hmac.new(secret.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256).hexdigest()
    return body, {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": stamp,
        "x-slack-signature": f"v0={mac}",
    }
