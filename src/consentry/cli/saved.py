"""The session that `consentry login` keeps: one file that only its owner can read."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from consentry.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Saved:
    """Where somebody is signed in, and their session's token."""

    url: str
    token: str


def path() -> Path:
    """`session.json` in the platform's configuration folder, or in `CONSENTRY_CONFIG_HOME`."""
    import platformdirs

    home = os.environ.get("CONSENTRY_CONFIG_HOME")
    folder = Path(home) if home else Path(platformdirs.user_config_dir("consentry", appauthor=False))
    return folder / "session.json"


def save(session: Saved) -> Path:
    """Write it so that nobody else can read it at any moment; answers where it is."""
    target = path()
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = target.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(asdict(session), file)
    fresh.replace(target)
    return target


def load() -> Saved | None:
    """The kept session. Raises `InvalidInput` where others could read the file, or it is damaged."""
    target = path()
    try:
        if target.stat().st_mode & 0o077:
            raise InvalidInput(f"`{target}` can be read by others: `chmod 600` it, or sign in again")
        values = json.loads(target.read_text("utf-8"))
        return Saved(str(values["url"]), str(values["token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise InvalidInput(f"`{target}` cannot be read: run `consentry login` again") from None


def forget() -> bool:
    """Remove it; false where there was none."""
    try:
        path().unlink()
    except FileNotFoundError:
        return False
    return True
