"""Imports point one way (design.md section 4), so that a room can be read, used and tested without those above it."""

from __future__ import annotations

from collections.abc import Iterator

import grimp
import pytest

BASE = frozenset({"errors"})
"""Everybody may know the one base of errors."""

MAY_IMPORT: dict[str, frozenset[str]] = {
    "__main__": frozenset({"cli"}),
    "errors": frozenset(),
    "actions": frozenset(),
    "ledger": frozenset(),
    "sanitize": frozenset(),
    "policy": frozenset({"actions"}),
    "store": frozenset({"actions", "ledger"}),
    "consent": frozenset({"actions", "policy", "ledger", "store"}),
    "identity": frozenset({"actions", "policy", "ledger", "store", "consent"}),
    "doors": frozenset({"actions", "policy", "consent", "identity", "sanitize"}),
    "channels": frozenset({"actions", "policy", "store", "consent", "identity"}),
    "evidence": frozenset({"actions", "policy", "ledger", "store", "consent", "identity"}),
    "client": frozenset({"actions", "server"}),
    "demo": frozenset({"actions", "client", "ledger", "sanitize", "server", "identity"}),
    "server": frozenset(
        {
            "actions",
            "channels",
            "consent",
            "demo",
            "doors",
            "evidence",
            "identity",
            "ledger",
            "policy",
            "sanitize",
            "store",
        }
    ),
    "cli": frozenset(
        {
            "actions",
            "client",
            "consent",
            "demo",
            "evidence",
            "identity",
            "ledger",
            "policy",
            "sanitize",
            "server",
            "store",
        }
    ),
}

ONLY_HERE = {("client", "server"): "consentry.client.embedded"}
"""Steps that one file takes for its room: embedding is the server's wiring without its sockets."""

ROOT = "consentry"


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(ROOT, cache_dir=None, exclude_type_checking_imports=False)


def edges(graph: grimp.ImportGraph) -> Iterator[tuple[str, str]]:
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            yield importer, imported


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def test_each_room_is_named_here(graph: grimp.ImportGraph) -> None:
    rooms = {room(module) for module in graph.modules} - {""}
    assert rooms <= MAY_IMPORT.keys()


def test_imports_point_one_way(graph: grimp.ImportGraph) -> None:
    wrong = [
        f"{importer} imports {imported}"
        for importer, imported in edges(graph)
        if room(importer) and room(imported) and room(importer) != room(imported)
        if room(imported) not in MAY_IMPORT[room(importer)] | BASE
    ]
    assert not wrong, "\n".join(sorted(wrong))


def test_nobody_imports_a_door_or_a_channel_but_the_server(graph: grimp.ImportGraph) -> None:
    importers = {room(i) for i, m in edges(graph) if room(m) in ("doors", "channels") and room(i) != room(m)}
    assert importers <= {"server"}


@pytest.mark.parametrize(("step", "home"), ONLY_HERE.items())
def test_exceptions_stay_in_one_file(graph: grimp.ImportGraph, step: tuple[str, str], home: str) -> None:
    taken = {importer for importer, imported in edges(graph) if (room(importer), room(imported)) == step}
    assert taken <= {home}


def test_the_check_sees_imports_inside_functions(graph: grimp.ImportGraph) -> None:
    lazy = graph.find_modules_directly_imported_by("consentry.cli.verify")
    assert "consentry.ledger.verify" in lazy
