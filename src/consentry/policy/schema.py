"""The schema: what is shipped, and what a deployment adds to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cedarpy

from consentry.policy.problems import PolicyInvalid, Problem

FILE = "schema.cedarschema"
_NO_EXTRA = "\ntype ExtraFacts = {};\n"
_COMMENT = re.compile(r"//[^\n]*")
_DECLARES_EXTRA = re.compile(r"\btype\s+ExtraFacts\b")
_ACTION = re.compile(
    r'^action (?:"([^"\\]+)"|(\w+))( in [^{;]*?)?(?: appliesTo \{(.*?)^\})?;', re.MULTILINE | re.DOTALL
)
_NAMESPACE = re.compile(r"^namespace ", re.MULTILINE)
_CONTEXT = re.compile(r"^\s*context: Context\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Schema:
    """A parsed schema, its text, and the operations that it declares."""

    handle: cedarpy.Schema
    text: str
    operations: frozenset[str]


@cache
def shipped() -> str:
    """The text of the schema that comes with the package."""
    return files("consentry.policy").joinpath(FILE).read_text("utf-8")


def load(extension: str | None = None) -> Schema:
    """The shipped schema with a deployment's text added. Raises `PolicyInvalid`.

    INVARIANT: every operation takes the shipped `Context`, and no operation is a member of another. The engine
    relies on both when it passes Cedar only the part of the context that the policies read.
    """
    text = shipped() + (extension or "")
    if not _DECLARES_EXTRA.search(_COMMENT.sub("", extension or "")):
        text += _NO_EXTRA
    try:
        handle = cedarpy.Schema.from_str(text)
    except ValueError as error:
        raise PolicyInvalid([Problem("policy-schema", f"not a Cedar schema: {error}", FILE)]) from None
    found = list(_ACTION.finditer(str(handle)))
    problems = [problem for match in found if (problem := _unfit(match)) is not None]
    if _NAMESPACE.search(str(handle)):
        problems.append(Problem("policy-schema", "declare operations and types without a namespace", FILE))
    if problems:
        raise PolicyInvalid(problems)
    return Schema(handle, text, frozenset(match[1] or match[2] for match in found))


def _unfit(match: re.Match[str]) -> Problem | None:
    name = match[1] or match[2]
    if match[3]:
        return Problem("policy-schema", f"operation `{name}` is put in a group: name operations one by one", FILE)
    if match[4] is None or not _CONTEXT.search(match[4]):
        text = f"operation `{name}` must apply to principals and resources with `context: Context`"
        return Problem("policy-schema", text, FILE)
    return None
