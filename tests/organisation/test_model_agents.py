"""Agents of pydantic-ai on topics: typed output, recorded model calls and tool calls, what they spend."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.openai import OpenAIProvider

import aob
from aob.core.errors import Invalid
from aob.testing.conformance.model import Turn
from tests.models.provider import KEY, Provider
from tests.organisation.test_agents_at_work import home, records, send, values
from tests.organisation.test_decisions import script


class Sorted(BaseModel):
    kind: str
    urgent: bool


def agent(given: Any, **more: Any) -> Any:
    made = {"name": "sorter", "consumes": ["orders"], "produces": ["out"], "output": "out", **more}
    return aob.agent(**made)(given)


async def test_the_data_of_a_record_is_the_prompt_and_the_typed_output_a_record(tmp_path: Path) -> None:
    asked: list[str] = []

    def answers(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        asked.append(str(messages[-1].parts[-1].content))  # type: ignore[union-attr]
        return ModelResponse([ToolCallPart(info.output_tools[0].name, {"kind": "billing", "urgent": True})])

    sorter: Agent[Any, Sorted] = Agent(FunctionModel(answers), output_type=Sorted)
    async with home(tmp_path, agent(sorter)) as app:
        await send(app, "ann", {"text": "my invoice"})
        (found,) = await records(app, "out", 1)
        assert found.record.type == "sorter.output"
        assert values([found]) == [{"kind": "billing", "urgent": True}]
    assert asked == ['{"text":"my invoice"}']


async def test_an_attempt_that_follows_gets_the_recorded_answers_of_models_and_tools(tmp_path: Path) -> None:
    called, tried = list[str](), list[str]()

    def answers(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        called.append("model")
        if len(messages) == 1:
            calls = [ToolCallPart("pay", {"amount": 3}), ToolCallPart("look", {}), ToolCallPart("moody", {})]
            return ModelResponse(calls)
        return ModelResponse([TextPart(" ".join(str(part.content) for part in messages[2].parts))])  # type: ignore[union-attr]

    payer = Agent(FunctionModel(answers))

    @payer.tool_plain
    def pay(amount: int) -> str:
        called.append("pay")
        return f"paid {amount}"

    @payer.tool_plain(metadata={"effect": "none"})
    def look() -> str:
        called.append("look")
        return "seen"

    @payer.tool_plain
    def moody() -> str:
        called.append("moody")
        raise ModelRetry("not like this")

    def sends(value: Any, record: Any, ctx: Any) -> None:
        tried.append(value)
        if ctx.attempt == 1:
            raise ValueError("not yet")
        ctx.emit("out", "answered", value.split("\n")[0])

    async with home(tmp_path, agent(payer, output=sends, backoff="1ms")) as app:
        await send(app, "ann", "pay it")
        assert values(await records(app, "out", 1))[0].startswith("paid 3 seen not like this")
    assert sorted(called) == ["look", "look", "model", "model", "moody", "pay"]
    assert tried[0] == tried[1]


async def test_what_the_model_spends_counts_in_the_budget_of_the_key(tmp_path: Path) -> None:
    model = TestModel(custom_output_text="hello")
    async with home(tmp_path, agent(Agent(model), budget={"calls": 1}, over_budget="degrade", output=degraded)) as app:
        await send(app, "ann", "1", "2")
        assert values(await records(app, "out", 2)) == [False, True]


def degraded(value: str, record: Any, ctx: Any) -> None:
    ctx.emit("out", "said", ctx.degraded)


async def test_a_tool_with_an_unknown_effect_is_refused(tmp_path: Path) -> None:
    odd = Agent(TestModel())

    @odd.tool_plain(metadata={"effect": "sometimes"})
    def acts() -> str:
        return ""

    async with home(tmp_path, agent(odd)) as app:
        await send(app, "ann", "x")
        (letter,) = values(await records(app, "dead.sorter", 1))
        assert letter["error"]["code"] == "bad_effect"


def test_an_agent_without_a_model_is_refused() -> None:
    with pytest.raises(Invalid, match="no model"):
        agent(Agent())


async def test_calls_of_models_are_decisions_that_can_be_read_forked_and_compared(tmp_path: Path) -> None:
    script(tmp_path)
    turns = [
        Turn(calls=(("look", {"id": "o1"}),), tokens_in=7, tokens_out=3),
        Turn(text="all is well"),
        Turn(status=400),
        Turn(status=400),
    ]
    async with Provider(turns) as provider:
        model = OpenAIChatModel("gpt-4o", provider=OpenAIProvider(base_url=provider.openai_url, api_key=KEY))
        looker = Agent(model, system_prompt="Look.", model_settings={"temperature": 0.5})

        @looker.tool_plain
        def look(id: str) -> str:
            """Looks an order up."""
            return f"{id} is paid"

        def sends(value: Any, record: Any, ctx: Any) -> None:
            if ctx.attempt == 1:
                raise ValueError("once more")
            ctx.emit("out", "said", value)

        async with home(tmp_path, agent(looker, output=sends, attempts=2, backoff="1ms")) as app:
            await send(app, "ann", {"text": "mine"})
            await records(app, "out", 1)
            # handled twice, and asked once
            answered, called = (await app.metrics.decisions(app.who))["decisions"]
            assert (called["agent"], called["key"], called["correlationid"]) == ("sorter", "ann", "ann-0")
            assert (called["model"], called["chosen"], called["calls"]) == ("openai-chat:gpt-4o", "tools", ["look"])
            assert (called["tokens_in"], called["tokens_out"], called["call"]) == (7, 3, 1)
            assert (answered["chosen"], answered["says"], answered["call"]) == ("answer", "all is well", 2)
            assert answered["brain"]["label"] == "live openai-chat:gpt-4o"
            shown = await app.metrics.decision(app.who, answered["id"])
            assert (shown["asked"]["system"], shown["temperature"], set(shown["tools"])) == ("Look.", 0.5, {"look"})
            assert [each["role"] for each in shown["asked"]["messages"]] == ["user", "assistant", "tool"]
            assert shown["asked"]["messages"][-1]["text"] == "o1 is paid"
            forked = await app.metrics.fork_decision(app.who, called["id"], model="script:desk", task="just look")
            assert (forked["steps"][0]["chosen"], forked["divergence"]["what"]) == ("tools", "calls")
            assert [step["chosen"] for step in forked["recorded"]] == ["tools", "answer"]
            assert (await app.metrics.diff_decisions(app.who, called["id"], answered["id"]))["same"] is False
            await send(app, "bob", "sort that")
            (letter,) = values(await records(app, "dead.sorter", 1))
            failed = await app.metrics.decision(app.who, letter["decisions"][0])
            assert (failed["failed"], failed["chosen"], failed["error"]["code"]) == (True, "error", letter["code"])
