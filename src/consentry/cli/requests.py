"""`consentry requests`: list, show, decide, withdraw, watch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from consentry.actions import Json
from consentry.cli.output import AsJson, document, moment, plain, say, table, tell

if TYPE_CHECKING:
    from consentry.cli.api import Api

Id = Annotated[str, typer.Argument(metavar="ID", help="The request, `req_…`.")]
Why = Annotated[str, typer.Option("--reason", help="Why; it is recorded and told to who asked.")]
Shown = Annotated[
    str | None, typer.Option("--shown", help="The digest that `show` printed: decide only if it is still the same.")
]

STATES = ("pending", "approved", "denied", "expired", "withdrawn")
YOU = {
    "author": "have a part in it",
    "decided": "too late",
    "disabled": "disabled",
    "member_since": "joined later",
    "not_a_person": "not a person",
    "not_a_reviewer": "not a reviewer",
    "voted": "have voted",
}
"""Why the reader may not decide, in the width of a column; `show` says it in full."""


def register(app: typer.Typer) -> None:
    """Add the command group to `app`."""
    group = typer.Typer(help="List, show and decide requests.", no_args_is_help=True)
    group.command("list")(every)
    group.command("show")(show)
    group.command("approve")(approve)
    group.command("deny")(deny)
    group.command("withdraw")(withdraw)
    group.command("watch")(watch)
    app.add_typer(group, name="requests")


def every(
    state: Annotated[str, typer.Option("--state", help=f"{', '.join(STATES)}.")] = "pending",
    mine: Annotated[bool, typer.Option("--mine", help="Only those that you may decide.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=200)] = 50,
    as_json: AsJson = False,
) -> None:
    """Requests that you may see, those that you may decide first."""
    from consentry.cli import api
    from consentry.errors import InvalidInput

    if state not in STATES:
        raise InvalidInput(f"`--state` must be one of {', '.join(STATES)}")
    with api.connect() as server:
        page = server.get("/v1/requests", state=state, mine="true" if mine else None, limit=str(limit))
    if as_json:
        document(page)
        return
    rows = [_row(one) for one in _items(page)]
    if not rows:
        tell(f"no {state} requests")
        return
    table(("id", "state", "what", "until", "you"), rows)


def show(request: Id, as_json: AsJson = False) -> None:
    """Everything that people decide on, and the digest of it."""
    from consentry.cli import api

    with api.connect() as server:
        one = server.get(api.at("requests", request))
    document(one) if as_json else _show(one)


def approve(request: Id, reason: Why, shown: Shown = None, as_json: AsJson = False) -> None:
    """Consent to exactly what is shown."""
    _vote(request, "approve", reason, shown, as_json)


def deny(request: Id, reason: Why, shown: Shown = None, as_json: AsJson = False) -> None:
    """Refuse; one denial ends the request."""
    _vote(request, "deny", reason, shown, as_json)


def withdraw(
    request: Id,
    reason: Annotated[str | None, typer.Option("--reason", help="Why.")] = None,
    as_json: AsJson = False,
) -> None:
    """Take back a request that you or your agent made."""
    from consentry.cli import api

    with api.connect() as server:
        one = server.post(api.at("requests", request, "withdraw"), {"reason": reason} if reason else {})
    document(one) if as_json else say(f"{request} is {one['state']}")


def watch(as_json: AsJson = False) -> None:
    """Requests as they come and go, until interrupted. With --json, one document a line."""
    from consentry.cli import api
    from consentry.cli.watching import follow

    url, token = api.credentials()
    follow(url, token, as_json=as_json)


def _vote(request: str, verdict: str, reason: str, shown: str | None, as_json: bool) -> None:
    from consentry.cli import api
    from consentry.consent.errors import AssuranceTooLow, StaleView

    with api.connect() as server:
        one = server.get(api.at("requests", request))
        if verdict == "approve" and one.get("passkey") is not None:
            raise AssuranceTooLow(f"this stage asks for a passkey, which no terminal shows: approve at {one['url']}")
        digest = str(one["shown_digest"])
        if shown is not None and not digest.startswith(shown):
            raise StaleView("the request is not what was shown to you: look again with `consentry requests show`")
        if shown is None:
            _show(one, to_stderr=True)
            if sys.stdin.isatty():
                typer.confirm(f"{verdict} exactly this?", abort=True, err=True)
        after = _cast(server, request, verdict, reason, digest)
    if as_json:
        document(after)
    else:
        say(f"{request} is {after['state']}")


def _cast(server: Api, request: str, verdict: str, reason: str, digest: str) -> Mapping[str, Json]:
    from consentry.cli.api import at

    body = {"verdict": verdict, "reason": reason, "shown_digest": digest}
    return server.post(at("requests", request, "votes"), body)


def _show(one: Mapping[str, Json], *, to_stderr: bool = False) -> None:
    write = tell if to_stderr else say
    preview, may = one["preview"], one["may_vote"]
    assert isinstance(preview, Mapping)
    assert isinstance(may, Mapping)
    until = f", until {moment(one['expires_at'])}" if one["state"] == "pending" else ""
    write(f"{one['id']} is {one['state']}{until}")
    write(str(preview["text"]))
    write(f"shown digest: {preview['digest']}")
    write(f"where: {one['url']}")
    write("you may decide it" if may["allowed"] else f"you may not decide it: {may['text']}")


def _row(one: Mapping[str, Json]) -> tuple[str, ...]:
    action, may = one["action"], one["may_vote"]
    assert isinstance(action, Mapping)
    assert isinstance(may, Mapping)
    what = f"{action['operation']} {plain(str(action['resource']))}"
    you = "may decide" if may["allowed"] else YOU.get(str(may["code"]), str(may["code"]))
    return str(one["id"]), str(one["state"]), what, moment(one["expires_at"]), you


def _items(page: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    items = page["items"]
    assert isinstance(items, list)
    return [one for one in items if isinstance(one, Mapping)]
