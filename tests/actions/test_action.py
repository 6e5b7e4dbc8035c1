"""Actions: exact, frozen, named by a digest that nothing else shares."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from consentry.actions import (
    Action,
    Actor,
    InvalidAction,
    Kind,
    NotExact,
    Operand,
    canonical,
    parse_object,
    parse_operands,
)
from consentry.actions.action import MAX_CHAIN
from consentry.errors import InvalidInput

ANA = Actor(Kind.PERSON, "per_ana")
SHA = hashlib.sha256(b"plan").hexdigest()

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
objects = st.dictionaries(
    text, st.none() | st.booleans() | st.integers(-9, 9) | text | st.lists(text, max_size=2), max_size=3
)
actors = st.recursive(
    st.builds(Actor, st.sampled_from(Kind), text),
    lambda inner: st.builds(Actor, st.sampled_from(Kind), text, inner),
    max_leaves=4,
)
operands = st.lists(
    st.builds(Operand, text, st.binary(max_size=2).map(lambda data: hashlib.sha256(data).hexdigest())),
    max_size=3,
    unique_by=lambda operand: operand.name,
).map(tuple)
actions = st.builds(
    Action,
    actor=actors,
    operation=st.sampled_from(["dataset.export", "dataset.read", "sql.select"]),
    resource=text,
    arguments=objects,
    operands=operands,
    context=objects,
)


def test_the_digest_is_stable() -> None:
    action = Action(
        actor=Actor(Kind.AGENT, "agt_1", Actor(Kind.SERVICE, "svc_1", ANA)),
        operation="dataset.export",
        resource="s3://partner/customers.csv",
        arguments={"rows": 400, "columns": ["name", "email"], "ratio": 0.5},
        operands=(Operand("plan.out", SHA),),
        context={"ticket": "OPS-7"},
    )
    assert action.canonical == (
        b'{"actor":{"acting_for":{"acting_for":{"id":"per_ana","kind":"person"},"id":"svc_1","kind":"service"},'
        b'"id":"agt_1","kind":"agent"},"arguments":{"columns":["name","email"],"ratio":0.5,"rows":400},'
        b'"context":{"ticket":"OPS-7"},"operands":[{"name":"plan.out","sha256":"' + SHA.encode() + b'"}],'
        b'"operation":"dataset.export","resource":"s3://partner/customers.csv"}'
    )
    assert action.digest == hashlib.sha256(b"consentry action v1\n" + action.canonical).hexdigest()
    assert action.digest == "9913cde81fcad565aaac116b0013ca2c447eeeb9d539b8a209a35c31856f072b"


@given(actions)
def test_canonical_is_rfc8785_and_reads_back(action: Action) -> None:
    assert action.canonical == rfc8785.dumps(json.loads(action.canonical))
    again = Action.from_canonical(action.canonical)
    assert again == action
    assert (again.canonical, again.digest) == (action.canonical, action.digest)


@given(actions, actions)
def test_b13_distinct_actions_never_collide(one: Action, other: Action) -> None:
    same = (
        one.actor == other.actor
        and one.operation == other.operation
        and one.resource == other.resource
        and canonical(dict(one.arguments)) == canonical(dict(other.arguments))
        and one.operands == other.operands
        and canonical(dict(one.context)) == canonical(dict(other.context))
    )
    assert (one.digest == other.digest) == same


def test_b13_the_digest_is_separated_from_a_plain_hash() -> None:
    action = Action(ANA, "dataset.read", "x")
    assert action.digest != hashlib.sha256(action.canonical).hexdigest()


BASE = {"actor": ANA, "operation": "shell.exec", "resource": "web-1", "arguments": {"argv": ["rm", "a b"]}}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"arguments": {"argv": ["rm", "a b "]}}, id="trailing-space"),
        pytest.param({"arguments": {"argv": ["rm", "a  b"]}}, id="double-space"),
        pytest.param({"arguments": {"argv": ["rm", "a", "b"]}}, id="split-argument"),
        pytest.param({"arguments": {"argv": ["rm a b"]}}, id="joined-argument"),
        pytest.param({"arguments": {"argv": ["RM", "a b"]}}, id="case"),
        pytest.param({"arguments": {"argv": ["rm", "a\u00a0b"]}}, id="no-break-space"),
        pytest.param({"arguments": {"argv": ["rm", "a b\u200b"]}}, id="zero-width-space"),
        pytest.param({"arguments": {"argv": ["rm", "a b"], "cwd": ""}}, id="added-empty-field"),
        pytest.param({"resource": "web-1 "}, id="resource-with-trailing-space"),
        pytest.param({"context": {"cwd": "/"}}, id="context"),
        pytest.param({"operands": (Operand("a", SHA),)}, id="operand"),
        pytest.param({"actor": Actor(Kind.AGENT, "per_ana")}, id="kind-of-actor"),
        pytest.param({"actor": Actor(Kind.AGENT, "agt", ANA)}, id="longer-chain"),
    ],
)
def test_b3_two_spellings_are_two_actions(change: dict[str, object]) -> None:
    assert Action(**{**BASE, **change}).digest != Action(**BASE).digest


def test_b3_composed_and_decomposed_letters_stay_apart() -> None:
    assert Action(ANA, "dataset.read", "caf\u00e9").digest != Action(ANA, "dataset.read", "cafe\u0301").digest


@pytest.mark.parametrize(
    "smuggled",
    [
        {"approved": True},
        {"verdict": "allow", "grant": "gr_1"},
        {"operation": "dataset.read", "resource": "x", "actor": {"id": "per_kim", "kind": "person"}},
        {"digest": "0" * 64, "canonical": "e30="},
        {"__entity": {"type": "Person", "id": "per_kim"}},
    ],
)
def test_b4_arguments_and_context_are_opaque(smuggled: dict[str, object]) -> None:
    action = Action(ANA, "dataset.export", "s3://x", arguments=smuggled, context=smuggled)
    plain = Action(ANA, "dataset.export", "s3://x")
    assert (action.actor, action.operation, action.resource) == (plain.actor, plain.operation, plain.resource)
    assert action.digest != plain.digest
    assert json.loads(action.canonical)["arguments"] == smuggled


def test_an_action_cannot_be_changed_after_it_was_named() -> None:
    arguments: dict[str, object] = {"a": 1}
    action = Action(ANA, "dataset.read", "x", arguments=arguments)
    arguments["a"] = 2
    assert action.arguments == {"a": 1}
    with pytest.raises(TypeError):
        action.arguments["a"] = 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        action.resource = "y"


def test_what_runs_is_read_from_the_canonical_bytes() -> None:
    """A nested list can still be changed through the caller's reference; the canonical bytes cannot (B8)."""
    argv = ["ls"]
    action = Action(ANA, "shell.exec", "web-1", arguments={"argv": argv})
    argv.append("-la")
    assert Action.from_canonical(action.canonical).arguments == {"argv": ["ls"]}


def test_operands_are_a_set_in_one_order() -> None:
    one, other = Operand("a", SHA), Operand("b", SHA)
    assert Action(ANA, "x.y", "r", operands=(one, other)) == Action(ANA, "x.y", "r", operands=(other, one))
    assert Action(ANA, "x.y", "r", operands=(other, one)).operands == (one, other)


@pytest.mark.parametrize(
    "operation",
    ["", "export", "Dataset.export", "dataset.", ".export", "dataset..export", "dataset export", "dataset.export ",
     "dataset.export\n", "dätaset.export", "1a.b", "a." + "b" * 100, "a.b.c.d.e.f.g.h.i"],
)  # fmt: skip
def test_operations_are_lower_case_nouns_and_verbs(operation: str) -> None:
    with pytest.raises(InvalidAction, match="operation"):
        Action(ANA, operation, "x")


@pytest.mark.parametrize("resource", ["", "x" * 1025])
def test_resources_have_a_name_of_bounded_length(resource: str) -> None:
    with pytest.raises(InvalidAction, match="resource"):
        Action(ANA, "dataset.read", resource)


@pytest.mark.parametrize("sha", ["", "0" * 63, "0" * 65, "G" * 64, "A" * 64, "0" * 64 + "\n"])
def test_operands_are_pinned_by_lower_case_sha256(sha: str) -> None:
    with pytest.raises(InvalidAction, match="sha256"):
        Operand("plan", sha)


@pytest.mark.parametrize("name", ["", "x" * 4097])
def test_operands_have_a_name_of_bounded_length(name: str) -> None:
    with pytest.raises(InvalidAction, match="name"):
        Operand(name, SHA)


def test_an_operand_is_named_once() -> None:
    with pytest.raises(InvalidAction, match="twice"):
        Action(ANA, "x.y", "r", operands=(Operand("a", SHA), Operand("a", hashlib.sha256(b"other").hexdigest())))


@pytest.mark.parametrize(
    "field", [{"arguments": {"n": float("nan")}}, {"context": {"s": "\ud800"}}, {"arguments": {"b": b""}},
              {"resource": "\ud800"}, {"arguments": {"n": 2**53}}],
)  # fmt: skip
def test_what_has_no_exact_form_makes_no_action(field: dict[str, object]) -> None:
    with pytest.raises(NotExact):
        Action(**{**BASE, **field})


def test_an_actor_has_an_exact_form() -> None:
    with pytest.raises(NotExact):
        Actor(Kind.PERSON, "\udc00")


def test_the_actor_of_an_action_stands_in_it_as_it_is_alone() -> None:
    actor = Actor(Kind.AGENT, "agt_é", Actor(Kind.SERVICE, "svc_1", ANA))
    action = Action(actor, "x.y", "r")
    assert actor.canonical == canonical(actor.to_json())
    assert action.canonical == canonical(parse_object(action.canonical))


def chain(length: int) -> Actor:
    actor = ANA
    for number in range(length - 1):
        actor = Actor(Kind.AGENT, f"agt_{number}", actor)
    return actor


def test_a_chain_has_a_bounded_length() -> None:
    assert len(list(chain(MAX_CHAIN).links())) == MAX_CHAIN
    with pytest.raises(InvalidAction, match="chain"):
        chain(MAX_CHAIN + 1)


def test_a_chain_is_walked_from_the_credential_to_the_start() -> None:
    actor = Actor(Kind.AGENT, "agt", Actor(Kind.PERSON, "per_kim", ANA))
    assert [link.id for link in actor.links()] == ["agt", "per_kim", "per_ana"]
    assert actor.persons() == {"per_kim", "per_ana"}


@given(actors)
def test_actors_read_back(actor: Actor) -> None:
    assert Actor.from_json(actor.to_json()) == actor


@pytest.mark.parametrize(
    "value",
    [None, [], "per_ana", {}, {"kind": "person"}, {"id": "a"}, {"kind": "robot", "id": "a"}, {"kind": 1, "id": "a"},
     {"kind": "person", "id": ""}, {"kind": "person", "id": "x" * 201}, {"kind": "person", "id": 1},
     {"kind": "person", "id": "a", "admin": True}, {"kind": "agent", "id": "a", "acting_for": "b"}],
)  # fmt: skip
def test_malformed_actors_are_refused(value: object) -> None:
    with pytest.raises(InvalidAction, match="actor"):
        Actor.from_json(value)


@pytest.mark.parametrize(
    "value",
    [None, {}, "a", [1], [{"name": "a"}], [{"name": "a", "sha256": SHA, "size": 1}], [{"name": 1, "sha256": SHA}],
     [{"name": "a", "sha256": None}]],
)  # fmt: skip
def test_malformed_operands_are_refused(value: object) -> None:
    with pytest.raises(InvalidAction, match="operands"):
        parse_operands(value)


def test_operands_are_read() -> None:
    assert parse_operands([{"name": "a", "sha256": SHA}]) == (Operand("a", SHA),)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda data: b" " + data, id="leading-space"),
        pytest.param(lambda data: data + b"\n", id="trailing-newline"),
        pytest.param(lambda data: data.replace(b'"arguments":', b'"arguments": '), id="space-inside"),
        pytest.param(lambda data: data.replace(b'"context":{},', b""), id="missing-field"),
        pytest.param(lambda data: data[:-1] + b',"verdict":"allow"}', id="another-field"),
        pytest.param(lambda data: data.replace(b'"x"', b'"\\u0078"'), id="escaped-letter"),
        pytest.param(lambda data: data.replace(b'"context":{}', b'"context":[]'), id="context-is-a-list"),
        pytest.param(lambda data: data.replace(b'"x"', b"7"), id="resource-is-a-number"),
        pytest.param(lambda data: data[:-1], id="cut-off"),
        pytest.param(lambda data: data[:-1] + b',"resource":"x"}', id="duplicate-field"),
    ],
)
def test_stored_bytes_that_are_not_canonical_are_refused(spoil: object) -> None:
    data = Action(ANA, "dataset.read", "x").canonical
    with pytest.raises(InvalidInput):
        Action.from_canonical(spoil(data))


def test_stored_operands_out_of_order_are_refused() -> None:
    data = Action(ANA, "x.y", "r", operands=(Operand("a", SHA), Operand("b", SHA))).canonical
    swapped = data.replace(b'"name":"a"', b'"name":"c"')
    with pytest.raises(InvalidAction, match="canonical"):
        Action.from_canonical(swapped)
