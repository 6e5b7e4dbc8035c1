"""Policy: what holds, what it would say, and putting an approved change in force."""

from __future__ import annotations

import json

from consentry.actions import InvalidAction, NotExact
from consentry.consent import errors as gate
from consentry.consent.policies import SCHEMA_FILE
from consentry.policy.cedar import PolicySet
from consentry.policy.model import Facts, Resource
from consentry.policy.problems import PolicyInvalid
from consentry.server.access import ANY_SESSION, AUDITORS_ONLY, PERSONS
from consentry.server.endpoint import Call, Endpoint
from consentry.server.lens import LensFailed
from consentry.server.problems import FieldError, InvalidBody
from consentry.server.routes.actions import operands
from consentry.server.views.actions import ClaimView, ObligationsView, ReasonView
from consentry.server.views.base import plain, time_ms
from consentry.server.views.others import (
    ApplyPolicyBody,
    ExplainBody,
    JudgementView,
    PolicyView,
    ReplayBody,
    ReplayView,
)


async def show(call: Call) -> PolicyView:
    policies = await call.services.gate.current_policies()
    return PolicyView(version=policies.version, files=dict(policies.files))


async def explain(call: Call, body: ExplainBody) -> JudgementView:
    services, action = call.services, body.action
    made, facts = await services.lens.look(
        call.session.actor,
        action.operation,
        action.resource,
        action.arguments,
        operands(action.operands) or (),
        action.context,
    )
    if body.facts is not None:
        facts = Facts(body.facts)
    policies = await services.gate.current_policies()
    judgement = policies.judge(
        made,
        facts,
        resource=services.gate.resources.get(action.resource) or Resource(action.resource),
        roster=await services.gate.roster(),
        now_ms=services.gate.store.clock_ms(),
    )
    return JudgementView(
        verdict=judgement.verdict,
        reasons=[ReasonView(policy=one.policy, text=one.text) for one in judgement.reasons],
        obligations=ObligationsView.of(judgement.obligations),
        facts={name: plain(value) for name, value in facts.values.items()},
        policy_version=judgement.policy_version,
    )


async def replay(call: Call, body: ReplayBody) -> ReplayView:
    services = call.services
    if body.files is None:
        candidate = await services.gate.current_policies()
    else:
        files = dict(body.files)
        candidate = PolicySet.load(files, files.pop(SCHEMA_FILE, None))
    try:
        since = time_ms(body.since)
    except ValueError:
        raise InvalidBody([FieldError(pointer="/since", detail="is not a time")]) from None
    result = await services.gate.replay(candidate, since)
    return ReplayView.model_validate_json(json.dumps(result.to_json()))


async def apply(call: Call, body: ApplyPolicyBody) -> ClaimView:
    return ClaimView.of(await call.services.gate.apply_policy(body.claim_id, call.session.actor))


ENDPOINTS = (
    Endpoint("GET", "/v1/policy", ANY_SESSION, show, "The policy set in force", "policy", answer=PolicyView),
    Endpoint(
        "POST", "/v1/policy/explain", ANY_SESSION, explain,
        "What policy would say of an action that nobody attempts", "policy",
        body=ExplainBody, answer=JudgementView,
        errors=(InvalidAction, NotExact, LensFailed, gate.OperandChanged),
    ),
    Endpoint(
        "POST", "/v1/policy/replay", AUDITORS_ONLY, replay,
        "What another policy set would have said of past actions", "policy",
        body=ReplayBody, answer=ReplayView, errors=(PolicyInvalid,),
    ),
    Endpoint(
        "POST", "/v1/policy/apply", PERSONS, apply, "Put a claimed `policy.change` in force", "policy",
        body=ApplyPolicyBody, answer=ClaimView, errors=(gate.UnknownAction, gate.AlreadySettled, PolicyInvalid),
    ),
)  # fmt: skip
