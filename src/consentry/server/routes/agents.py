"""Agents and services: make, rotate, revoke."""

from __future__ import annotations

from consentry.actions import Kind
from consentry.consent.errors import NotAllowed
from consentry.errors import InvalidInput
from consentry.identity.errors import NameTaken, UnknownAgent, UnknownPerson
from consentry.identity.model import NewAgentToken
from consentry.identity.sessions import require_person
from consentry.policy.emails import InvalidEmail
from consentry.server.access import ADMINS_ONLY, PERSONS
from consentry.server.endpoint import Call, Endpoint
from consentry.server.views.identity import AgentBody, AgentsPage, AgentTokenView, AgentView, OwnerBody
from consentry.server.views.requests import ReasonBody


async def every(call: Call) -> AgentsPage:
    roster = await call.services.gate.roster()
    return AgentsPage(items=[AgentView.of(one, roster) for one in await call.services.directory.agents()])


async def create(call: Call, body: AgentBody) -> AgentTokenView:
    directory = call.services.directory
    owner = await directory.person(body.owner)
    return await _with_token(
        call, await directory.create_agent(require_person(call.session), body.name, owner.id, Kind(body.kind))
    )


async def rotate(call: Call) -> AgentTokenView:
    directory = call.services.directory
    agent = await directory.agent(call.path["agent_id"])
    return await _with_token(call, await directory.rotate_agent(require_person(call.session), agent.id))


async def _with_token(call: Call, made: NewAgentToken) -> AgentTokenView:
    view = AgentView.of(made.agent, await call.services.gate.roster())
    return AgentTokenView(**dict(view), token=made.token)


async def revoke(call: Call, body: ReasonBody) -> AgentView:
    directory = call.services.directory
    agent = await directory.agent(call.path["agent_id"])
    revoked = await directory.revoke_agent(require_person(call.session), agent.id, body.reason)
    return AgentView.of(revoked, await call.services.gate.roster())


async def change_owner(call: Call, body: OwnerBody) -> AgentView:
    directory = call.services.directory
    agent, owner = await directory.agent(call.path["agent_id"]), await directory.person(body.owner)
    changed = await directory.change_agent_owner(require_person(call.session), agent.id, owner.id, body.reason)
    return AgentView.of(changed, await call.services.gate.roster())


ENDPOINTS = (
    Endpoint("GET", "/v1/agents", PERSONS, every, "All agents and services", "agents", answer=AgentsPage),
    Endpoint(
        "POST", "/v1/agents", ADMINS_ONLY, create, "Make an agent or service; its token is shown once", "agents",
        body=AgentBody, answer=AgentTokenView, status=201,
        errors=(UnknownPerson, InvalidEmail, InvalidInput, NameTaken),
    ),
    Endpoint(
        "POST", "/v1/agents/{agent_id}/rotate", PERSONS, rotate,
        "Replace an agent's token; its owner or an administrator", "agents",
        answer=AgentTokenView, errors=(UnknownAgent, NotAllowed),
    ),
    Endpoint(
        "POST", "/v1/agents/{agent_id}/revoke", PERSONS, revoke,
        "Let an agent act no longer; its owner or an administrator", "agents",
        body=ReasonBody, body_optional=True, answer=AgentView, errors=(UnknownAgent, NotAllowed),
    ),
    Endpoint(
        "POST", "/v1/agents/{agent_id}/owner", ADMINS_ONLY, change_owner, "Let another person answer for an agent",
        "agents", body=OwnerBody, answer=AgentView, errors=(UnknownAgent, UnknownPerson, InvalidEmail, InvalidInput),
    ),
)  # fmt: skip
