"""What a door is told of one upstream server. Secrets are in here already revealed: never shown, logged or sent on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from consentry.doors.echo import Echo, credentials_in


@dataclass(frozen=True, slots=True)
class Server:
    """An upstream MCP server behind a resource. `url` or `command` says where it is, or `members` who is behind it.

    `gentle` names the tools of which the operator says that they destroy nothing (a server's own annotations are not
    believed). `pins` are tools' definition hashes that the operator has looked at. `ask` is what the server may ask
    of clients. Times are in seconds; `hold_s` is how long an answer is held back for people, below what clients wait.
    """

    resource: str
    url: str | None = None
    command: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    gentle: frozenset[str] = frozenset()
    pins: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    ask: frozenset[str] = frozenset({"sampling", "elicitation", "roots"})
    pass_unreadable: bool = False
    hold_s: float = 50.0
    beat_s: float = 5.0
    timeout_s: float = 300.0
    max_message: int = 64 << 20
    scan_limit: int = 1 << 18
    quiet: bool = True
    """Whether what a local server writes to standard error is dropped."""
    env_is_callers: bool = False
    """Whether the variables are the caller's own, who may see them."""
    members: tuple[Server, ...] = ()
    """Several servers behind one address, each a resource of its own, whose tools' names begin with its `prefix`."""
    echo: Echo = field(init=False, repr=False, compare=False)
    """What of the gate's own must not come back."""

    def __post_init__(self) -> None:
        added = {} if self.env_is_callers else self.env
        object.__setattr__(self, "echo", Echo(credentials_in((*self.headers.items(), *added.items()))))
