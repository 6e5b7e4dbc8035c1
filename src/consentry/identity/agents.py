"""Agents and services: each has a person who answers for it, and a token that is shown once."""

from __future__ import annotations

import re

from sqlalchemy import select, update

from consentry.actions import Kind, new_id
from consentry.consent.errors import NotAllowed
from consentry.errors import InvalidInput
from consentry.identity import rows
from consentry.identity.errors import NameTaken
from consentry.identity.model import AgentRecord, TokenKind
from consentry.identity.secret import digest
from consentry.identity.tokens import end_all, insert_token
from consentry.store import Tx, tables
from consentry.store.record import record

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_A = tables.agents.c


def create(tx: Tx, by: str | None, name: str, owner_id: str, kind: Kind, token: str) -> AgentRecord:
    """A new agent or service and its token. Raises `NameTaken`."""
    tx.roster_changed()
    rows.require_administrator(tx, by)
    if not _NAME.fullmatch(name):
        raise InvalidInput("`name` must be lower case letters, digits, `_`, `.` or `-`, at most 64")
    if kind is Kind.PERSON:
        raise InvalidInput("`kind` must be `agent` or `service`: persons are invited")
    owner = rows.canonical_person(tx, owner_id)
    if not owner.active:
        raise InvalidInput("`owner` is disabled: an agent needs a person who answers for it")
    if tx.execute(select(_A.id).where(_A.name == name)).one_or_none() is not None:
        raise NameTaken(f"there is an agent `{name}` already: rotate its token, or choose another name")
    agent = AgentRecord(new_id("agt"), name, kind, owner.id, True, tx.now_ms)
    tx.execute(
        tables.agents.insert().values(
            id=agent.id,
            name=name,
            owner_id=owner.id,
            holder_id=by,
            kind=kind.value,
            active=True,
            created_at=tx.now_ms,
        )
    )
    insert_token(tx, digest(token), TokenKind.AGENT, agent.id)
    record(tx, "agent.created", {"agent": agent.id, "owner": owner.id, "by": by})
    return agent


def rotate(tx: Tx, by: str | None, agent_id: str, token: str) -> AgentRecord:
    """Replace an agent's token; the old one, and what was exchanged from it, ends now. Its owner may, too.

    Whoever is shown the new one can act as the agent, and so may not consent to what it does (threat A2).
    """
    tx.roster_changed()
    agent = rows.load_agent(tx, agent_id)
    _require_owner_or_administrator(tx, by, agent)
    if not agent.active:
        raise NotAllowed("this agent is revoked: create another")
    end_all(tx, agent.id, by)
    insert_token(tx, digest(token), TokenKind.AGENT, agent.id)
    tx.execute(update(tables.agents).where(_A.id == agent.id).values(holder_id=by))
    record(tx, "agent.rotated", {"agent": agent.id, "by": by})
    return agent


def revoke(tx: Tx, by: str | None, agent_id: str, reason: str | None) -> AgentRecord:
    """The agent may no longer act, for good. Its owner may do this, too."""
    tx.roster_changed()
    agent = rows.load_agent(tx, agent_id)
    _require_owner_or_administrator(tx, by, agent)
    if agent.active:
        tx.execute(update(tables.agents).where(_A.id == agent.id).values(active=False))
        end_all(tx, agent.id, by)
        record(tx, "agent.revoked", {"agent": agent.id, "by": by}, sealed={"reason": reason})
    return rows.load_agent(tx, agent.id)


def change_owner(tx: Tx, by: str | None, agent_id: str, owner_id: str, reason: str | None) -> AgentRecord:
    """Let another person answer for an agent, as when its owner leaves.

    Its token ends: whoever answered for it so far may hold it, and is no author of what it does any more (threat A2).
    """
    tx.roster_changed()
    rows.require_administrator(tx, by)
    agent, owner = rows.load_agent(tx, agent_id), rows.canonical_person(tx, owner_id)
    if not owner.active:
        raise InvalidInput("`owner` is disabled: an agent needs a person who answers for it")
    if rows.canonical_person(tx, agent.owner).id != owner.id:
        tx.execute(update(tables.agents).where(_A.id == agent.id).values(owner_id=owner.id))
        record(tx, "agent.owner_changed", {"agent": agent.id, "owner": owner.id, "by": by}, sealed={"reason": reason})
        end_all(tx, agent.id, by)
    return rows.load_agent(tx, agent.id)


def every(tx: Tx) -> tuple[AgentRecord, ...]:
    """All agents, by name."""
    return tuple(rows.agent_of(row) for row in tx.execute(select(tables.agents).order_by(_A.name)))


def _require_owner_or_administrator(tx: Tx, by: str | None, agent: AgentRecord) -> None:
    if by is None or rows.canonical_person(tx, by).id != rows.canonical_person(tx, agent.owner).id:
        rows.require_administrator(tx, by)
