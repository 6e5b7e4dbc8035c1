"""`requestState`: what a client carries between rounds and cannot forge (specification 2026-07-28, MRTR). Pure.

It holds no decision (invariant 8): only which action, run or upstream state the round belongs to, for whom, for which
exact call, and until when. Whether anything may run is asked of the gate, each time.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from consentry.actions import Actor, JsonObject, canonical
from consentry.doors.mcp.errors import INVALID_PARAMS, RpcError

_DOMAIN = b"consentry mcp state v1\n"


@dataclass(frozen=True, slots=True)
class State:
    """One of: a paused `action`, a `run` that asks something, what the `upstream` wants back."""

    kind: str
    value: str


class Sealer:
    """Seals and opens states under one key of 32 bytes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, state: State, actor: Actor, call: str, expires_ms: int) -> str:
        """The text for the client. `call` is the `fingerprint` of the request that it belongs to."""
        body = orjson.dumps({"k": state.kind, "v": state.value, "a": _actor(actor), "c": call, "e": expires_ms})
        return base64.urlsafe_b64encode(self._mac(body) + body).decode("ascii")

    def open(self, text: str, actor: Actor, call: str, now_ms: int) -> State:
        """What was sealed. Raises `RpcError` for what was not, or for somebody else, another call, or too long ago."""
        try:
            data = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
        except (ValueError, UnicodeEncodeError):
            raise _refused() from None
        if len(data) < 33 or not hmac.compare_digest(data[:32], self._mac(data[32:])):
            raise _refused()
        body = orjson.loads(data[32:])
        if body["a"] != _actor(actor) or body["c"] != call or body["e"] < now_ms:
            raise _refused()
        return State(body["k"], body["v"])

    def _mac(self, body: bytes) -> bytes:
        return hmac.new(self._key, _DOMAIN + body, hashlib.sha256).digest()


def fingerprint(method: str, params: JsonObject) -> str:
    """What a retry must have in common with its first round: the method, whom it names, and the arguments."""
    own = {name: params[name] for name in ("name", "uri", "arguments") if name in params}
    return hashlib.sha256(canonical({"method": method, "params": own}, what="params")).hexdigest()


def _actor(actor: Actor) -> str:
    return hashlib.sha256(canonical(actor.to_json())).hexdigest()


def _refused() -> RpcError:
    return RpcError(INVALID_PARAMS, "`requestState` is not one that was given for this call: make the call anew")


def input_responses(params: JsonObject) -> JsonObject:
    """The client's answers of this round. Raises `RpcError`."""
    found = params.get("inputResponses", {})
    if not isinstance(found, Mapping):
        raise RpcError(INVALID_PARAMS, "`inputResponses` must be an object")
    return found
