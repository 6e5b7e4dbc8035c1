"""Cedar text to rules: parse, read the annotations, validate against the schema, and say where things are wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cedarpy

from consentry.actions import Json
from consentry.policy.annotations import Rule, read
from consentry.policy.problems import PolicyInvalid, Problem
from consentry.policy.reads import Path, context_reads
from consentry.policy.schema import Schema

_STATEMENT = re.compile(r"""//[^\n]*|"(?:\\.|[^"\\])*"|;|[^"/;]+|.""", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which requests a policy's head lets through. `None` is every operation or every kind of principal."""

    operations: frozenset[str] | None
    principal: str | None

    def covers(self, operation: str, principal: str) -> bool:
        return (self.operations is None or operation in self.operations) and self.principal in {None, principal}


@dataclass(frozen=True, slots=True)
class Policy:
    """One parsed policy: the rule for people, its scope, what it reads, and its tree in Cedar's JSON format."""

    rule: Rule
    scope: Scope
    reads: frozenset[Path]
    tree: Mapping[str, Json]


def parse(files: Mapping[str, str], schema: Schema) -> tuple[Policy, ...]:
    """Every policy of `files` (name to Cedar text), in order of file and place. Raises `PolicyInvalid`."""
    policies: list[Policy] = []
    problems: list[Problem] = []
    for file in sorted(files):
        found, wrong = _file(file, files[file], schema)
        policies += found
        problems += wrong
    problems += _duplicates(policies)
    if problems:
        raise PolicyInvalid(problems)
    return tuple(policies)


def _file(file: str, text: str, schema: Schema) -> tuple[list[Policy], list[Problem]]:
    statements = list(_statements(text))
    try:
        document = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        return [], [_syntax(file, statements, str(error))]
    if document["templates"]:
        return [], [Problem("policy-template", "templates (`?principal`, `?resource`) are not supported", file)]
    policies, problems = [], []
    names: dict[str, tuple[str, int]] = {}
    trees = sorted(document["staticPolicies"].items(), key=lambda item: int(item[0].removeprefix("policy")))
    for (key, tree), (line, _) in zip(trees, statements, strict=False):
        permits = tree["effect"] == "permit"
        rule, wrong = read(tree.get("annotations", {}), permits=permits, file=file, line=line)
        names[key] = (tree.get("annotations", {}).get("id") or key, line)
        problems += wrong
        if rule is not None:
            policies.append(Policy(rule, _scope(tree), context_reads(tree["conditions"]), tree))
    return policies, problems + _validate(file, text, schema, names)


def _validate(file: str, text: str, schema: Schema, names: Mapping[str, tuple[str, int]]) -> list[Problem]:
    seen: dict[tuple[str, str], Problem] = {}
    for error in cedarpy.validate_policies(text, schema.handle).errors:
        name, line = names.get(error.policy_id, (error.policy_id, 1))
        words = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
        words = re.sub(r' for Action::"[^"]*"$', "", words)  # the same mistake is reported once for each operation
        seen.setdefault((name, words), Problem("policy-type", words, file, name, line))
    return list(seen.values())


def _duplicates(policies: Iterable[Policy]) -> list[Problem]:
    first: dict[str, Rule] = {}
    problems = []
    for policy in policies:
        rule = policy.rule
        other = first.setdefault(rule.id, rule)
        if other is not rule:
            text = f"`@id` is already taken in {other.file}:{other.line}: give each policy its own"
            problems.append(Problem("policy-id-duplicate", text, rule.file, rule.id, rule.line))
    return problems


def _scope(tree: Mapping[str, Json]) -> Scope:
    return Scope(_operations(tree["action"]), _principal(tree["principal"]))


def _operations(action: Json) -> frozenset[str] | None:
    assert isinstance(action, Mapping)
    if action["op"] == "All":
        return None
    named = action["entities"] if "entities" in action else [action["entity"]]
    return frozenset(str(one["id"]) for one in named)  # type: ignore


def _principal(principal: Json) -> str | None:
    assert isinstance(principal, Mapping)
    if principal["op"] == "is":
        return str(principal["entity_type"])
    if principal["op"] == "==":
        return str(principal["entity"]["type"])  # type: ignore
    return None


def _syntax(file: str, statements: Iterable[tuple[int, str]], error: str) -> Problem:
    """Cedar's own message has no place: find the first policy that does not parse by itself."""
    for line, statement in statements:
        try:
            cedarpy.policies_to_json_str(statement)
        except ValueError as own:
            return Problem("policy-syntax", f"not Cedar: {own}", file, None, line)
    return Problem("policy-syntax", f"not Cedar: {error}", file)


def _statements(text: str) -> Iterable[tuple[int, str]]:
    """The policies of a file with the lines they begin on: what stands between semicolons, comments apart."""
    line, start, parts = 1, 0, []
    for match in _STATEMENT.finditer(text):
        piece = match[0]
        comment = piece.startswith("//")
        if not start and piece.strip() and not comment:
            start = line + piece[: len(piece) - len(piece.lstrip())].count("\n")
        line += piece.count("\n")
        if not comment:
            parts.append(piece)
        if piece == ";":
            yield start, "".join(parts)
            start, parts = 0, []
    if "".join(parts).strip():
        yield start, "".join(parts)


def reraise(file: str, error: OSError | UnicodeDecodeError) -> PolicyInvalid:
    """The error for a policy file that cannot be read."""
    why = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error.strerror}"
    return PolicyInvalid([Problem("policy-unreadable", f"`{file}` {why}", file)])
