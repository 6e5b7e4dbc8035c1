"""The HTTP door: read a request, judge it, wait for people, pass it on, give its answer back. The I/O in between."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from consentry.actions import Action, Json
from consentry.consent.errors import AlreadyClaimed, Expired, NotGranted, Void
from consentry.consent.model import Claim, Decision, OutcomeStatus
from consentry.doors.errors import LensFailed, UpstreamFailed
from consentry.doors.http import body as bodies
from consentry.doors.http import lens, pausing, problems, routing, websocket, wire
from consentry.doors.http.body import Body, Counted
from consentry.doors.http.cleaning import Cleaner
from consentry.doors.http.client import Answer, Client
from consentry.doors.http.config import Profile, Upstream
from consentry.doors.http.echoes import Watched, taken
from consentry.doors.http.errors import Ambiguous, Denied, Unreadable
from consentry.doors.http.exchange import CallerLeft, Exchange
from consentry.doors.http.filters import Filter, Plain
from consentry.doors.http.keeper import Caller, Keeper
from consentry.doors.http.lens import Look
from consentry.doors.http.masking import filter_for
from consentry.doors.http.profiles import llm, llm_answers, okta
from consentry.doors.http.profiles.llm import Prompt
from consentry.doors.http.routing import Route
from consentry.doors.http.upgrading import UpgradableExchange
from consentry.doors.http.wire import Head, Headers
from consentry.doors.outcomes import Outcomes
from consentry.errors import ConsentryError, traced
from consentry.policy.model import Facts

log = logging.getLogger("consentry.http")


@dataclass(frozen=True, slots=True)
class Tools:
    """What looks into texts: `look` finds, `cleaner` masks entity types. Without `look`, nobody looks."""

    look: Look | None
    cleaner: Callable[[tuple[str, ...]], Cleaner]
    key: bytes
    """Under which placeholders in prompts are made."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request on its way: as it came, as it goes on, and what it was found to be."""

    client: Client
    caller: Caller
    exchange: Exchange
    head: Head
    headers: Headers
    body: Body | Counted
    route: Route
    prompt: Prompt | None = None
    kept: Prompt | None = None
    """Stands for the prompt where its answer is fetched later."""

    @property
    def upstream(self) -> Upstream:
        return self.client.upstream


class Door:
    """One door for all HTTP resources. Once `stopping` is set, whoever waits for people is told how to go on later."""

    def __init__(
        self, keeper: Keeper, tools: Tools, *, folder: Path | None = None, stopping: asyncio.Event | None = None
    ) -> None:
        self._keeper = keeper
        self._tools = tools
        self._folder = folder
        self._stopping = stopping or asyncio.Event()
        self._outcomes = Outcomes(keeper.settle, keeper.settle_along, log)

    async def close(self) -> None:
        await self._outcomes.close()

    async def serve(self, client: Client, caller: Caller, exchange: Exchange) -> None:
        """One request of a caller who was let in. Answers everything, errors included."""
        body: Body | Counted = bodies.NOTHING
        try:
            upstream = client.upstream
            head = wire.read(
                exchange.method, exchange.target, exchange.raw_headers, encoded_slash=upstream.encoded_slash
            )
            if head.is_websocket and not (upstream.websocket and isinstance(exchange, UpgradableExchange)):
                raise Ambiguous("no WebSocket goes through here: allow it with `http.websocket`, at a `listen` address")
            if exchange.has_body:
                body = await self._body(upstream, head, exchange)
            await self._judge(self._visit(client, caller, exchange, head, body))
        except ConsentryError as error:
            if isinstance(error, LensFailed) and error.__cause__ is not None:
                log.error("lens_failed", extra=traced(error.__cause__))
            await refuse(exchange, error)
        except (asyncio.CancelledError, CallerLeft):
            raise
        except Exception as error:
            log.error("request_failed", extra=traced(error))
            await refuse(exchange, error)
        finally:
            body.close()

    async def _body(self, upstream: Upstream, head: Head, exchange: Exchange) -> Body | Counted:
        source = wire.checked(head, exchange.body())
        if not routing.binds_body(upstream, head):
            return Counted(source, upstream.max_body)
        return await bodies.read(source, memory=upstream.memory, limit=upstream.max_body, folder=self._folder)

    def _visit(self, client: Client, caller: Caller, exchange: Exchange, head: Head, body: Body | Counted) -> Visit:
        upstream = client.upstream
        headers = wire.passed_on(head, ours=upstream.own_headers, cookies=upstream.cookies)
        query = upstream.credentials.query
        if query and any(name == one for name, _ in head.parameters for one, _ in query):
            raise Ambiguous("the query holds a parameter that the gate sets itself")
        prompt = llm.prompt_of(head, body) if upstream.profile is Profile.LLM else None
        kept = llm.kept(head) if upstream.profile is Profile.LLM and prompt is None else None
        asked = kept if prompt is None and head.method == "GET" else prompt
        route = llm.route(asked) if asked is not None else routing.route(upstream, head, body)
        return Visit(client, caller, exchange, head, headers, body, route, prompt, kept)

    # Through the gate.

    async def _judge(self, visit: Visit) -> None:
        action, facts = await self._action(visit)
        decision = await self._keeper.submit(visit.caller, action, facts)
        if decision.claim is not None:
            await self._perform(visit, decision, decision.claim)
            return
        if decision.waiting:
            if wire.wants_async(visit.head):
                await self._accept(visit, decision)
                return
            decision = await self._hold(visit, decision)
        if decision.waiting:
            url = self._keeper.request_url(decision)
            error: ConsentryError = pausing.pending(decision, url)
            await self._refuse(visit, error, decision, {"retry-after": str(pausing.RETRY_S)})
            return
        claim = await self._claim(visit, decision)
        if claim is None:
            decision = await self._keeper.decision(decision.action_id)
            await self._refuse(visit, pausing.ended(decision), decision)
            return
        await self._perform(visit, decision, claim)

    async def _action(self, visit: Visit) -> tuple[Action, Facts]:
        upstream, route, more = visit.upstream, visit.route, None
        if upstream.profile is Profile.OKTA:
            route, more = await okta.resolve(visit.client, route, visit.body)
        seen = lens.read(upstream, visit.head, visit.headers, visit.body, route, self._tools.look, more)
        return Action(visit.caller.actor, route.operation, upstream.resource, seen.arguments), seen.facts

    async def _claim(self, visit: Visit, decision: Decision) -> Claim | None:
        if not decision.granted:
            return None
        try:
            return await self._keeper.claim(decision.action_id, visit.caller)
        except (AlreadyClaimed, Expired, NotGranted, Void):
            return None

    async def _accept(self, visit: Visit, decision: Decision) -> None:
        detail = str(pausing.pending(decision, self._keeper.request_url(decision)))
        headers, body = pausing.accepted({**self._members(decision), "detail": detail})
        await visit.exchange.start(202, headers)
        await visit.exchange.write(body)
        await visit.exchange.end()

    async def _hold(self, visit: Visit, decision: Decision) -> Decision:
        """Hold the answer back for people, unless the caller has too many held already."""
        with contextlib.ExitStack() as place:
            try:
                place.enter_context(self._keeper.hold(visit.caller))
            except ConsentryError:
                return decision
            return await self._held(visit, decision)

    async def _held(self, visit: Visit, decision: Decision) -> Decision:
        """Comments keep a stream of events alive, so that it can wait longer."""
        upstream, clock = visit.upstream, asyncio.get_running_loop().time
        streams = _takes_events(visit)
        until = clock() + (upstream.stream_hold_s if streams else upstream.hold_s)
        while decision.waiting and (left := until - clock()) > 0 and not self._stopping.is_set():
            decision = await self._wait(decision, min(left, upstream.beat_s if streams else left))
            if decision.waiting and streams:
                if not visit.exchange.started:
                    await visit.exchange.start(200, _EVENTS)
                await visit.exchange.write(pausing.COMMENT)
        return decision

    async def _wait(self, decision: Decision, seconds: float) -> Decision:
        """Until the action is decided, the time is up, or the door is about to close."""
        waiting = asyncio.create_task(self._keeper.wait(decision.action_id, seconds))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return waiting.result() if waiting.done() else decision
        finally:
            for task in (waiting, stopping):
                task.cancel()
            await asyncio.gather(waiting, stopping, return_exceptions=True)

    def _members(self, decision: Decision) -> dict[str, Json]:
        return pausing.members(decision, self._keeper.request_url(decision), self._keeper.status_url(decision))

    async def _refuse(
        self, visit: Visit, error: Exception, decision: Decision, headers: Mapping[str, str] | None = None
    ) -> None:
        await refuse(visit.exchange, error, self._members(decision), headers)

    # Performing.

    async def _perform(self, visit: Visit, decision: Decision, claim: Claim) -> None:
        """The effect, its masking and its outcome. An outcome that nobody knows is not told: it is `unknown`."""
        status: OutcomeStatus | None = OutcomeStatus.FAILED
        summary = "not sent"
        answer: Answer | None = None
        if visit.head.is_websocket:
            await self._websocket(visit, decision, claim)
            return
        try:
            outgoing, filtering = await self._prepared(visit, decision)
            answer = await self._send(visit, decision, outgoing)
            status = None if answer.status < 400 else OutcomeStatus.FAILED
            summary = f"answered {answer.status}"
            notes = await self._give_back(visit, decision, answer, filtering)
            status = OutcomeStatus.SUCCEEDED if answer.status < 400 else OutcomeStatus.FAILED
            summary = ", ".join((summary, *notes, *_streamed(visit.body)))
        except UpstreamFailed as error:
            status, summary = _failed(error, answer)
            await self._refuse(visit, error, decision)
        except (asyncio.CancelledError, CallerLeft):
            if answer is not None:
                status, summary = OutcomeStatus.FAILED, f"{summary}, the caller left in the middle"
            else:
                status = None
            raise
        except Exception as error:
            status, summary = OutcomeStatus.FAILED, f"{summary}, not given out: {_code(error)}"
            await self._refuse(visit, error, decision)
        finally:
            if answer is not None:
                answer.close()
            if status is not None:
                self._outcomes.tell(claim, visit.caller.actor, status, summary)

    async def _websocket(self, visit: Visit, decision: Decision, claim: Claim) -> None:
        status, summary = OutcomeStatus.FAILED, "upgraded, the connection broke"
        masks = decision.obligations.masks
        cleaner = self._tools.cleaner(masks) if masks else None
        assert isinstance(visit.exchange, UpgradableExchange)
        target = wire.with_query(visit.upstream.base + visit.head.target, visit.upstream.credentials.query)
        headers = [*visit.headers, *visit.upstream.credentials.headers, *_forwarded(visit.exchange)]
        try:
            code = await websocket.relay(visit.exchange, visit.client, target, headers, cleaner)
            status, summary = OutcomeStatus.SUCCEEDED, f"upgraded, closed {code}"
        except UpstreamFailed as error:
            status, summary = OutcomeStatus.FAILED, f"not upgraded: {error.code}"
            await self._refuse(visit, error, decision)
        finally:
            self._outcomes.tell(claim, visit.caller.actor, status, summary)

    async def _prepared(self, visit: Visit, decision: Decision) -> tuple[Body | Counted | None, Masks]:
        """What is sent, and what masks the answer. Prompts are masked before they leave (threat E9: or nothing is)."""
        masks = decision.obligations.masks
        body = visit.body if visit.exchange.has_body else None
        if visit.prompt is None:
            if visit.route.operation == llm.OPERATION and not visit.upstream.llm.mask_answers:
                masks = ()
            return body, Masks(self._tools.cleaner(masks) if masks else None)
        masked = None
        if masks:
            masked = await asyncio.to_thread(
                llm.mask, visit.prompt, self._tools.cleaner(masks), self._tools.key, visit.upstream.pass_unreadable
            )
            body = Body(masked.data, None, len(masked.data), "")
        reveals = masked is not None and visit.upstream.llm.unmask and await self._may_reveal(visit, decision, masked)
        cleaner = self._tools.cleaner(masks) if masks and visit.upstream.llm.mask_answers else None
        return body, Masks(cleaner, masked if reveals else None)

    async def _may_reveal(self, visit: Visit, decision: Decision, masked: llm.Masked) -> bool:
        """Whether the caller may see what stands behind the placeholders: an action, and never asked of people."""
        if not masked.values:
            return False
        arguments = {"in_answer_to": decision.digest, "types": sorted(masked.types)}
        action = Action(visit.caller.actor, llm.REVEAL, visit.upstream.resource, arguments)
        found: Json = {"total": len(masked.values), "types": sorted(masked.types), "scanned": True}
        facts = Facts({"lens": "llm", "findings": found, "server": visit.upstream.resource})
        if not await self._keeper.would_allow(action, facts):
            return False
        revealed = await self._keeper.submit(visit.caller, action, facts)
        if revealed.claim is None:
            return False
        self._outcomes.tell(revealed.claim, visit.caller.actor, OutcomeStatus.SUCCEEDED, "placeholders taken back")
        return True

    async def _send(self, visit: Visit, decision: Decision, body: Body | Counted | None) -> Answer:
        upstream, head = visit.upstream, visit.head
        reads = bool(decision.obligations.masks) or visit.prompt is not None or visit.kept is not None
        headers = list(visit.headers)
        if reads:
            headers = [pair for pair in headers if pair[0] not in ("accept-encoding", "range", "if-range")]
            headers.append(("accept-encoding", "identity"))
        elif upstream.echo:
            headers = [(name, taken(value) if name == "accept-encoding" else value) for name, value in headers]
        headers += upstream.credentials.headers
        if upstream.forwarded:
            headers += _forwarded(visit.exchange)
        target = wire.with_query(upstream.base + head.target, upstream.credentials.query)
        return await visit.client.send(head.method, target, headers, body, chunked=isinstance(body, Counted))

    async def _give_back(self, visit: Visit, decision: Decision, answer: Answer, masks: Masks) -> tuple[str, ...]:
        """The answer to the caller, filtered where it has to be. What it was worth noting is answered."""
        upstream, exchange = visit.upstream, visit.exchange
        headers = wire.given_back(answer.headers, cookies=upstream.cookies)
        headers = wire.without_secrets(headers, upstream.secrets)
        filtering = self._filter(visit, decision, answer, masks)
        if upstream.echo:
            may_pass = upstream.pass_unreadable or answer.empty
            filtering = Watched(filtering or Plain(), upstream.echo, pass_unreadable=may_pass)
        if filtering is not None:
            headers = filtering.headers(headers)
        if exchange.started:  # a stream of events that was begun for waiting goes on as one, or ends with an error
            filtering = _only_events(answer, filtering)
        if filtering is None:
            await exchange.start(answer.status, headers)
            while piece := await answer.piece():
                await exchange.write(piece)
            await exchange.end()
            return ()
        if filtering.whole and not answer.empty:
            while piece := await answer.piece():
                await filtering.feed(piece)
            data = await filtering.finish()
            await exchange.start(answer.status, [*headers, ("content-length", str(len(data)))])
            await exchange.write(data)
        else:
            if not exchange.started:
                await exchange.start(answer.status, headers)
            while piece := await answer.piece():
                if data := await filtering.feed(piece):
                    await exchange.write(data)
            if not answer.empty and (data := await filtering.finish()):
                await exchange.write(data)
        await exchange.end()
        return filtering.notes()

    def _filter(self, visit: Visit, decision: Decision, answer: Answer, masks: Masks) -> Filter | None:
        if (prompt := visit.prompt or visit.kept) is not None:
            asks = self._asks(visit, decision, prompt) if visit.upstream.llm.tool_calls else None
            return llm_answers.filter_for(visit.upstream, prompt, answer, masks.cleaner, masks.masked, asks)
        if masks.cleaner is None:
            return None
        return filter_for(visit.upstream, answer, masks.cleaner)

    def _asks(
        self, visit: Visit, decision: Decision, prompt: Prompt
    ) -> Callable[[tuple[llm.ToolCall, ...]], Awaitable[None]]:
        """Puts the tool calls of an answer to policy, as an action of its own, before the caller gets them."""

        async def ask(calls: tuple[llm.ToolCall, ...]) -> None:
            action, facts = llm.tool_calls(visit.caller.actor, visit.upstream, prompt, calls, decision.digest,
                                           self._tools.look)  # fmt: skip
            found = await self._keeper.submit(visit.caller, action, facts)
            if found.waiting:
                found = await self._hold(visit, found) if not visit.exchange.started else await self._wait(
                    found, visit.upstream.hold_s
                )  # fmt: skip
            claim = found.claim or await self._claim(visit, found)
            if claim is None:
                names = ", ".join(sorted({one.name for one in calls}))[:200]
                raise Denied(f"the model asked for tools that policy does not let through: `{names}`")
            self._outcomes.tell(claim, visit.caller.actor, OutcomeStatus.SUCCEEDED, "tool calls given to the caller")

        return ask


@dataclass(frozen=True, slots=True)
class Masks:
    """What is done to an answer: types to mask, and placeholders to take back."""

    cleaner: Cleaner | None
    masked: llm.Masked | None = None


_EVENTS = [
    ("content-type", "text/event-stream"),
    ("cache-control", "no-store, no-transform"),
    ("x-accel-buffering", "no"),
]


async def refuse(
    exchange: Exchange,
    error: BaseException,
    more: Mapping[str, Json] | None = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answer with a problem; as the last event where a stream of ours has begun, and by cutting any other answer."""
    if not exchange.started:
        status, fields, body = problems.answer(error, more or {}, headers or {})
        await exchange.start(status, fields)
        if exchange.method != "HEAD":
            await exchange.write(body)
        await exchange.end()
    elif exchange.events:
        await exchange.write(problems.event(error, more or {}))
        await exchange.end()
    else:
        exchange.cut()


def _takes_events(visit: Visit) -> bool:
    if visit.prompt is not None:
        return visit.prompt.streams
    return "text/event-stream" in (visit.head.header("accept") or "")


def _only_events(answer: Answer, filtering: Filter | None) -> Filter:
    if answer.status != 200 or wire.media_type(answer.header("content-type")) != "text/event-stream":
        raise Unreadable(f"the upstream answered {answer.status} and no stream of events, after this one had begun")
    return filtering or Plain()


def _forwarded(exchange: Exchange) -> list[tuple[str, str]]:
    """What the door itself says of the caller, in place of what the caller said (threat H8)."""
    peer = exchange.peer
    headers = [("x-forwarded-proto", "https" if exchange.secure else "http"), ("via", "1.1 consentry")]
    return headers if peer is None else [("x-forwarded-for", peer), *headers]


def _failed(error: UpstreamFailed, answer: Answer | None) -> tuple[OutcomeStatus | None, str]:
    """What is known of a request whose upstream failed."""
    if answer is not None:
        return OutcomeStatus.FAILED, f"answered {answer.status}, then {error.code} in the middle"
    return (None, "") if error.sent else (OutcomeStatus.FAILED, "the upstream could not be reached")


def _code(error: Exception) -> str:
    if isinstance(error, ConsentryError):
        return error.code
    log.error("request_failed", extra=traced(error))
    return "internal"


def _streamed(body: Body | Counted) -> tuple[str, ...]:
    if isinstance(body, Counted):
        return (f"streamed {body.size} bytes with SHA-256 {body.sha256}",)
    return ()


async def whole(source: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in source])
