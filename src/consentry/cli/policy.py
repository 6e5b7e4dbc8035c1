"""`consentry policy`: check, test, explain and replay, without a server."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from consentry.actions import Json
    from consentry.policy.cedar import PolicySet
    from consentry.policy.problems import Problem
    from consentry.policy.scenario import People

FAILED, USAGE, DENIED = 1, 2, 3

Policies = Annotated[
    Path | None,
    typer.Option(
        "--policies",
        envvar="CONSENTRY_POLICY__DIR",
        help="Folder of *.cedar files. Default: ./policies where there is one, else the starter policies.",
    ),
]
People_ = Annotated[
    Path | None,
    typer.Option("--people", help="TOML or JSON file of `people` and `agents`, to look for rules nobody can satisfy."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]


def register(app: typer.Typer) -> None:
    """Add the command group to `app`."""
    group = typer.Typer(help="Check, test, explain and replay policies.", no_args_is_help=True)
    group.command()(check)
    group.command("test")(run_cases)
    group.command()(explain)
    group.command()(replay)
    app.add_typer(group, name="policy")


def check(policies: Policies = None, people: People_ = None, as_json: AsJson = False) -> None:
    """Load and validate the policies; with --people, look for rules that nobody could satisfy."""
    from consentry.policy import check as checks
    from consentry.policy.problems import PolicyInvalid, Severity

    version: str | None = None
    with _told():
        roster = _people(people).roster() if people else None
        try:
            loaded, place = _load(policies)
            version = loaded.version
            problems: list[Problem] = [] if roster is None else checks.check(loaded, roster)
            counted = "1 policy" if len(loaded.rules) == 1 else f"{len(loaded.rules)} policies"
            done = f"{counted} of {place} in order, version {version}"
        except PolicyInvalid as error:
            problems, done = list(error.problems), ""
    failed = any(one.severity is Severity.ERROR for one in problems)
    if as_json:
        _print_json({"ok": not failed, "policy_version": version, "problems": [one.to_json() for one in problems]})
    else:
        for one in problems:
            typer.echo(f"{one.severity.value}: {one}", err=True)
        if not failed:
            typer.echo(done)
    raise typer.Exit(FAILED if failed else 0)


def run_cases(policies: Policies = None, as_json: AsJson = False) -> None:
    """Run the example cases that lie beside the policies, in cases/*.toml."""
    from consentry.policy import cases

    with _told():
        loaded, _ = _load(policies)
        folder = _folder(policies)
        texts = cases.starter() if folder is None else cases.from_directory(folder)
        outcomes = cases.run(loaded, texts)
    failed = not all(outcome.passed for outcome in outcomes)
    if as_json:
        _print_json({"ok": not failed, "cases": [outcome.to_json() for outcome in outcomes]})
    elif not outcomes:
        typer.echo("no cases: write some to cases/*.toml beside the policies", err=True)
    else:
        typer.echo(cases.render(outcomes))
    raise typer.Exit(FAILED if failed else 0)


def explain(
    file: Annotated[Path, typer.Argument(help="JSON: operation, resource, principal, facts, people, agents.")],
    policies: Policies = None,
    people: People_ = None,
    as_json: AsJson = False,
) -> None:
    """Say what the policies make of one action, and why each matched or did not. Exits 3 where it is denied."""
    from consentry.policy import explain as explains
    from consentry.policy.model import Facts, Verdict
    from consentry.policy.scenario import read_question

    with _told():
        question = read_question(_document(file), str(file))
        explanation = explains.explain(
            _load(policies)[0],
            question.action(),
            Facts(question.facts),
            resource=question.where(),
            roster=_people(people).roster() if people else question.roster(),
            now_ms=question.now_ms(),
        )
    if as_json:
        _print_json(explanation.to_json())
    else:
        typer.echo(explains.render(explanation))
    raise typer.Exit(DENIED if explanation.judgement.verdict is Verdict.DENY else 0)


def replay(
    since: Annotated[str, typer.Option("--since", help="A date, a time (ISO 8601), or how long ago: 12h, 30d.")],
    history: Annotated[
        Path | None, typer.Option("--history", help="Past actions, one JSON object a line; without it, the server's.")
    ] = None,
    policies: Policies = None,
    people: People_ = None,
    as_json: AsJson = False,
) -> None:
    """Judge past actions by these policies and show which verdicts would change."""
    from consentry.errors import InvalidInput
    from consentry.policy import replay as replays

    if history is None:
        _replay_on_server(since, policies, as_json)
        return
    with _told():
        if not history.is_file():
            raise InvalidInput(f"`{history}` is not a file")
        past = replays.JsonLines(history).since(_since_ms(since))
        roster = _people(people).roster()
        result = replays.replay(past, _load(policies)[0], roster)
    if as_json:
        _print_json(result.to_json())
    else:
        typer.echo(replays.render(result))


def _replay_on_server(since: str, policies: Path | None, as_json: bool) -> None:
    """The server's own history, people and resources; the files of a folder, or the set in force."""
    from consentry.cli import api
    from consentry.policy.replay import read_replay, render
    from consentry.store.record import spell_time

    with _told():
        body: dict[str, Json] = {"since": spell_time(_since_ms(since))}
        if (folder := _folder(policies)) is not None:
            _load(folder)  # what is wrong with the files is told here, with names and lines
            names = (*folder.glob("*.cedar"), *folder.glob("schema.cedarschema"))
            body["files"] = {one.name: one.read_text("utf-8") for one in names}
    with api.connect() as server:
        answer = server.post("/v1/policy/replay", body)
    if as_json:
        _print_json(answer)
    else:
        typer.echo(render(read_replay(answer)))


@contextmanager
def _told() -> Iterator[None]:
    """Turn our own errors into a line on standard error and an exit code."""
    from consentry.errors import ConsentryError
    from consentry.policy.problems import PolicyInvalid

    try:
        yield
    except PolicyInvalid as error:
        for one in error.problems:
            typer.echo(f"{one.severity.value}: {one}", err=True)
        raise typer.Exit(FAILED) from None
    except ConsentryError as error:
        typer.echo(f"error: {error} [{error.code}]", err=True)
        raise typer.Exit(USAGE) from None


def _folder(policies: Path | None) -> Path | None:
    """The folder in use, or `None` for the starter policies."""
    if policies is None and Path("policies").is_dir():
        return Path("policies")
    return policies


def _load(policies: Path | None) -> tuple[PolicySet, str]:
    from consentry.policy.cedar import PolicySet

    folder = _folder(policies)
    if folder is None:
        return PolicySet.starter(), "the starter set"
    return PolicySet.from_directory(folder), f"`{folder}`"


def _people(path: Path | None) -> People:
    from pydantic import ValidationError

    from consentry.errors import InvalidInput
    from consentry.policy.scenario import People, wrong

    try:
        return People.model_validate(_document(path) if path else {})
    except ValidationError as error:
        raise InvalidInput(f"`{path}`: {wrong(error)}") from None


def _document(path: Path) -> Mapping[str, Json]:
    import tomllib

    from consentry.actions import parse_object
    from consentry.errors import InvalidInput

    try:
        data = path.read_bytes()
        if path.suffix == ".toml":
            return tomllib.loads(data.decode("utf-8"))
        return parse_object(data, what=str(path))
    except OSError as error:
        raise InvalidInput(f"`{path}` cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"`{path}` is not TOML: {error}") from None


def _since_ms(text: str) -> int:
    import time
    from datetime import UTC, datetime

    from consentry.errors import InvalidInput
    from consentry.policy.annotations import Malformed, duration

    try:
        return int(time.time() * 1000) - duration(text)
    except Malformed:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput("`--since` must be a date, a time such as 2026-01-05T10:00, or an age such as 30d") from None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _print_json(value: Json) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))
