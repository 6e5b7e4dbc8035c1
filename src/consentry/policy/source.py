"""Cedar text to rules: parse, read the annotations, validate against the schema, and say where things are wrong."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import cedarpy

from consentry.actions import Json
from consentry.policy import syntax
from consentry.policy.annotations import Rule, read
from consentry.policy.problems import PolicyInvalid, Problem
from consentry.policy.reads import Path, context_reads
from consentry.policy.schema import Schema
from consentry.policy.validation import validate


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
    statements = list(syntax.statements(text))
    try:
        document = json.loads(cedarpy.policies_to_json_str(text))
    except ValueError as error:
        return [], [syntax.problem(file, statements, str(error))]
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
    return policies, problems + validate(file, text, schema, names)


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


def reraise(file: str, error: OSError | UnicodeDecodeError) -> PolicyInvalid:
    """The error for a policy file that cannot be read."""
    why = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error.strerror}"
    return PolicyInvalid([Problem("policy-unreadable", f"`{file}` {why}", file)])
