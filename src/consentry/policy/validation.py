"""Cedar's complaints about types, made useful: each mistake once, nothing that only follows, and the nearest name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

import cedarpy

from consentry.policy.problems import Problem
from consentry.policy.schema import Schema

_KINDS = ("Agent", "Group", "Person", "Resource", "Service")
_FOLLOWS = "unable to find an applicable action given the policy scope constraints"
_OPERATION = re.compile(r'unrecognized action `Action::"([^"\\]*)"`')
_KIND = re.compile(r"unrecognized entity type `(\w+)`")


def validate(file: str, text: str, schema: Schema, names: Mapping[str, tuple[str, int]]) -> list[Problem]:
    """What does not fit the schema. `names`: for each policy, by Cedar's key, its name and the line it begins on.

    Cedar looks into a rule's conditions only where its head fits some operation: a head with a misspelt operation is
    looked at a second time, with the nearest one in its place.
    """
    errors = _errors(text, schema)
    hidden = {key for key, words in errors if words == _FOLLOWS}
    if hidden and (mended := _mended(text, errors, schema)) != text:
        errors += [(key, words) for key, words in _errors(mended, schema) if key in hidden and words != _FOLLOWS]
    caused = {key for key, words in errors if words != _FOLLOWS}
    seen: dict[tuple[str, str], Problem] = {}
    for key, words in errors:
        if words == _FOLLOWS and key in caused:
            continue
        name, line = names.get(key, (key, 1))
        told = words + _suggestion(words, schema)
        seen.setdefault((name, words), Problem("policy-type", told, file, name, line))
    return list(seen.values())


def _errors(text: str, schema: Schema) -> list[tuple[str, str]]:
    """Cedar's key of the policy, and Cedar's words; the same mistake is reported once for each operation."""
    found = []
    for error in cedarpy.validate_policies(text, schema.handle).errors:
        words = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
        words = re.sub(r' for Action::"[^"]*"(?= not found$|$)', "", words)
        found.append((error.policy_id, words))
    return list(dict.fromkeys(found))


def _mended(text: str, errors: Iterable[tuple[str, str]], schema: Schema) -> str:
    for _, words in errors:
        match = _OPERATION.match(words)
        if match and (near := _nearest(match[1], schema.operations)):
            text = text.replace(f'Action::"{match[1]}"', f'Action::"{near}"')
        match = _KIND.match(words)
        if match and (near := _nearest(match[1], _KINDS)):
            text = re.sub(rf"\bis\s+{match[1]}\b", f"is {near}", text)
    return text


def _suggestion(words: str, schema: Schema) -> str:
    match = _OPERATION.match(words)
    if match:
        near = _nearest(match[1], schema.operations)
        other = "declare it in `schema.cedarschema`"
        return f": did you mean `{near}`? If it is one of your own, {other}" if near else f": {other}"
    match = _KIND.match(words)
    near = _nearest(match[1], _KINDS) if match else None
    return f": did you mean `{near}`?" if near else ""


def _nearest(word: str, known: Iterable[str]) -> str | None:
    return next(iter(get_close_matches(word, sorted(known), 1)), None)
