"""The engine: what Cedar is asked, and what its answers mean."""

from __future__ import annotations

import itertools
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import MappingProxyType

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.actions import Action, Actor, Kind, Operand
from consentry.policy import context, entities
from consentry.policy.cedar import PolicySet
from consentry.policy.model import Agent, Facts, Level, Membership, Person, Resource, Roster, Verdict
from consentry.policy.problems import PolicyInvalid

EXAMPLE = """
@id("pii-export-needs-steward")
@reason("Exports that hold personal data are signed off by a data steward")
@review("group:data-stewards")  @quorum("1")  @expires("30m")  @assurance("session")
permit (principal is Agent, action == Action::"dataset.export", resource)
when { context.facts.findings.total > 0 };
"""
PERMIT = '@id("yes") permit (principal, action, resource);'
PII = {"findings": {"total": 3, "types": ["EMAIL_ADDRESS"], "scanned": True}}
SHA = "0" * 64


def when(condition: str, effect: str = "permit") -> str:
    return f'@id("rule") {effect} (principal, action, resource) when {{ {condition} }};'


def test_the_example_of_the_design(ask) -> None:
    told = ask(EXAMPLE, facts=PII)
    assert told.verdict is Verdict.REVIEW
    assert [(one.policy, one.text) for one in told.reasons] == [
        ("pii-export-needs-steward", "Exports that hold personal data are signed off by a data steward")
    ]
    assert told.obligations.expires_ms == 1_800_000
    assert told.obligations.stages[0].reviewers == ("group:data-stewards",)


@pytest.mark.parametrize(
    ("policies", "operation", "facts", "verdict", "reasons"),
    [
        pytest.param("", "dataset.export", PII, "deny", ["default-deny"], id="no-policy"),
        pytest.param(EXAMPLE, "dataset.export", {}, "deny", ["default-deny"], id="no-permit-matches"),
        pytest.param(EXAMPLE, "dataset.read", PII, "deny", ["default-deny"], id="another-operation"),
        pytest.param(PERMIT, "dataset.read", PII, "allow", ["yes"], id="allowed"),
        pytest.param(PERMIT, "space.launch", PII, "deny", ["unknown-operation"], id="undeclared-operation"),
        pytest.param(EXAMPLE + PERMIT, "dataset.export", PII, "review", ["pii-export-needs-steward"], id="review-wins"),
        pytest.param(
            PERMIT + '@id("no") @reason("never") forbid (principal, action, resource);',
            "dataset.read", PII, "deny", ["no"], id="forbid-wins",
        ),
        pytest.param(
            EXAMPLE + '@id("no") forbid (principal, action, resource);',
            "dataset.export", PII, "deny", ["no"], id="forbid-wins-over-review",
        ),
        pytest.param(PERMIT, "dataset.read", {"rows": "many"}, "deny", ["facts-invalid"], id="fact-of-another-type"),
        pytest.param(PERMIT, "dataset.read", {"rows": True}, "deny", ["facts-invalid"], id="fact-true-is-no-number"),
        pytest.param(PERMIT, "dataset.read", {"rows": 1.5}, "deny", ["facts-invalid"], id="fact-with-a-fraction"),
        pytest.param(PERMIT, "dataset.read", {"rows": None}, "deny", ["facts-invalid"], id="fact-null"),
        pytest.param(PERMIT, "dataset.read", {"surprise": 1}, "deny", ["facts-invalid"], id="undeclared-fact"),
        pytest.param(PERMIT, "dataset.read", {"findings": {"total": 1}}, "deny", ["facts-invalid"], id="half-a-record"),
        pytest.param(PERMIT, "dataset.read", {"tables": ["a", 1]}, "deny", ["facts-invalid"], id="mixed-set"),
        pytest.param(
            PERMIT, "dataset.read", {"host": {"__entity": {"type": "Person", "id": "per_kim"}}},
            "deny", ["facts-invalid"], id="fact-dressed-as-an-entity",
        ),
        pytest.param(
            PERMIT, "dataset.read", {"tables": [{"__extn": {"fn": "ip", "arg": "::1"}}]},
            "deny", ["facts-invalid"], id="fact-dressed-as-an-extension",
        ),
        pytest.param(
            when("context.facts has rows && context.facts.rows > 1"), "dataset.read", {"rows": 2**63},
            "deny", ["facts-invalid"], id="fact-beyond-64-bits",
        ),
        pytest.param(
            when('context.facts has host && context.facts.host == "a"'), "dataset.read", {"host": "\ud800"},
            "deny", ["facts-invalid"], id="fact-with-a-lone-surrogate",
        ),
    ],
)  # fmt: skip
def test_verdicts(ask, policies, operation, facts, verdict, reasons) -> None:
    told = ask(policies, operation, facts)
    assert (told.verdict.value, [one.policy for one in told.reasons]) == (verdict, reasons)
    if verdict == "deny":
        assert told.obligations.stages == ()
        assert told.obligations.break_glass is None


OVERFLOW = "context.facts has rows && context.facts.rows + 9223372036854775807 > 0"


@pytest.mark.parametrize(
    "policies",
    [
        pytest.param(PERMIT + when(OVERFLOW, "forbid"), id="a-forbid-that-errors-would-be-skipped"),
        pytest.param(PERMIT + when(OVERFLOW), id="a-permit-that-errors-beside-one-that-matches"),
        pytest.param(EXAMPLE + when(OVERFLOW), id="a-permit-that-errors-beside-a-review"),
        pytest.param(when(OVERFLOW), id="the-only-policy-errors"),
    ],
)
def test_a_policy_that_errors_denies_without_its_values(ask, policies: str) -> None:
    told = ask(policies, facts={**PII, "rows": 4_711})
    assert told.verdict is Verdict.DENY
    assert [one.policy for one in told.reasons] == ["policy-error"]
    assert "`rule`" in told.reasons[0].text
    assert "4711" not in str(told) and "922337" not in str(told)  # noqa: PT018


def test_a_forbid_is_named_beside_an_error(ask) -> None:
    policies = '@id("no") forbid (principal, action, resource);' + when(OVERFLOW)
    assert [one.policy for one in ask(policies, facts={"rows": 5}).reasons] == ["no", "policy-error"]


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("context.has_person", True),
        ('context.origin == "person"', True),
        ("context.operands == 1", True),
        ("context.chain.owned", True),
        ('context.chain.persons.contains(Person::"per_ana")', True),
        ('context.chain.agents.contains(Agent::"agt_exporter")', True),
        ("context.chain.services.isEmpty()", True),
        ('context.chain.names.contains("exporter")', True),
        ('principal is Agent && principal.name == "exporter"', True),
        ('principal is Agent && principal has owner && principal.owner == Person::"per_ana"', True),
        ('principal is Agent && principal has owner && principal.owner.email == "ana@example.com"', True),
        ("principal.active", True),
        ('resource.kind == "s3" && resource.name == "s3://x" && resource.target == "s3://x"', True),
        ('resource.hasTag("env") && resource.getTag("env") == "prod"', True),
        ('resource.hasTag("team")', False),
        ("context.time.hour == 10 && context.time.weekday == 1", True),
        ("context.time.epoch == 1767607200", True),
        ('context.declared has ticket && context.declared.ticket == "OPS-7"', True),
        ('context.declared.keys.contains("extra")', True),
        ("context.declared has run", False),
        ("context.facts has rows", False),
        ("context.facts.findings.scanned", True),
        ('context.facts.findings.types.contains("EMAIL_ADDRESS")', True),
    ],
)
def test_what_policies_can_look_at(ask, condition: str, holds: bool) -> None:
    told = ask(
        when(condition),
        facts=PII,
        resource=Resource("s3://x", "s3", {"env": "prod"}),
        operands=(Operand("plan", SHA),),
        context={"ticket": "OPS-7", "run": 7, "extra": {"deep": True}},
    )
    assert (told.verdict is Verdict.ALLOW) == holds


def test_b4_nothing_in_arguments_or_context_reaches_the_facts(ask) -> None:
    smuggled = {"facts": {"findings": {"total": 0}}, "origin": "person", "chain": {"owned": True}, "has_person": True}
    told = ask(EXAMPLE + PERMIT, facts=PII, arguments=smuggled, context=smuggled)
    assert told.verdict is Verdict.REVIEW


@pytest.mark.parametrize(
    ("actor", "owned", "active"),
    [
        (Actor(Kind.AGENT, "agt_exporter"), True, True),
        (Actor(Kind.AGENT, "agt_orphan"), False, True),
        (Actor(Kind.AGENT, "agt_unknown"), False, False),
        (Actor(Kind.SERVICE, "agt_exporter", Actor(Kind.AGENT, "agt_orphan")), False, True),
        (Actor(Kind.PERSON, "per_ana"), True, True),
        (Actor(Kind.PERSON, "per_old"), True, False),
        (Actor(Kind.PERSON, "per_unknown"), True, False),
    ],
)
def test_who_answers_for_whom(ask, actor: Actor, owned: bool, active: bool) -> None:
    assert (ask(when("context.chain.owned"), actor=actor).verdict is Verdict.ALLOW) == owned
    assert (ask(when("principal.active"), actor=actor).verdict is Verdict.ALLOW) == active


def test_a5_linked_identities_are_one_principal() -> None:
    roster = Roster(
        version=1,
        persons=[Person("per_1", "kim@example.com", "Kim"), Person("per_2", "k@example.com", "K", merged_into="per_1")],
        memberships=[Membership("admins", "per_1", 0)],
    )
    policies = PolicySet.load({"a.cedar": '@id("a") permit (principal in Group::"admins", action, resource);'})
    action = Action(Actor(Kind.PERSON, "per_2"), "dataset.read", "x")
    told = policies.judge(action, Facts(), resource=Resource("x"), roster=roster, now_ms=0)
    assert told.verdict is Verdict.ALLOW


def test_ids_are_never_read_as_cedar_syntax(roster: Roster) -> None:
    policies = PolicySet.load({"a.cedar": '@id("a") permit (principal == Agent::"good", action, resource);'})
    for name in ['good"', 'x" || Agent::"good', "good\n", "good\x00", '\\"good', 'Agent::"good"']:
        action = Action(Actor(Kind.AGENT, name), "dataset.read", name)
        told = policies.judge(action, Facts(), resource=Resource(name), roster=roster, now_ms=0)
        assert told.verdict is Verdict.DENY


# ---- cutting, slicing and remembering change nothing: the same question put to Cedar in full is the oracle ----

CONDITIONS = [
    "context.facts.findings.total > 1",
    "context.facts.findings == context.facts.findings && context.facts.findings.scanned",
    "context.facts has rows && context.facts.rows > 3",
    "context.facts has rows && context.facts.rows + 9223372036854775804 > 0",
    'context.facts has host && context.facts.host like "a*"',
    'if context has facts then context.facts has tables && context.facts.tables.contains("t") else false',
    '{"a": context}.a.has_person',
    'context.origin == "person" || principal is Service',
    "context.chain.owned",
    "context == context && context.time.hour > 9",
    '[context.time.weekday].contains(1) && context.declared.keys.contains("ticket")',
    'principal in Group::"data-stewards"',
    'action == Action::"sql.select" || action in [Action::"dataset.read"]',
    'resource.hasTag("env") && resource.getTag("env") == "prod"',
]
HEADS = [
    "principal, action, resource",
    'principal is Agent, action == Action::"dataset.read", resource',
    'principal is Person in Group::"data-stewards", action, resource',
    'principal, action in [Action::"dataset.read", Action::"sql.select"], resource == Resource::"r1"',
    'principal == Agent::"agt_exporter", action, resource',
    "principal is Service, action, resource is Resource",
]


@st.composite
def policy_texts(draw: st.DrawFn) -> str:
    clauses = draw(st.lists(st.tuples(st.sampled_from(["when", "unless"]), st.sampled_from(CONDITIONS)), max_size=2))
    effect = draw(st.sampled_from(["permit", "permit", "forbid"]))
    head = draw(st.sampled_from(HEADS))
    return f"{effect} ({head}) " + " ".join(f"{kind} {{ {body} }}" for kind, body in clauses) + ";"


situations = st.fixed_dictionaries(
    {
        "actor": st.sampled_from(
            [
                Actor(Kind.AGENT, "agt_exporter"),
                Actor(Kind.AGENT, "agt_orphan", Actor(Kind.PERSON, "per_ana")),
                Actor(Kind.PERSON, "per_sam"),
                Actor(Kind.SERVICE, "svc_x", Actor(Kind.PERSON, "per_sol")),
            ]
        ),
        "operation": st.sampled_from(["dataset.read", "sql.select", "dataset.export"]),
        "resource": st.sampled_from([Resource("r1"), Resource("r1", "s3"), Resource("r2", labels={"env": "prod"})]),
        "facts": st.fixed_dictionaries(
            {},
            optional={
                "findings": st.fixed_dictionaries(
                    {"total": st.integers(0, 3), "types": st.lists(st.sampled_from("ab")), "scanned": st.booleans()}
                ),
                "rows": st.integers(0, 5),
                "host": st.sampled_from(["abc", "xyz"]),
                "tables": st.lists(st.sampled_from(["t", "u"])),
            },
        ),
        "context": st.sampled_from([{}, {"ticket": "T"}]),
        "hour": st.integers(0, 23),
    }
)


@given(texts=st.lists(policy_texts(), max_size=6), some=st.lists(situations, min_size=1, max_size=4))
def test_the_answer_is_that_of_cedar_asked_in_full(texts: list[str], some: list[dict[str, object]]) -> None:
    roster = make_roster()
    text = "\n".join(f'@id("p{number}") {one}' for number, one in enumerate(texts))
    try:
        policies = PolicySet.load({"a.cedar": text})
    except PolicyInvalid:  # Cedar's validator finds some of these combinations impossible
        return
    for situation in (*some, *some):
        check_against_cedar(policies, text, roster, **situation)


def make_roster() -> Roster:
    people = ["ana", "sam", "sol", "old"]
    return Roster(
        version=1,
        persons=[Person(f"per_{name}", f"{name}@example.com", name, active=name != "old") for name in people],
        memberships=[Membership("data-stewards", "per_sam", 0)],
        agents=[Agent("agt_exporter", "exporter", "per_ana"), Agent("agt_orphan", "orphan", "per_old")],
    )


def check_against_cedar(policies, text, roster, *, actor, operation, resource, facts, context: object, hour) -> None:
    action = Action(actor, operation, resource.name, context=context)
    now_ms = 1_767_571_200_000 + hour * 3_600_000
    told = policies.judge(action, Facts(facts), resource=resource, roster=roster, now_ms=now_ms)
    full = in_full(policies, text, roster, action, facts, resource, now_ms)
    if full.diagnostics.errors:
        assert told.verdict is Verdict.DENY
        assert "policy-error" in {one.policy for one in told.reasons}
    elif full.diagnostics.reasons:
        assert (told.verdict is Verdict.ALLOW) == full.allowed
        assert {one.policy for one in told.reasons} == set(full.diagnostics.id_annotations_by_reason.values())
    else:
        assert [one.policy for one in told.reasons] == ["default-deny"]


def in_full(policies, text, roster, action, facts, resource, now_ms) -> cedarpy.AuthzResult:
    return cedarpy.is_authorized(
        {
            "principal": {"type": entities.TYPE[action.actor.kind], "id": action.actor.id},
            "action": {"type": "Action", "id": action.operation},
            "resource": {"type": "Resource", "id": resource.name},
            "context": context.build(action, facts, context.chain(action, roster), context.EVERYTHING, now_ms).decode(),
        },
        text,
        entities.entities(action, resource, roster),
        policies.schema.text,
    )


def test_the_entities_fit_the_schema(roster: Roster) -> None:
    policies = PolicySet.load({})
    for actor in (
        Actor(Kind.AGENT, "agt_orphan", Actor(Kind.SERVICE, "svc", Actor(Kind.PERSON, "per_old"))),
        Actor(Kind.PERSON, "nobody"),
    ):
        action = Action(actor, "dataset.read", "x")
        document = entities.entities(action, Resource("x", "s3", {"env": "prod"}), roster)
        assert len(cedarpy.Entities.from_json_str(document, policies.schema.handle)) >= 2


# ---- what is remembered ----


def test_another_roster_is_another_answer_even_under_the_same_version(actor: Actor) -> None:
    policies = PolicySet.load({"a.cedar": when("context.chain.owned")})
    action = Action(actor, "dataset.read", "x")
    for active in (True, False, True):
        roster = Roster(
            version=1,
            persons=[Person("per_ana", "ana@example.com", "Ana", active=active)],
            agents=[Agent("agt_exporter", "exporter", "per_ana")],
        )
        told = policies.judge(action, Facts(), resource=Resource("x"), roster=roster, now_ms=0)
        assert (told.verdict is Verdict.ALLOW) == active


def test_other_labels_are_another_answer(ask) -> None:
    policies = PolicySet.load({"a.cedar": when('resource.hasTag("env") && resource.getTag("env") == "prod"')})
    for env in ("prod", "test", "prod"):
        told = ask(policies, resource=Resource("x", labels={"env": env}))
        assert (told.verdict is Verdict.ALLOW) == (env == "prod")


def test_time_is_looked_at_each_time(ask) -> None:
    policies = PolicySet.load({"a.cedar": when("context.time.hour < 12")})
    verdicts = [ask(policies, now_ms=hour * 3_600_000).verdict for hour in (11, 12, 11)]
    assert verdicts == [Verdict.ALLOW, Verdict.DENY, Verdict.ALLOW]


def test_a_fact_of_a_wrong_type_is_found_where_no_policy_reads_it(ask) -> None:
    policies = PolicySet.load({"a.cedar": PERMIT})
    for rows, verdict in ((1, Verdict.ALLOW), ("1", Verdict.DENY), (2, Verdict.ALLOW), ([1], Verdict.DENY)):
        assert ask(policies, facts={"rows": rows}).verdict is verdict


def test_facts_may_be_any_mapping(ask) -> None:
    facts = {"findings": MappingProxyType(PII["findings"]), "tables": ("t",)}
    policies = EXAMPLE + '@id("t") permit (principal, action, resource) when { context.facts has tables };'
    assert ask(policies, facts=facts).verdict is Verdict.REVIEW


def test_memory_is_bounded(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("_MAX_SUBJECTS", "_MAX_ANSWERS", "_MAX_SHAPES"):
        monkeypatch.setattr(f"consentry.policy.cedar.{limit}", 4)
    policies = PolicySet.load({"a.cedar": when("context.facts has rows && context.facts.rows > 5")})
    for number in range(20):
        told = ask(policies, facts={"rows": number, **{f"x{number}": 1}} if number == 7 else {"rows": number})
        assert (told.verdict is Verdict.ALLOW) == (number > 5 and number != 7)
        assert ask(policies, resource=Resource(f"r{number}")).verdict is Verdict.DENY
    memory = policies._memory
    assert memory is not None
    assert len(memory.subjects) <= 6
    assert len(policies._shapes) <= 5


def test_threads_get_their_own_answers(roster: Roster) -> None:
    policies = PolicySet.load({"a.cedar": when("context.facts has rows && context.facts.rows > 5")})
    other = Roster(version=2, persons=roster.persons.values())

    def one(number: int) -> bool:
        action = Action(Actor(Kind.AGENT, f"agt_{number % 3}"), "dataset.read", f"r{number % 5}")
        told = policies.judge(
            action, Facts({"rows": number % 11}), resource=Resource(action.resource),
            roster=(roster, other)[number % 2], now_ms=0,
        )  # fmt: skip
        return (told.verdict is Verdict.ALLOW) == (number % 11 > 5)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(2_000)))


# ---- names ----


def test_the_version_is_that_of_the_content() -> None:
    files = {"a.cedar": EXAMPLE, "b.cedar": PERMIT}
    version = PolicySet.load(files).version
    assert len(version) == 64
    assert PolicySet.load(dict(reversed(files.items()))).version == version
    others = [
        {"a.cedar": EXAMPLE},
        {"a.cedar": EXAMPLE, "c.cedar": PERMIT},
        {"a.cedar": EXAMPLE + "\n", "b.cedar": PERMIT},
        {"a.cedar": EXAMPLE.replace("30m", "31m"), "b.cedar": PERMIT},
    ]
    assert len({PolicySet.load(other).version for other in others} | {version}) == 5
    assert PolicySet.load(files, "type ExtraFacts = { region: String };").version != version


def test_every_judgement_carries_the_version(ask) -> None:
    policies = PolicySet.load({"a.cedar": EXAMPLE})
    for operation, facts in itertools.product(["dataset.export", "space.launch"], [PII, {"rows": "x"}]):
        assert ask(policies, operation, facts).policy_version == policies.version


def test_the_order_of_reasons_is_that_of_the_files(ask) -> None:
    files = {
        "b.cedar": '@id("a") permit (principal, action, resource);',
        "a.cedar": '@id("z") permit (principal, action, resource); @id("m") permit (principal, action, resource);',
    }
    assert [one.policy for one in ask(PolicySet.load(files)).reasons] == ["z", "m", "a"]


def test_l0_is_honoured_only_by_all(ask) -> None:
    routine = '@id("r") @level("L0") permit (principal, action, resource);'
    assert ask(routine).obligations.level is Level.L0
    assert ask(routine + PERMIT).obligations.level is Level.L1


def test_a_folder_is_loaded(tmp_path) -> None:
    (tmp_path / "a.cedar").write_text(EXAMPLE)
    (tmp_path / "notes.txt").write_text("not a policy")
    (tmp_path / "schema.cedarschema").write_text("type ExtraFacts = { region: String };")
    policies = PolicySet.from_directory(tmp_path)
    assert set(policies.files) == {"a.cedar"}
    assert "region" in policies.schema.text
    assert policies.version == PolicySet.load({"a.cedar": EXAMPLE}, "type ExtraFacts = { region: String };").version


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_folder_that_cannot_be_read_says_so(tmp_path, content: bytes | None) -> None:
    folder = tmp_path / "policies"
    if content is not None:
        folder.mkdir()
        (folder / "a.cedar").write_bytes(content)
    with pytest.raises(PolicyInvalid) as caught:
        PolicySet.from_directory(folder)
    assert [one.code for one in caught.value.problems] == ["policy-unreadable"]


def test_extra_facts_are_read_by_the_deployment_s_types(ask) -> None:
    policies = PolicySet.load(
        {"a.cedar": when('context.facts has extra && context.facts.extra.from.isInRange(ip("10.0.0.0/8"))')},
        'type ExtraFacts = { from: ipaddr };\n'
        'action "warehouse.publish" appliesTo { principal: [Agent], resource: [Resource], context: Context };',
    )  # fmt: skip
    for operation in ("warehouse.publish", "dataset.read"):
        assert ask(policies, operation, {"extra": {"from": "10.1.2.3"}}).verdict is Verdict.ALLOW
        assert ask(policies, operation, {"extra": {"from": "11.1.2.3"}}).verdict is Verdict.DENY
        assert ask(policies, operation, {"extra": {"from": "x"}}).reasons[0].policy == "facts-invalid"
        assert ask(policies, operation, {"extra": {}}).reasons[0].policy == "facts-invalid"
    person = Actor(Kind.PERSON, "per_ana")
    told = ask(policies, "warehouse.publish", {}, actor=person)
    assert told.verdict is Verdict.DENY


def test_judging_leaves_the_facts_alone(ask) -> None:
    facts = {"findings": {"total": 1, "types": [], "scanned": True}, "rows": 4}
    before = json.dumps(facts)
    ask(EXAMPLE, facts=facts)
    assert json.dumps(facts) == before
    assert replace(Facts(facts)) == Facts(facts)
