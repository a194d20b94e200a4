"""Agents of pydantic-ai on topics: typed output, recorded model calls and tool calls, what they spend."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel

import aob
from aob.core.errors import Invalid
from tests.organisation.test_agents_at_work import home, records, send, values


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
