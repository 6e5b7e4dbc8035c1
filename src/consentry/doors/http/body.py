"""A request's body: read whole before it is judged, hashed as it comes, and sent from what was read.

What was judged and what is sent are the same bytes (threats B1 and B8): up to a limit they are kept in memory, beyond
it in a file that has no name.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator
from functools import cached_property
from pathlib import Path
from typing import IO

from consentry.actions import Json, NotExact, parse
from consentry.actions.json import TooLarge
from consentry.doors.http.errors import BodyTooLarge
from consentry.errors import InvalidInput

PIECE = 1 << 18


class Unparsed(Exception):
    """The body is not JSON of one meaning. Never leaves this room."""


class Body:
    """A body that was read. Close it when the request is done."""

    def __init__(self, data: bytes, file: IO[bytes] | None, size: int, sha256: str) -> None:
        self.data = data
        self.size = size
        self.sha256 = sha256
        self._file = file

    @property
    def in_memory(self) -> bool:
        return self._file is None

    @cached_property
    def json(self) -> Json:
        """The body as JSON. Raises `Unparsed` where it is not, has two meanings, or is too large to be looked into."""
        if self._file is not None:
            raise Unparsed
        try:
            return parse(self.data, what="body", limit=max(len(self.data), 1))
        except (NotExact, TooLarge, InvalidInput):
            raise Unparsed from None

    async def pieces(self) -> AsyncIterator[bytes]:
        """The same bytes again, from their beginning."""
        if self._file is None:
            if self.data:
                yield self.data
            return
        await asyncio.to_thread(self._file.seek, 0)
        while piece := await asyncio.to_thread(self._file.read, PIECE):
            yield piece

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


NOTHING = Body(b"", None, 0, hashlib.sha256(b"").hexdigest())


async def read(source: AsyncIterator[bytes], *, memory: int, limit: int, folder: Path | None) -> Body:
    """Read a body. `folder` is where a file for a large one may lie. Raises `BodyTooLarge`."""
    held = bytearray()
    size = 0
    file: IO[bytes] | None = None
    digest = hashlib.sha256()
    try:
        async for piece in source:
            size += len(piece)
            if size > limit:
                raise BodyTooLarge(f"the body is larger than {limit} bytes: send less, or raise `http.max_body`")
            held += piece
            if len(held) > memory:
                if file is None:
                    file = await asyncio.to_thread(_temporary, folder)
                held = await asyncio.to_thread(_spill, file, digest, held)
        if file is None:
            digest.update(held)
            return Body(bytes(held), None, size, digest.hexdigest()) if size else NOTHING
        await asyncio.to_thread(_spill, file, digest, held)
        return Body(b"", file, size, digest.hexdigest())
    except BaseException:
        if file is not None:
            file.close()
        raise


def _temporary(folder: Path | None) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder)


def _spill(file: IO[bytes], digest: hashlib._Hash, held: bytearray) -> bytearray:
    digest.update(held)
    file.write(held)
    return bytearray()


class Counted:
    """A body that streams through unread: only its size and hash are known, and only afterwards."""

    def __init__(self, source: AsyncIterator[bytes], limit: int) -> None:
        self._source = source
        self._limit = limit
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The bytes as they come. Raises `BodyTooLarge` in the middle."""
        async for piece in self._source:
            self.size += len(piece)
            if self.size > self._limit:
                raise BodyTooLarge(f"the body is larger than {self._limit} bytes")
            self._digest.update(piece)
            yield piece

    def close(self) -> None:
        """There is nothing to close."""
