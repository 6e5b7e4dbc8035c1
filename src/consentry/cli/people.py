"""`consentry people`: list, invite, link, disable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from consentry.cli.output import AsJson, document, moment, plain, say, table, tell

if TYPE_CHECKING:
    from consentry.cli.api import Api

Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The person's address, or their id.")]
Reason = Annotated[str | None, typer.Option("--reason", help="Why; it is recorded.")]


def register(app: typer.Typer) -> None:
    """Add the command group to `app`."""
    group = typer.Typer(help="List, invite, link and disable people.", no_args_is_help=True)
    group.command("list")(every)
    group.command("invite")(invite)
    group.command("link")(link)
    group.command("merge")(merge)
    group.command("disable")(disable)
    group.command("enable")(enable)
    app.add_typer(group, name="people")


def every(as_json: AsJson = False) -> None:
    """Everybody; addresses are for administrators and auditors."""
    from consentry.cli import api

    with api.connect() as server:
        page = server.get("/v1/people")
    if as_json:
        document(page)
        return
    items = page["items"]
    assert isinstance(items, list)
    rows = []
    for one in items:
        assert isinstance(one, Mapping)
        groups = one["groups"]
        assert isinstance(groups, list)
        state = "merged" if one["merged_into"] else "active" if one["active"] else "disabled"
        rows.append((str(one["id"]), str(one["name"]), str(one["email"] or "-"), state, ", ".join(map(str, groups))))
    table(("id", "name", "e-mail", "state", "groups"), rows)


def invite(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The person's address.")],
    name: Annotated[str | None, typer.Option("--name", help="What people are shown.")] = None,
    group: Annotated[list[str] | None, typer.Option("--group", help="Put them into this group. May be repeated.")] = (
        None
    ),
    as_json: AsJson = False,
) -> None:
    """Print a one-time sign-in link for a person, who is made where there is none."""
    from consentry.cli import api

    body = {"email": email, "groups": list(group or ())} | ({"name": name} if name else {})
    with api.connect() as server:
        made = server.post("/v1/people", body)
    if as_json:
        document(made)
        return
    say(str(made["link"]))
    tell(f"for {plain(str(made['email']))} and nobody else; it works once, until {moment(made['expires_at'])}")


def link(
    email: Email,
    kind: Annotated[str, typer.Option("--kind", help="Where they are known: oidc, slack, teams, git.")],
    issuer: Annotated[str, typer.Option("--issuer", help="At whom: an OIDC issuer, a Slack team id.")],
    subject: Annotated[str, typer.Option("--subject", help="Who they are there: an id, never a display name.")],
    as_json: AsJson = False,
) -> None:
    """Say that an identity elsewhere is this person."""
    from consentry.cli import api

    with api.connect() as server:
        made = server.post(
            api.at("people", _id(server, email), "identities"),
            {"kind": kind, "issuer": issuer, "subject": subject},
        )
    document(made) if as_json else say(f"{made['id']} is {made['person']}")


def merge(
    email: Email,
    into: Annotated[str, typer.Argument(metavar="INTO", help="The record that stays.")],
    reason: Reason = None,
    as_json: AsJson = False,
) -> None:
    """Say that two records are one human. It cannot be undone."""
    from consentry.cli import api

    with api.connect() as server:
        stays = _id(server, into)
        body = {"into": stays} | ({"reason": reason} if reason else {})
        made = server.post(api.at("people", _id(server, email), "merge"), body)
    document(made) if as_json else say(f"now one person: {made['id']}")


def disable(email: Email, reason: Reason = None, as_json: AsJson = False) -> None:
    """End a person's sessions, and let them neither sign in, vote nor act. Their votes fall away."""
    _switch(email, "disable", reason, as_json)


def enable(email: Email, reason: Reason = None, as_json: AsJson = False) -> None:
    """Let a disabled person sign in again; memberships count from now on."""
    _switch(email, "enable", reason, as_json)


def _switch(email: str, verb: str, reason: str | None, as_json: bool) -> None:
    from consentry.cli import api

    with api.connect() as server:
        person = _id(server, email)
        one = server.post(api.at("people", person, verb), {"reason": reason} if reason else {})
    document(one) if as_json else say(f"{one['id']} is {'active' if one['active'] else 'disabled'}")


def _id(server: Api, email: str) -> str:
    from consentry.cli.api import at

    return str(server.get(at("people", email))["id"])
