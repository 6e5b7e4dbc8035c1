"""The vector-matched pass: one Hyperscan database of all triggers, compiled once and kept on disk."""

from __future__ import annotations

import hashlib
import platform
import re
import threading
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import hyperscan

from consentry.sanitize.patterns import store
from consentry.sanitize.patterns.matching import SHIFT

_STRANGE = re.compile("[^\x00-\x7f]")
"""Stands as `?` in the bytes that are scanned, whatever it is."""

Trigger = tuple[tuple[str, ...], bool, bool]
"""Expressions of which any will do, whether case is ignored, and whether their matches' starts are asked for rather
than the ends. Words apart cost less than one expression of all."""


class VectorPass:
    """All triggers over one text. Safe to share between threads: each has its own scratch space."""

    def __init__(self, triggers: Sequence[Trigger], directory: Path | None = None) -> None:
        self._starts = [starts for _, _, starts in triggers]
        self._database = _database(tuple(triggers), directory)
        self._local = threading.local()

    def places(self, data: bytes) -> list[int]:
        """Where triggers end, or start: the index of the trigger, `SHIFT` bits up, and the offset, in one number."""
        found: list[int] = []
        add, starts = found.append, self._starts

        def on_match(index: int, start: int, end: int, flags: int, context: object) -> None:
            add(index << SHIFT | (start if starts[index] else end))

        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        self._database.scan(data, match_event_handler=on_match, scratch=scratch)
        return found


def _database(triggers: tuple[Trigger, ...], directory: Path | None) -> hyperscan.Database:
    path = None if directory is None else directory / f"patterns-{_key(triggers)}.hsdb"
    stored = store.read(path) if path is not None else None
    if stored is not None:
        try:
            return hyperscan.loadb(stored, mode=hyperscan.HS_MODE_BLOCK)
        except hyperscan.error:
            stored = None  # another build of the library wrote it: compile again and replace it
    database = _compile(triggers)
    if path is not None:
        store.write(path, hyperscan.dumpb(database))
    return database


def _compile(triggers: Sequence[Trigger]) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    rows = [
        (
            _STRANGE.sub(r"\\?", one).encode(),
            index,
            ignore_case * hyperscan.HS_FLAG_CASELESS | starts * hyperscan.HS_FLAG_SOM_LEFTMOST,
        )
        for index, (expressions, ignore_case, starts) in enumerate(triggers)
        for one in expressions
    ]
    expressions, ids, flags = zip(*rows, strict=True)
    database.compile(expressions=list(expressions), ids=list(ids), elements=len(rows), flags=list(flags))
    return database


def _key(triggers: tuple[Trigger, ...]) -> str:
    parts = [version("hyperscan"), _processor()]
    parts += [
        f"{ignore_case:d}{starts:d}{expression}"
        for expressions, ignore_case, starts in triggers
        for expression in (*expressions, "")
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


@cache
def _processor() -> str:
    """What the compiled code depends on: the machine and, where it is known, its instruction sets."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    return f"{platform.machine()} {hashlib.sha256(flags.encode()).hexdigest()}"
