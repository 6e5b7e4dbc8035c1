"""Actions: submit, look, wait, claim, settle, history."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from consentry.actions import Action, Actor, InvalidAction, NotExact, Operand
from consentry.consent import errors as gate
from consentry.consent.model import Decision, HistoryQuery, Submission
from consentry.errors import InvalidInput, Unavailable
from consentry.policy.model import Facts, Reason
from consentry.server.access import ANY_SESSION, PERSONS
from consentry.server.endpoint import Call, Endpoint
from consentry.server.held import ShareUsedUp, TooManyWaiting
from consentry.server.lens import LensFailed
from consentry.server.problems import FieldError, InvalidBody
from consentry.server.views.actions import (
    ActionBody,
    ActionDetail,
    ActionView,
    BreakGlassBody,
    ClaimBody,
    ClaimView,
    DecisionView,
    HistoryPage,
    OperandBody,
    OutcomeBody,
    SubmitBody,
    WaitQuery,
    decision_json,
)
from consentry.server.views.actions import HistoryQuery as HistoryParameters
from consentry.server.views.base import time_ms

MAX_SCANNED_PAGES = 20
"""How far one call looks back for actions that the caller may see."""


async def submit(call: Call, body: SubmitBody) -> bytes:
    session, services = call.session, call.services
    key = _idempotency_key(call, body)
    submission = await _submission(call, body, session.actor, reason=body.reason, key=key)
    decision = await services.gate.submit(submission, claim=body.claim)
    services.metrics.count("consentry_actions_total", operation=body.operation, verdict=decision.verdict.value)
    return decision_json(decision, services.origin)


async def break_glass(call: Call, body: BreakGlassBody) -> DecisionView:
    session, services = call.session, call.services
    submission = await _submission(call, body, session.actor, reason=body.reason, key=None)
    decision = await services.gate.break_glass(submission, session.voter("api"), body.reason)
    services.metrics.count("consentry_break_glass_total", operation=body.operation)
    return DecisionView.of(decision, services.origin)


async def _submission(call: Call, body: ActionBody, actor: Actor, *, reason: str | None, key: str | None) -> Submission:
    pinned = operands(body.operands) or ()
    try:
        action, facts = await call.services.lens.look(
            actor, body.operation, body.resource, body.arguments, pinned, body.context
        )
    except (LensFailed, gate.OperandChanged) as error:
        action = Action(actor, body.operation, body.resource, body.arguments, pinned, body.context)
        refusal = Reason(error.code.replace("_", "-"), str(error))
        await call.services.gate.submit(
            Submission(action, Facts(), reason, None, call.session.id, "api", refusal=refusal)
        )
        raise
    return Submission(action, facts, reason, key, call.session.id, "api")


def operands(given: list[OperandBody] | None) -> tuple[Operand, ...] | None:
    return None if given is None else tuple(Operand(one.name, one.sha256) for one in given)


def _idempotency_key(call: Call, body: SubmitBody) -> str | None:
    header = next((value for name, value in call.scope["headers"] if name == b"idempotency-key"), None)
    if header is None:
        return body.idempotency_key
    key = str(header.decode("latin-1"))
    if not 0 < len(key) <= 200 or not key.isprintable():
        raise InvalidInput("the `Idempotency-Key` header must have 1 to 200 printable characters")
    if body.idempotency_key not in (None, key):
        raise InvalidInput("`idempotency_key` and the `Idempotency-Key` header differ: send one of them")
    return key


async def show(call: Call, query: WaitQuery) -> ActionDetail:
    services, action_id = call.services, call.path["action_id"]
    await services.visibility.require_action(call.session, action_id)
    wait = min(query.wait, services.settings.limits.wait / 1000)
    decision = await (_wait(call, action_id, wait) if wait > 0 else services.gate.decision(action_id))
    if decision.waiting is False and wait > 0:
        await services.directory.check(call.session)
    action = await services.gate.action(action_id)
    return await _detail(call, decision, action_id, action)


async def _wait(call: Call, action_id: str, seconds: float) -> Decision:
    """Hold the answer back: a future, no thread and no connection. A stopping server answers at once."""
    services, task = call.services, asyncio.current_task()
    assert task is not None
    with services.waits.take(call.session.subject):
        services.held.add(task)
        try:
            return await services.gate.wait(action_id, timeout_s=0 if services.stopping.is_set() else seconds)
        except asyncio.CancelledError:
            if not services.stopping.is_set():
                raise
            task.uncancel()
            return await services.gate.decision(action_id)
        finally:
            services.held.discard(task)


async def _detail(call: Call, decision: Decision, action_id: str, action: Action) -> ActionDetail:
    roster = await call.services.gate.roster()
    base = DecisionView.of(decision, call.services.origin)
    return ActionDetail.model_construct(**dict(base), action=ActionView.of(action_id, action, roster))


async def history(call: Call, query: HistoryParameters) -> HistoryPage:
    services, before = call.services, query.before
    found: list[ActionDetail] = []
    try:
        since = None if query.since is None else time_ms(query.since)
        until = None if query.until is None else time_ms(query.until)
    except ValueError:
        raise InvalidBody([FieldError(pointer="?since", detail="is not a time")]) from None
    for _ in range(MAX_SCANNED_PAGES):
        page = await services.gate.history(
            HistoryQuery(
                operation=query.operation,
                resource=query.resource,
                actor=query.actor,
                verdict=query.verdict,
                state=query.state,
                since_ms=since,
                until_ms=until,
                before_id=before,
                limit=query.limit,
            )
        )
        for action, decision in page:
            before = decision.action_id
            if await services.visibility.action(call.session, decision.action_id):
                found.append(await _detail(call, decision, decision.action_id, action))
                if len(found) == query.limit:
                    return HistoryPage(items=found, next=before)
        if len(page) < query.limit:
            return HistoryPage(items=found, next=None)
    return HistoryPage(items=found, next=before)


async def claim(call: Call, body: ClaimBody) -> ClaimView:
    services, action_id = call.services, call.path["action_id"]
    session = call.session
    await services.visibility.require_action(session, action_id)
    action = await services.gate.action(action_id)
    now = await services.lens.operands_now(action, operands(body.operands))
    taken = await services.gate.claim(action_id, session.actor, operands=now)
    services.metrics.count("consentry_claims_total", operation=action.operation)
    return ClaimView.of(taken)


async def settle(call: Call, body: OutcomeBody) -> ClaimView:
    settled = await call.services.gate.settle(call.path["claim_id"], call.session.actor, body.status, body.summary)
    call.services.metrics.count("consentry_outcomes_total", status=body.status.value)
    return ClaimView.of(settled)


async def receipt(call: Call) -> Response:
    action_id = call.path["action_id"]
    await call.services.visibility.require_action(call.session, action_id)
    data = await call.services.gate.receipt(action_id)
    name = f'attachment; filename="receipt-{action_id}.json"'
    return Response(data, 200, {"content-disposition": name, "cache-control": "no-store"}, "application/json")


_CLAIMING = (gate.UnknownAction, gate.NotGranted, gate.AlreadyClaimed, gate.Expired, gate.Void, gate.OperandChanged)

ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/actions",
        ANY_SESSION,
        submit,
        "Submit an action: judge it, and ask people where policy says so",
        "actions",
        body=SubmitBody,
        answer=DecisionView,
        status=201,
        errors=(InvalidAction, NotExact, LensFailed, gate.OperandChanged, gate.IdempotencyMismatch, Unavailable),
    ),
    Endpoint(
        "GET",
        "/v1/actions",
        ANY_SESSION,
        history,
        "Past actions that the caller may see, newest first",
        "actions",
        query=HistoryParameters,
        answer=HistoryPage,
    ),
    Endpoint(
        "GET",
        "/v1/actions/{action_id}",
        ANY_SESSION,
        show,
        "Where an action stands; with `wait`, once it is decided or the wait ends",
        "actions",
        query=WaitQuery,
        answer=ActionDetail,
        errors=(gate.UnknownAction, ShareUsedUp, TooManyWaiting),
    ),
    Endpoint(
        "POST",
        "/v1/actions/{action_id}/claim",
        ANY_SESSION,
        claim,
        "Take the right to perform an action, once",
        "actions",
        body=ClaimBody,
        body_optional=True,
        answer=ClaimView,
        errors=(*_CLAIMING, LensFailed, Unavailable),
    ),
    Endpoint(
        "POST",
        "/v1/claims/{claim_id}/outcome",
        ANY_SESSION,
        settle,
        "Say what really happened",
        "actions",
        body=OutcomeBody,
        answer=ClaimView,
        errors=(gate.UnknownAction, gate.AlreadySettled),
    ),
    Endpoint(
        "POST",
        "/v1/break-glass",
        PERSONS,
        break_glass,
        "Act in an emergency without consent, and answer for it afterwards",
        "actions",
        body=BreakGlassBody,
        answer=DecisionView,
        status=201,
        errors=(InvalidAction, NotExact, LensFailed, gate.OperandChanged, gate.NotAllowed, gate.ReasonRequired),
    ),
    Endpoint(
        "GET",
        "/v1/receipts/{action_id}",
        ANY_SESSION,
        receipt,
        "What an action left in the ledger, provable offline",
        "ledger",
        errors=(gate.UnknownAction,),
    ),
)
