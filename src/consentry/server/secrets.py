"""Secrets by reference: the settings say where a secret is, and it is read when it is needed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from consentry.errors import ConsentryError

_NEEDS = {"vault": "`consentry[vault]`", "aws-sm": "`consentry[aws]`"}


class SecretUnavailable(ConsentryError):
    """A secret's reference leads nowhere."""

    code = "secret_unavailable"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """`env:NAME` or `file:PATH`. Its text is safe to show; `reveal` is not."""

    reference: str = field()

    def __post_init__(self) -> None:
        scheme, _, rest = self.reference.partition(":")
        if scheme in _NEEDS:
            raise ValueError(
                f"`{scheme}:` references need {_NEEDS[scheme]}, which is not installed: use `env:` or `file:`"
            )
        if scheme in ("env", "file"):
            if not rest:
                raise ValueError(f"`{scheme}:` needs a name after it")
        elif not _harmless(self.reference):
            raise ValueError("must be a reference such as `env:NAME` or `file:PATH`, never the secret itself")

    def reveal(self) -> str:
        """The secret. Raises `SecretUnavailable`, naming the reference only."""
        scheme, _, rest = self.reference.partition(":")
        if scheme == "env":
            value = os.environ.get(rest)
            if not value:
                raise SecretUnavailable(f"the environment variable `{rest}` is not set: set it, or change the setting")
            return value
        if scheme == "file":
            try:
                value = Path(rest).expanduser().read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError):
                raise SecretUnavailable(f"the file `{Path(rest).name}` of a secret cannot be read") from None
            if not value:
                raise SecretUnavailable(f"the file `{Path(rest).name}` of a secret is empty")
            return value
        return self.reference

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_validate)


def references(value: object, name: str) -> Iterator[tuple[str, SecretRef]]:
    """Every secret in a part of the settings that is called `name`, each with its own dotted name."""
    if isinstance(value, SecretRef):
        yield name, value
    elif isinstance(value, BaseModel):
        for field_name in type(value).model_fields:
            yield from references(getattr(value, field_name), f"{name}.{field_name}")
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from references(one, f"{name}.{key}")
    elif isinstance(value, tuple):
        for index, one in enumerate(value):
            yield from references(one, f"{name}.{index}")


def _validate(value: object) -> SecretRef:
    if isinstance(value, SecretRef):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a text such as `env:NAME`")
    return SecretRef(value)


def _harmless(text: str) -> bool:
    """Whether a text is an address that holds no password, which may stand in a file."""
    if not re.match(r"[a-z][a-z0-9+.-]*://", text):
        return False
    try:
        return urlsplit(text).password is None
    except ValueError:
        return False
