"""The API: one file for each resource, each a list of rows; `ENDPOINTS` is the whole table."""

from __future__ import annotations

from functools import cache

from consentry.server.endpoint import Endpoint


@cache
def endpoints() -> tuple[Endpoint, ...]:
    """Every route of the API, the busiest first."""
    from consentry.server.routes import (
        actions,
        agents,
        events,
        grants,
        groups,
        health,
        ledger,
        load,
        passkeys,
        people,
        policy,
        requests,
        reviews,
        scan,
        sessions,
        sign_in,
        slack,
        teams,
        tokens,
    )

    parts = (actions, requests, load, grants, reviews, events, sessions, sign_in, tokens, people, groups, agents)
    return tuple(
        row for part in (*parts, passkeys, policy, ledger, scan, health, slack, teams) for row in part.ENDPOINTS
    )
