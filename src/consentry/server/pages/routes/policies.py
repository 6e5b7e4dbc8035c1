"""Policies: their text, what they would say of an action, and proposing a change, which people consent to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response

from consentry.actions import Actor, Kind
from consentry.actions.json import parse_object
from consentry.consent.model import Submission
from consentry.consent.rows import load
from consentry.errors import ConsentryError
from consentry.identity.model import Session
from consentry.policy.cedar import PolicySet
from consentry.policy.check import check
from consentry.policy.explain import Explanation, explain
from consentry.policy.model import Facts, Resource, Roster
from consentry.policy.problems import PolicyInvalid, Problem, Severity
from consentry.server.auth import Person, services
from consentry.server.pages.forms import Form, read_form
from consentry.server.pages.frame import frame
from consentry.server.pages.response import html, see_other
from consentry.server.pages.route import page_router
from consentry.server.services import Services
from consentry.store import Tx, tables

SCHEMA = "schema.cedarschema"

router = page_router()


@dataclass(frozen=True, slots=True)
class Question:
    """What the explain form asks, as typed. Without an `actor` it is the asker, without `facts` the lens's."""

    actor: str = ""
    operation: str = ""
    resource: str = ""
    arguments: str = "{}"
    facts: str = ""


@router.get("/policies")
async def policies(request: Request, who: Person) -> Response:
    """The set in force."""
    return await _page(services(request), who)


@router.post("/policies/explain")
async def ask(request: Request, who: Person) -> Response:
    """What policy would say of an action that nobody attempts."""
    parts = services(request)
    form = await read_form(request)
    question = Question(**{name: value for name, value in form.fields.items() if name in Question.__slots__})
    try:
        answer = await _explain(parts, who, question)
    except ConsentryError as error:
        return await _page(parts, who, question=question, error=error)
    return await _page(parts, who, question=question, answer=answer)


@router.get("/policies/change")
async def edit(request: Request, who: Person) -> Response:
    """The text of every file, to be changed."""
    parts = services(request)
    return await _editor(parts, who, await parts.gate.store.read(files_in_force), "")


@router.post("/policies/change")
async def propose(request: Request, who: Person) -> Response:
    """Submit the changed set as a `policy.change` action."""
    parts = services(request)
    form = await read_form(request)
    files, reason = _files(form), form.optional("reason")
    problems = refused(files, await parts.gate.roster())
    if problems:
        return await _editor(parts, who, files, reason or "", problems)
    action, facts = await parts.lens.look(who.actor, "policy.change", "policy", {"files": files}, (), {})
    decision = await parts.gate.submit(Submission(action, facts, reason, None, who.id, "web"))
    if decision.request_id is not None:
        return see_other(f"/requests/{decision.request_id}")
    return see_other(f"/actions/{decision.action_id}")


def files_in_force(tx: Tx) -> dict[str, str]:
    """Name to text, a deployment's own schema included, as they were put in force."""
    query = select(tables.policy_sets.c.files).where(tables.policy_sets.c.version == tx.versions.policy)
    return {name: str(text) for name, text in load(str(tx.execute(query).scalar_one())).items()}


def refused(files: Mapping[str, str], roster: Roster) -> list[Problem]:
    """What would keep this set from taking force: it cannot be read, or nobody could satisfy a rule (threat A11)."""
    rules = {name: text for name, text in files.items() if name != SCHEMA}
    try:
        found = check(PolicySet.load(rules, files.get(SCHEMA)), roster)
    except PolicyInvalid as error:
        return list(error.problems)
    return [one for one in found if one.severity is Severity.ERROR]


def _files(form: Form) -> dict[str, str]:
    """Files of the form: `name.0` and `text.0`, and so on; one whose text was emptied is dropped."""
    files: dict[str, str] = {}
    for key, name in form.fields.items():
        kind, _, number = key.partition(".")
        text = form.fields.get(f"text.{number}", "")
        if kind == "name" and name.strip() and text.strip():
            files[name.strip()] = text if text.endswith("\n") else text + "\n"
    return files


async def _explain(parts: Services, who: Session, question: Question) -> Explanation:
    roster = await parts.gate.roster()
    agent = roster.agents.get(question.actor)
    actor = who.actor if agent is None else Actor(Kind.AGENT, agent.id)
    arguments = parse_object(question.arguments or "{}", what="arguments")
    action, facts = await parts.lens.look(actor, question.operation, question.resource, arguments, (), {})
    if question.facts.strip():
        facts = Facts(parse_object(question.facts, what="facts"))
    return explain(
        await parts.gate.current_policies(),
        action,
        facts,
        resource=parts.gate.resources.get(question.resource) or Resource(question.resource),
        roster=roster,
        now_ms=parts.gate.store.clock_ms(),
    )


async def _page(
    parts: Services,
    who: Session,
    *,
    question: Question | None = None,
    answer: Explanation | None = None,
    error: ConsentryError | None = None,
) -> Response:
    page = await frame(parts, who, "policies")
    held = await parts.gate.current_policies()
    return html(
        "policies.html",
        status=200 if error is None else error.status,
        shell=page.shell,
        now_ms=page.now_ms,
        policies=held,
        question=question or Question(),
        asked=question is not None,
        answer=answer,
        agents=sorted((one for one in page.roster.agents.values() if one.active), key=lambda one: one.name),
        operations=sorted(held.schema.operations),
        error=None if error is None else str(error),
    )


async def _editor(
    parts: Services, who: Session, files: Mapping[str, str], reason: str, problems: list[Problem] | None = None
) -> Response:
    page = await frame(parts, who, "policies")
    return html(
        "policy_change.html",
        status=400 if problems else 200,
        shell=page.shell,
        now_ms=page.now_ms,
        files=sorted(files.items()),
        reason=reason,
        problems=problems or [],
    )
