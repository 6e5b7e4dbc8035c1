"""Who is where: what every part of the door needs to know of a request. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from consentry.doors.mcp.catalog import Catalog
from consentry.doors.mcp.client import Caller, Client
from consentry.doors.mcp.config import Server
from consentry.doors.mcp.link import Link


@dataclass(frozen=True, slots=True)
class Visit:
    """One caller with one kind of client at one upstream server."""

    server: Server
    caller: Caller
    client: Client
    link: Link
    catalog: Catalog
