"""`consentry agents`: list, create, rotate, revoke."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from consentry.actions import Json
from consentry.cli.output import AsJson, document, moment, say, table, tell

if TYPE_CHECKING:
    from consentry.cli.api import Api

Name = Annotated[str, typer.Argument(metavar="NAME", help="The agent's name, or its id.")]


def register(app: typer.Typer) -> None:
    """Add the command group to `app`."""
    group = typer.Typer(help="List, create, rotate and revoke agents.", no_args_is_help=True)
    group.command("list")(every)
    group.command("create")(create)
    group.command("rotate")(rotate)
    group.command("revoke")(revoke)
    app.add_typer(group, name="agents")


def every(as_json: AsJson = False) -> None:
    """All agents and services, and who answers for them."""
    from consentry.cli import api

    with api.connect() as server:
        page = server.get("/v1/agents")
    if as_json:
        document(page)
        return
    rows = [
        (str(one["name"]), str(one["kind"]), "active" if one["active"] else "revoked", str(one["owner_name"]),
         moment(one["created_at"]), str(one["id"]))
        for one in _items(page)
    ]  # fmt: skip
    table(("name", "kind", "state", "owner", "since", "id"), rows) if rows else tell("no agents")


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower case, such as `nightly-export`.")],
    owner: Annotated[str, typer.Option("--owner", metavar="EMAIL", help="Who answers for it, and so may not consent.")],
    service: Annotated[bool, typer.Option("--service", help="A pipeline or program rather than an AI agent.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make an agent and print its token, once."""
    from consentry.cli import api

    with api.connect() as server:
        made = server.post("/v1/agents", {"name": name, "owner": owner, "kind": "service" if service else "agent"})
    _give(made, as_json)


def rotate(name: Name, as_json: AsJson = False) -> None:
    """Replace an agent's token; the old one ends now."""
    from consentry.cli import api

    with api.connect() as server:
        made = server.post(api.at("agents", _id(server, name), "rotate"), {})
    _give(made, as_json)


def revoke(
    name: Name,
    reason: Annotated[str | None, typer.Option("--reason", help="Why; it is recorded.")] = None,
    as_json: AsJson = False,
) -> None:
    """The agent may no longer act, for good."""
    from consentry.cli import api

    with api.connect() as server:
        one = server.post(api.at("agents", _id(server, name), "revoke"), {"reason": reason} if reason else {})
    document(one) if as_json else say(f"{one['name']} is {'active' if one['active'] else 'revoked'}")


def _give(made: Mapping[str, Json], as_json: bool) -> None:
    if as_json:
        document(made)
        return
    say(str(made["token"]))
    tell(f"the token of {made['name']}, shown once: export it as CONSENTRY_TOKEN where it runs")


def _id(server: Api, name: str) -> str:
    from consentry.identity.errors import UnknownAgent

    for one in _items(server.get("/v1/agents")):
        if name in (one["name"], one["id"]):
            return str(one["id"])
    raise UnknownAgent(f"there is no agent `{name}`: see `consentry agents list`")


def _items(page: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    items = page["items"]
    assert isinstance(items, list)
    return [one for one in items if isinstance(one, Mapping)]
