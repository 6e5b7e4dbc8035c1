"""The end of a connection whose other side may never take what is left for it."""

from __future__ import annotations

import asyncio

LOOK_S = 5.0
"""How often somebody looks whether the rest was taken."""


def end(transport: asyncio.Transport, patience_s: float) -> None:
    """Close a connection once what was written to it is taken, or after `patience_s` whatever is left.

    `close` alone waits for ever, and who never reads would hold a connection for nothing.
    """
    transport.close()
    if transport.get_write_buffer_size():
        loop = asyncio.get_running_loop()
        _look(loop, transport, loop.time() + patience_s)


def _look(loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, until: float) -> None:
    if not transport.get_write_buffer_size():
        return
    left = until - loop.time()
    if left <= 0:
        transport.abort()
    else:
        loop.call_later(min(left, LOOK_S), _look, loop, transport, until)
