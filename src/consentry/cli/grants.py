"""`consentry grants`: list, create, revoke."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import typer

from consentry.actions import Json
from consentry.cli.output import AsJson, document, moment, plain, say, span_ms, table, tell

BOUNDS = ("equals", "one_of", "at_most", "prefix")


def register(app: typer.Typer) -> None:
    """Add the command group to `app`."""
    group = typer.Typer(help="List, create and revoke grants.", no_args_is_help=True)
    group.command("list")(every)
    group.command("create")(create)
    group.command("revoke")(revoke)
    app.add_typer(group, name="grants")


def every(
    open_only: Annotated[bool, typer.Option("--open", help="Only those that can still be used.")] = False,
    as_json: AsJson = False,
) -> None:
    """Grants that you may see, newest first."""
    from consentry.cli import api

    with api.connect() as server:
        page = server.get("/v1/grants", open="true" if open_only else None)
    if as_json:
        document(page)
        return
    items = page["items"]
    assert isinstance(items, list)
    rows = [
        (str(one["id"]), str(one["kind"]), str(one["state"]), f"{one['uses_left']}/{one['uses']}",
         moment(one["expires_at"]), _about(one))
        for one in items
        if isinstance(one, Mapping)
    ]  # fmt: skip
    table(("id", "kind", "state", "left", "until", "for"), rows) if rows else tell("no grants")


def create(
    actor: Annotated[str, typer.Option("--actor", help="The agent's name, or an actor's id.")],
    operation: Annotated[str, typer.Option("--operation", help="One operation, such as `dataset.export`.")],
    resource: Annotated[str, typer.Option("--resource", help="One resource.")],
    uses: Annotated[int, typer.Option("--uses", min=1, help="How often.")],
    expires: Annotated[str, typer.Option("--expires", help="For how long: 8h, 7d.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it is recorded.")],
    argument: Annotated[
        list[str] | None,
        typer.Option(
            "--argument",
            metavar="NAME=BOUND:VALUE",
            help='What an argument may be: `to=prefix:s3://exports/`, `rows=at_most:1000`, `mode=equals:"full"`,'
            ' `region=one_of:["eu","us"]`; inside of objects by path, `/arguments/limit=at_most:10`. Name every'
            " argument: an action with another one is outside.",
        ),
    ] = None,
    pin: Annotated[
        list[str] | None,
        typer.Option("--pin", metavar="NAME=SHA256", help="What the action pins by hash, as a request shows it."),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option("--context", metavar="NAME=BOUND:VALUE", help="What a value of the context may be."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which past actions it would let through.")] = (
        False
    ),
    as_json: AsJson = False,
) -> None:
    """Consent beforehand to a bounded family of actions: one actor, operation and resource, counted, for a time."""
    from consentry.cli import api

    expires_ms = span_ms(expires, "--expires")
    with api.connect() as server:
        pattern: dict[str, Json] = {
            "actor": _actor(server.get("/v1/agents"), actor),
            "operation": operation,
            "resource": resource,
            "arguments": _once("--argument", map(_bound, argument or ())),
            "operands": _once("--pin", map(_pin, pin or ())),
            "context": _once("--context", map(_bound, context or ())),
        }
        past = server.post("/v1/grants/simulate", {"pattern": pattern})
        tell(f"of the past actions, it would have let {past['count']} through")
        if dry_run:
            document(past) if as_json else _list(past["action_ids"])
            return
        if sys.stdin.isatty():
            typer.confirm("create it?", abort=True, err=True)
        body: dict[str, Json] = {
            "pattern": pattern,
            "uses": uses,
            "expires_ms": expires_ms,
            "reason": reason,
        }
        grant = server.post("/v1/grants", body)
    document(grant) if as_json else say(f"{grant['id']} holds until {moment(grant['expires_at'])}")


def revoke(
    grant: Annotated[str, typer.Argument(metavar="ID", help="The grant, `grt_…`.")], as_json: AsJson = False
) -> None:
    """Take a grant back, at once."""
    from consentry.cli import api

    with api.connect() as server:
        one = server.delete(api.at("grants", grant))
    document(one) if as_json else say(f"{grant} is {one['state']}")


def _actor(agents: Mapping[str, Json], name: str) -> str:
    """The id behind an agent's name, or the id of a person. A grant for a misspelt name would be for nobody."""
    from consentry.errors import InvalidInput

    items = agents["items"]
    assert isinstance(items, list)
    ids = [str(one["id"]) for one in items if isinstance(one, Mapping) and name in (one["name"], one["id"])]
    if not ids and not name.startswith("per_"):
        raise InvalidInput(f"there is no agent `{name}`: see `consentry agents list`")
    return ids[0] if ids else name


def _about(grant: Mapping[str, Json]) -> str:
    """What a grant is for: its action, or its pattern in one line."""
    pattern = grant["pattern"]
    if not isinstance(pattern, Mapping):
        return plain(str(grant["action_id"]))
    told = [
        f"{before}{name}={kind}:{_value(value)}"
        for part, before in (("arguments", ""), ("context", "context "))
        for name, bound in _items(pattern.get(part, {}))
        for kind, value in _items(bound)
    ]
    told += [f"{name}={_value(sha256)}" for name, sha256 in _items(pattern.get("operands", {}))]
    return plain(" ".join([f"{pattern['actor']}:", str(pattern["operation"]), str(pattern["resource"]), *told]))


def _items(bound: Json) -> list[tuple[str, Json]]:
    return list(bound.items()) if isinstance(bound, Mapping) else []


def _value(value: Json) -> str:
    import orjson

    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _bound(text: str) -> tuple[str, Json]:
    """`NAME=BOUND:VALUE`; the value is JSON, or text where it is not."""
    from consentry.actions import parse
    from consentry.errors import InvalidInput

    name, _, rest = text.partition("=")
    kind, colon, value = rest.partition(":")
    if not name or not colon or kind not in BOUNDS:
        kinds = "`, `".join(BOUNDS)
        raise InvalidInput(f"the bound of `{name[:40]}` must read NAME=BOUND:VALUE, where BOUND is one of `{kinds}`")
    try:
        return name, {kind: value if kind == "prefix" else parse(value, what=name)}
    except InvalidInput:
        return name, {kind: value}


def _once(option: str, pairs: Iterable[tuple[str, Json]]) -> dict[str, Json]:
    """The pairs, each name once."""
    from consentry.errors import InvalidInput

    found: dict[str, Json] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInput(f"`{option}` names `{name}` twice: give one bound for it")
        found[name] = value
    return found


def _pin(text: str) -> tuple[str, Json]:
    """`NAME=SHA256`; the name may hold `=`."""
    from consentry.errors import InvalidInput

    name, _, sha256 = text.rpartition("=")
    if not name:
        raise InvalidInput("`--pin` must read NAME=SHA256, as a request shows it under `Pinned by hash`")
    return name, sha256


def _list(ids: Json) -> None:
    assert isinstance(ids, Sequence)
    for one in ids:
        say(str(one))
