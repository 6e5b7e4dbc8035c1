"""What a decision costs: `PolicySet.judge` beside bare cedarpy with its handles kept, in one run.

The bare call is given the same policies, the same entities, and the whole context of the schema, already as text.
"cold" asks a question that was never asked before (another number in the facts); "again" repeats one. Times are CPU
time of the one thread, so that waiting for other work on the machine does not count.
Run: python bench/policy.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import cedarpy

from consentry.actions import Action, Actor, Kind
from consentry.policy import context
from consentry.policy.cedar import PolicySet
from consentry.policy.entities import entities
from consentry.policy.model import Agent, Facts, Membership, Person, Resource, Roster

ROUNDS, CALLS = 9, 300
BOUND_US = 150  # with 100 policies
OPERATIONS = ["dataset.export", "dataset.read", "sql.select", "sql.write", "http.request"]
ROSTER = Roster(
    version=1,
    persons=[Person("per_ana", "ana@example.com", "Ana")],
    memberships=[Membership("analysts", "per_ana", 0)],
    agents=[Agent("agt_exporter", "exporter", "per_ana")],
)
ACTOR = Actor(Kind.AGENT, "agt_exporter", Actor(Kind.PERSON, "per_ana"))
RESOURCE = Resource("s3://partner", "s3", {"env": "prod"})


def policies(count: int, operations: list[str]) -> str:
    """`count` rules in turn over `operations`; of those about the question's operation, one in five matches."""
    rules = []
    for number in range(count):
        limit = 100 if number // len(operations) % 5 else 0
        rules.append(
            f'@id("rule-{number}") @review("group:data-stewards") @expires("30m")\n'
            f'permit (principal is Agent, action == Action::"{operations[number % len(operations)]}", resource)\n'
            f"when {{ context.facts.findings.total > {limit} && "
            f"context.facts has rows && context.facts.rows > {number} }};"
        )
    return "\n".join(rules)


@dataclass(frozen=True, slots=True)
class Row:
    """Median microseconds of one decision."""

    label: str
    bare: float
    cold: float
    again: float


def facts(rows: int) -> Facts:
    return Facts({"findings": {"total": 50, "types": ["EMAIL_ADDRESS"], "scanned": True}, "rows": rows})


def measure(label: str, text: str) -> Row:
    loaded = PolicySet.load({"a.cedar": text})
    action = Action(ACTOR, "dataset.export", RESOURCE.name)
    asked = iter(range(10_000, 1_000_000_000))
    handle = cedarpy.PolicySet.from_str(text)
    known = cedarpy.Entities.from_json_str(entities(action, RESOURCE, ROSTER))
    whole = context.build(
        action, facts(5_000).values, context.chain(action, ROSTER), context.EVERYTHING, 1_767_607_200_000
    )
    request = {
        "principal": {"type": "Agent", "id": "agt_exporter"},
        "action": {"type": "Action", "id": "dataset.export"},
        "resource": {"type": "Resource", "id": RESOURCE.name},
        "context": whole.decode(),
    }

    def judge(rows: int) -> None:
        loaded.judge(action, facts(rows), resource=RESOURCE, roster=ROSTER, now_ms=1_767_607_200_000)

    timers: list[Callable[[], object]] = [
        lambda: cedarpy.is_authorized(request, handle, known),
        lambda: judge(next(asked)),
        lambda: judge(5_000),
    ]
    samples: list[list[float]] = [[], [], []]
    for _ in range(ROUNDS):  # in turn, so that a busy machine is busy for all of them
        for timer, found in zip(timers, samples, strict=True):
            start = time.thread_time()
            for _ in range(CALLS):
                timer()
            found.append((time.thread_time() - start) / CALLS * 1e6)
    bare, cold, again = map(statistics.median, samples)
    return Row(label, bare, cold, again)


def main() -> None:
    """Print the table, and whether the bound of 100 policies holds."""
    rows = [
        measure("10 policies, 5 operations", policies(10, OPERATIONS)),
        measure("10 policies, 1 operation", policies(10, OPERATIONS[:1])),
        measure("100 policies, 5 operations", policies(100, OPERATIONS)),
        measure("100 policies, 1 operation", policies(100, OPERATIONS[:1])),
        measure("the starter set", "\n".join(PolicySet.starter().files.values())),
    ]
    head = f"{'microseconds per decision (median)':<36}{'bare':>8}{'cold':>8}{'again':>8}"
    print(f"{head}   {'cold/bare':>9} {'again/bare':>10}")
    for row in rows:
        print(
            f"{row.label:<36}{row.bare:>8.1f}{row.cold:>8.1f}{row.again:>8.1f}   "
            f"{row.cold / row.bare:>9.2f} {row.again / row.bare:>10.2f}"
        )
    worst = max(row.cold for row in rows if row.label.startswith("100 policies, 5"))
    print(
        f"100 policies: {worst:.0f} of at most {BOUND_US} us a decision: {'holds' if worst <= BOUND_US else 'MISSED'}"
    )


if __name__ == "__main__":
    main()
