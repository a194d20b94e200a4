"""Patches of an agent: proposed by the answer, judged by the run, returned with reasons, and at last given up."""

from typing import Any

import jsonschema_rs
import pytest

from aob.work.agent.answer import PROPOSAL, asked_schema
from aob.work.agent.guide import GRAPH_CHARS_MAX, graph_text, patch_guide
from aob.work.job import WorkError
from aob.work.kinds.agent import RETURNS_MAX
from tests.work.agent_run import RISK, AgentRun, Queue, says

TELL = {"reason": "tell them", "operations": [{"op": "add_node", "id": "tell", "node": {"kind": "notify"}}]}
INVALID = {
    "patch_id": "patch_1",
    "state": "invalid",
    "problems": [{"path": "/operations/0/node/config", "message": "`to` is missing", "hint": "write mailto:{email}"}],
}


def agent(*answers: Any, verdicts: list[dict[str, Any]], **config: Any) -> AgentRun:
    run = AgentRun(Queue(*answers), patch=True, **{"output": RISK, **config})
    run.verdicts.extend(verdicts)
    return run


@pytest.mark.parametrize("state", ["applied", "proposed", "approved"])
async def test_an_accepted_patch_stands_in_the_output_by_its_id(state: str) -> None:
    run = agent(says({"risk": 1, "patch": TELL}), verdicts=[{"patch_id": "patch_9", "state": state}])
    done = await run.perform()
    assert done.output == {"risk": 1, "patch": {"patch_id": "patch_9", "state": state, "reason": "tell them"}}
    assert done.patch == "patch_9"


@pytest.mark.parametrize("none", [{}, {"patch": None}, {"patch": {"reason": "", "operations": []}}])
async def test_no_change_proposes_nothing(none: dict[str, Any]) -> None:
    run = agent(says({"risk": 1, **none}), verdicts=[])
    done = await run.perform()
    assert (done.output, done.patch) == ({"risk": 1}, "")


async def test_an_agent_that_may_not_patch_is_not_told_how_and_proposes_nothing() -> None:
    run = AgentRun(Queue(says({"risk": 1, "patch": TELL})), output=RISK)
    assert (await run.perform()).patch == ""
    assert "operations" not in run.model.requests[0].system


async def test_a_field_of_that_name_is_only_a_field_where_patches_are_not_allowed() -> None:
    output = {"type": "object", "properties": {"patch": {"type": "object"}}}
    run = AgentRun(Queue(says({"patch": TELL})), output=output)
    done = await run.perform()
    assert (done.output, done.patch, run.journal.proposals) == ({"patch": TELL}, "", {})


async def test_the_model_sees_the_graph_and_the_guide() -> None:
    run = agent(says({"risk": 1}), verdicts=[])
    run.graph["state"] = {"look": "running"}
    await run.perform()
    [request] = run.model.requests
    assert "insert_between" in request.system
    assert '"state":{"look":"running"}' in request.messages[2].text
    assert request.context["graph"] == run.graph


async def test_an_invalid_patch_goes_back_with_the_reasons_and_valid_examples() -> None:
    applied = {"patch_id": "patch_2", "state": "applied"}
    run = agent(says({"risk": 1, "patch": TELL}), says({"risk": 1, "patch": {**TELL, "reason": "b"}}),
                verdicts=[INVALID, applied])  # fmt: skip
    assert (await run.perform()).patch == "patch_2"
    told = run.model.requests[1].messages[-1].text
    assert "`to` is missing" in told
    assert "write mailto:{email}" in told
    assert "Valid patches" in told
    assert '"op":"insert_between"' in told


async def test_after_three_returns_an_invalid_patch_is_a_permanent_fault_that_names_it() -> None:
    answers = [says({"risk": 1, "patch": {**TELL, "reason": str(n)}}) for n in range(9)]
    run = agent(*answers, verdicts=[INVALID] * 9)
    with pytest.raises(WorkError) as caught:
        await run.perform()
    fault = caught.value.fault
    assert (fault.code, fault.transient, fault.detail["patch_id"]) == ("patch_invalid", False, "patch_1")
    assert len(run.journal.proposals) == RETURNS_MAX + 1
    assert "`to` is missing" in fault.detail["reasons"][0]


async def test_the_graph_is_looked_at_again_after_an_invalid_patch() -> None:
    applied = {"patch_id": "patch_2", "state": "applied"}
    run = agent(says({"risk": 1, "patch": TELL}), says({"risk": 1, "patch": {**TELL, "reason": "b"}}),
                verdicts=[INVALID, applied])  # fmt: skip
    ask = run.model.ask

    async def moving(request: Any) -> Any:
        run.ctx._graph = {"document": {"nodes": {"look": {}, "moved": {}}, "edges": {}}}
        return await ask(request)

    run.model.ask = moving
    await run.perform()
    assert "moved" not in run.model.requests[0].messages[2].text
    assert "moved" in run.model.requests[1].messages[2].text


async def test_an_invalid_patch_is_never_kept_for_the_next_run() -> None:
    run = agent(*(says({"risk": 1, "patch": {**TELL, "reason": str(n)}}) for n in range(4)), verdicts=[INVALID] * 4)
    with pytest.raises(WorkError):
        await run.perform()
    assert run.cache.values == {}


@pytest.mark.parametrize("output", [None, {"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {}}}])
async def test_an_answer_that_is_no_object_stands_under_answer_beside_the_patch(output: dict[str, Any] | None) -> None:
    value: Any = "fine" if output is None else [1]
    run = agent(says({"answer": value, "patch": TELL}), verdicts=[{"patch_id": "p", "state": "applied"}], output=output)
    assert (await run.perform()).output["answer"] == value


def test_a_schema_that_forbids_other_properties_still_allows_a_patch() -> None:
    schema = asked_schema({**RISK, "additionalProperties": False}, patch=True)
    validator = jsonschema_rs.validator_for(schema)
    assert validator.is_valid({"risk": 1, "patch": TELL})
    assert not validator.is_valid({"risk": 1, "other": 1})


def test_only_the_shape_of_a_patch_is_judged_before_it_is_proposed() -> None:
    validator = jsonschema_rs.validator_for(PROPOSAL)
    assert validator.is_valid({"reason": "r", "operations": [{"op": "nonsense"}]})
    assert not validator.is_valid({"operations": []})
    assert not validator.is_valid({"reason": "r", "operations": ["add"]})


def test_the_guide_names_every_kind_and_its_fields() -> None:
    guide = patch_guide()
    assert "notify: to, text, subject?" in guide
    assert "timer: for?, until?" in guide
    assert "{'" not in guide


def test_a_very_large_graph_is_shown_as_an_outline() -> None:
    nodes = {f"n{i}": {"kind": "function", "config": {"handler": "x" * 1_000}} for i in range(200)}
    text = graph_text({"document": {"nodes": nodes, "edges": {}}, "state": {"n7": "ready"}, "agents_left": 5})
    assert len(text) <= GRAPH_CHARS_MAX
    assert '"n199":"function"' in text
    assert '"n7":"ready"' in text
    assert "outline" in text
