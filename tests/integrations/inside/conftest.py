"""What the checks share: an agent's gate at a running server, and the people there.

These files run in the environment of the frameworks (requirements-frameworks.lock), started by test_frameworks.py.
"""

from __future__ import annotations

import ast
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from uuid import uuid4

import pytest

from consentry import AsyncConsentry, Consentry
from consentry.client import Decision
from consentry.demo.people import Someone


@dataclass
class Desk:
    """Whom people are asked about, what they say, and what really ran."""

    url: str
    resource: str
    asked: list[Decision] = field(default_factory=list)
    ran: list[object] = field(default_factory=list)

    def vote(self, verdict: str) -> None:
        """On what was asked last."""
        with Someone(self.url, os.environ["TEST_REVIEWER"]) as reviewer:
            reviewer.vote(str(self.actions()[-1]["request_id"]), verdict, "said so")

    def perform(self, *arguments: object) -> str:
        """What the tools of examples do."""
        self.ran.append(arguments)
        return "done"

    def actions(self) -> list[dict]:
        """All that was asked about this test's resource, first things first."""
        with Someone(self.url, os.environ["TEST_REVIEWER"]) as reviewer:
            found = reviewer.get(f"/v1/actions?resource={self.resource}")["items"]
        return sorted(found, key=lambda one: one["id"])

    def states(self) -> list[str]:
        return [one["state"] for one in self.actions()]

    def bound(self, index: int = -1) -> object:
        """The arguments that people were asked about."""
        return self.actions()[index]["action"]["arguments"]["arguments"]


@pytest.fixture
def documented(desk: Desk) -> Callable[[str], list[CodeType]]:
    """The examples of one section of docs/integrations.md, about this test's resource."""

    def of(section: str) -> list[CodeType]:
        text = (Path(__file__).parents[3] / "docs" / "integrations.md").read_text("utf-8")
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
        found = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        named = [re.sub(r'resource="\w+"', f'resource="{desk.resource}"', one) for one in found]
        return [compile(one, section, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT) for one in named]

    return of


@pytest.fixture
def desk() -> Desk:
    return Desk(os.environ["CONSENTRY_URL"], f"tools-{uuid4().hex}")


@pytest.fixture
def gate(desk: Desk) -> Iterator[Consentry]:
    with Consentry(on_pending=desk.asked.append) as one:
        yield one


@pytest.fixture
async def agate(desk: Desk) -> AsyncIterator[AsyncConsentry]:
    async with AsyncConsentry(on_pending=desk.asked.append) as one:
        yield one
