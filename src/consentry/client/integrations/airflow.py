# mypy: disable-error-code="import-not-found,misc,no-any-return"
"""Airflow: a task that performs one action, deferred while people decide.

`CONSENTRY_URL` and `CONSENTRY_TOKEN` are set on workers and on triggerers. The trigger waits without a worker; its
event only wakes the task, which asks the gate again. A retry is a new attempt and asks people again.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException
from airflow.triggers.base import BaseTrigger, TriggerEvent

from consentry.actions import Json, JsonObject, canonical
from consentry.client.clients import AsyncConsentry, Consentry
from consentry.client.crossing import Claim
from consentry.client.errors import NotAdmitted, StillPending
from consentry.client.integrations.tools import exact

PATIENCE_S = 3600.0
"""How long a trigger outlives a server that is away."""


class ConsentTrigger(BaseTrigger):
    """Fires once the action is no longer pending."""

    def __init__(self, action_id: str) -> None:
        super().__init__()
        self.action_id = action_id

    def serialize(self) -> tuple[str, dict[str, str]]:
        return f"{type(self).__module__}.{type(self).__qualname__}", {"action_id": self.action_id}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        async with AsyncConsentry(patience_s=PATIENCE_S) as gate:
            decision = await gate.wait(self.action_id)
        yield TriggerEvent({"action_id": self.action_id, "state": decision.state})


class ConsentryOperator(BaseOperator):
    """Performs `python_callable(claim, **arguments)` once consented to. Or subclass it and give it a `perform`.

    `arguments` are bound as they are after templates were rendered. A template that comes out otherwise when the task
    is resumed makes another action, about which people are asked anew. What is performed must not defer by itself.
    """

    template_fields = ("resource", "arguments", "reason")

    def __init__(
        self,
        *,
        operation: str,
        resource: str,
        arguments: dict[str, Json] | None = None,
        python_callable: Callable[..., object] | None = None,
        reason: str | None = None,
        **options: object,
    ) -> None:
        super().__init__(**options)
        self.operation = operation
        self.resource = resource
        self.arguments = arguments or {}
        self.python_callable = python_callable
        self.reason = reason

    def perform(self, claim: Claim, arguments: JsonObject) -> object:
        """The action itself, with copies of what was bound. Its value is the task's."""
        if self.python_callable is None:
            raise AirflowFailException("give `python_callable`, or subclass with a `perform`")
        return self.python_callable(claim, **arguments)

    def execute(self, context: Context) -> object:
        return self._attempt(context)

    def resume(self, context: Context, event: object = None) -> object:
        """Called after the trigger fired, or by whoever can make it look so: `event` is not looked at."""
        return self._attempt(context)

    def _attempt(self, context: Context) -> object:
        arguments = {name: exact(name, value) for name, value in self.arguments.items()}
        with Consentry() as gate, ExitStack() as stack:
            admission = gate.admit(
                self.operation,
                resource=self.resource,
                arguments=arguments,
                reason=self.reason,
                idempotency_key=self._key(context, arguments),
                wait_s=0,
            )
            try:
                claim = stack.enter_context(admission)
            except StillPending as pending:
                self.log.info("waits for consent at %s", pending.url)
                self.defer(trigger=ConsentTrigger(str(pending.action_id)), method_name="resume")
            except NotAdmitted as refusal:
                raise AirflowFailException(str(refusal)) from None
            return self.perform(claim, arguments)

    def _key(self, context: Context, arguments: JsonObject) -> str:
        one = context["ti"]
        said: list[Json] = [one.dag_id, one.run_id, one.task_id, one.map_index, one.try_number]
        said += [self.operation, self.resource, arguments]
        return hashlib.sha256(b"consentry airflow v1\n" + canonical(said, what="task")).hexdigest()
