"""The lens with its I/O: the sanitizer, kept, and the files of datasets."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from consentry.actions import Action, Actor, JsonObject, Operand
from consentry.consent.errors import OperandChanged
from consentry.errors import traced
from consentry.policy.model import Facts
from consentry.server.dataset import digest, read_table
from consentry.server.lens import LensFailed, Remembering, Table, facts, scan_texts, table_facts, to_scan
from consentry.server.settings import SanitizeSettings
from consentry.server.settings_resources import ResourceSettings

if TYPE_CHECKING:
    from consentry.sanitize import Sanitizer

log = logging.getLogger("consentry.lens")
MAX_KEPT = 64
LONG = 8_192
"""Arguments with more text than this are scanned in a thread, so that nobody else waits for them."""


class Lens:
    """Facts for actions that come through the API. Any failure is a `LensFailed`, which denies."""

    def __init__(self, settings: SanitizeSettings, resources: Mapping[str, ResourceSettings]) -> None:
        self._settings = settings
        self._datasets: dict[str, tuple[Path, Mapping[str, str]]] = {
            name: (one.path, one.columns)
            for name, one in resources.items()
            if one.kind == "dataset" and one.path is not None
        }
        self._sanitizer: Sanitizer | None = None
        self._scanner: Remembering | None = None
        self._tables: dict[tuple[str, str], Table] = {}

    def warm(self) -> None:
        """Load the patterns now rather than with the first action."""
        if self._settings.findings:
            self._load().scan("warm up: ada@example.org")

    async def look(
        self,
        actor: Actor,
        operation: str,
        resource: str,
        arguments: JsonObject,
        operands: tuple[Operand, ...],
        context: JsonObject,
    ) -> tuple[Action, Facts]:
        """The action, with what a dataset is pinned to, and its facts. Raises `LensFailed`, `OperandChanged`."""
        found = await self._arguments(arguments) if arguments else Counter()
        dataset = self._datasets.get(resource)
        looked = self._settings.findings
        if dataset is None:
            return Action(actor, operation, resource, arguments, operands, context), facts(
                operation, found, looked=looked
            )
        path, columns = dataset
        table = await self._table(resource, path, columns)
        pinned = pin(operands, resource, path, table.sha256)
        action = Action(actor, operation, resource, arguments, pinned, context)
        return action, table_facts(table, found, looked=looked)

    async def operands_now(self, action: Action, given: tuple[Operand, ...] | None) -> tuple[Operand, ...] | None:
        """What the operands are at the claim (threat B1): as the caller read them again, a dataset as it is now."""
        dataset = self._datasets.get(action.resource)
        if dataset is None:
            return given
        path, _ = dataset
        now = await asyncio.to_thread(digest, path)
        ours = names(action.resource, path)
        others = [one for one in (action.operands if given is None else given) if one.name not in ours]
        return (*others, *(Operand(one.name, now) for one in action.operands if one.name in ours))

    async def _arguments(self, arguments: JsonObject) -> Counter[str]:
        if not self._settings.findings:
            return Counter()
        if self._scanner is None:
            self._scanner = Remembering(self._load())
        found, length = to_scan(arguments, self._settings.scan_bytes)
        try:
            if length > LONG:
                return await asyncio.to_thread(scan_texts, found, self._scanner)
            return scan_texts(found, self._scanner)
        except Exception as error:
            log.error("lens_failed", extra=traced(error))
            raise LensFailed("the arguments could not be scanned, so the action is denied; see the log") from None

    async def _table(self, resource: str, path: Path, columns: Mapping[str, str]) -> Table:
        now = await asyncio.to_thread(digest, path)
        known = self._tables.get((resource, now))
        if known is not None:
            return known
        scanner = self._load().engine if self._settings.findings else None
        try:
            table = await asyncio.to_thread(read_table, path, columns, scanner)
        except LensFailed:
            raise
        except Exception as error:
            log.error("lens_failed", extra=traced(error))
            raise LensFailed("the dataset could not be scanned, so the action is denied; see the log") from None
        if len(self._tables) >= MAX_KEPT:
            self._tables.clear()
        self._tables[resource, table.sha256] = table
        return table

    def _load(self) -> Sanitizer:
        if self._sanitizer is None:
            try:
                from consentry.sanitize import Sanitizer

                self._sanitizer = Sanitizer.default(names=False)
            except Exception as error:
                log.error("sanitizer_failed", extra=traced(error))
                raise LensFailed("the sanitizer cannot be loaded, so the action is denied; see the log") from None
        return self._sanitizer


def names(resource: str, path: Path) -> frozenset[str]:
    """What callers may call a dataset's file among their operands."""
    return frozenset({resource, str(path), path.name})


def pin(operands: tuple[Operand, ...], resource: str, path: Path, sha256: str) -> tuple[Operand, ...]:
    """The operands with the dataset among them. Raises `OperandChanged` where the caller pinned other bytes."""
    ours = [one for one in operands if one.name in names(resource, path)]
    if any(one.sha256 != sha256 for one in ours):
        raise OperandChanged("an operand's hash is not that of the dataset's file now: read it again, and submit anew")
    return operands if ours else (*operands, Operand(resource, sha256))
