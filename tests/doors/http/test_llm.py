"""Language models through the door, with the SDKs that agents use, in front of models that say what the test says."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from aiohttp import web

anthropic = pytest.importorskip("anthropic", reason="the Anthropic SDK is not installed")
openai = pytest.importorskip("openai", reason="the OpenAI SDK is not installed")

EMAIL, OTHER = "ada.lovelace@example.org", "bob@example.com"
REVEALS = """
@id("prompts") @reason("Prompts are masked") @mask("EMAIL_ADDRESS,CREDIT_CARD")
permit (principal, action == Action::"llm.prompt", resource);
@id("reveals") @reason("Callers see what they sent")
permit (principal, action == Action::"pii.reveal", resource);
"""
MASKED = """
@id("prompts") @reason("Prompts are masked") @mask("EMAIL_ADDRESS,CREDIT_CARD")
permit (principal, action == Action::"llm.prompt", resource);
"""
TOOLS = """
@id("prompts") @reason("Prompts are allowed")
permit (principal, action == Action::"llm.prompt", resource);
@id("no-erasing") @reason("Models do not erase")
forbid (principal, action == Action::"llm.prompt", resource)
when {
  context.facts has lens && context.facts.lens == "llm.tools" &&
  context.facts has tools && context.facts.tools.contains("erase")
};
"""
OPEN = """
@id("prompts") @reason("Prompts are allowed")
permit (principal, action in [Action::"llm.prompt", Action::"http.request"], resource);
"""
MARK = re.compile(r"<EMAIL_ADDRESS_[a-z2-7]{6,}>")


class Model:
    """A model of both shapes: says `answer`, cut into `pieces`, and calls `tool` if there is one."""

    def __init__(self, upstream) -> None:
        self.bodies: list[dict] = []
        self.say = lambda text: f"You said: {text}"
        self.tool: tuple[str, str] | None = None
        self.step = 3
        self.gate: asyncio.Event | None = None
        upstream.answers["v1"] = self.handle

    async def handle(self, request, body):
        if request.method == "GET":
            return web.json_response({"object": "list", "data": [{"id": "gpt-x", "object": "model"}]})
        value = json.loads(body)
        self.bodies.append(value)
        if request.path.endswith("/messages"):
            return await (self.messages_stream if value.get("stream") else self.messages)(request, value)
        if request.path.endswith("/responses"):
            return await (self.responses_stream if value.get("stream") else self.responses)(request, value)
        if request.path.endswith("/embeddings"):
            data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
            return web.json_response(
                {"object": "list", "data": data, "model": "e", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
            )
        return await (self.chat_stream if value.get("stream") else self.chat)(request, value)

    def pieces(self, text):
        return [text[at : at + self.step] for at in range(0, len(text), self.step)]

    async def stream(self, request, events):
        out = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await out.prepare(request)
        for event in events:
            await out.write(event.encode())
            if self.gate is not None:
                await self.gate.wait()
                self.gate.clear()
        return out

    async def chat(self, request, value):
        message = {"role": "assistant", "content": self.say(value["messages"][-1]["content"])}
        if self.tool:
            name, arguments = self.tool
            message["tool_calls"] = [
                {"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}
            ]
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        return web.json_response(
            {
                "id": "x",
                "object": "chat.completion",
                "created": 1,
                "model": value["model"],
                "choices": [choice],
                "usage": usage,
            }
        )

    async def chat_stream(self, request, value):
        def chunk(delta, finish=None, **more):
            choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
            body = {
                "id": "x",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": value["model"],
                "choices": choices,
                **more,
            }
            return f"data: {json.dumps(body)}\n\n"

        text = self.say(value["messages"][-1]["content"])
        events = [chunk({"role": "assistant", "content": ""}), *(chunk({"content": one}) for one in self.pieces(text))]
        if self.tool:
            name, arguments = self.tool
            first = {"index": 0, "id": "c1", "type": "function", "function": {"name": name, "arguments": ""}}
            events.append(chunk({"tool_calls": [first]}))
            events += [
                chunk({"tool_calls": [{"index": 0, "function": {"arguments": one}}]}) for one in self.pieces(arguments)
            ]
        events.append(chunk({}, "tool_calls" if self.tool else "stop"))
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        last = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": usage}
        return await self.stream(request, [*events, f"data: {json.dumps(last)}\n\n", "data: [DONE]\n\n"])

    async def messages(self, request, value):
        content = [{"type": "text", "text": self.say(value["messages"][-1]["content"])}]
        if self.tool:
            content.append({"type": "tool_use", "id": "t1", "name": self.tool[0], "input": json.loads(self.tool[1])})
        usage = {"input_tokens": 5, "output_tokens": 9}
        return web.json_response(
            {
                "id": "m",
                "type": "message",
                "role": "assistant",
                "model": value["model"],
                "content": content,
                "stop_reason": "end_turn",
                "stop_sequence": None,
                "usage": usage,
            }
        )

    async def messages_stream(self, request, value):
        def event(kind, **more):
            return f"event: {kind}\ndata: {json.dumps({'type': kind, **more})}\n\n"

        message = {
            "id": "m",
            "type": "message",
            "role": "assistant",
            "model": "c",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 5, "output_tokens": 1},
        }
        text = self.say(value["messages"][-1]["content"])
        events = [
            event("message_start", message=message),
            event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            event("ping"),
        ]
        events += [
            event("content_block_delta", index=0, delta={"type": "text_delta", "text": one})
            for one in self.pieces(text)
        ]
        events.append(event("content_block_stop", index=0))
        if self.tool:
            name, arguments = self.tool
            events.append(
                event(
                    "content_block_start",
                    index=1,
                    content_block={"type": "tool_use", "id": "t1", "name": name, "input": {}},
                )
            )
            events += [
                event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": one})
                for one in self.pieces(arguments)
            ]
            events.append(event("content_block_stop", index=1))
        events.append(
            event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 9})
        )
        return await self.stream(request, [*events, event("message_stop")])

    def response(self, text, status="completed"):
        output = [
            {
                "type": "message",
                "id": "i1",
                "role": "assistant",
                "status": status,
                "content": [{"type": "output_text", "text": text, "annotations": []}],
            }
        ]
        if self.tool:
            output.append(
                {
                    "type": "function_call",
                    "id": "i2",
                    "call_id": "c1",
                    "name": self.tool[0],
                    "arguments": self.tool[1],
                    "status": status,
                }
            )
        usage = {
            "input_tokens": 4,
            "output_tokens": 6,
            "total_tokens": 10,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        }
        return {
            "id": "r",
            "object": "response",
            "created_at": 1,
            "model": "gpt-x",
            "status": status,
            "output": output,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "usage": usage,
        }

    async def responses(self, request, value):
        return web.json_response(self.response(self.say(value["input"])))

    async def responses_stream(self, request, value):
        number = iter(range(10_000))

        def event(kind, **more):
            return f"event: {kind}\ndata: {json.dumps({'type': kind, 'sequence_number': next(number), **more})}\n\n"

        text = self.say(value["input"])
        done = self.response(text)
        events = [event("response.created", response={**done, "output": [], "usage": None, "status": "in_progress"})]
        events.append(event("response.output_item.added", output_index=0, item={**done["output"][0], "content": []}))
        where = {"item_id": "i1", "output_index": 0, "content_index": 0}
        events.append(
            event("response.content_part.added", **where, part={"type": "output_text", "text": "", "annotations": []})
        )
        events += [event("response.output_text.delta", **where, delta=one, logprobs=[]) for one in self.pieces(text)]
        events.append(event("response.output_text.done", **where, text=text, logprobs=[]))
        events.append(event("response.output_item.done", output_index=0, item=done["output"][0]))
        if self.tool:
            item = done["output"][1]
            events.append(event("response.output_item.added", output_index=1, item={**item, "arguments": ""}))
            events += [
                event("response.function_call_arguments.delta", item_id="i2", output_index=1, delta=one)
                for one in self.pieces(item["arguments"])
            ]
            events.append(
                event(
                    "response.function_call_arguments.done",
                    item_id="i2",
                    output_index=1,
                    name=item["name"],
                    arguments=item["arguments"],
                )
            )
            events.append(event("response.output_item.done", output_index=1, item=item))
        return await self.stream(request, [*events, event("response.completed", response=done)])


@pytest.fixture
def model(upstream) -> Model:
    return Model(upstream)


@pytest.fixture
def begin(start, monkeypatch):
    """Starts a server in front of the model."""
    monkeypatch.setenv("MODEL_KEY", "sk-of-the-gate")

    def go(policy, **http):
        llm = {"profile": "llm", "headers": {"x-api-key": "env:MODEL_KEY"}, "bearer": "env:MODEL_KEY", **http}
        return start(policy=policy, http=llm)

    return go


def open_ai(gateway, **more):
    return openai.AsyncOpenAI(base_url=gateway.url("/v1"), api_key=gateway.token, **{"max_retries": 0, **more})


def claude(gateway, **more):
    return anthropic.AsyncAnthropic(
        base_url=gateway.url("").rstrip("/"), api_key=gateway.token, **{"max_retries": 0, **more}
    )


async def by_chat(gateway, text, stream=False):
    async with open_ai(gateway) as client:
        asked = {"model": "gpt-x", "messages": [{"role": "user", "content": text}]}
        if not stream:
            return (await client.chat.completions.create(**asked)).choices[0].message.content
        parts = []
        async for chunk in await client.chat.completions.create(**asked, stream=True):
            if chunk.choices and chunk.choices[0].delta.content:
                parts.append(chunk.choices[0].delta.content)
        return "".join(parts)


async def by_responses(gateway, text, stream=False):
    async with open_ai(gateway) as client:
        if not stream:
            return (await client.responses.create(model="gpt-x", input=text)).output_text
        parts, done = [], None
        async for event in await client.responses.create(model="gpt-x", input=text, stream=True):
            if event.type == "response.output_text.delta":
                parts.append(event.delta)
            if event.type == "response.completed":
                done = event.response.output_text
        assert "".join(parts) == done
        return done


async def by_messages(gateway, text, stream=False):
    asked = {"model": "claude-x", "max_tokens": 100, "messages": [{"role": "user", "content": text}]}
    async with claude(gateway) as client:
        if not stream:
            return (await client.messages.create(**asked)).content[0].text
        async with client.messages.stream(**asked) as found:
            text = "".join([one async for one in found.text_stream])
            assert (await found.get_final_message()).content[0].text == text
            return text


WAYS = pytest.mark.parametrize("way", [by_chat, by_responses, by_messages])
STREAM = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@WAYS
@STREAM
async def test_prompts_are_masked_and_answers_are_taken_back(begin, model, way, stream):
    async with begin(REVEALS) as gateway:
        answer = await way(gateway, f"mail {EMAIL} and {OTHER}, not {EMAIL}.", stream)
    assert answer == f"You said: mail {EMAIL} and {OTHER}, not {EMAIL}."
    told = json.dumps(model.bodies)
    assert EMAIL not in told
    assert OTHER not in told
    marks = MARK.findall(told)
    assert marks[0] == marks[2] != marks[1]


@WAYS
@STREAM
async def test_without_a_right_to_reveal_the_answer_stays_masked(begin, model, way, stream):
    async with begin(MASKED) as gateway:
        answer = await way(gateway, f"mail {EMAIL}", stream)
        assert [action.operation for action, _ in await gateway.settled()] == ["llm.prompt"]
    assert EMAIL not in answer
    assert MARK.search(answer)


async def test_a_conversation_keeps_its_placeholders(begin, model):
    async with begin(REVEALS) as gateway:
        first = await by_chat(gateway, f"I am {EMAIL}")
        await by_chat(gateway, f"again {EMAIL} {first}")
        await by_messages(gateway, f"and {EMAIL}")
    assert len({mark for body in model.bodies for mark in MARK.findall(json.dumps(body))}) == 1


async def test_revealing_is_an_action_of_its_own(begin, model):
    async with begin(REVEALS) as gateway:
        await by_chat(gateway, f"I am {EMAIL}")
        found = await gateway.settled(2)
    assert [action.operation for action, _ in found] == ["llm.prompt", "pii.reveal"]
    assert found[1][0].arguments["types"] == ["EMAIL_ADDRESS"]
    assert EMAIL.encode() not in found[1][0].canonical


async def test_placeholders_of_others_stay_as_they_are(begin, model):
    model.say = lambda text: "it is <EMAIL_ADDRESS_aaaaaa> and <b>"
    async with begin(REVEALS) as gateway:
        for stream in (False, True):
            assert await by_chat(gateway, f"I am {EMAIL}", stream) == "it is <EMAIL_ADDRESS_aaaaaa> and <b>"


@WAYS
@STREAM
async def test_tokens_are_counted_and_priced(begin, model, way, stream):
    async with begin(OPEN, llm={"prices": {"gpt-x": [1000.0, 2000.0]}}) as gateway:
        await way(gateway, "hello", stream)
        _, summary = await gateway.outcome()
    counts = {by_chat: (11, 7), by_responses: (4, 6), by_messages: (5, 9)}[way]
    cost = "" if way is by_messages else f", cost {(counts[0] * 1000 + counts[1] * 2000) / 1e6:.6f}"
    assert summary == f"answered 200, {counts[0]} tokens in, {counts[1]} out{cost}"


async def test_policy_sees_the_model_and_its_tools(begin, model):
    tool = {"type": "function", "function": {"name": "erase", "parameters": {"type": "object"}}}
    async with begin(OPEN) as gateway, open_ai(gateway) as client:
        await client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": EMAIL}], tools=[tool])
        action, _ = (await gateway.settled())[0]
        facts = await facts_of(gateway)
    assert action.arguments["target"] == "/v1/chat/completions"
    assert (facts["provider"], facts["model"], facts["tools"]) == ("openai", "gpt-x", ["erase"])
    assert facts["findings"] == {"total": 1, "types": ["EMAIL_ADDRESS"], "scanned": True}


async def facts_of(gateway) -> dict:
    from sqlalchemy import select

    from consentry.store import tables

    found = await gateway.services.gate.store.read(
        lambda tx: tx.execute(select(tables.actions.c.facts)).scalars().all()
    )
    return json.loads(found[0])


@STREAM
async def test_tool_calls_are_actions_before_the_caller_gets_them(begin, model, stream):
    model.tool = ("erase", '{"table": "orders"}')
    async with begin(TOOLS) as gateway:
        for call in (by_chat, by_responses, by_messages):
            with pytest.raises((openai.APIError, anthropic.APIError)) as caught:
                await call(gateway, "clean up", stream)
            assert "erase" in str(caught.value)
        found = await gateway.settled(6)
    asked = [action for action, _ in found if "tool_calls" in action.arguments]
    assert len(asked) == 3
    assert all(one.arguments["tool_calls"] == [{"name": "erase", "arguments": {"table": "orders"}}] for one in asked)


@STREAM
async def test_tool_calls_that_policy_lets_through_arrive_whole(begin, model, stream):
    model.tool = ("find", f'{{"mail": "{EMAIL}", "n": 3}}')
    async with begin(TOOLS) as gateway:
        asked = {"model": "gpt-x", "messages": [{"role": "user", "content": "go"}]}
        async with open_ai(gateway) as client:
            if stream:
                pieces = []
                async for chunk in await client.chat.completions.create(**asked, stream=True):
                    for choice in chunk.choices:
                        pieces += [one.function.arguments for one in choice.delta.tool_calls or ()]
                assert json.loads("".join(pieces)) == {"mail": EMAIL, "n": 3}
            else:
                call = (await client.chat.completions.create(**asked)).choices[0].message.tool_calls[0]
                assert json.loads(call.function.arguments) == {"mail": EMAIL, "n": 3}
        async with claude(gateway) as client:
            more = {"model": "claude-x", "max_tokens": 9, "messages": asked["messages"]}
            if stream:
                async with client.messages.stream(**more) as events:
                    message = await events.get_final_message()
            else:
                message = await client.messages.create(**more)
            assert message.content[1].input == {"mail": EMAIL, "n": 3}


@STREAM
async def test_placeholders_in_tool_calls_are_taken_back(begin, model, stream):
    async with begin(REVEALS) as gateway, open_ai(gateway) as client:
        await by_chat(gateway, f"I am {EMAIL}")
        mark = MARK.search(json.dumps(model.bodies))[0]
        model.tool = ("find", json.dumps({"mail": mark}))
        asked = {"model": "gpt-x", "messages": [{"role": "user", "content": f"find {EMAIL}"}]}
        if stream:
            pieces = []
            async for chunk in await client.chat.completions.create(**asked, stream=True):
                for choice in chunk.choices:
                    pieces += [one.function.arguments for one in choice.delta.tool_calls or ()]
        else:
            call = (await client.chat.completions.create(**asked)).choices[0].message.tool_calls[0]
            pieces = [call.function.arguments]
    assert json.loads("".join(pieces)) == {"mail": EMAIL}


@STREAM
async def test_answers_are_masked_where_the_operator_says_so(begin, model, stream):
    model.say = lambda text: f"Write to {EMAIL} please, or to bob"
    async with begin(MASKED, llm={"mask_answers": True}) as gateway:
        for way in (by_chat, by_messages):
            assert await way(gateway, "who?", stream) == "Write to <EMAIL_ADDRESS> please, or to bob"


async def test_tokens_flow_one_by_one(begin, model):
    model.gate, model.step = asyncio.Event(), 6
    model.say = lambda text: "every word comes along"
    async with begin(MASKED, llm={"mask_answers": True}) as gateway, open_ai(gateway) as client:
        asked = {"model": "gpt-x", "messages": [{"role": "user", "content": "x"}]}
        model.gate.set()
        seen = ""
        async for chunk in await client.chat.completions.create(**asked, stream=True):
            if chunk.choices and chunk.choices[0].delta.content is not None:
                seen += chunk.choices[0].delta.content
            model.gate.set()  # the next event comes only once this one was here
    assert seen == "every word comes along"


async def test_a_paused_prompt_continues_when_the_sdk_tries_again(begin, model):
    policy = (
        '@id("p") @reason("Ask") @review("group:admins") permit (principal, action == Action::"llm.prompt", resource);'
    )
    async with (
        begin(policy, hold="1s", llm={"tool_calls": False}) as gateway,
        open_ai(gateway, max_retries=3) as client,
    ):
        asked = client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hello"}])
        waiting = asyncio.create_task(asked)
        await asyncio.sleep(1.2)  # over the hold: the SDK has been told to come back
        await gateway.vote()
        assert (await waiting).choices[0].message.content == "You said: hello"
    assert len(model.bodies) == 1


async def test_a_denied_prompt_says_why(begin, model):
    policy = '@id("p") @reason("No prompts on Sundays") forbid (principal, action, resource);'
    async with begin(policy) as gateway, open_ai(gateway) as client:
        with pytest.raises(openai.PermissionDeniedError, match="No prompts on Sundays"):
            await client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": "hello"}])
    assert model.bodies == []


async def test_pictures_are_refused_where_prompts_are_masked(begin, model):
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    async with begin(MASKED) as gateway, open_ai(gateway) as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.chat.completions.create(model="gpt-x", messages=[{"role": "user", "content": [part]}])
    assert caught.value.body["code"] == "unreadable_answer"
    assert model.bodies == []


async def test_embeddings_and_models(begin, model, upstream):
    async with begin(OPEN) as gateway, open_ai(gateway) as client:
        found = await client.embeddings.create(model="e", input=["x"], encoding_format="float")
        assert found.data[0].embedding == [0.5, 0.25]
        assert [one.id async for one in client.models.list()] == ["gpt-x"]
        operations = [action.operation for action, _ in await gateway.settled(2)]
    assert operations == ["llm.prompt", "http.request"]
    assert upstream.header("authorization") == ["Bearer sk-of-the-gate"]
    assert upstream.header("x-api-key") == ["sk-of-the-gate"]


async def test_a_prompt_with_two_meanings_is_refused(begin, model, problem):
    body = b'{"model": "gpt-x", "messages": [], "messages": [{"role": "user", "content": "x"}]}'
    async with begin(OPEN) as gateway:
        headers = {"content-type": "application/json"}
        status, found, _ = await gateway.fetch("POST", "/v1/chat/completions", data=body, headers=headers)
    assert (status, problem(found)) == (415, "unreadable_body")
    assert model.bodies == []


@pytest.mark.parametrize("path", ["/v1/chat/c%6fmpletions", "/v1/Chat/Completions/", "/x/y/v1/chat/completions"])
async def test_a_prompt_is_one_in_every_spelling(begin, model, path):
    body = {"model": "gpt-x", "messages": [{"role": "user", "content": f"I am {EMAIL}"}]}
    async with begin(REVEALS) as gateway:
        from yarl import URL

        url = URL(gateway.url(path), encoded=True)
        async with gateway.http.post(url, json=body, headers={"authorization": f"Bearer {gateway.token}"}) as answer:
            assert answer.status in (200, 404)
        assert (await gateway.settled())[0][0].operation == "llm.prompt"
    assert all(EMAIL not in json.dumps(one) for one in model.bodies)
