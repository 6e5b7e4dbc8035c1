"""Messages, headers and streams of the wire, as tables and properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentry.doors.errors import UpstreamBroke
from consentry.doors.mcp.errors import RpcError
from consentry.doors.mcp.wire import (
    EventReader,
    Notification,
    Request,
    Response,
    check_parameters,
    decoded,
    encode,
    encoded,
    event,
    parameter_headers,
    read,
    read_upstream,
)

SCHEMA = {
    "type": "object",
    "properties": {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "limit": {"type": "integer", "x-mcp-header": "Limit"},
        "deep": {"type": "object", "properties": {"flag": {"type": "boolean", "x-mcp-header": "Flag"}}},
        "list": {"type": "array", "items": {"type": "string", "x-mcp-header": "Never"}},
    },
}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"[]",
        b"1",
        b"{}",
        b'{"jsonrpc":"1.0","id":1,"method":"x"}',
        b'{"jsonrpc":"2.0","id":null,"method":"x"}',
        b'{"jsonrpc":"2.0","id":true,"method":"x"}',
        b'{"jsonrpc":"2.0","id":1.5,"method":"x"}',
        b'{"jsonrpc":"2.0","id":1,"method":1}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":[]}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"_meta":1}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","method":"y"}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"m"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":9007199254740993}}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":{"n":NaN}}',
    ],
)
def test_what_is_no_message_is_refused(data):
    with pytest.raises(RpcError):
        read(data, limit=1 << 20)


def test_a_message_over_the_limit_is_refused():
    with pytest.raises(RpcError) as refused:
        read(b'{"jsonrpc":"2.0","id":1,"method":"x"}' + b" " * 100, limit=50)
    assert refused.value.http_status == 413


@pytest.mark.parametrize(
    "message",
    [
        Request(1, "tools/call", {"name": "x"}),
        Request("a", "ping"),
        Notification("notifications/x", {"a": [1, None]}),
        Response(1, {"b": "ü"}),
    ],
)
def test_messages_come_back_as_they_went(message):
    assert read(encode(message), limit=1 << 20) == (message,)
    assert read_upstream(encode(message)) == message


@given(st.text())
def test_header_values_come_back_as_they_went(value):
    text = encoded(value)
    assert text.isascii()
    assert "\n" not in text
    assert decoded(text) == value


def test_headers_of_parameters_are_found_along_properties_only():
    assert dict(parameter_headers(SCHEMA)) == {"Region": ("region",), "Limit": ("limit",), "Flag": ("deep", "flag")}


@pytest.mark.parametrize(
    ("headers", "arguments", "fits"),
    [
        ([(b"mcp-param-region", b"eu")], {"region": "eu"}, True),
        ([(b"mcp-param-region", b"=?base64?w7w=?=")], {"region": "ü"}, True),
        ([(b"Mcp-Param-Limit", b"42.0")], {"limit": 42}, True),
        ([(b"mcp-param-flag", b"true")], {"deep": {"flag": True}}, True),
        ([], {"region": None}, True),
        ([], {"region": "eu"}, False),
        ([(b"mcp-param-region", b"us")], {"region": "eu"}, False),
        ([(b"mcp-param-flag", b"1")], {"deep": {"flag": True}}, False),
        ([(b"mcp-param-region", b"eu"), (b"mcp-param-region", b"eu")], {"region": "eu"}, False),
    ],
)
def test_h5_parameter_headers_that_differ_are_refused(headers, arguments, fits):
    if fits:
        check_parameters(headers, SCHEMA, arguments)
        return
    with pytest.raises(RpcError):
        check_parameters(headers, SCHEMA, arguments)


@given(st.lists(st.integers(min_value=1, max_value=20), max_size=30))
def test_a_stream_reads_the_same_however_it_is_cut(cuts):
    messages = [Notification("a", {"text": "ü\n\r"}), Response(1, {"x": "y" * 50})]
    data = b": comment\r\nretry: 20\r\n\r\n" + event(messages[0], "7") + event(messages[1])
    reader, found = EventReader(1 << 20), []
    for size in cuts:
        found += reader.feed(data[:size])
        data = data[size:]
    found += reader.feed(data)
    texts = [one for one in found if one.data]
    assert [read_upstream(one.data) for one in texts] == messages
    assert [one.id for one in texts] == ["7", "7"]
    assert [one.retry_ms for one in found if one.retry_ms] == [20]


def test_an_event_without_end_is_cut_off():
    reader = EventReader(100)
    with pytest.raises(UpstreamBroke):
        list(reader.feed(b"data: " + b"x" * 200))
