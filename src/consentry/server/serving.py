"""A server that ends well."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import uvicorn


class CleanExit(uvicorn.Server):
    """A signal ends the serving and is not raised anew afterwards: what stopped as it was told to ends with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()
