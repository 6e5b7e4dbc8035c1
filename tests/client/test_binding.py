"""From a call to an action: everything bound exactly, or an error that names the parameter."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from consentry.client.binding import Binder, Bound
from consentry.client.errors import Misused, NotBindable
from consentry.client.operands import pin


def bind(function: Callable[..., object], *args: object, **kwargs: object) -> Bound:
    return Binder(function, resource="r", arguments=None, operands=(), unbound=()).bind(args, kwargs)


def test_positions_names_defaults_and_the_rest_are_bound_by_parameter() -> None:
    def export(table: str, /, to: str, *rest: int, limit: int = 10, **options: object) -> None: ...

    bound = bind(export, "customers", "s3://x", 1, 2, deep={"a": [None, True, 1.5]})
    assert bound.arguments == {
        "table": "customers",
        "to": "s3://x",
        "rest": (1, 2),
        "limit": 10,
        "options": {"deep": {"a": [None, True, 1.5]}},
    }


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        2**53,
        date(2026, 1, 1),
        {1: "a key that is no string"},
        {"deep": [object()]},
        "\ud800",
        {1, 2},
    ],
    ids=["nan", "infinity", "integer beyond 2^53", "date", "integer key", "object inside", "lone surrogate", "set"],
)
def test_what_is_not_exact_json_is_an_error_that_names_the_parameter(value: object) -> None:
    def export(query: str, when: object) -> None: ...

    with pytest.raises(NotBindable, match="the parameter `when` must be exact JSON"):
        bind(export, "q", value)


def test_bytes_paths_and_tables_become_operands(tmp_path: Path) -> None:
    def export(blob: bytes, file: Path, df: object, to: str) -> None: ...

    (tmp_path / "f").write_bytes(b"file")
    bound = bind(export, b"blob", tmp_path / "f", pa.table({"a": [1]}), "there")
    assert bound.arguments == {"to": "there"}
    pinned = {one.name: one.sha256 for one in pin(bound.operands)}
    assert pinned.keys() == {"blob", "file", "df"}
    assert pinned["file"] == hashlib.sha256(b"file").hexdigest()


def test_operands_can_be_named_or_hashed_by_a_function(tmp_path: Path) -> None:
    def apply(plan: str, state: object) -> None: ...

    (tmp_path / "plan").write_bytes(b"p")
    named = Binder(apply, resource="r", arguments=None, operands=("plan",), unbound=("state",))
    assert pin(named.bind((str(tmp_path / "plan"), object()), {}).operands)[0].name == "plan"
    hashed = Binder(apply, resource="r", arguments=None, operands={"state": lambda state: "ab" * 32}, unbound=())
    assert pin(hashed.bind(("plan", object()), {}).operands)[0].sha256 == "ab" * 32


def test_resource_and_arguments_come_from_parameters_by_name() -> None:
    def export(df: object, to: str, *, purpose: str = "audit") -> None: ...

    binder = Binder(
        export,
        resource=lambda to: f"bucket/{to}",
        arguments=lambda purpose, to: {"purpose": purpose, "to": to},
        operands=(),
        unbound=(),
    )
    bound = binder.bind((object(), "x"), {})
    assert (bound.resource, bound.arguments) == ("bucket/x", {"purpose": "audit", "to": "x"})


def test_b8_a_value_changed_after_it_was_bound_reaches_neither_the_action_nor_the_function() -> None:
    def export(rows: list[int]) -> list[int]:
        return rows

    rows = [1, 2]
    binder = Binder(export, resource="r", arguments=None, operands=(), unbound=())
    bound = binder.bind((rows,), {})
    rows.append(3)
    args, kwargs = binder.rebound(bound, {})
    assert bound.arguments == {"rows": [1, 2]}
    assert export(*args, **kwargs) == [1, 2]  # type: ignore[arg-type]


def test_b4_arguments_named_like_the_gates_own_fields_are_only_data() -> None:
    def export(verdict: str, state: str, actor: str) -> None: ...

    assert bind(export, "allow", "approved", "admin").arguments == {
        "verdict": "allow",
        "state": "approved",
        "actor": "admin",
    }


def _generator() -> Iterator[int]:
    yield 1


async def _async_generator() -> AsyncIterator[int]:
    yield 1


@pytest.mark.parametrize("function", [_generator, _async_generator])
def test_a_generator_cannot_be_guarded(function: Callable[..., object]) -> None:
    with pytest.raises(Misused, match="it would act after its outcome was recorded"):
        bind(function)


@pytest.mark.parametrize(
    "options",
    [
        {"resource": lambda nothing: "r"},
        {"arguments": lambda nothing: {}},
        {"operands": ("nothing",)},
        {"unbound": ("nothing",)},
    ],
    ids=["resource", "arguments", "operands", "unbound"],
)
def test_a_name_that_is_no_parameter_is_found_at_decoration(options: dict[str, object]) -> None:
    def export(df: object) -> None: ...

    given = {"resource": "r", "arguments": None, "operands": (), "unbound": ()} | options
    with pytest.raises(Misused, match="`export` has no parameter `nothing`"):
        Binder(export, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("resource", [lambda df: 7, lambda df: None])
def test_a_resource_that_is_no_text_is_refused(resource: Callable[..., object]) -> None:
    def export(df: str) -> None: ...

    with pytest.raises(NotBindable, match="`resource` must come out as a string"):
        Binder(export, resource=resource, arguments=None, operands=(), unbound=()).bind(("x",), {})
