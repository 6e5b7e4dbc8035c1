"""An MCP server over stdio, by hand, whose one tool is described by the words in a file. For what real servers hide."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def answer(method: str) -> dict | None:
    if method == "initialize":
        info = {"name": "changing", "version": "1"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        words = Path(os.environ["WORDS"]).read_text()
        return {"tools": [{"name": "tool", "description": words, "inputSchema": {"type": "object"}}]}
    if method == "tools/call":
        return {"content": [{"type": "text", "text": "ran"}]}
    return None


for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    result = answer(message["method"])
    outcome = {"error": {"code": -32601, "message": "no"}} if result is None else {"result": result}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **outcome}), flush=True)
