"""Agents of the OpenAI Agents SDK on topics: typed output, recorded calls of models and tools, handoffs."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import aob
from aob.testing.conformance.model import Turn
from tests.models.provider import KEY, Provider
from tests.organisation.test_agents_at_work import home, records, send, values

agents = pytest.importorskip("agents")
openai = pytest.importorskip("openai")


class Sorted(BaseModel):
    kind: str


class Fake(agents.Model):  # type: ignore[misc,name-defined]
    """Answers in turn, with items as the provider gives them."""

    model = "fake"

    def __init__(self, *turns: Any) -> None:
        self.turns, self.asked = list(turns), list[Any]()

    async def get_response(self, system_instructions: Any, input: Any, *given: Any, **more: Any) -> Any:
        from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

        self.asked.append(input)
        said = self.turns.pop(0)
        if isinstance(said, str):
            text = ResponseOutputText(text=said, type="output_text", annotations=[])
            items: list[Any] = [
                ResponseOutputMessage(id="m", content=[text], role="assistant", status="completed", type="message")
            ]
        else:
            items = [
                ResponseFunctionToolCall(call_id=f"c-{name}", name=name, arguments=args, type="function_call", id=name)
                for name, args in said
            ]
        usage = agents.Usage(requests=1, input_tokens=5, output_tokens=2, total_tokens=7)
        return agents.ModelResponse(output=items, usage=usage, response_id=None)

    def stream_response(self, *given: Any, **more: Any) -> Any:
        raise AssertionError


def agent(given: Any, **more: Any) -> Any:
    made = {"name": "sorter", "consumes": ["orders"], "produces": ["out"], "output": "out", **more}
    return aob.agent(**made)(given)


async def test_the_data_of_a_record_is_the_input_and_the_typed_output_a_record(tmp_path: Path) -> None:
    model = Fake('{"kind": "billing"}')
    sorter = agents.Agent(name="sorter", instructions="sort", model=model, output_type=Sorted)
    async with home(tmp_path, agent(sorter)) as app:
        await send(app, "ann", {"text": "my invoice"})
        assert values(await records(app, "out", 1)) == [{"kind": "billing"}]
    assert "my invoice" in str(model.asked)


async def test_an_attempt_that_follows_gets_the_recorded_answers_of_models_tools_and_handoffs(tmp_path: Path) -> None:
    called: list[str] = []

    def pay(amount: int) -> str:
        called.append("pay")
        return f"paid {amount}"

    def look() -> str:
        called.append("look")
        return "seen"

    reads = agents.function_tool(look)
    reads.effect = "none"
    closer = agents.Agent(name="closer", model=Fake("closed"))
    model = Fake([("pay", '{"amount": 3}'), ("look", "{}")], [("transfer_to_closer", "{}")])
    payer = agents.Agent(name="payer", model=model, tools=[agents.function_tool(pay), reads], handoffs=[closer])
    tried: list[str] = []

    def sends(value: Any, record: Any, ctx: Any) -> None:
        tried.append(value)
        if ctx.attempt == 1:
            raise ValueError("not yet")
        ctx.emit("out", "answered", value)

    async with home(tmp_path, agent(payer, output=sends, backoff="1ms")) as app:
        await send(app, "ann", "pay it")
        assert values(await records(app, "out", 1)) == ["closed"]
    assert (sorted(called), tried, model.turns) == (["look", "look", "pay"], ["closed", "closed"], [])


async def test_what_models_spend_counts_in_the_budget_of_the_key(tmp_path: Path) -> None:
    def degraded(value: Any, record: Any, ctx: Any) -> None:
        ctx.emit("out", "said", ctx.degraded)

    sorter = agents.Agent(name="sorter", model=Fake("one", "two"))
    with_budget = agent(sorter, budget={"tokens": 7}, over_budget="degrade", output=degraded)
    async with home(tmp_path, with_budget) as app:
        await send(app, "ann", "1", "2")
        assert values(await records(app, "out", 2)) == [False, True]


async def test_calls_of_models_are_decisions_that_can_be_read_and_compared(tmp_path: Path) -> None:
    turns = [Turn(calls=(("transfer_to_closer", {}),), tokens_in=7, tokens_out=3), Turn(output={"kind": "billing"})]
    async with Provider(turns) as provider, openai.AsyncOpenAI(base_url=provider.openai_url, api_key=KEY) as client:
        model = agents.OpenAIResponsesModel("gpt-4o", client)
        closer = agents.Agent(name="closer", instructions="close", model=model, output_type=Sorted)
        sorter = agents.Agent(name="sorter", instructions="sort", model=model, handoffs=[closer])
        async with home(tmp_path, agent(sorter)) as app:
            await send(app, "ann", "sort it")
            assert values(await records(app, "out", 1)) == [{"kind": "billing"}]
            answered, called = (await app.metrics.decisions(app.who, agent="sorter"))["decisions"]
            assert (called["model"], called["chosen"], called["calls"]) == (
                "openai:gpt-4o", "tools", ["transfer_to_closer"],
            )  # fmt: skip
            assert (called["tokens_in"], called["tokens_out"], called["call"], answered["call"]) == (7, 3, 1, 2)
            shown = await app.metrics.decision(app.who, answered["id"])
            assert (shown["asked"]["system"], shown["answer"]["output"]) == ("close", {"kind": "billing"})
            assert [each["role"] for each in shown["asked"]["messages"]] == ["user", "assistant", "tool"]
            found = await app.metrics.diff_decisions(app.who, called["id"], answered["id"])
            assert found["divergence"]["what"] == "chosen"
