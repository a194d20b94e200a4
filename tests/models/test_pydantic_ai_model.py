"""The real client of providers, against a server on loopback that refuses what the real ones refuse."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from aob.core.errors import CallerError, Unavailable
from aob.ports.model import Message, ModelRequest, Tool, ToolCall
from aob.testing.conformance.model import Turn
from tests.models.provider import KEY, Provider

pytest.importorskip("pydantic_ai")
from aob.backends import pydantic_ai_model
from aob.backends.pydantic_ai_model import PydanticAiModel

TOOL = Tool("lookup", "Looks up.", {"type": "object", "properties": {"id": {"type": "integer"}}}, "a" * 64)
SCHEMA = {"type": "object", "properties": {"risk": {"type": "number"}}, "required": ["risk"]}
NAMES = ("openai-chat:gpt-4o-mini", "anthropic:claude-test")


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Provider]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    async with Provider([]) as running:
        yield running


@pytest.fixture
async def model(provider: Provider) -> AsyncIterator[PydanticAiModel]:
    urls = {"openai-chat": provider.openai_url, "anthropic": provider.anthropic_url}
    async with PydanticAiModel(urls) as running, asyncio.timeout(60):
        yield running


def request(name: str, *messages: Message, **more: Any) -> ModelRequest:
    return ModelRequest(name, messages or (Message("user", "how risky"),), **more)


@pytest.mark.parametrize("name", NAMES)
async def test_a_whole_conversation_is_sent_as_the_provider_wants_it(
    name: str, provider: Provider, model: PydanticAiModel
) -> None:
    """Two calls answered, one of them failed, then an answer returned with reasons: the server checks the protocol."""
    provider.turns.append(Turn(output={"risk": 1}))
    calls = (ToolCall("c1", "lookup", {"id": 1}), ToolCall("c2", "lookup", {"id": 2}))
    talk = (
        Message("user", "how risky"),
        Message("assistant", "I look", calls),
        Message("tool", "total: 3", call="c1"),
        Message("tool", "no such order", call="c2", failed=True),
        Message("assistant", '{"risk": "high"}'),
        Message("user", "risk is a number"),
    )
    asked = request(name, *talk, system="Be brief.", output=SCHEMA, tools=(TOOL,), temperature=0.0, tokens_max=77)
    assert (await model.ask(asked)).output == {"risk": 1}
    [body] = provider.requests
    text = str(body)
    assert all(part in text for part in ("Be brief.", "total: 3", "no such order", "risk is a number", "c1", "c2"))
    assert body["temperature"] == 0.0
    assert 77 in {body.get("max_tokens"), body.get("max_completion_tokens")}


@pytest.mark.parametrize("name", NAMES)
async def test_each_ask_is_exactly_one_request(name: str, provider: Provider, model: PydanticAiModel) -> None:
    """The client's own retries are off: repeating is the run's decision, and it is journaled there."""
    provider.turns.extend([Turn(status=500), Turn(text="late")])
    with pytest.raises(Unavailable):
        await model.ask(request(name))
    assert len(provider.requests) == 1


@pytest.mark.parametrize("name", NAMES)
async def test_an_answer_that_is_not_the_protocol_may_pass(
    name: str, provider: Provider, model: PydanticAiModel
) -> None:
    provider.turns.append(Turn(garbage=True))
    with pytest.raises(Unavailable):
        await model.ask(request(name))


@pytest.mark.parametrize("name", NAMES)
async def test_a_wrong_key_is_refused(
    name: str, provider: Provider, model: PydanticAiModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "wrong")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "wrong")
    with pytest.raises(CallerError) as caught:
        await model.ask(request(name))
    assert caught.value.code == "model_refused"


async def test_a_missing_key_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    async with PydanticAiModel() as model:
        with pytest.raises(CallerError, match="OPENAI_API_KEY"):
            await model.ask(request("openai-chat:gpt-4o-mini"))


async def test_a_server_that_is_not_there_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    async with PydanticAiModel({"openai-chat": "http://127.0.0.1:9/v1"}) as model:
        with pytest.raises(Unavailable) as caught:
            await model.ask(request("openai-chat:gpt-4o-mini"))
    assert caught.value.fields["kind"] == "connection"


async def test_an_answer_that_does_not_come_in_time_is_a_timeout(provider: Provider) -> None:
    provider.turns.append(Turn(hang=True))
    async with PydanticAiModel({"openai-chat": provider.openai_url}, request_s=0.2) as model:
        with pytest.raises(Unavailable) as caught:
            await model.ask(request("openai-chat:gpt-4o-mini"))
    assert caught.value.fields["kind"] == "timeout"


async def test_a_request_under_way_can_be_cancelled(provider: Provider, model: PydanticAiModel) -> None:
    provider.turns.append(Turn(hang=True))
    asking = asyncio.create_task(model.ask(request(NAMES[0])))
    await provider.asked.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


@pytest.mark.parametrize("name", NAMES)
async def test_the_price_of_another_server_is_unknown_and_never_guessed(
    name: str, provider: Provider, model: PydanticAiModel
) -> None:
    provider.turns.append(Turn(text="hi", tokens_in=1_000, tokens_out=1_000))
    usage = (await model.ask(request(name))).usage
    assert (usage.tokens_in, usage.tokens_out, usage.cost_usd) == (1_000, 1_000, None)


async def test_usage_that_the_server_leaves_out_is_unknown(provider: Provider, model: PydanticAiModel) -> None:
    provider.turns.append(Turn(text="hi", measured=False))
    usage = (await model.ask(request(NAMES[0]))).usage
    assert (usage.tokens_in, usage.tokens_out, usage.cost_usd) == (None, None, None)


def test_the_price_of_the_providers_own_server_is_from_its_list() -> None:
    from genai_prices import calc_price
    from pydantic_ai.messages import ModelResponse, TextPart
    from pydantic_ai.usage import RequestUsage

    url, used = "https://api.openai.com/v1/", RequestUsage(input_tokens=1_000_000, output_tokens=0)
    response = ModelResponse([TextPart("hi")], usage=used, model_name="gpt-4o-mini", provider_url=url)
    listed = calc_price(used, "gpt-4o-mini", provider_api_url=url).total_price
    assert Decimal(0) < listed
    assert pydantic_ai_model._usage(response).cost_usd == pytest.approx(float(listed))


async def test_arguments_that_are_no_json_are_handed_on_to_be_refused(
    provider: Provider, model: PydanticAiModel
) -> None:
    assert pydantic_ai_model._args('{"id": 1') == '{"id": 1'
    assert pydantic_ai_model._args("") == {}
    assert pydantic_ai_model._args('{"id": 1}') == {"id": 1}
