"""What leaves is masked as policy says, and what cannot be read does not leave."""

from __future__ import annotations

import base64

import pytest

from consentry.doors.mcp.masking import Unreadable, mask

POLICY = """
@id("masked") @reason("Everything may run, masked") @mask("EMAIL_ADDRESS")
permit (principal, action in [Action::"mcp.tool.call", Action::"dataset.read"], resource);
"""


def clean(text: str) -> str:
    return text.replace("ada@example.org", "<EMAIL_ADDRESS>").replace("123456789", "<NUMBER>")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"content": [{"type": "text", "text": "to ada@example.org"}]}, "to <EMAIL_ADDRESS>"),
        ({"structuredContent": {"a": [{"b": "ada@example.org"}]}}, "<EMAIL_ADDRESS>"),
        ({"structuredContent": {"ada@example.org": 1}}, "<EMAIL_ADDRESS>"),
        ({"structuredContent": {"n": 123456789}}, "<NUMBER>"),
        ({"content": [{"type": "resource", "resource": {"uri": "x://ada@example.org", "text": "t"}}]}, "x://<EMAIL"),
    ],
)
def test_every_text_is_masked(value, expected):
    masked = str(mask(value, clean, pass_unreadable=False))
    assert expected in masked
    assert "ada@example.org" not in masked
    assert "123456789" not in masked


def blob(data: bytes, media: str) -> dict:
    return {"contents": [{"uri": "x://y", "mimeType": media, "blob": base64.b64encode(data).decode()}]}


def test_text_in_a_blob_is_masked():
    masked = mask(blob(b"to ada@example.org", "text/plain"), clean, pass_unreadable=False)
    assert base64.b64decode(masked["contents"][0]["blob"]) == b"to <EMAIL_ADDRESS>"


@pytest.mark.parametrize(
    "value",
    [
        blob(b"\x89PNG", "image/png"),
        blob(b"\xff\xfe", "text/plain"),
        {"contents": [{"uri": "x://y", "mimeType": "text/plain", "blob": "!"}]},
        {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]},
        {"content": [{"type": "audio", "data": "AAAA", "mimeType": "audio/wav"}]},
    ],
)
def test_e9_what_cannot_be_read_does_not_pass(value):
    with pytest.raises(Unreadable):
        mask(value, clean, pass_unreadable=False)
    assert mask(value, clean, pass_unreadable=True) == value


@pytest.fixture
def policies(tmp_path):
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "masked.cedar").write_text(POLICY)
    return {"dir": tmp_path / "policies"}


async def test_results_resources_and_errors_are_masked(start, shop, policies):
    async with start({"shop": shop}, policy=policies) as gateway, gateway.client("auto") as client:
        found = await client.call_tool("customer", {"number": 7})
        read = await client.read_resource("shop://greeting")
        failed = await client.call_tool("fail", {})
    text = f"{found.content} {found.structured_content} {read.contents} {failed.content}"
    assert "ada@example.org" not in text
    assert found.structured_content["number"] == 7
    assert failed.is_error


async def test_e9_a_masking_that_fails_lets_nothing_out(start, shop, policies, monkeypatch):
    def broken(masks):
        def clean(text: str) -> str:
            raise RuntimeError("no model")

        return clean

    monkeypatch.setattr("consentry.server.mcp._cleaner", broken)
    async with start({"shop": shop}, policy=policies) as gateway, gateway.client("auto") as client:
        found = await client.call_tool("customer", {"number": 7})
        assert await gateway.settled() == [("customer", "succeeded")]
    assert found.is_error
    assert "Lovelace" not in str(found)
    assert "ada@example.org" not in str(found)


async def test_findings_in_arguments_reach_policy(gateway, ask):
    """A gentle tool that is given personal data is not routine."""
    call = {"name": "environment", "arguments": {"name": "ada.lovelace@example.org"}}
    assert (await ask("tools/call", call))["result"]["content"][0]["text"].startswith("Paused")
    request = await gateway.asked()
    assert request.facts.values["findings"]["types"] == ["EMAIL_ADDRESS"] or "EMAIL_ADDRESS" in list(
        request.facts.values["findings"]["types"]
    )


async def test_e9_a_lens_that_fails_denies(gateway, ask, monkeypatch):
    def broken(*given):
        raise RuntimeError("no detector")

    monkeypatch.setattr("consentry.doors.mcp.lens.facts", broken)
    result = (await ask("tools/call", {"name": "add", "arguments": {"a": 1, "b": 2}}))["result"]
    assert result["isError"]
    assert "lens_failed" in result["content"][0]["text"]
    assert gateway.ran == []


async def test_tools_that_would_be_denied_are_hidden(start, shop, tmp_path):
    (tmp_path / "hide").mkdir()
    (tmp_path / "hide" / "p.cedar").write_text(
        POLICY + '@id("no-erasing") @reason("Nothing is erased here")\n'
        'forbid (principal, action == Action::"mcp.tool.call", resource) '
        'when { context.facts has tool && context.facts.tool == "erase" };'
    )
    async with start({"shop": shop}, policy={"dir": tmp_path / "hide"}) as gateway, gateway.client("auto") as client:
        assert "erase" not in {tool.name for tool in (await client.list_tools()).tools}
        result = await client.call_tool("erase", {"table": "orders"})
    assert result.is_error
    assert "Nothing is erased here" in result.content[0].text


@pytest.mark.parametrize("key", ["type", "role", "mimeType", "resultType", "jsonrpc"])
@pytest.mark.parametrize("value", ["ada@example.org", "Ada ada@example.org", "123456789"])
def test_e1_a_members_name_does_not_make_its_value_a_word_of_the_protocol(key, value):
    """Tools choose the names in their results themselves: `select email as role` is no protocol."""
    masked = mask({"structuredContent": {"rows": [{key: value}]}}, clean, pass_unreadable=False)
    assert masked["structuredContent"]["rows"][0][key] != value


@pytest.mark.parametrize("word", ["text", "resource_link", "assistant", "application/ld+json", "2.0", "complete"])
def test_words_of_the_protocol_are_not_looked_at(word):
    def broken(text: str) -> str:
        raise AssertionError(text)

    assert mask({"type": word}, broken, pass_unreadable=False) == {"type": word}


def test_f5_a_number_is_masked_with_a_fraction_that_is_none():
    masked = mask({"n": [123456789.0, 1.5, 4111111111111111.5, 1e300]}, clean, pass_unreadable=False)
    assert masked == {"n": ["<NUMBER>", 1.5, 4111111111111111.5, 1e300]}
