"""`consentry groups`: list, add, remove."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from consentry.cli.output import AsJson, document, moment, say, table, tell

Group = Annotated[str, typer.Argument(metavar="GROUP", help="Such as `data-stewards`.")]
Email = Annotated[str, typer.Argument(metavar="EMAIL", help="The person's address, or their id.")]


def register(app: typer.Typer) -> None:
    """Add the command group to `app`."""
    group = typer.Typer(help="List groups, and put people in and out of them.", no_args_is_help=True)
    group.command("list")(every)
    group.command("add")(add)
    group.command("remove")(remove)
    app.add_typer(group, name="groups")


def every(as_json: AsJson = False) -> None:
    """All groups and who is in them, since when."""
    from consentry.cli import api

    with api.connect() as server:
        page = server.get("/v1/groups")
    if as_json:
        document(page)
        return
    items, rows = page["items"], []
    assert isinstance(items, list)
    for one in items:
        assert isinstance(one, Mapping)
        members = one["members"]
        assert isinstance(members, list)
        for member in members:
            assert isinstance(member, Mapping)
            rows.append((str(one["name"]), str(member["name"]), str(member["person"]), moment(member["since"])))
    table(("group", "name", "person", "since"), rows) if rows else tell("no groups")


def add(group: Group, email: Email, as_json: AsJson = False) -> None:
    """Put a person into a group; it counts for requests that are opened from now on."""
    from consentry.cli import api

    with api.connect() as server:
        one = server.post(api.at("groups", group, "members"), {"person": email})
    document(one) if as_json else say(f"{email} is in {group}")


def remove(group: Group, email: Email, as_json: AsJson = False) -> None:
    """Take a person out of a group; votes that counted for it fall away."""
    from consentry.cli import api

    with api.connect() as server:
        person = str(server.get(api.at("people", email))["id"])
        one = server.delete(api.at("groups", group, "members", person))
    document(one) if as_json else say(f"{email} is no longer in {group}")
