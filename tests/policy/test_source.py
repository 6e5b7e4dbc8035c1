"""Loading: every mistake is found at once, named, placed, and nothing loads beside it."""

from __future__ import annotations

import pytest

from consentry.policy import schema
from consentry.policy.annotations import ANNOTATIONS, Malformed, duration
from consentry.policy.cedar import PolicySet
from consentry.policy.model import Assurance, Escalation, Level
from consentry.policy.problems import PolicyInvalid, Problem
from consentry.policy.reads import context_reads
from consentry.policy.syntax import statements

HEAD = "permit (principal, action, resource)"


def problems(text: str, extension: str | None = None) -> list[Problem]:
    with pytest.raises(PolicyInvalid) as caught:
        PolicySet.load({"a.cedar": text}, extension)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("text", "code", "policy", "line"),
    [
        pytest.param(f"{HEAD};", "policy-id-missing", None, 1, id="no-id"),
        pytest.param(f"@id {HEAD};", "policy-id-missing", None, 1, id="bare-id"),
        pytest.param(f'@id("A b") {HEAD};', "policy-id-malformed", "A b", 1, id="id-with-a-space"),
        pytest.param(f'@id("default-deny") {HEAD};', "policy-id-malformed", "default-deny", 1, id="built-in-id"),
        pytest.param(f'@id("x") {HEAD};\n\n@id("x") {HEAD};', "policy-id-duplicate", "x", 3, id="duplicate-id"),
        pytest.param(f'@id("x") @revew("group:a") {HEAD};', "annotation-unknown", "x", 1, id="typo"),
        pytest.param(f'@id("x") @Review("group:a") {HEAD};', "annotation-unknown", "x", 1, id="capital"),
        pytest.param(
            f'@id("x") @review("data-stewards") {HEAD};', "annotation-malformed", "x", 1, id="set-without-kind"
        ),
        pytest.param(f'@id("x") @review("") {HEAD};', "annotation-malformed", "x", 1, id="empty-review"),
        pytest.param(f'@id("x") @review {HEAD};', "annotation-malformed", "x", 1, id="bare-review"),
        pytest.param(f'@id("x") @review("group:a,") {HEAD};', "annotation-malformed", "x", 1, id="trailing-comma"),
        pytest.param(
            f'@id("x") @review("group:a,group:a") {HEAD};', "annotation-malformed", "x", 1, id="same-set-twice"
        ),
        pytest.param(
            f'@id("x") @review("person:kim") {HEAD};', "annotation-malformed", "x", 1, id="person-without-mail"
        ),
        pytest.param(
            f'@id("x") @review("group:a") @quorum("0") {HEAD};', "annotation-malformed", "x", 1, id="quorum-0"
        ),
        pytest.param(
            f'@id("x") @review("group:a") @quorum("-1") {HEAD};', "annotation-malformed", "x", 1, id="quorum--1"
        ),
        pytest.param(
            f'@id("x") @review("group:a") @quorum("two") {HEAD};', "annotation-malformed", "x", 1, id="quorum-two"
        ),
        pytest.param(
            f'@id("x") @review("group:a") @quorum("٣") {HEAD};', "annotation-malformed", "x", 1, id="quorum-arabic"
        ),
        pytest.param(
            f'@id("x") @review("group:a") @expires("30") {HEAD};', "annotation-malformed", "x", 1, id="no-unit"
        ),
        pytest.param(
            f'@id("x") @review("group:a") @expires("0m") {HEAD};', "annotation-malformed", "x", 1, id="zero-time"
        ),
        pytest.param(
            f'@id("x") @review("group:a") @assurance("2") {HEAD};', "annotation-malformed", "x", 1, id="assurance"
        ),
        pytest.param(
            f'@id("x") @review("group:a") @escalate("20m") {HEAD};', "annotation-malformed", "x", 1, id="to-nobody"
        ),
        pytest.param(
            f'@id("x") @review("group:a") @break_glass("me") {HEAD};', "annotation-malformed", "x", 1, id="glass"
        ),
        pytest.param(f'@id("x") @mask("email") {HEAD};', "annotation-malformed", "x", 1, id="mask"),
        pytest.param(
            f'@id("x") @level("L3") {HEAD};', "annotation-malformed", "x", 1, id="level-that-is-not-there-yet"
        ),
        pytest.param(f'@id("x") @reason(" ") {HEAD};', "annotation-malformed", "x", 1, id="blank-reason"),
        pytest.param(f'@id("x") @quorum("2") {HEAD};', "annotation-misplaced", "x", 1, id="quorum-without-review"),
        pytest.param(
            f'@id("x") @break_glass("group:a") {HEAD};', "annotation-misplaced", "x", 1, id="glass-without-review"
        ),
        pytest.param(
            '@id("x") @review("group:a") forbid (principal, action, resource);',
            "annotation-misplaced",
            "x",
            1,
            id="review-on-a-forbid",
        ),
        pytest.param(
            '@id("x") @mask("A") forbid (principal, action, resource);',
            "annotation-misplaced",
            "x",
            1,
            id="mask-on-a-forbid",
        ),
        pytest.param(
            f'// a;b\n@id("x") {HEAD};\n\n@id("y")\npermit (principal, action);', "policy-syntax", None, 4, id="syntax"
        ),
        pytest.param(f'@id("x") {HEAD}', "policy-syntax", None, 1, id="no-semicolon"),
        pytest.param(
            '@id("x") permit (principal == ?principal, action, resource);', "policy-template", None, None, id="template"
        ),
        pytest.param(
            f'@id("ok") {HEAD};\n@id("x") {HEAD}\nwhen {{ context.facts.rows > 1 }};',
            "policy-type",
            "x",
            2,
            id="optional-fact-unguarded",
        ),
        pytest.param(f'@id("x") {HEAD} when {{ context.fact.rows > 1 }};', "policy-type", "x", 1, id="misspelt-fact"),
        pytest.param(f'@id("x") {HEAD} when {{ context.time.hour > "9" }};', "policy-type", "x", 1, id="wrong-type"),
        pytest.param(
            '@id("x") permit (principal, action == Action::"data.export", resource);',
            "policy-type",
            "x",
            1,
            id="undeclared-operation",
        ),
        pytest.param(
            '@id("x") permit (principal is User, action, resource);', "policy-type", "x", 1, id="undeclared-entity"
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, code: str, policy: str | None, line: int | None) -> None:
    found = problems(text)
    assert (found[0].code, found[0].policy, found[0].line, found[0].file) == (code, policy, line, "a.cedar")
    assert all(one.code in str(one) and "a.cedar" in str(one) for one in found)


def test_everything_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(PolicyInvalid) as caught:
        PolicySet.load(
            {"a.cedar": f'@id("x") @nope("1") @mask("a") {HEAD};', "b.cedar": "permit", "c.cedar": f"{HEAD};"}
        )
    assert {(one.file, one.code) for one in caught.value.problems} == {
        ("a.cedar", "annotation-unknown"),
        ("a.cedar", "annotation-malformed"),
        ("b.cedar", "policy-syntax"),
        ("c.cedar", "policy-id-missing"),
    }
    assert caught.value.code == "policy_invalid"


def test_one_mistake_is_told_once_for_all_operations() -> None:
    assert len(problems(f'@id("x") {HEAD} when {{ context.facts.rows > 1 }};')) == 1


def test_an_annotation_is_read() -> None:
    text = (
        '@id("x") @reason("why") @review("group:a, person:kim@example.com,anyone") @quorum("2") @stage("3") '
        '@assurance("passkey") @expires("30s") @grant_expires("2d") @remind("10m") @escalate("20m group:b") '
        f'@break_glass("group:c") @mask("EMAIL_ADDRESS, US_SSN") @level("L2") {HEAD};'
    )
    rule = PolicySet.load({"a.cedar": text}).rules["x"]
    assert rule.permits
    assert rule.reason == "why"
    assert rule.reviewers == ("group:a", "person:kim@example.com", "anyone")
    assert (rule.quorum, rule.stage, rule.assurance) == (2, 3, Assurance.PASSKEY)
    assert (rule.expires_ms, rule.grant_ms, rule.remind_ms) == (30_000, 172_800_000, 600_000)
    assert rule.escalation == Escalation(1_200_000, "group:b")
    assert rule.break_glass == ("group:c",)
    assert (rule.masks, rule.level) == (("EMAIL_ADDRESS", "US_SSN"), Level.L2)


def test_a_rule_without_a_reason_gets_a_text() -> None:
    text = f'@id("x") {HEAD}; @id("y") forbid (principal, action, resource);'
    rules = PolicySet.load({"a.cedar": text}).rules
    assert (rules["x"].reason, rules["y"].reason) == ("permitted by `x`", "forbidden by `y`")


def test_every_example_of_an_annotation_is_well_formed() -> None:
    marks = " ".join(f'@{one.name}("{one.example}")' for one in ANNOTATIONS.values())
    assert set(PolicySet.load({"a.cedar": f"{marks} {HEAD};"}).rules) == {ANNOTATIONS["id"].example}


@pytest.mark.parametrize(("text", "ms"), [("1s", 1_000), ("90m", 5_400_000), ("24h", 86_400_000), ("7d", 604_800_000)])
def test_durations(text: str, ms: int) -> None:
    assert duration(text) == ms


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "1.5h", "5 m", "5w", "05m", "5m ", "99999999d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(Malformed):
        duration(text)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("// only a comment;", []),
        ("a;", [1]),
        ("\n\n a;b;\n// x;\nc\n;", [3, 3, 5]),
        ('@reason("a;b // c")\nx;\ny;', [1, 3]),
        ('@reason("a\\";b")\nx;\ny', [1, 3]),
        ("a / b;\nc;", [1, 2]),
    ],
)
def test_policies_are_found_where_they_begin(text: str, lines: list[int]) -> None:
    assert [line for line, _ in statements(text)] == lines


@pytest.mark.parametrize(
    ("extension", "text"),
    [
        ("entity", "not a Cedar schema"),
        ("type Facts = {};", "not a Cedar schema"),
        ("type ExtraFacts = {}; type ExtraFacts = {};", "not a Cedar schema"),
        ('action "a.b" appliesTo { principal: [Person], resource: [Resource] };', "`a.b` must apply"),
        (
            'action "a.b" appliesTo { principal: [Person], resource: [Resource], context: { facts: Facts } };',
            "`a.b` must apply",
        ),
        (
            'action "a.b" in [Action::"sql.select"] '
            "appliesTo { principal: [Person], resource: [Resource], context: Context };",
            "`a.b` is put in a group",
        ),
        ('action "all";', "`all` must apply"),
        ("namespace N { type Other = {}; }", "without a namespace"),
    ],
)
def test_a_schema_that_does_not_fit_is_refused(extension: str, text: str) -> None:
    found = problems("", extension)
    assert {one.code for one in found} == {"policy-schema"}
    assert any(text in one.text for one in found)


def test_a_deployment_adds_operations_and_facts() -> None:
    extension = (
        "// type ExtraFacts is declared below\n type ExtraFacts = { region: Long };\n"
        'action "warehouse.publish", "warehouse.drop" '
        "appliesTo { principal: [Agent, Person], resource: [Resource], context: Context };"
    )
    loaded = schema.load(extension)
    assert {"warehouse.publish", "warehouse.drop"} <= loaded.operations
    condition = "context.facts has extra && context.facts.extra.region == 1"
    PolicySet.load({"a.cedar": f'@id("x") {HEAD} when {{ {condition} }};'}, extension)
    assert problems(f'@id("x") {HEAD} when {{ {condition} }};')[0].code == "policy-type"


def test_every_operation_of_the_project_is_declared() -> None:
    assert schema.load().operations == {
        "dataset.export", "dataset.read", "sql.select", "sql.write", "sql.ddl", "sql.copy", "mcp.tool.call",
        "http.request", "llm.prompt", "s3.get", "s3.put", "s3.delete", "s3.policy", "terraform.apply",
        "terraform.destroy", "shell.exec", "container.exec", "container.run", "k8s.exec", "k8s.write",
        "iam.role.assign", "iam.group.add", "secret.read", "secret.rotate", "policy.change", "pii.reveal",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("node", "paths"),
    [
        ({"Value": "context"}, set()),
        ({"Var": "principal"}, set()),
        ({"Var": "context"}, {()}),
        ({".": {"left": {"Var": "context"}, "attr": "time"}}, {("time",)}),
        ({"has": {"left": {".": {"left": {"Var": "context"}, "attr": "facts"}}, "attr": "rows"}}, {("facts", "rows")}),
        ({"==": {"left": {"Var": "context"}, "right": {"Value": 1}}}, {()}),
        ({"Record": {"a": {"Var": "context"}}}, {()}),
        (
            [{"Set": [{".": {"left": {"Var": "context"}, "attr": "a"}}]}, {"!": {"arg": {"Var": "context"}}}],
            {("a",), ()},
        ),
        ({".": {"left": {"Record": {"x": {"Var": "context"}}}, "attr": "x"}}, {()}),
    ],
)
def test_what_a_condition_reads(node: object, paths: set[tuple[str, ...]]) -> None:
    assert context_reads(node) == paths


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        pytest.param(
            f'@id("x") {HEAD}\nwhen {{ 1 > 2 }}\n// a; b\n\n@id("y") {HEAD};', 5, "missing before it", id="no-semicolon"
        ),
        pytest.param(f'@id("x")\n{HEAD}\n{HEAD};', 3, "the rule that begins at line 1", id="no-semicolon-bare-rules"),
        pytest.param(f"{HEAD}\n{HEAD};", 2, "missing before it", id="no-semicolon-one-line-each"),
        pytest.param(f'@id("x") {HEAD};\n@id("y") {HEAD}\nwhen {{ 1\n=== 2 }};', 4, "token `=`", id="in-a-condition"),
        pytest.param(f'@id("x")\n@reason("why) {HEAD};', 2, "invalid token", id="open-string"),
        pytest.param(f'@id("x")\n{HEAD}\n', 2, "does not end", id="no-end"),
        pytest.param('@id("x")\npermt (principal, action, resource);', 1, "begins at line 1", id="line-unknown"),
    ],
)
def test_a_syntax_error_has_the_line_of_what_is_wrong(text: str, line: int, said: str) -> None:
    (found,) = problems(text)
    assert (found.code, found.line) == ("policy-syntax", line)
    assert said in found.text


@pytest.mark.parametrize(
    ("head", "suggested"),
    [
        ('principal, action == Action::"dataset.exprt", resource', "did you mean `dataset.export`?"),
        ('principal, action in [Action::"dataset.exprt", Action::"sql.ddll"], resource', "did you mean `sql.ddl`?"),
        ('principal is Agnt, action == Action::"dataset.export", resource', "did you mean `Agent`?"),
    ],
)
def test_a_misspelt_head_is_told_with_the_nearest_name_and_hides_nothing(head: str, suggested: str) -> None:
    found = [one.text for one in problems(f'@id("x") permit ({head}) when {{ context.facts.rws > 1 }};')]
    assert any(suggested in one for one in found)
    assert any("`facts.rws`" in one for one in found)
    assert not any("applicable action" in one for one in found)


def test_a_head_that_fits_no_operation_is_told_where_nothing_else_is_wrong() -> None:
    (found,) = problems('@id("x") permit (principal, action, resource == Group::"a");')
    assert "applicable action" in found.text


def test_an_operation_like_no_other_gets_no_suggestion() -> None:
    (found,) = problems('@id("x") permit (principal, action == Action::"zzzz", resource);')
    assert "did you mean" not in found.text
    assert "`schema.cedarschema`" in found.text


def test_one_misspelt_fact_is_told_once_for_all_operations() -> None:
    assert len(problems(f'@id("x") {HEAD} when {{ context.facts.rws > 1 }};')) == 1
