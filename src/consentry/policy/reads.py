"""Which parts of the context a policy reads, so that nothing else has to be handed to Cedar. Pure.

Parsing the context is most of what a decision costs. A policy can only depend on what it names: each mention of
`context` in its syntax tree is followed by the attributes taken from it, or else the whole is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from consentry.actions import Json

Path = tuple[str, ...]


def context_reads(conditions: Json) -> frozenset[Path]:
    """The paths under `context` that these conditions (Cedar's JSON policy format) read; `()` is all of it."""
    return frozenset(_walk(conditions))


def _walk(node: Json) -> Iterator[Path]:
    path = _path(node)
    if path is not None:
        yield path
    elif isinstance(node, Mapping):
        for value in node.values():
            yield from _walk(value)
    elif isinstance(node, Sequence) and not isinstance(node, str):
        for value in node:
            yield from _walk(value)


def _path(node: Json) -> Path | None:
    """The attributes taken from `context` by this node, or `None` where it is something else."""
    if not isinstance(node, Mapping) or len(node) != 1:
        return None
    ((kind, body),) = node.items()
    if kind == "Var":
        return () if body == "context" else None
    if kind not in {".", "has"} or not isinstance(body, Mapping):
        return None
    base = _path(body.get("left"))
    attribute = body.get("attr")
    return None if base is None or not isinstance(attribute, str) else (*base, attribute)
