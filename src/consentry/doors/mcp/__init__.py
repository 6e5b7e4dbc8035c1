"""The MCP door: agents reach tools through the gate, in any revision of the protocol since 2025-03-26."""
