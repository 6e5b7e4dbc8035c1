"""The policy engine: Cedar behind one pure function, `PolicySet.judge`.

Cedar decides; this file decides what Cedar is asked and what its answer means.

* Only the policies that a request's operation and kind of principal can reach are evaluated, and only the part of the
  context that these read is handed over. Neither can change the answer (see `schema.load` for what that rests on).
* Everything handed over together is the key under which an answer is kept: the same question has the same answer.
* Cedar skips a policy whose condition errors, and so fails open. Any error is a deny here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from pathlib import Path
from types import MappingProxyType
from typing import Self

import cedarpy
import orjson

from consentry.actions import Action, Actor, Json, Kind, canonical
from consentry.policy import context as ctx
from consentry.policy import schema as schemas
from consentry.policy import source
from consentry.policy.annotations import Rule
from consentry.policy.entities import TYPE, entities, principal_id
from consentry.policy.model import Facts, Judgement, Obligations, Reason, Resource, Roster, Verdict
from consentry.policy.obligations import combine
from consentry.policy.problems import PolicyInvalid, Problem
from consentry.policy.source import Policy

_DOMAIN = b"consentry policy v1\n"
_NOTHING = Obligations()
_ERROR_IN = re.compile(r"policy `([a-z0-9._-]+)`")
_MAX_SUBJECTS = 2048
_MAX_ANSWERS = 512
_MAX_SHAPES = 4096


@dataclass(frozen=True, slots=True)
class _Slice:
    """The policies that one operation by one kind of principal can reach."""

    handle: cedarpy.PolicySet
    wanted: ctx.Wanted


@dataclass(slots=True)
class _Subject:
    """One chain acting on one resource: its entities, and what was answered already."""

    resource: Resource
    principal: str
    entities: cedarpy.Entities
    chain: Json
    answers: dict[tuple[str, bytes], Judgement] = field(default_factory=dict)

    def remember(self, key: tuple[str, bytes], answer: Judgement) -> None:
        if len(self.answers) >= _MAX_ANSWERS:
            self.answers.clear()
        self.answers[key] = answer


@dataclass(slots=True)
class _Memory:
    """What was learnt under one roster; dropped as soon as another roster comes."""

    roster: Roster
    subjects: dict[tuple[Actor, str], _Subject] = field(default_factory=dict)


class PolicySet:
    """Policies that were parsed, validated and named by their content. Immutable; safe to share between threads."""

    def __init__(self, files: Mapping[str, str], schema: schemas.Schema, policies: tuple[Policy, ...]) -> None:
        self.files: Mapping[str, str] = MappingProxyType(dict(files))
        self.schema = schema
        self.policies = policies
        self.rules: Mapping[str, Rule] = MappingProxyType({one.rule.id: one.rule for one in policies})
        self._order = {name: place for place, name in enumerate(self.rules)}
        content = canonical({"files": dict(files), "schema": schema.text}, what="policies")
        self.version = hashlib.sha256(_DOMAIN + content).hexdigest()
        self._slices: dict[tuple[str, Kind], _Slice] = {}
        self._shapes: dict[Hashable, bool] = {}
        self._judgements: dict[tuple[str, ...], Judgement] = {}
        self._memory: _Memory | None = None

    @classmethod
    def load(cls, files: Mapping[str, str], schema: str | None = None) -> Self:
        """The policies of `files` (name to Cedar text) under the shipped schema, with a deployment's `schema` added.

        Raises `PolicyInvalid` with everything that is wrong.
        """
        parsed = schemas.load(schema)
        return cls(files, parsed, source.parse(files, parsed))

    @classmethod
    def from_directory(cls, path: Path | str) -> Self:
        """The `*.cedar` files of a folder, with its `schema.cedarschema` where it has one. Raises `PolicyInvalid`."""
        folder = Path(path)
        if not folder.is_dir():
            text = "is not a folder: set `policy.dir`, or pass `--policies DIR`"
            raise PolicyInvalid([Problem("policy-unreadable", text, str(path))])
        names = sorted(one for one in folder.glob("*.cedar"))
        extension = folder / schemas.FILE
        return cls.load(
            {one.name: _text(one) for one in names},
            _text(extension) if extension.exists() else None,
        )

    @classmethod
    def starter(cls) -> Self:
        """The policies that come with the package."""
        folder = package_files("consentry.policy").joinpath("starter")
        return cls.load(
            {one.name: one.read_text("utf-8") for one in folder.iterdir() if one.name.endswith(".cedar")},
        )

    def judge(self, action: Action, facts: Facts, *, resource: Resource, roster: Roster, now_ms: int) -> Judgement:
        """The verdict on `action`. Never raises for what a caller or a lens sent: what cannot be judged is denied."""
        operation, actor = action.operation, action.actor
        part = self._slices.get((operation, actor.kind))
        if part is None:
            if operation not in self.schema.operations:
                return self._deny("unknown-operation", f"no policy schema declares the operation `{operation}`")
            part = self._slice(operation, actor.kind)
        subject = self._subject(action, resource, roster)
        quick = part.wanted.quick_key(action, facts.values)
        if quick is not None and (known := subject.answers.get((operation, quick))) is not None:
            return known
        answer = self._answer(action, facts, subject, part, now_ms)
        if quick is not None:
            subject.remember((operation, quick), answer)
        return answer

    def _answer(self, action: Action, facts: Facts, subject: _Subject, part: _Slice, now_ms: int) -> Judgement:
        operation = action.operation
        try:
            if "extra" in facts.values:  # its types are the deployment's: Cedar must read them by the schema
                return self._ask_by_schema(action, facts, subject, part.handle, now_ms)
            if not self._fits(action, facts, subject):
                return self._unfit()
            context = ctx.build(action, facts.values, subject.chain, part.wanted, now_ms)
        except ctx.Unfit:
            return self._unfit()
        key = (operation, context)
        answer = subject.answers.get(key)
        if answer is None:
            answer = self._ask(action, subject, part.handle, context, None)
            subject.remember(key, answer)
        return answer

    def ask_alone(
        self,
        trees: Mapping[str, Mapping[str, Json]],
        action: Action,
        facts: Facts,
        *,
        resource: Resource,
        roster: Roster,
        now_ms: int,
    ) -> tuple[frozenset[str], frozenset[str]]:
        """Put the same question to other policies, with the whole context: the ids that match, and those that error.

        For explaining; a verdict comes from `judge` only. `trees` are in Cedar's JSON policy format, by id.
        """
        subject = self._subject(action, resource, roster)
        context = ctx.build(action, facts.values, subject.chain, ctx.EVERYTHING, now_ms)
        question = _request(action, subject, context)
        matched, failed = set(), set()
        for name, tree in trees.items():
            result = cedarpy.is_authorized(question, handle_of({name: tree}), subject.entities, self.schema.handle)
            if result.diagnostics.errors:
                failed.add(name)
            elif result.diagnostics.reasons:
                matched.add(name)
        return frozenset(matched), frozenset(failed)

    def _ask(
        self,
        action: Action,
        subject: _Subject,
        policies: cedarpy.PolicySet,
        context: bytes,
        schema: cedarpy.Schema | None,
    ) -> Judgement:
        result = cedarpy.is_authorized(_request(action, subject, context), policies, subject.entities, schema)
        if result.decision is cedarpy.Decision.NoDecision:
            return self._unfit()
        return self._judgement(action, result.diagnostics.reasons, result.diagnostics.errors)

    def _judgement(self, action: Action, determining: list[str], errors: list[str]) -> Judgement:
        matched = tuple(sorted(determining, key=self._order.__getitem__))
        if errors:
            forbids = [rule for rule in map(self.rules.__getitem__, matched) if not rule.permits]
            reasons = [Reason(rule.id, rule.reason) for rule in forbids] + list(map(_error, errors))
            return Judgement(Verdict.DENY, tuple(reasons), _NOTHING, self.version)
        if not matched:
            return self._deny("default-deny", f"no policy permits `{action.operation}` here")
        judgement = self._judgements.get(matched)
        if judgement is None:
            if len(self._judgements) >= _MAX_ANSWERS:
                self._judgements.clear()
            judgement = self._judgements[matched] = self._weigh([self.rules[name] for name in matched])
        return judgement

    def _weigh(self, matched: list[Rule]) -> Judgement:
        """The verdict of determining rules: all forbids, or all permits, since a forbid wins."""
        if not matched[0].permits:
            return Judgement(Verdict.DENY, tuple(Reason(r.id, r.reason) for r in matched), _NOTHING, self.version)
        asking = [rule for rule in matched if rule.asks]
        return Judgement(
            Verdict.REVIEW if asking else Verdict.ALLOW,
            tuple(Reason(rule.id, rule.reason) for rule in asking or matched),
            combine(matched),
            self.version,
        )

    def _ask_by_schema(
        self, action: Action, facts: Facts, subject: _Subject, policies: cedarpy.PolicySet, now_ms: int
    ) -> Judgement:
        ctx.shape(facts.values)
        context = ctx.build(action, facts.values, subject.chain, ctx.EVERYTHING, now_ms)
        return self._ask(action, subject, policies, context, self.schema.handle)

    def _fits(self, action: Action, facts: Facts, subject: _Subject) -> bool:
        """Whether the facts are what the schema says. Asked of Cedar once for each shape that facts have."""
        key = (action.operation, action.actor.kind, ctx.shape(facts.values))
        known = self._shapes.get(key)
        if known is None:
            if len(self._shapes) >= _MAX_SHAPES:
                self._shapes.clear()
            context = ctx.build(action, facts.values, subject.chain, ctx.EVERYTHING, 0)
            question = _request(action, subject, context)
            answer = cedarpy.is_authorized(question, _NO_POLICIES, subject.entities, self.schema.handle)
            known = self._shapes[key] = answer.decision is not cedarpy.Decision.NoDecision
        return known

    def _slice(self, operation: str, kind: Kind) -> _Slice:
        reachable = [one for one in self.policies if one.scope.covers(operation, TYPE[kind])]
        part = _Slice(
            handle_of({one.rule.id: {**one.tree, "annotations": {}} for one in reachable}),  # Cedar would echo them
            ctx.Wanted.of(path for one in reachable for path in one.reads),
        )
        self._slices[operation, kind] = part
        return part

    def _subject(self, action: Action, resource: Resource, roster: Roster) -> _Subject:
        memory = self._memory
        if memory is None or memory.roster is not roster or len(memory.subjects) > _MAX_SUBJECTS:
            memory = self._memory = _Memory(roster)
        key = (action.actor, action.resource)
        subject = memory.subjects.get(key)
        if subject is None or (subject.resource is not resource and subject.resource != resource):
            subject = memory.subjects[key] = _Subject(
                resource,
                principal_id(action.actor, roster),
                cedarpy.Entities.from_json_str(entities(action, resource, roster)),
                ctx.chain(action, roster),
            )
        return subject

    def _deny(self, policy: str, text: str) -> Judgement:
        return Judgement(Verdict.DENY, (Reason(policy, text),), _NOTHING, self.version)

    def _unfit(self) -> Judgement:
        return self._deny(
            "facts-invalid", "what the lens read does not fit the policy schema, so nothing can be judged"
        )


def _request(action: Action, subject: _Subject, context: bytes) -> dict[str, object]:
    """The question to Cedar. Ids travel as structures, so that no id can be read as Cedar syntax."""
    return {
        "principal": {"type": TYPE[action.actor.kind], "id": subject.principal},
        "action": {"type": "Action", "id": action.operation},
        "resource": {"type": "Resource", "id": subject.resource.name},
        "context": context.decode("utf-8"),
    }


def handle_of(trees: Mapping[str, Mapping[str, Json]]) -> cedarpy.PolicySet:
    """A Cedar policy set in which each policy goes by the name it has here."""
    document = {"staticPolicies": dict(trees), "templates": {}, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(orjson.dumps(document).decode("utf-8"))


_NO_POLICIES = handle_of({})


def _error(message: str) -> Reason:
    """Cedar's text may quote values from the facts: only the policy's name is passed on."""
    match = _ERROR_IN.search(message)
    name = f"policy `{match[1]}`" if match else "a policy"
    return Reason("policy-error", f"{name} could not be evaluated, so the action is denied: mend its condition")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise source.reraise(path.name, error) from None
