"""The scripted model: rules in, labelled answers out, and never one that the script does not hold."""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from aob.backends.script import Script
from aob.backends.scripted_model import ScriptedModel
from aob.core.errors import CallerError, Invalid, NotFound, Unavailable
from aob.ports.model import Message, ModelAnswer, ModelRequest, Tool, ToolCall

LOOKUP = Tool("lookup", "Looks up.", {"type": "object"}, "a" * 64)


def request(task: str = "Look at order 7", **more: Any) -> ModelRequest:
    asked = ModelRequest("script:desk", (Message("user", task),))
    return msgspec.structs.replace(asked, **{"output": {"type": "object"}, **more})


def desk(*rules: dict[str, Any]) -> ScriptedModel:
    return ScriptedModel(scripts=[Script("desk", rules)])


async def answer(model: ScriptedModel, asked: ModelRequest) -> ModelAnswer:
    async with asyncio.timeout(60):
        return await model.ask(asked)


async def test_the_first_rule_that_matches_answers() -> None:
    model = desk(
        {"contains": "refund", "answer": {"rule": 1}},
        {"matches": r"order (?P<number>\d+)", "answer": {"rule": 2, "order": "{number}"}},
        {"answer": {"rule": 3}},
    )
    assert (await answer(model, request("refund order 7"))).output == {"rule": 1}
    assert (await answer(model, request())).output == {"rule": 2, "order": "7"}
    assert (await answer(model, request("anything"))).output == {"rule": 3}


async def test_a_condition_sees_the_input_the_node_and_the_graph() -> None:
    model = desk(
        {"when": "input.total > 100.0 && node == 'look'", "answer": {"large": True}},
        {"when": "'pay' in graph.nodes", "answer": {"paid": True}},
        {"node": "other", "answer": {"other": True}},
    )
    look = {"node": "look", "input": {"total": 120.5}, "graph": None}
    assert (await answer(model, request(context=look))).output == {"large": True}
    pays = {"node": "look", "input": {"total": 1.5}, "graph": {"nodes": {"pay": {}}}}
    assert (await answer(model, request(context=pays))).output == {"paid": True}
    assert (await answer(model, request(context={"node": "other"}))).output == {"other": True}


async def test_answers_and_arguments_are_filled_from_the_input_and_keep_their_types() -> None:
    model = desk({"steps": [{"tools": [{"name": "lookup", "args": {"id": "{id}"}}]}, {"answer": {"say": "no. {id}"}}]})
    asked = request(context={"input": {"id": 7}}, tools=(LOOKUP,))
    first = await answer(model, asked)
    assert [(call.name, call.args) for call in first.calls] == [("lookup", {"id": 7})]
    more = (Message("assistant", "", first.calls), Message("tool", "{}", call=first.calls[0].id))
    second = await answer(model, msgspec.structs.replace(asked, messages=(*asked.messages, *more)))
    assert second.output == {"say": "no. 7"}


async def test_a_step_may_use_what_a_tool_gave() -> None:
    model = desk({"when": "turn == 1 && results.lookup.total > 5", "steps": [{"text": "x"}, {"answer": {"big": True}}]})
    call = ToolCall("c", "lookup", {})
    talk = (Message("user", "t"), Message("assistant", "", (call,)), Message("tool", '{"total": 9}', call="c"))
    assert (await answer(model, request(messages=talk))).output == {"big": True}


async def test_a_patch_is_put_in_as_it_stands() -> None:
    operations = [{"op": "add_node", "id": "tell", "node": {"kind": "notify", "config": {"to": "mailto:{email}"}}}]
    model = desk({"answer": {"note": "{name}"}, "patch": {"operations": operations, "reason": "be kind"}})
    output = (await answer(model, request(context={"input": {"name": "Ann"}}))).output
    assert output == {"note": "Ann", "patch": {"operations": operations, "reason": "be kind"}}


async def test_steps_answer_one_after_another_and_then_it_is_an_error() -> None:
    model = desk({"steps": [{"text": "not json"}, {"answer": {"ok": True}}]})
    asked = request()
    assert (await answer(model, asked)).output is msgspec.UNSET
    asked = request(messages=(*asked.messages, Message("assistant", "not json"), Message("user", "mend it")))
    assert (await answer(model, asked)).output == {"ok": True}
    asked = request(messages=(*asked.messages, Message("assistant", "{}"), Message("user", "again")))
    with pytest.raises(NotFound, match="asked for one more"):
        await answer(model, asked)


async def test_a_second_model_with_the_same_script_goes_on_where_the_first_ended() -> None:
    rules = {"steps": [{"answer": {"n": 1}}, {"answer": {"n": 2}}]}
    later = request(messages=(Message("user", "t"), Message("assistant", "{}"), Message("user", "more")))
    assert (await answer(desk(rules), later)).output == {"n": 2}


async def test_an_error_happens_so_often_and_then_the_step_answers() -> None:
    model = desk({"answer": {"ok": True}, "error": {"kind": "rate_limited", "times": 2, "retry_after_s": 1.5}})
    for _ in range(2):
        with pytest.raises(Unavailable) as caught:
            await answer(model, request())
        assert caught.value.fields == {"kind": "rate_limited", "retry_after_s": 1.5}
    assert (await answer(model, request())).output == {"ok": True}


async def test_a_refusal_is_not_transient() -> None:
    with pytest.raises(CallerError) as caught:
        await answer(desk({"error": {"kind": "refused"}}), request())
    assert caught.value.code == "model_refused"


async def test_what_no_rule_matches_is_an_error_and_never_an_answer() -> None:
    with pytest.raises(NotFound) as caught:
        await answer(desk({"contains": "refund", "answer": {}}), request("Look at order 7"))
    assert caught.value.code == "model_no_answer"
    assert "Look at order 7" in str(caught.value)


async def test_every_answer_is_marked_scripted_and_costs_nothing_unless_the_script_says_so() -> None:
    plain = await answer(desk({"answer": {}}), request())
    assert (plain.brain.kind, plain.brain.label) == ("scripted", "scripted")
    assert plain.usage.cost_usd == 0
    told = await answer(desk({"answer": {}, "usage": {"tokens_in": 9, "tokens_out": 1, "cost_usd": 0.5}}), request())
    assert told.usage.cost_usd == 0.5


def test_all_problems_of_a_script_come_at_once_with_their_places() -> None:
    rules = [{"when": "input.total >", "answer": {}}, {"matches": "(", "answer": {}}, {"name": "does nothing"}]
    with pytest.raises(Invalid) as caught:
        Script("desk", rules)
    assert [problem.path for problem in caught.value.problems] == ["/rules/0/when", "/rules/1/matches", "/rules/2"]


@pytest.mark.parametrize("text", ["rules: [", "rules: 7", "rules: [{answr: 1}]", "- a list"])
def test_what_is_no_script_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        Script.parse("desk", text.encode())


async def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "desk.yaml"
    path.write_text("rules: [{answer: {n: 1}}]")
    model = ScriptedModel(tmp_path)
    assert (await answer(model, request())).output == {"n": 1}
    path.write_text("rules: [{answer: {n: 22}}]")
    os.utime(path, ns=(1, 1))
    assert (await answer(model, request())).output == {"n": 22}


@pytest.mark.parametrize("name", ["../desk", "/etc/passwd", "", "desk.yaml", "a" * 65])
async def test_a_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "desk.yaml").write_text("rules: [{answer: {}}]")
    (tmp_path / "in").mkdir()
    with pytest.raises(NotFound) as caught:
        await answer(ScriptedModel(tmp_path / "in"), request(model=f"script:{name}"))
    assert caught.value.code == "model_unknown"
