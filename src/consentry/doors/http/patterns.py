"""Paths of rules: literal segments, `{name}` for one segment, `{name...}` for the rest. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from consentry.errors import InvalidInput

_NAMED = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)(\.\.\.)?\}")


class InvalidPattern(InvalidInput):
    """A rule's path cannot be read; the message names the segment."""

    code = "invalid_settings"


@dataclass(frozen=True, slots=True)
class _Part:
    """One segment: texts around at most one name."""

    before: str
    name: str | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A path to compare decoded segments with. `rest` names what stands after the parts, where that is allowed."""

    text: str
    parts: tuple[_Part, ...]
    rest: str | None = None

    @classmethod
    def parse(cls, text: str) -> PathPattern:
        """Raises `InvalidPattern`."""
        if not text.startswith("/"):
            raise InvalidPattern(f"the path `{text}` must begin with `/`")
        segments = text[1:].split("/")
        if segments[-1] == "":
            segments.pop()
        parts, rest = [], None
        for place, segment in enumerate(segments):
            found = _NAMED.findall(segment)
            if len(found) > 1 or "{" in _NAMED.sub("", segment):
                raise InvalidPattern(f"`{segment}` of the path `{text}` must hold one `{{name}}` at most")
            if found and found[0][1]:
                if place != len(segments) - 1 or segment != f"{{{found[0][0]}...}}":
                    raise InvalidPattern(f"`{segment}` must be the whole last segment of the path `{text}`")
                rest = found[0][0]
                continue
            if not found:
                parts.append(_Part(segment))
                continue
            before, _, after = segment.partition(f"{{{found[0][0]}}}")
            parts.append(_Part(before, found[0][0], after))
        return cls(text, tuple(parts), rest)

    def match(self, segments: tuple[str, ...], *, ignore_case: bool = False) -> Mapping[str, str] | None:
        """The named values of decoded segments, or `None` where the path is another."""
        if len(segments) < len(self.parts) or (self.rest is None and len(segments) != len(self.parts)):
            return None
        found: dict[str, str] = {}
        for part, segment in zip(self.parts, segments, strict=False):
            if part.name is None:
                if segment != part.before and not (ignore_case and segment.casefold() == part.before.casefold()):
                    return None
            elif not _between(part, segment, found):
                return None
        if self.rest is not None:
            found[self.rest] = "/".join(segments[len(self.parts) :])
        return found


def _between(part: _Part, segment: str, found: dict[str, str]) -> bool:
    end = len(segment) - len(part.after)
    if end <= len(part.before) or not segment.startswith(part.before) or not segment.endswith(part.after):
        return False
    assert part.name is not None
    found[part.name] = segment[len(part.before) : end]
    return True
