"""A file cache for compiled patterns that trusts nothing it did not write.

A compiled database is native data for a C library, so a file that somebody else could have put there must not be
loaded: the directory and the file must belong to this user and be closed to others, links are not followed, and the
content must match the digest it begins with. Anything else reads as absent, and the database is compiled again.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

_DIGEST = 32
_LARGEST = 64 * 1024 * 1024


def directory() -> Path:
    """Where this user's caches live, by the platform's custom."""
    from platformdirs import user_cache_path

    return user_cache_path("consentry")


def read(path: Path) -> bytes | None:
    """The stored bytes, or None where there are none that can be trusted."""
    try:
        if not _ours(path.parent.lstat(), directory=True):
            return None
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            if not _ours(os.fstat(handle), directory=False):
                return None
            with open(handle, "rb", closefd=False) as file:
                content = file.read(_LARGEST)
        finally:
            os.close(handle)
    except OSError:
        return None
    digest, body = content[:_DIGEST], content[_DIGEST:]
    return body if hashlib.sha256(body).digest() == digest else None


def write(path: Path, body: bytes) -> None:
    """Stores the bytes so that a reader sees all or none of them. A full or read-only disk only costs the cache."""
    with suppress(OSError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _ours(path.parent.lstat(), directory=True):
            return
        handle, name = tempfile.mkstemp(dir=path.parent)  # mode 0600 by contract
        try:
            with open(handle, "wb") as file:
                file.write(hashlib.sha256(body).digest() + body)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        except OSError:
            os.unlink(name)


def _ours(found: os.stat_result, *, directory: bool) -> bool:
    kind = stat.S_ISDIR if directory else stat.S_ISREG
    closed = 0o022 if directory else 0o077
    return kind(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & closed
