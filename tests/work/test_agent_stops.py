"""What a model says that is no answer: refused, paused, cut off in the middle of a call, arguments that are none."""

from typing import Any

import pytest

from aob.ports.model import Brain, ModelAnswer, ToolCall, Usage
from aob.work.handlers import node, scan
from aob.work.job import WorkError
from tests.work.agent_run import RISK, AgentRun, Queue, says

BRAIN = Brain("scripted", "scripted", "script:desk")


@node(effect="none")
async def lookup(id: int) -> dict[str, int]:
    """Looks an order up."""
    return {"id": id, "total": 120}


def stopped(stop: Any, word: str, text: str = "") -> ModelAnswer:
    return ModelAnswer(BRAIN, text=text, usage=Usage(10, 5, 0.001), stop=stop, stop_word=word)


def asks(args: Any, **more: Any) -> ModelAnswer:
    return ModelAnswer(BRAIN, calls=(ToolCall("c1", "lookup", args),), **more)


@pytest.mark.parametrize(
    ("stop", "word", "code"),
    [("refused", "content_filter", "answer_refused"), ("refused", "refusal", "answer_refused"),
     ("context", "model_context_window_exceeded", "context_exceeded")],
)  # fmt: skip
@pytest.mark.parametrize("output", [None, RISK])
async def test_what_is_refused_is_no_answer_and_is_not_asked_again(
    stop: str, word: str, code: str, output: Any
) -> None:
    run = AgentRun(Queue(stopped(stop, word, "I cannot help with"), says(text="never asked")), output=output)
    with pytest.raises(WorkError) as caught:
        await run.perform()
    fault = caught.value.fault
    assert (fault.code, fault.transient, len(run.model.requests)) == (code, False, 1)
    assert fault.detail is not None
    assert (fault.detail["stop"], fault.detail["answer"]) == (word, "I cannot help with")
    assert fault.detail["usage"]["tokens_in"] == 10, "it was answered, so it was paid"
    assert "I cannot help with" in fault.message


async def test_a_model_that_pauses_is_asked_to_go_on() -> None:
    run = AgentRun(Queue(stopped("paused", "pause_turn", "The first half, "), says(text="and the second.")))
    assert (await run.perform()).output == "The first half, and the second."
    told = run.model.requests[-1].messages[-2:]
    assert [(each.role, each.text) for each in told] == [
        ("assistant", "The first half,"), ("user", "Go on where you stopped.")
    ]  # fmt: skip


async def test_a_model_that_always_pauses_meets_its_limit() -> None:
    run = AgentRun(Queue(*[stopped("paused", "pause_turn")] * 9), calls_max=3)
    with pytest.raises(WorkError) as caught:
        await run.perform()
    assert caught.value.fault.code == "calls_max"


@pytest.mark.parametrize("args", [["Paris"], 7, None, "Paris", '{"id": 1', True, []])
async def test_arguments_that_are_no_object_are_told_to_the_model_all_alike(args: Any) -> None:
    run = AgentRun(Queue(asks(args), says({"risk": 1})), output=RISK, tools=("lookup",))
    run.handlers = scan(lookup)
    assert (await run.perform()).output == {"risk": 1}
    told = run.model.requests[-1].messages[-1]
    assert (told.role, told.failed) == ("tool", True)
    assert told.text == "the arguments do not fit: they are one JSON object with the parameters of the tool by name"


async def test_a_call_that_was_cut_off_is_not_made() -> None:
    run = AgentRun(Queue(asks({"id": 1}, cut=True), says({"risk": 1})), output=RISK, tools=("lookup",))
    run.handlers = scan(lookup)
    await run.perform()
    assert "cut off" in run.model.requests[-1].messages[-1].text
    assert "tool" not in run.journal.kinds()
