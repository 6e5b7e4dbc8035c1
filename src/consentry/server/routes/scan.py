"""Scan and sanitize what is sent. Nothing of it is kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING

from consentry.actions import Json
from consentry.errors import InvalidInput
from consentry.sanitize.detector import DetectorFailed
from consentry.server.access import ANY_SESSION
from consentry.server.endpoint import Call, Endpoint
from consentry.server.views.others import FindingView, SanitizedView, ScanBody, ScanView

if TYPE_CHECKING:
    from consentry.sanitize import Finding, Sanitizer

Path = tuple[str | int, ...]


class UnknownProfile(InvalidInput):
    """There is no profile of this name."""

    code = "unknown_profile"


async def scan(call: Call, body: ScanBody) -> ScanView:
    return await asyncio.to_thread(_scan, body)


async def sanitize(call: Call, body: ScanBody) -> SanitizedView:
    return await asyncio.to_thread(_sanitize, body)


def _scan(body: ScanBody) -> ScanView:
    sanitizer = _sanitizer(body.profile)
    return ScanView(findings=[_view(one, path) for path, text in _texts(body) for one in sanitizer.scan(text)])


def _sanitize(body: ScanBody) -> SanitizedView:
    sanitizer, findings = _sanitizer(body.profile), []
    done: dict[Path, str] = {}
    for path, text in _texts(body):
        result = sanitizer.sanitize(text)
        done[path] = result.text
        findings += [_view(one, path) for one in result.findings]
    records = (
        None if body.records is None else [_replaced(row, (index,), done) for index, row in enumerate(body.records)]
    )
    return SanitizedView(
        text=done.get(()) if body.text is not None else None,
        records=records,  # type: ignore[arg-type]
        findings=findings,
    )


def _texts(body: ScanBody) -> Iterator[tuple[Path, str]]:
    if (body.text is None) == (body.records is None):
        raise InvalidInput("send either `text` or `records`")
    if body.text is not None:
        yield (), body.text
    for index, row in enumerate(body.records or ()):
        yield from _inside(row, (index,))


def _inside(value: Json, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _inside(item, (*path, key))
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from _inside(item, (*path, index))


def _replaced(value: Json, path: Path, done: dict[Path, str]) -> Json:
    if isinstance(value, str):
        return done[path]
    if isinstance(value, Mapping):
        return {key: _replaced(item, (*path, key), done) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_replaced(item, (*path, index), done) for index, item in enumerate(value)]
    return value


def _view(one: Finding, path: Path) -> FindingView:
    return FindingView(
        type=one.type,
        start=one.start,
        end=one.end,
        score=one.score,
        detector=one.detector,
        reason=one.reason,
        subtype=one.subtype,
        path=list(path),
    )


@cache
def _sanitizer(profile: str | None) -> Sanitizer:
    from importlib.resources import files

    from consentry.sanitize import Sanitizer

    if profile is None:
        return Sanitizer.default(names=_names_installed())
    if not files("consentry.sanitize.profiles").joinpath(f"{profile}.toml").is_file():
        raise UnknownProfile("there is no built-in profile of this name")
    return Sanitizer.profile(profile)


def _names_installed() -> bool:
    from importlib.util import find_spec

    return find_spec("consentry.sanitize.names") is not None


ENDPOINTS = (
    Endpoint(
        "POST", "/v1/scan", ANY_SESSION, scan, "Find personal data and secrets", "sanitize",
        body=ScanBody, answer=ScanView, errors=(UnknownProfile, DetectorFailed),
    ),
    Endpoint(
        "POST", "/v1/sanitize", ANY_SESSION, sanitize, "Find personal data and secrets, and transform them", "sanitize",
        body=ScanBody, answer=SanitizedView, errors=(UnknownProfile, DetectorFailed),
    ),
)  # fmt: skip
