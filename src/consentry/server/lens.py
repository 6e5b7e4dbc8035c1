"""What the server reads in an action that was submitted as it is: facts for policy. The pure part.

Facts come from here and never from the caller. Where an operation's data is not in its arguments, looking at the
arguments says nothing of it: `scanned` is true only where what the action touches was looked at as a whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from consentry.actions import Json, JsonObject
from consentry.actions.texts import texts
from consentry.doors.errors import LensFailed as LensFailed
from consentry.policy.model import Facts

DATA_ELSEWHERE = ("dataset.", "sql.", "s3.", "pii.", "secret.", "terraform.", "container.", "k8s.", "iam.")
"""Operations on something outside of their arguments."""
SECRET = "SECRET"  # noqa: S105


class _Found(Protocol):
    @property
    def type(self) -> str: ...


class Scanner(Protocol):
    """The part of `consentry.sanitize.Sanitizer` that a lens needs."""

    def scan(self, text: str) -> Sequence[_Found]: ...


@dataclass(frozen=True, slots=True)
class Table:
    """What a file of records holds. `findings` counts values by entity type, `whole` says that every value was seen."""

    rows: int
    bytes: int
    columns: tuple[str, ...]
    masked: tuple[str, ...]
    findings: Mapping[str, int]
    whole: bool
    sha256: str


class Remembering:
    """A scanner that knows short texts again, by their hash: pipelines say the same things all day."""

    SHORT = 256
    MANY = 20_000

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner
        self._known: dict[bytes, tuple[str, ...]] = {}

    def types(self, text: str) -> tuple[str, ...]:
        """The entity type of each finding."""
        if len(text) > self.SHORT:
            return tuple(one.type for one in self._scanner.scan(text))
        key = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        known = self._known.get(key)
        if known is None:
            known = tuple(one.type for one in self._scanner.scan(text))
            if len(self._known) >= self.MANY:
                self._known.clear()
            self._known[key] = known
        return known


def to_scan(arguments: JsonObject, limit: int) -> tuple[list[str], int]:
    """The texts to look into and their length. Raises `LensFailed` over `limit`: a part would prove nothing."""
    found = list(texts(arguments))
    length = sum(map(len, found))
    if length > limit:
        raise LensFailed("`arguments` hold more text than is scanned: send less, or raise `sanitize.scan_bytes`")
    return found, length


def scan_texts(texts: Iterable[str], scanner: Remembering) -> Counter[str]:
    """How many findings of which type."""
    found: Counter[str] = Counter()
    for text in texts:
        if len(text) > 3 and not text.isalpha():
            found.update(scanner.types(text))
    return found


def facts(operation: str, found: Mapping[str, int], *, looked: bool) -> Facts:
    """The facts of an action that has no lens of its own."""
    whole = looked and not operation.startswith(DATA_ELSEWHERE)
    values: dict[str, Json] = {"lens": "arguments", "findings": _findings(found, whole)}
    if found.get(SECRET):
        values["secrets"] = found[SECRET]
    return Facts(values)


def table_facts(table: Table, found: Mapping[str, int], *, looked: bool) -> Facts:
    """The facts of an action on a file of records, with what its arguments hold beside."""
    both = Counter(table.findings) + Counter(found)
    values: dict[str, Json] = {
        "lens": "dataset",
        "findings": _findings(both, table.whole and looked),
        "rows": table.rows,
        "bytes": table.bytes,
        "columns": list(table.columns),
        "masked_columns": list(table.masked),
    }
    if both.get(SECRET):
        values["secrets"] = both[SECRET]
    return Facts(values)


def _findings(found: Mapping[str, int], whole: bool) -> Json:
    return {"total": sum(found.values()), "types": sorted(found), "scanned": whole}
