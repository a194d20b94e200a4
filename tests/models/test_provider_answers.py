"""Answers of providers as they come: stop reasons, odd arguments and blocks, nothing, and whatever a fuzzer makes."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from aob.core.errors import AobError, CallerError, Unavailable
from aob.ports.model import Message, ModelAnswer, ModelRequest, Tool, ToolCall
from aob.testing.conformance.model import Turn
from tests.models.provider import KEY, Provider, anthropic_answer, openai_answer, responses_answer

pytest.importorskip("pydantic_ai")
from aob.backends.provider_answer import json_in, tidied
from aob.backends.pydantic_ai_model import PydanticAiModel

OPENAI, ANTHROPIC, RESPONSES = "openai-chat:gpt-4o-mini", "anthropic:claude-test", "openai:gpt-4o-mini"
NAMES = (OPENAI, ANTHROPIC, RESPONSES)
TOOL = Tool("lookup", "Looks up.", {"type": "object", "properties": {"id": {"type": "integer"}}}, "a" * 64)
SCHEMA = {"type": "object", "properties": {"risk": {"type": "number"}}, "required": ["risk"]}
FUZZED = 120


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    async with Provider([]) as running:
        yield running


@pytest.fixture
async def model(provider: Provider) -> AsyncIterator[PydanticAiModel]:
    urls = {"openai-chat": provider.openai_url, "anthropic": provider.anthropic_url, "openai": provider.openai_url}
    urls |= {"openai-responses": provider.openai_url}
    async with PydanticAiModel(urls) as running, asyncio.timeout(100):
        yield running


def request(name: str, *messages: Message, **more: Any) -> ModelRequest:
    return ModelRequest(name, messages or (Message("user", "how risky"),), **more)


def body(name: str, turn: Turn, stop: str = "", **message: Any) -> dict[str, Any]:
    """A body of the provider, with its stop reason and fields of the message replaced."""
    asked = {"model": "m", "tools": []}
    if name == OPENAI:
        made = openai_answer(turn, asked, 1)
        made["choices"][0]["finish_reason"] = stop or made["choices"][0]["finish_reason"]
        made["choices"][0]["message"] |= message
    elif name == RESPONSES:
        made = responses_answer(turn, asked, 1)
        if stop in {"failed", "cancelled", "in_progress", "queued", "incomplete", "completed"}:
            made["status"] = stop
        elif stop:
            made |= {"status": "incomplete", "incomplete_details": {"reason": stop}}
        made |= message
    else:
        made = anthropic_answer(turn, asked, 1)
        made["stop_reason"] = stop or made["stop_reason"]
        made |= message
    return made


@pytest.mark.parametrize(
    ("name", "stop", "meaning"),
    [
        (OPENAI, "content_filter", "refused"), (OPENAI, "guardrail_intervened", "refused"),
        (OPENAI, "SAFETY", "refused"),
        (OPENAI, "stop", ""), (OPENAI, "length", "cut"), (OPENAI, "eos", ""), (ANTHROPIC, "refusal", "refused"),
        (ANTHROPIC, "pause_turn", "paused"), (ANTHROPIC, "max_tokens", "cut"), (ANTHROPIC, "end_turn", ""),
        (RESPONSES, "completed", ""), (RESPONSES, "max_output_tokens", "cut"), (RESPONSES, "incomplete", "cut"),
        (RESPONSES, "content_filter", "refused"), (RESPONSES, "max_tool_calls", "cut"),
        (RESPONSES, "context_length_exceeded", "context"),
        (ANTHROPIC, "stop_sequence", ""), (ANTHROPIC, "model_context_window_exceeded", "context"),
    ],
)  # fmt: skip
async def test_each_stop_reason_has_its_meaning(
    name: str, stop: str, meaning: str, provider: Provider, model: PydanticAiModel
) -> None:
    provider.turns.append(Turn(raw=body(name, Turn(text="I cannot"), stop)))
    answer = await model.ask(request(name))
    assert (answer.cut, answer.stop) == (meaning == "cut", "" if meaning == "cut" else meaning)
    assert (answer.text, answer.stop_word) == ("I cannot", stop if answer.stop else "")
    assert answer.usage.tokens_in == 11


async def test_the_words_of_a_refusal_are_kept(provider: Provider, model: PydanticAiModel) -> None:
    provider.turns.append(Turn(raw=body(OPENAI, Turn(text=""), "stop", refusal="No, I will not.")))
    answer = await model.ask(request(OPENAI, output=SCHEMA))
    assert (answer.stop, answer.text, answer.stop_word) == ("refused", "No, I will not.", "refusal")


async def test_the_words_of_a_refusal_in_parts_are_kept(provider: Provider, model: PydanticAiModel) -> None:
    parts = [{"type": "refusal", "refusal": "No, "}, {"type": "refusal", "refusal": "I will not."}, {"type": "odd"}]
    output = [{"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": parts}]
    provider.turns.append(Turn(raw=body(RESPONSES, Turn(), output=output)))
    answer = await model.ask(request(RESPONSES, output=SCHEMA))
    assert (answer.stop, answer.text, answer.stop_word) == ("refused", "No, I will not.", "refusal")
    assert answer.usage.tokens_in == 11


@pytest.mark.parametrize(
    ("name", "stop"),
    [(OPENAI, "error"), *((RESPONSES, stop) for stop in ("failed", "cancelled", "in_progress", "queued"))],
)
async def test_an_answer_that_broke_off_may_come_again(
    name: str, stop: str, provider: Provider, model: PydanticAiModel
) -> None:
    provider.turns.append(Turn(raw=body(name, Turn(text="half a"), stop)))
    with pytest.raises(Unavailable, match="broke off"):
        await model.ask(request(name))


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        ({"code": "server_error", "message": "boom"}, "model_unavailable", "server"),
        ({"code": "rate_limit_exceeded", "message": "slow"}, "model_unavailable", "rate_limited"),
        ({"code": "insufficient_quota", "message": "no money"}, "model_refused", "quota"),
        ({"code": "invalid_prompt", "message": "no"}, "model_refused", None),
        ("boom", "model_unavailable", "server"), ({"message": 7}, "model_unavailable", "server"),
    ],
)  # fmt: skip
async def test_a_response_that_failed_says_why(
    error: Any, code: str, kind: str | None, provider: Provider, model: PydanticAiModel
) -> None:
    provider.turns.append(Turn(raw=body(RESPONSES, Turn(), "failed", error=error)))
    with pytest.raises(AobError) as failed:
        await model.ask(request(RESPONSES))
    assert (failed.value.code, failed.value.fields.get("kind")) == (code, kind)


@pytest.mark.parametrize(
    ("name", "raw"),
    [
        (OPENAI, b""), (OPENAI, {}), (OPENAI, []), (OPENAI, None), (OPENAI, b"<html>"),
        (OPENAI, {"error": {"code": 502}}),
        (OPENAI, body(OPENAI, Turn(text=""))), (OPENAI, {**body(OPENAI, Turn(text="x")), "choices": []}),
        (ANTHROPIC, b""), (ANTHROPIC, {}), (ANTHROPIC, body(ANTHROPIC, Turn(text=""))),
        (ANTHROPIC, body(ANTHROPIC, Turn(text="  "))),
        (RESPONSES, b""), (RESPONSES, {}), (RESPONSES, {"object": "response"}), (RESPONSES, b"<html>"),
        (RESPONSES, body(RESPONSES, Turn(text=""))), (RESPONSES, body(RESPONSES, Turn(text="x"), output=None)),
        (RESPONSES, body(RESPONSES, Turn(text="x"), output=[{"type": "reasoning", "summary": None}, 7])),
    ],
)  # fmt: skip
async def test_a_200_without_an_answer_may_pass(
    name: str, raw: Any, provider: Provider, model: PydanticAiModel
) -> None:
    provider.turns.append(Turn(raw=raw))
    with pytest.raises(Unavailable):
        await model.ask(request(name))


@pytest.mark.parametrize("name", [OPENAI, RESPONSES])
async def test_a_quota_that_is_used_up_does_not_pass(name: str, provider: Provider, model: PydanticAiModel) -> None:
    provider.turns += [Turn(status=429, code="insufficient_quota"), Turn(status=429, code="rate_limit_exceeded")]
    with pytest.raises(CallerError) as refused:
        await model.ask(request(name))
    assert (refused.value.code, refused.value.fields["kind"]) == ("model_refused", "quota")
    with pytest.raises(Unavailable):
        await model.ask(request(name))


@pytest.mark.parametrize("name", [OPENAI, RESPONSES])
@pytest.mark.parametrize(
    ("given", "read"),
    [
        ('["Paris"]', ["Paris"]), ("7", 7), ("null", None), ('{"id": 1', '{"id": 1'), ('"Paris"', "Paris"), ("", {}),
        (["Paris"], ["Paris"]), (None, None), (7, 7), ('{"id": 1}', {"id": 1}), ('"{\\"id\\": 1}"', {"id": 1}),
    ],
)  # fmt: skip
async def test_arguments_of_openai_are_handed_on_as_they_are(
    name: str, given: Any, read: Any, provider: Provider, model: PydanticAiModel
) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "lookup", "arguments": given}}
    item = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "lookup", "arguments": given}
    told = {"tool_calls": [call]} if name == OPENAI else {"output": [item]}
    provider.turns.append(Turn(raw=body(name, Turn(), "tool_calls" if name == OPENAI else "", **told)))
    assert (await model.ask(request(name, tools=(TOOL,)))).calls == (ToolCall("c1", "lookup", read),)


@pytest.mark.parametrize("given", [["Paris"], 7, None, "Paris", {"id": 1}, {}])
async def test_arguments_of_anthropic_are_handed_on_as_they_are(
    given: Any, provider: Provider, model: PydanticAiModel
) -> None:
    block = {"type": "tool_use", "id": "t1", "name": "lookup", "input": given}
    provider.turns.append(Turn(raw=body(ANTHROPIC, Turn(), "tool_use", content=[block])))
    assert (await model.ask(request(ANTHROPIC, tools=(TOOL,)))).calls == (ToolCall("t1", "lookup", given),)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("args", [["Paris"], 7, None, '{"id": 1', {"id": 1}])
async def test_a_conversation_with_odd_arguments_goes_on(
    name: str, args: Any, provider: Provider, model: PydanticAiModel
) -> None:
    """The provider takes back objects only."""
    talk = (
        Message("user", "how risky"),
        Message("assistant", "", (ToolCall("c1", "lookup", args),)),
        Message("tool", "the arguments do not fit", call="c1", failed=True),
    )
    provider.turns.append(Turn(text="low"))
    assert (await model.ask(request(name, *talk, tools=(TOOL,)))).text == "low"


async def test_what_is_odd_and_harmless_passes(provider: Provider, model: PydanticAiModel) -> None:
    odd = {"audio": 7, "annotations": "none", "reasoning": {"a": 1}, "content": [{"type": "text", "text": "lo"}, None,
           {"type": "video"}, {"type": "text", "text": None}, "w"]}  # fmt: skip
    told = {**body(OPENAI, Turn(text="low"), **odd), "service_tier": 9, "created": "now", "id": None, "model": None}
    provider.turns.append(Turn(raw=told))
    assert (await model.ask(request(OPENAI))).text == "low"
    blocks = [{"type": "thinking", "thinking": None}, {"type": "text", "text": None}, {"type": "hologram"}, None, 7,
              {"type": "text", "text": "low", "citations": 7}]  # fmt: skip
    parts = [{"type": "output_text", "text": "low", "annotations": 7}, {"type": "hologram"}, None, "w",
             {"type": "output_text", "text": None}]  # fmt: skip
    items = [{"type": "hologram"}, None, 7, {"type": "reasoning", "summary": 7}, {"type": "message", "content": parts},
             {"type": "function_call", "name": None}]  # fmt: skip
    told = {**body(RESPONSES, Turn(), output=items), "id": None, "model": 7, "created_at": "now", "usage": "many",
            "tools": "x", "metadata": 3, "service_tier": 9, "text": {"format": 1}, "conversation": 7}  # fmt: skip
    provider.turns.append(Turn(raw=told))
    assert (await model.ask(request(RESPONSES))).text == "low"
    told = {**body(ANTHROPIC, Turn(), "end_turn", content=blocks), "container": "x", "usage": {"input_tokens": "many"}}
    provider.turns.append(Turn(raw=told))
    assert (await model.ask(request(ANTHROPIC))).text == "low"


@pytest.mark.parametrize(
    "text",
    [
        '{"risk": 1}', '\ufeff{"risk": 1}', '```json\n{"risk": 1}\n```', 'Here it is:\n```\n{"risk": 1}\n```\nDone.',
        '"{\\"risk\\": 1}"', '  {"risk": 1}\n', '```json\r\n\ufeff{"risk": 1}\r\n```',
    ],
)  # fmt: skip
async def test_json_is_taken_as_models_write_it(text: str, provider: Provider, model: PydanticAiModel) -> None:
    for name in (OPENAI, RESPONSES, "openai-responses:gpt-4o-mini"):
        provider.turns.append(Turn(text=text))
        assert (await model.ask(request(name, output=SCHEMA))).output == {"risk": 1}


@pytest.mark.parametrize("text", ["no", "{", "```json\n{\n```", "```\n1\n```\n```\n2\n```", "[" * 5_000, "\udc80"])
def test_what_is_no_json_is_none(text: str) -> None:
    assert json_in(text, object_wanted=True) is msgspec.UNSET


@pytest.mark.parametrize("name", NAMES)
async def test_no_answer_gives_a_traceback(name: str, provider: Provider, model: PydanticAiModel) -> None:
    dice = random.Random(7)  # dice of a test
    call = (("lookup", {"id": 1}),)
    for _ in range(FUZZED):
        told = body(name, dice.choice([Turn(text="low"), Turn(text="l", calls=call), Turn(calls=call)]))
        for _ in range(dice.choice([1, 1, 2, 4])):
            told = spoilt(told, dice)
        provider.turns.append(Turn(raw=told))
        try:
            answer = await model.ask(request(name, tools=(TOOL,), output=dice.choice([None, SCHEMA])))
        except AobError:
            continue
        assert isinstance(answer, ModelAnswer)
        msgspec.json.encode(answer)


def test_tidying_never_fails() -> None:
    dice = random.Random(11)  # dice of a test
    for _ in range(2_000):
        told = body(dice.choice(NAMES), Turn(text="low", calls=(("lookup", {"id": 1}),)))
        for _ in range(dice.choice([1, 2, 5])):
            told = spoilt(told, dice)
        tidied(msgspec.json.encode(told))


ODD: tuple[Any, ...] = (None, 0, -1, 1.5, True, "", "x", [], {}, ["Paris"], [None], {"type": "odd"}, 10**18, "\x00")


def spoilt(value: Any, dice: random.Random) -> Any:
    """The value with one place of it gone, doubled, or something else."""
    if not isinstance(value, dict | list) or not value or dice.random() < 0.15:
        return dice.choice(ODD)
    key = dice.choice(list(value) if isinstance(value, dict) else range(len(value)))
    made = value.copy()
    roll = dice.random()
    if roll < 0.15:
        del made[key]
    elif roll < 0.25 and isinstance(made, dict):
        made[f"odd_{key}"] = dice.choice(ODD)
    elif roll < 0.35 and isinstance(made, list):
        made.append(dice.choice([*ODD, made[key]]))
    else:
        made[key] = spoilt(made[key], dice)
    return made
