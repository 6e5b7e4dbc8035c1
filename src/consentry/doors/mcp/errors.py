"""What can go wrong at the MCP door: errors of the protocol, and upstreams that fail."""

from __future__ import annotations

from typing import ClassVar

from consentry.actions import Json
from consentry.errors import ConsentryError

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022
UPSTREAM_FAILED = 1001
"""Ours, outside of the range that JSON-RPC reserves: the upstream server could not be reached or answered nonsense."""

_STATUS = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    METHOD_NOT_FOUND: 404,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
}


class RpcError(ConsentryError):
    """An error of the protocol, with its number; the caller reads `message`, programs read `code` and `data`."""

    code = "mcp_error"
    status: ClassVar[int] = 400

    def __init__(self, number: int, text: str, data: Json = None, *, http_status: int | None = None) -> None:
        super().__init__(text)
        self.number = number
        self.text = text
        self.data = data
        self.http_status = http_status or _STATUS.get(number, 200)

    def to_json(self) -> dict[str, Json]:
        body: dict[str, Json] = {"code": self.number, "message": self.text}
        if self.data is not None:
            body["data"] = self.data
        return body
