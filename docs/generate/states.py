"""Write docs/states.md from the tables in `consentry.consent.states`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from consentry.consent import states

HEAD = """# States

The state machines of requests, grants and claims, generated from `src/consentry/consent/states.py` by
`docs/generate/states.py`. A final state never changes; an event that a state does not list is an error and changes
nothing; the clock comes first: whoever looks at a request or grant after its time sees it expired.
"""
MACHINES: tuple[tuple[str, str, Mapping[tuple[StrEnum, StrEnum], StrEnum]], ...] = (
    ("Request", "A durable question to people: may this action happen?", states.REQUEST),  # type: ignore[list-item]
    ("Grant", "The right to perform one exact action, or a bounded family.", states.GRANT),  # type: ignore[list-item]
    ("Claim", "One use of a grant, and what really happened.", states.CLAIM),  # type: ignore[list-item]
)


def render() -> str:
    """The text of docs/states.md."""
    return HEAD + "".join(_machine(*machine) for machine in MACHINES)


def _machine(name: str, meaning: str, table: Mapping[tuple[StrEnum, StrEnum], StrEnum]) -> str:
    first = next(iter(table))[0]
    lines = ["stateDiagram-v2", f"    [*] --> {first.value}"]
    lines += [f"    {state.value} --> {after.value}: {event.value}" for (state, event), after in table.items()]
    sources = {state for state, _ in table}
    lines += [f"    {after.value} --> [*]" for after in dict.fromkeys(table.values()) if after not in sources]
    return f"\n## {name}\n\n{meaning}\n\n```mermaid\n" + "\n".join(lines) + "\n```\n"


if __name__ == "__main__":
    Path(__file__).parents[1].joinpath("states.md").write_text(render())
