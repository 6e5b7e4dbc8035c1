"""Profiles are read from TOML once, at the edge, and checked there."""

from __future__ import annotations

import re
import tomllib
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from consentry.errors import InvalidInput, NotFound
from consentry.sanitize.profiles import expressions
from consentry.sanitize.profiles.profile import (
    BinaryRule,
    Denied,
    InternalId,
    Profile,
    Rule,
    TransformName,
    VaultPlace,
)
from consentry.sanitize.transforms import marks

DIRECTORIES_VARIABLE: Final = "CONSENTRY_PROFILES"
"""Folders with the operator's own profiles, separated as in PATH."""

_TYPE: Final = r"^[A-Z][A-Z0-9_]{1,39}$"
_REFERENCE: Final = r"^(env|file):.+$"


class ProfileInvalid(InvalidInput):
    """The TOML is no profile; nothing was sanitized."""

    code: ClassVar[str] = "profile_invalid"


class _Edge(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Rule(_Edge):
    transform: TransformName = "replace"
    min_score: float | None = Field(default=None, ge=0, le=1)
    keep_last: int = Field(default=0, ge=0, le=4)
    keep_first: int = Field(default=3, ge=0, le=8)
    luhn: Literal["off", "valid"] = "off"
    days: int = Field(default=365, ge=1, le=36_500)
    order: Literal["mdy", "dmy"] = "mdy"
    age_band: int = Field(default=10, ge=2, le=50)
    postal_prefix: int = Field(default=3, ge=0, le=4)
    bucket: Literal["year", "quarter", "month", "day"] = "month"

    def rule(self) -> Rule:
        return Rule(**self.model_dump())


class _InternalId(_Edge):
    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    pattern: str = Field(min_length=3, max_length=500)
    score: float = Field(default=0.9, ge=0, le=1)

    @field_validator("pattern")
    @classmethod
    def _compiles(cls, pattern: str) -> str:
        try:
            compiled = re.compile(pattern)
            expressions.check(pattern)
        except re.error as error:
            raise ValueError(f"is no regular expression: {error}") from error
        if compiled.match("") is not None:
            raise ValueError("matches the empty text")
        return pattern


class _Denied(_Edge):
    value: str = Field(min_length=1)
    type: str = Field(default="INTERNAL_ID", pattern=_TYPE)


class _Lists(_Edge):
    allow: tuple[str, ...] = ()
    deny: tuple[_Denied, ...] = ()


class _Vault(_Edge):
    url: str
    key: str = Field(pattern=_REFERENCE)


class _Profile(_Edge):
    description: str = ""
    key: str | None = Field(default=None, pattern=_REFERENCE)
    names: bool = True
    min_score: float = Field(default=0.5, ge=0, le=1)
    subject: str | None = None
    binary: BinaryRule = "refuse"
    tables: bool = True
    default: _Rule = _Rule()
    types: dict[Annotated[str, Field(pattern=_TYPE)], _Rule] = {}
    columns: dict[str, Annotated[str, Field(pattern=r"^(keep|scan|[A-Z][A-Z0-9_]{1,39})$")]] = {}
    internal_id: tuple[_InternalId, ...] = ()
    lists: _Lists = _Lists()
    vault: _Vault | None = None

    @field_validator("default")
    @classmethod
    def _default_hides(cls, rule: _Rule) -> _Rule:
        if rule.transform == "keep":
            raise ValueError("the default cannot be `keep`: a type that nobody declared would leave in clear")
        return rule

    @model_validator(mode="after")
    def _types_exist(self) -> Self:
        """A rule for a type that nothing reports would be silently without effect."""
        from consentry.sanitize.patterns import tables

        found = {row.type for row in tables.ALL} | marks.KNOWN_TYPES
        known = found | {one.type for one in self.lists.deny} | set(self.columns.values())
        for entity in self.types:
            if entity not in known and not marks.is_national(entity):
                near = get_close_matches(entity, known, 1)
                meant = f"; is `{near[0]}` meant?" if near else ""
                raise ValueError(f"nothing is of the type `{entity}`{meant}")
        return self

    def profile(self, name: str) -> Profile:
        return Profile(
            name=name,
            description=self.description,
            key=self.key,
            names=self.names,
            min_score=self.min_score,
            subject=self.subject,
            binary=self.binary,
            tables=self.tables,
            default=self.default.rule(),
            types={entity: rule.rule() for entity, rule in self.types.items()},
            columns=dict(self.columns),
            internal_ids=tuple(InternalId(one.name, one.pattern, one.score) for one in self.internal_id),
            allow=frozenset(value.casefold() for value in self.lists.allow),
            deny=tuple(Denied(one.value, one.type) for one in self.lists.deny),
            vault=None if self.vault is None else VaultPlace(self.vault.url, self.vault.key),
        )


def load(name: str | Path) -> Profile:
    """The profile of a name, built in or in a folder of `CONSENTRY_PROFILES`, or of a `.toml` file.

    Raises `NotFound` for an unknown name and `ProfileInvalid` for what is no profile.
    """
    if isinstance(name, Path) or name.endswith(".toml"):
        return _read(Path(name))
    for folder in _folders():
        if (folder / f"{name}.toml").is_file():
            return _read(folder / f"{name}.toml")
    if name in names():
        return parse((_built_in() / f"{name}.toml").read_text("utf-8"), name)
    raise NotFound(f"there is no profile `{name}`; there are {', '.join(f'`{one}`' for one in names())}")


def names() -> list[str]:
    """Every profile that `load` knows by name."""
    found = {entry.name.removesuffix(".toml") for entry in _built_in().iterdir() if entry.name.endswith(".toml")}
    for folder in _folders():
        found |= {path.stem for path in folder.glob("*.toml")}
    return sorted(found)


def parse(text: str, name: str) -> Profile:
    """A profile from TOML text. Raises `ProfileInvalid`, which names the key and never quotes a value."""
    try:
        return _Profile.model_validate(tomllib.loads(text)).profile(name)
    except tomllib.TOMLDecodeError as error:
        raise ProfileInvalid(f"the profile `{name}` is not TOML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ProfileInvalid(f"the profile `{name}` is wrong at `{where}`: {first['msg']}") from error


def _read(path: Path) -> Profile:
    try:
        return parse(path.read_text("utf-8"), path.stem)
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound(f"the profile `{path}` cannot be read; is it a TOML file in UTF-8?") from error


def _folders() -> list[Path]:
    import os

    return [Path(part) for part in os.environ.get(DIRECTORIES_VARIABLE, "").split(os.pathsep) if part]


def _built_in() -> resources.abc.Traversable:
    return resources.files("consentry.sanitize.profiles")
