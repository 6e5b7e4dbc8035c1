"""Ways around masks and policies that callers can choose themselves, and secrets of the gate that come back to them."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from aiohttp import web

EMAIL, CARD = "ada.lovelace@example.org", 4111111111111111
KEY = "sk-of-the-gate-7Q2"
MASKED = '@mask("EMAIL_ADDRESS,CREDIT_CARD")'
TOOLS = """
@id("all") @reason("Allowed")
permit (principal, action in [Action::"http.request", Action::"llm.prompt"], resource);
@id("no-erasing") @reason("Models do not erase")
forbid (principal, action == Action::"llm.prompt", resource)
when {
  context.facts has lens && context.facts.lens == "llm.tools" &&
  context.facts has tools && context.facts.tools.contains("erase")
};
"""
ASKED = """
@id("all") @reason("Allowed") permit (principal, action == Action::"llm.prompt", resource);
@id("tools") @reason("Somebody looks at it") @review("group:admins") @expires("30m")
permit (principal, action == Action::"llm.prompt", resource)
when { context.facts has lens && context.facts.lens == "llm.tools" };
"""
LLM = {"profile": "llm"}
CUSTOM = {"id": "c1", "type": "custom", "custom": {"name": "erase", "input": "the orders"}}


def json_answer(value):
    async def answer(request, body):
        return web.json_response(value)

    return answer


def raw_answer(text):
    async def answer(request, body):
        return web.Response(text=text, content_type="application/json")

    return answer


def events_answer(*values):
    async def answer(request, body):
        text = "".join(f"data: {json.dumps(one)}\n\n" for one in values)
        return web.Response(text=text, content_type="text/event-stream")

    return answer


def chunk(delta, finish=None, **more):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish, **more}]}


@pytest.fixture
def chat():
    """A prompt with these parts."""
    return lambda **more: {"model": "m", "messages": [{"role": "user", "content": "go on"}], **more}


# Masked answers.


@pytest.mark.parametrize("name", ["type", "role", "object", "event", "jsonrpc"])
async def test_e1_a_result_under_another_name_is_masked(start, upstream, allow, name):
    """GraphQL, PostgREST and others let the caller choose what a column is called."""
    upstream.answers["graphql"] = json_answer({"data": {"user": {name: EMAIL, "card": {name: CARD}}}})
    async with start(policy=allow(MASKED)) as gateway:
        _, body, _ = await gateway.fetch("POST", "/graphql", json={"query": f"{{ user {{ {name}: email }} }}"})
    assert EMAIL.encode() not in body
    assert str(CARD).encode() not in body


@pytest.mark.parametrize(
    "number", ["4111111111111111", "4111111111111111.0", "4.111111111111111e15", "41111111111111110e-1"]
)
async def test_f5_a_number_is_masked_in_every_spelling(start, upstream, allow, number):
    """A column of numbers with gaps comes as fractions."""
    upstream.answers["rows"] = raw_answer(f'{{"card": {number}, "size": 1.5, "none": 1e400, "ratio": 12345.678}}')
    async with start(policy=allow(MASKED)) as gateway:
        _, body, _ = await gateway.fetch("GET", "/rows")
    assert body == b'{"card": "<CREDIT_CARD>", "size": 1.5, "none": 1e400, "ratio": 12345.678}'


async def test_e1_words_of_a_protocol_stay(start, upstream, allow):
    said = {"jsonrpc": "2.0", "object": "chat.completion.chunk", "type": "content_block_delta", "role": "assistant"}
    upstream.answers["rpc"] = json_answer(said)
    async with start(policy=allow(MASKED)) as gateway:
        _, body, _ = await gateway.fetch("GET", "/rpc")
    assert json.loads(body) == said


# Masked prompts.


@pytest.mark.parametrize(
    "given",
    [{"id": EMAIL}, {"model": EMAIL}, {"format": [EMAIL]}, {"card": CARD}, {EMAIL: True}, {"a": {"type": EMAIL}}],
    ids=["id", "model", "format", "number", "key", "type"],
)
async def test_e1_a_tools_input_in_a_prompt_is_masked_whatever_its_names(start, upstream, allow, chat, given):
    upstream.answers["v1"] = json_answer({"content": []})
    call = {"type": "tool_use", "id": "toolu_01ABC", "name": "find", "input": given}
    body = chat(max_tokens=5)
    body["messages"].append({"role": "assistant", "content": [call]})
    async with start(policy=allow(MASKED), http=LLM) as gateway:
        status, answer, _ = await gateway.fetch("POST", "/v1/messages", json=body)
    assert status == 200, answer
    sent = upstream.requests[-1][3]
    assert EMAIL.encode() not in sent
    assert str(CARD).encode() not in sent
    made = json.loads(sent)["messages"][1]["content"][0]
    assert (made["id"], made["type"], made["name"]) == ("toolu_01ABC", "tool_use", "find")


PDF = "data:application/pdf;base64,JVBERi0xLjQK"
UNREADABLE = [
    {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}},
    {"type": "file", "file": {"file_id": "file-1"}},
    {"type": "input_file", "file_id": "file-1"},
    {"type": "input_image", "file_id": "file-1"},
    {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": PDF}},
    {"type": "anything", "unheard_of": PDF},
    {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"}},
    {"type": "container_upload", "file_id": "file-1"},
]


@pytest.mark.parametrize("part", UNREADABLE, ids=range(len(UNREADABLE)))
async def test_e9_a_prompt_with_what_nobody_can_read_is_not_sent(start, upstream, allow, chat, part):
    body = chat()
    body["messages"][0]["content"] = [{"type": "text", "text": "what is in it?"}, part]
    async with start(policy=allow(MASKED), http=LLM) as gateway:
        status, _, _ = await gateway.fetch("POST", "/v1/chat/completions", json=body)
    assert status >= 400
    assert upstream.requests == []


# Masked answers of models.

ANSWERS = {"profile": "llm", "llm": {"mask_answers": True, "unmask": False}}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_f5_tokens_beside_a_masked_answer_do_not_spell_it(start, upstream, allow, chat, stream):
    """`logprobs` repeat an answer token by token, and a caller can ask for them."""
    tokens = ["ada.", "lovelace", "@example", ".org"]
    logprobs = {"content": [{"token": one, "bytes": list(one.encode()), "top_logprobs": []} for one in tokens]}
    whole = {"choices": [{"index": 0, "message": {"content": EMAIL}, "logprobs": logprobs}]}
    upstream.answers["v1"] = (
        events_answer(chunk({"content": EMAIL}, logprobs=logprobs), chunk({}, "stop")) if stream else json_answer(whole)
    )
    async with start(policy=allow(MASKED), http=ANSWERS) as gateway:
        asked = chat(stream=stream, logprobs=True)
        _, body, _ = await gateway.fetch("POST", "/v1/chat/completions", json=asked)
    assert b"EMAIL_ADDRESS" in body
    assert b"lovelace" not in body
    assert str(list(b"lovelace"))[1:-1].encode() not in body.replace(b",", b", ")


async def test_f5_a_model_cannot_name_a_members_way_around_the_mask(start, upstream, allow, chat):
    call = {"type": "tool_use", "id": "t1", "name": "find", "input": {"id": EMAIL, "name": EMAIL, "type": EMAIL}}
    upstream.answers["v1"] = json_answer({"content": [call]})
    async with start(policy=allow(MASKED), http=ANSWERS) as gateway:
        _, body, _ = await gateway.fetch("POST", "/v1/messages", json=chat(max_tokens=5))
    assert EMAIL.encode() not in body
    assert json.loads(body)["content"][0]["id"] == "t1"


@pytest.mark.parametrize("media", ["text/plain", "application/problem+json", "text/html"])
async def test_e3_error_texts_of_a_masked_model_are_masked(start, upstream, allow, chat, media):
    async def fails(request, body):
        return web.Response(status=400, text=json.dumps({"detail": f"no such user {EMAIL}"}), content_type=media)

    upstream.answers["v1"] = fails
    async with start(policy=allow(MASKED), http=ANSWERS) as gateway:
        _, body, _ = await gateway.fetch("POST", "/v1/chat/completions", json=chat())
    assert EMAIL.encode() not in body


# Tool calls.

SHELL = {"type": "local_shell_call", "id": "i1", "call_id": "c1", "action": {"type": "exec", "command": ["rm", "-r"]}}
FREE = {"type": "custom_tool_call", "id": "i1", "call_id": "c1", "name": "erase", "input": "the orders"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_h5_a_custom_tool_of_chat_is_put_to_policy(start, upstream, chat, stream):
    whole = {"choices": [{"index": 0, "message": {"tool_calls": [CUSTOM]}, "finish_reason": "tool_calls"}]}
    first = {**CUSTOM, "index": 0, "custom": {"name": "erase", "input": ""}}
    upstream.answers["v1"] = (
        events_answer(
            chunk({"tool_calls": [first]}),
            chunk({"tool_calls": [{"index": 0, "custom": {"input": "the orders"}}]}),
            chunk({}, "tool_calls"),
        )
        if stream
        else json_answer(whole)
    )
    async with start(policy=TOOLS, http=LLM) as gateway:
        _, body, _ = await gateway.fetch("POST", "/v1/chat/completions", json=chat(stream=stream))
        assert b"the orders" not in body
        asked = [action for action, _ in await gateway.settled(2)]
    assert asked[-1].arguments["tool_calls"] == [{"name": "erase", "arguments": "the orders"}]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("item", [SHELL, FREE], ids=["shell", "custom"])
async def test_d6_whoever_decides_on_a_tool_call_sees_what_it_does(start, upstream, stream, item):
    events = [
        {"type": "response.output_item.added", "output_index": 0, "item": {**item, "input": "", "action": {}}},
        {"type": "response.custom_tool_call_input.delta", "item_id": "i1", "delta": "the orders"},
        {"type": "response.output_item.done", "output_index": 0, "item": item},
        {"type": "response.completed", "response": {"output": [item]}},
    ]
    upstream.answers["v1"] = events_answer(*events) if stream else json_answer({"output": [item]})
    async with start(policy=ASKED, http=LLM) as gateway:
        asked = {"model": "m", "input": "go on", "stream": stream}
        _, body, _ = await gateway.fetch("POST", "/v1/responses", json=asked)
        assert b"orders" not in body
        assert b"rm" not in body
        (call,) = (await gateway.asked()).action.arguments["tool_calls"]
    assert ("rm" if item is SHELL else "the orders") in json.dumps(call)


@pytest.mark.parametrize(
    "path", ["/v1/responses/r1", "/v1/Responses/r1/", "/v1/responses/r1?stream=true", "/v1/chat/completions/x"]
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_h5_an_answer_that_is_fetched_later_is_put_to_policy_too(start, upstream, path, stream):
    """In the background, or kept by the provider: the answer to a prompt then comes by a request that is no prompt."""
    call = {"type": "function_call", "id": "i1", "call_id": "c1", "name": "erase", "arguments": '{"table": "orders"}'}
    message = {"tool_calls": [{"id": "c1", "type": "function", "function": {"name": "erase", "arguments": "orders"}}]}
    done = {"output": [call], "choices": [{"index": 0, "message": message}]}
    events = [{"type": "response.output_item.added", "item": call}, {"type": "response.output_item.done", "item": call}]
    chunks = [chunk({"tool_calls": [{"index": 0, **message["tool_calls"][0]}]}), chunk({}, "tool_calls")]
    streamed = events_answer(*(chunks if "chat" in path else events))
    upstream.answers[path.strip("/").split("/")[0]] = streamed if stream else json_answer(done)
    async with start(policy=TOOLS, http=LLM) as gateway:
        _, body, _ = await gateway.fetch("GET", path)
    assert b"orders" not in body


# What is the gate's own.


async def test_a_credential_in_the_query_does_not_come_back_in_a_redirect(start, upstream, allow, monkeypatch):
    monkeypatch.setenv("API_KEY", KEY)

    async def moved(request, body):
        headers = {"location": f"{request.path}/?{request.query_string}", "link": f"<{request.path_qs}>; rel=self"}
        return web.Response(status=301, headers={**headers, "x-echo": request.headers["x-secret"]})

    upstream.answers["list"] = moved
    http = {"query": {"key": "env:API_KEY"}, "headers": {"x-secret": "env:API_KEY"}}
    async with start(policy=allow(), http=http) as gateway:
        status, _, headers = await gateway.fetch("GET", "/list?page=2", allow_redirects=False)
    assert status == 301
    assert "page=2" in headers["location"]
    assert KEY not in json.dumps(headers)


async def test_h8_a_header_that_the_gate_sets_has_one_spelling(start, upstream, allow, monkeypatch):
    monkeypatch.setenv("API_KEY", KEY)
    async with start(policy=allow(), http={"headers": {"x-tenant": "env:API_KEY"}}) as gateway:
        status, _, _ = await gateway.fetch("GET", "/a", headers={"x_tenant": "other"})
    assert status == 400 or not upstream.header("x_tenant")


FORMS = [b"a=1&%5Fmethod=DELETE", b"%5fMETHOD=delete", b"a=1;_method=DELETE", b"a=" + b"x" * 3000 + b"&_method=DELETE"]


@pytest.mark.parametrize("form", FORMS, ids=["escaped", "escaped in capitals", "semicolon", "beyond memory"])
async def test_h8_a_form_does_not_override_the_method_in_any_spelling(start, upstream, allow, form):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    async with start(policy=allow(), http={"memory": 1024}) as gateway:
        status, _, _ = await gateway.fetch("POST", "/orders/7", data=form, headers=headers)
    assert (status, upstream.requests) == (400, [])


async def test_h8_a_large_multipart_form_does_not_override_the_method(start, upstream, allow):
    part = b'--b\r\ncontent-disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    data = part % (b"file", b"x" * 500_000) + part % (b"_method", b"DELETE") + b"--b--\r\n"
    headers = {"content-type": "multipart/form-data; boundary=b"}
    async with start(policy=allow(), http={"memory": 1024}) as gateway:
        status, _, _ = await gateway.fetch("POST", "/orders/7", data=data, headers=headers)
    assert (status, upstream.requests) == (400, [])


@pytest.mark.parametrize("end", [b"\r", b"\r\n", b"\n"], ids=["cr", "crlf", "lf"])
async def test_f5_events_are_masked_whatever_ends_their_lines(start, upstream, allow, end):
    async def events(request, body):
        lines = [b"event: found", b'data: {"mail": "ada.lovelace\\u0040example.org"}', b"", b"data: x", b"", b""]
        return web.Response(body=end.join(lines), content_type="text/event-stream")

    upstream.answers["stream"] = events
    async with start(policy=allow(MASKED)) as gateway:
        _, body, _ = await gateway.fetch("GET", "/stream")
    assert b"lovelace" not in body
    assert b"EMAIL_ADDRESS" in body


# Who is gone while people decide.


@pytest.mark.parametrize("main", [False, True], ids=["listener", "main"])
async def test_a12_whoever_was_put_out_meanwhile_gets_nothing_done(start, upstream, main):
    """A call that is held back for people does not outlive the token that it came with."""
    async with start(http={"hold": "20s"}) as gateway:
        asking = asyncio.ensure_future(gateway.fetch("POST", "/erase", data=b"all", main=main))
        await gateway.asked()
        (agent,) = await gateway.services.directory.agents()
        await gateway.services.directory.rotate_agent(None, agent.id)
        await gateway.vote()
        status, _, _ = await asking
    assert (status, upstream.requests) == (401, [])


async def test_a_websocket_is_not_redirected_to_somebody_else(start, upstream, allow, monkeypatch):
    """The gate's credentials would go along; so would a caller, to whatever the gate's machine can reach."""
    monkeypatch.setenv("API_KEY", KEY)
    seen = []

    async def elsewhere(request):
        seen.append(dict(request.headers))
        return web.Response(status=404)

    other = web.AppRunner(_app(elsewhere), access_log=None)
    await other.setup()
    await web.TCPSite(other, "127.0.0.1", 0).start()
    http = {"headers": {"x-api-key": "env:API_KEY"}, "websocket": True}
    port = other.addresses[0][1]
    front = web.AppRunner(_app(_moved_to(f"http://localhost:{port}/")), access_log=None)
    await front.setup()
    await web.TCPSite(front, "127.0.0.1", 0).start()
    upstream.url = f"http://127.0.0.1:{front.addresses[0][1]}"
    try:
        async with start(policy=allow(), http=http) as gateway:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await gateway.http.ws_connect(gateway.url("/go"), headers={"authorization": f"Bearer {gateway.token}"})
    finally:
        await front.cleanup()
        await other.cleanup()
    assert seen == []


async def test_h8_an_answer_that_nobody_asked_for_is_nobodys(start, allow, upstream):
    """Response splitting at the upstream: what comes late on a connection is not what the next caller is told."""
    late = asyncio.Event()

    async def talk(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nasked")
            if b"GET /late" in head:
                await late.wait()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison")
            await writer.drain()

    async def handle(reader, writer):
        try:
            await talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, start(policy=allow()) as gateway:
        assert (await gateway.fetch("GET", "/late"))[1] == b"asked"
        late.set()
        for _ in range(20):  # until it has come, wherever it is read
            await asyncio.sleep(0)
        assert [(await gateway.fetch("GET", "/next"))[1] for _ in range(3)] == [b"asked"] * 3


def _app(handler):
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return app


def _moved_to(url):
    async def moved(request):
        return web.Response(status=302, headers={"location": url})

    return moved
