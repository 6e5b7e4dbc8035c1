"""What the e-mail channel is told by the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Security = Literal["starttls", "tls", "none"]


@dataclass(frozen=True, slots=True)
class EmailConfig:
    """`password` reads the secret when it is needed."""

    host: str
    sender: str
    port: int = 587
    security: Security = "starttls"
    ca: Path | None = None
    username: str | None = None
    password: Callable[[], str] | None = None
