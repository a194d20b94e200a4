"""The agent kind: checked answers, journaled calls, tools by allow-list, limits, patches, kept answers."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from aob.core.errors import CallerError, Unavailable
from aob.ports.model import unavailable
from aob.work.handlers import node, scan
from aob.work.job import Context, WorkError
from aob.work.kinds.agent import RETURNS_MAX
from aob.work.outcome import fault_of
from tests.work.agent_run import RISK, AgentRun, Queue, RunContext, says


@node(effect="none")
async def lookup(id: int) -> dict[str, int]:
    """Looks an order up."""
    return {"id": id, "total": 120}


@node
async def broken(id: int) -> None:
    """Never works."""
    raise WorkError("no such order", code="no_order", transient=False)


async def test_the_output_is_the_answer_itself_and_the_usage_says_who_and_how_much() -> None:
    done = await AgentRun(Queue(says({"risk": 0.5})), output=RISK).perform()
    assert done.output == {"risk": 0.5}
    assert done.usage == {
        "tokens_in": 10,
        "tokens_out": 5,
        "cost_usd": 0.001,
        "calls": 1,
        "cached": 0,
        "brain": {"kind": "scripted", "label": "scripted", "model": "script:desk"},
    }


async def test_without_a_schema_the_output_is_the_text() -> None:
    assert (await AgentRun(Queue(says(text="All is well."))).perform()).output == "All is well."


async def test_the_task_is_filled_and_the_input_stands_beside_it() -> None:
    run = AgentRun(Queue(says({"risk": 1})), output=RISK, system="You know {id}.", temperature=0.5)
    await run.perform()
    [request] = run.model.requests
    assert request.messages[0].text == "Look at order 7"
    assert '{"id":7}' in request.messages[1].text
    assert "You know 7." in request.system
    assert (request.output, request.temperature) == (RISK, 0.5)


async def test_a_name_that_the_input_lacks_is_a_permanent_fault() -> None:
    with pytest.raises(CallerError) as caught:
        await AgentRun(Queue(), task="Look at {order}").perform()
    fault = fault_of(caught.value)
    assert (fault.code, fault.transient) == ("bad_template", False)


class Spans:
    """A telemetry that keeps what it is told."""

    tracing = True

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def record(self, name: str, parent: Any, start_ns: int, end_ns: int, **facts: Any) -> None:
        assert 0 < start_ns <= end_ns
        self.told.append((name, facts))


async def test_calls_of_models_and_tools_are_spans_by_the_conventions_without_what_was_said() -> None:
    spans = Spans()
    run = AgentRun(Queue(says({}, ("lookup", {"id": 7})), says({"risk": 1})), output=RISK, tools=["lookup"])
    run.handlers, run.telemetry = scan(lookup), spans
    await run.perform()
    run = AgentRun(Queue(CallerError("no", code="model_refused")))
    run.telemetry = spans
    with pytest.raises(WorkError):
        await run.perform()
    names = [name for name, _ in spans.told]
    assert names == ["chat house", "execute_tool lookup", "chat house", "chat house"]
    asked, used, answered, failed = (facts for _, facts in spans.told)
    assert (asked["gen_ai.operation.name"], asked["gen_ai.provider.name"]) == ("chat", "script")
    assert (asked["gen_ai.usage.input_tokens"], asked["gen_ai.usage.output_tokens"]) == (10, 5)
    assert (asked["aob.chosen"], answered["aob.chosen"], asked["gen_ai.response.model"]) == ("tools", "answer", "desk")
    assert (used["gen_ai.tool.name"], failed["error.type"]) == ("lookup", "model_refused")
    assert "risk" not in str(spans.told)


async def test_each_call_leaves_a_decision_record() -> None:
    run = AgentRun(Queue(says({"risk": 1})), output=RISK, tools=["lookup"])
    run.handlers = scan(lookup)
    await run.perform()
    [entry] = run.journal.entries
    assert (entry.kind, entry.what) == ("model", {"call": 1, "effect": "none"})
    record = entry.result
    assert len(record["request"]) == len(record["prompt"]) == len(record["output"]) == 64
    assert [(name, len(hash)) for name, hash in record["tools"].items()] == [("lookup", 64)]
    assert (record["temperature"], record["cached"]) == (None, False)
    assert record["answer"]["output"] == {"risk": 1}
    assert record["answer"]["brain"]["model"] == "script:desk"
    assert entry.usage is not None
    assert entry.usage["tokens_in"] == 10
    assert entry.usage["brain"]["label"] == "scripted"


async def test_the_version_of_a_prompt_follows_what_the_agent_is_told_to_do() -> None:
    versions = set()
    for config in ({}, {}, {"system": "Be brief."}, {"task": "Look"}, {"output": {"type": "object"}}, {"patch": True}):
        run = AgentRun(Queue(says({"answer": "x"})), **config)
        await run.perform()
        versions.add(run.journal.entries[0].result["prompt"])
    assert len(versions) == 5


async def test_an_intent_stands_before_the_call_that_it_announces() -> None:
    class Watching(Queue):
        async def ask(self, request: Any) -> Any:
            assert run.journal.kinds() == ["model"]
            assert not run.journal.entries[0].settled
            return await super().ask(request)

    run = AgentRun(Watching(says({"risk": 1})), output=RISK)
    await run.perform()


async def test_a_tool_is_called_and_its_result_goes_to_the_model() -> None:
    run = AgentRun(Queue(says(UNSET, ("lookup", {"id": 7})), says({"risk": 1})), output=RISK, tools=["lookup"])
    run.handlers = scan(lookup)
    assert (await run.perform()).output == {"risk": 1}
    assert run.journal.kinds() == ["model", "tool", "model"]
    tool = run.journal.entries[1]
    assert (tool.what["tool"], tool.what["effect"], tool.what["args"]) == ("lookup", "none", {"id": 7})
    assert tool.result == {"result": {"id": 7, "total": 120}}
    last = run.model.requests[1].messages[-1]
    assert (last.role, last.text, last.failed) == ("tool", '{"id":7,"total":120}', False)


async def test_a_tool_that_is_not_on_the_list_is_never_called() -> None:
    called = []

    @node
    async def ship(id: int) -> None:
        called.append(id)

    run = AgentRun(Queue(says(UNSET, ("ship", {"id": 7})), says({"risk": 1})), output=RISK, tools=["lookup"])
    run.handlers = scan(lookup, ship)
    assert (await run.perform()).output == {"risk": 1}
    assert called == []
    assert run.journal.kinds() == ["model", "model"]
    assert run.model.requests[1].messages[-1].failed
    assert "not among the tools" in run.model.requests[1].messages[-1].text
    assert run.ctx.lines == [("tool_call_refused", {"tool": "ship", "reason": run.model.requests[1].messages[-1].text})]


async def test_a_model_that_insists_on_a_forbidden_tool_is_stopped() -> None:
    asks = [says(UNSET, ("ship", {})) for _ in range(RETURNS_MAX + 1)]
    run = AgentRun(Queue(*asks), output=RISK)
    with pytest.raises(WorkError) as caught:
        await run.perform()
    assert caught.value.fault.code == "answer_invalid"


@pytest.mark.parametrize("args", [{"id": "seven"}, {}, {"id": 7, "more": 1}, '{"id": 7'])
async def test_arguments_that_do_not_fit_go_back_to_the_model(args: Any) -> None:
    run = AgentRun(Queue(says(UNSET, ("lookup", args)), says({"risk": 1})), output=RISK, tools=["lookup"])
    run.handlers = scan(lookup)
    await run.perform()
    assert run.journal.kinds() == ["model", "model"]
    assert "the arguments do not fit" in run.model.requests[1].messages[-1].text


async def test_a_permanent_fault_of_a_tool_is_told_to_the_model() -> None:
    run = AgentRun(Queue(says(UNSET, ("broken", {"id": 7})), says({"risk": 1})), output=RISK, tools=["broken"])
    run.handlers = scan(broken)
    assert (await run.perform()).output == {"risk": 1}
    assert run.model.requests[1].messages[-1].text == "no such order"
    assert run.model.requests[1].messages[-1].failed


async def test_a_transient_fault_of_a_tool_ends_the_attempt_and_the_next_one_goes_on_from_there() -> None:
    times = []

    @node
    async def busy(id: int) -> str:
        """Works at the second try."""
        times.append(id)
        if len(times) == 1:
            raise WorkError("come again", code="busy")
        return "here"

    run = AgentRun(Queue(says(UNSET, ("busy", {"id": 7})), says({"risk": 1})), output=RISK, tools=["busy"])
    run.handlers = scan(busy)
    with pytest.raises(WorkError) as caught:
        await run.perform()
    assert caught.value.fault.transient
    assert run.journal.entries[1].error == caught.value.fault
    assert (await run.perform()).output == {"risk": 1}
    assert (times, len(run.model.requests)) == ([7, 7], 2)


async def test_any_error_of_a_tool_is_settled_and_another_attempt_may_help() -> None:
    @node(effect="keyed")
    async def buggy(id: int) -> None:
        """Has a bug."""
        raise KeyError(id)

    run = AgentRun(Queue(says(UNSET, ("buggy", {"id": 7}))), output=RISK, tools=["buggy"])
    run.handlers = scan(buggy)
    with pytest.raises(WorkError) as caught:
        await run.perform()
    assert (caught.value.fault.code, caught.value.fault.transient) == ("exception", True)
    assert run.journal.entries[1].settled


async def test_a_tool_that_must_not_be_repeated_and_failed_is_uncertain() -> None:
    @node(effect="once")
    async def pay(id: int) -> None:
        """May have paid."""
        raise TimeoutError

    run = AgentRun(Queue(says(UNSET, ("pay", {"id": 7}))), output=RISK, tools=["pay"])
    run.handlers = scan(pay)
    with pytest.raises(WorkError) as caught:
        await run.perform()
    assert (caught.value.fault.code, caught.value.fault.transient) == ("uncertain", False)
    assert not run.journal.entries[1].settled


async def test_a_tool_that_must_not_be_repeated_and_certainly_did_nothing_is_told_to_the_model() -> None:
    @node(effect="once")
    async def pay(id: int) -> None:
        """Knows that it has not paid."""
        raise WorkError("no money", code="no_money", transient=False, detail={"sent": False})

    run = AgentRun(Queue(says(UNSET, ("pay", {"id": 7})), says({"risk": 1})), output=RISK, tools=["pay"])
    run.handlers = scan(pay)
    assert (await run.perform()).output == {"risk": 1}
    assert run.model.requests[1].messages[-1].text == "no money"


async def test_a_result_that_is_not_json_is_told_to_the_model() -> None:
    @node
    async def odd(id: int) -> object:
        """Gives what no record can hold."""
        return {"bad": object()}

    run = AgentRun(Queue(says(UNSET, ("odd", {"id": 7})), says({"risk": 1})), output=RISK, tools=["odd"])
    run.handlers = scan(odd)
    await run.perform()
    assert "/bad" in run.model.requests[1].messages[-1].text


async def test_each_tool_call_has_a_key_of_its_own_that_stays_the_same() -> None:
    keys = []

    @node
    async def pay(id: int, ctx: Context) -> None:
        """Notes the key."""
        keys.append(ctx.key)

    for _ in range(2):
        calls = says(UNSET, ("pay", {"id": 1}), ("pay", {"id": 1}))
        run = AgentRun(Queue(calls, says({"risk": 1})), output=RISK, tools=["pay"])
        run.handlers = scan(pay)
        await run.perform()
    assert keys == ["k-tool1", "k-tool2"] * 2


@pytest.mark.parametrize("verb", ["intend", "settle", "propose", "heartbeat"])
async def test_a_tool_may_not_act_as_the_agent(verb: str) -> None:
    args = {"intend": ("x", {}), "settle": (1,), "propose": ([], "r"), "heartbeat": (1,)}[verb]

    @node
    async def sly(id: int, ctx: Context) -> None:
        """Reaches for more than it is given."""
        await getattr(ctx, verb)(*args)

    run = AgentRun(Queue(says(UNSET, ("sly", {"id": 7})), says({"risk": 1})), output=RISK, tools=["sly"])
    run.handlers = scan(sly)
    await run.perform()
    assert "may not" in run.model.requests[1].messages[-1].text
    assert run.journal.kinds() == ["model", "tool", "model"]


async def test_a_tool_without_a_handler_fails_before_any_call() -> None:
    run = AgentRun(Queue(), tools=["nowhere"])
    with pytest.raises(WorkError) as caught:
        await run.perform()
    assert caught.value.fault.code == "tool_missing"
    assert run.journal.entries == []


async def test_an_invalid_answer_goes_back_with_the_reasons() -> None:
    run = AgentRun(Queue(says({"risk": "high"}), says(text="it is 1"), says({"risk": 1})), output=RISK)
    assert (await run.perform()).output == {"risk": 1}
    second, third = run.model.requests[1].messages[-2:], run.model.requests[2].messages[-2:]
    assert [m.role for m in second] == ["assistant", "user"]
    assert second[0].text == '{"risk":"high"}'
    assert '/risk: "high" is not of type "number"' in second[1].text
    assert "not JSON" in third[1].text


async def test_after_three_returns_an_invalid_answer_is_a_permanent_fault() -> None:
    run = AgentRun(Queue(*(says({}) for _ in range(9))), output=RISK)
    with pytest.raises(WorkError) as caught:
        await run.perform()
    assert (caught.value.fault.code, caught.value.fault.transient) == ("answer_invalid", False)
    assert len(run.model.requests) == RETURNS_MAX + 1 == 4
    assert '"risk" is a required property' in caught.value.fault.detail["reasons"][0]


async def test_an_answer_that_was_cut_off_is_not_taken() -> None:

    cut = msgspec.structs.replace(says({"risk": 1}), cut=True)
    run = AgentRun(Queue(cut, says({"risk": 2})), output=RISK)
    assert (await run.perform()).output == {"risk": 2}


async def test_a_schema_that_is_none_is_refused_before_any_call() -> None:
    with pytest.raises(WorkError) as caught:
        await AgentRun(Queue(), output={"type": "nonsense"}).perform()
    assert caught.value.fault.code == "output_schema"


async def test_a_schema_never_reads_a_file_of_this_machine(tmp_path: Path) -> None:
    """The file is there and is a schema: it is the lookup itself that is refused."""
    (tmp_path / "s.json").write_text('{"type": "object"}')
    with pytest.raises(WorkError) as caught:
        await AgentRun(Queue(), output={"$ref": f"file://{tmp_path}/s.json"}).perform()
    assert caught.value.fault.code == "output_schema"


@pytest.mark.parametrize(
    ("config", "code", "asks"),
    [
        ({"calls_max": 2}, "calls_max", 2),
        ({"tokens_max": 20}, "tokens_max", 2),
        ({"cost_max": 0.0015}, "cost_max", 2),
    ],
)
async def test_a_limit_ends_the_agent_and_is_named(config: dict[str, Any], code: str, asks: int) -> None:
    run = AgentRun(Queue(*(says({}) for _ in range(9))), output=RISK, **config)
    with pytest.raises(WorkError) as caught:
        await run.perform()
    fault = caught.value.fault
    assert (fault.code, fault.transient, len(run.model.requests)) == (code, False, asks)
    assert fault.detail["limit"] == code


async def test_the_answer_that_reaches_the_limit_still_counts() -> None:
    run = AgentRun(Queue(says({"risk": 1})), output=RISK, tokens_max=15, calls_max=1)
    assert (await run.perform()).output == {"risk": 1}


async def test_a_model_is_told_how_many_tokens_are_left() -> None:
    run = AgentRun(Queue(says({}), says({"risk": 1})), output=RISK, tokens_max=100)
    await run.perform()
    assert [request.tokens_max for request in run.model.requests] == [100, 85]


@pytest.mark.parametrize(
    ("config", "usage"), [({"cost_max": 1.0}, {"cost_usd": None}), ({"tokens_max": 100}, {"tokens_in": None})]
)
async def test_a_limit_on_what_nobody_counts_is_not_pretended(config: dict[str, Any], usage: dict[str, Any]) -> None:
    run = AgentRun(Queue(says({}, **usage), says({"risk": 1})), output=RISK, **config)
    with pytest.raises(WorkError) as caught:
        await run.perform()
    assert caught.value.fault.code == "usage_unknown"


async def test_unknown_costs_stay_unknown_in_the_sum() -> None:
    done = await AgentRun(Queue(says({}), says({"risk": 1}, cost_usd=None)), output=RISK).perform()
    assert done.usage is not None
    assert (done.usage["tokens_in"], done.usage["cost_usd"]) == (20, None)


async def test_a_model_that_may_answer_later_is_a_transient_fault_and_is_settled_as_one() -> None:
    run = AgentRun(Queue(unavailable("busy", "rate_limited", 3.0), says({"risk": 1})), output=RISK)
    with pytest.raises(WorkError) as caught:
        await run.perform()
    fault = caught.value.fault
    assert (fault.code, fault.transient) == ("model_unavailable", True)
    assert (fault.detail["kind"], fault.detail["retry_after_s"]) == ("rate_limited", 3.0)
    assert run.journal.entries[0].error == fault
    assert (await run.perform()).output == {"risk": 1}


async def test_a_model_that_refuses_is_a_permanent_fault() -> None:
    with pytest.raises(WorkError) as caught:
        await AgentRun(Queue(CallerError("no", code="model_refused"))).perform()
    assert (caught.value.fault.code, caught.value.fault.transient) == ("model_refused", False)


async def test_a_good_answer_is_kept_and_costs_nothing_the_second_time() -> None:
    run = AgentRun(Queue(says({"risk": 1})), output=RISK)
    await run.perform()
    again = AgentRun(Queue(), output=RISK)
    again.cache = run.cache
    done = await again.perform()
    assert done.output == {"risk": 1}
    assert done.usage is not None
    assert (done.usage["cached"], done.usage["tokens_in"], done.usage["cost_usd"]) == (1, 0, 0.0)
    usage = again.journal.entries[0].usage
    assert usage is not None
    assert (usage["cached"], usage["cost_usd"], usage["brain"]["label"]) == (True, 0.0, "scripted")


async def test_another_tenant_never_gets_a_kept_answer() -> None:
    run = AgentRun(Queue(says({"risk": 1})), output=RISK)
    await run.perform()
    other = AgentRun(Queue(says({"risk": 2})), output=RISK)
    other.cache = run.cache

    def elsewhere(ctx: RunContext) -> None:
        ctx.tenant = "acme"

    assert (await other.perform(elsewhere)).output == {"risk": 2}


async def test_a_kept_answer_does_not_outlive_a_change_of_the_default_model() -> None:
    run = AgentRun(Queue(says({"risk": 1})), output=RISK)
    await run.perform()
    again = AgentRun(Queue(says({"risk": 2})), output=RISK)
    again.cache, again.model.default = run.cache, "script:other"
    assert (await again.perform()).output == {"risk": 2}


async def test_an_answer_that_could_not_be_taken_is_not_kept() -> None:
    run = AgentRun(Queue(says({}), says({"risk": 1})), output=RISK)
    await run.perform()
    assert len(run.cache.values) == 1
    again = AgentRun(Queue(says({"risk": 2})), output=RISK)
    again.cache = run.cache
    assert (await again.perform()).output == {"risk": 2}


async def test_cache_off_asks_every_time() -> None:
    run = AgentRun(Queue(says({"risk": 1})), output=RISK, cache=False)
    await run.perform()
    assert run.cache.values == {}


async def test_a_cache_that_fails_is_a_miss() -> None:
    run = AgentRun(Queue(says({"risk": 1})), output=RISK)

    async def fail(*args: object) -> None:
        raise Unavailable("the cache is away")

    run.cache.get = run.cache.put = fail  # type: ignore[method-assign]
    assert (await run.perform()).output == {"risk": 1}
    assert [line for line, _ in run.ctx.lines] == ["model_cache_missed", "model_answer_not_kept"]


async def test_every_call_is_a_sign_of_life() -> None:
    run = AgentRun(Queue(says(UNSET, ("lookup", {"id": 7})), says({"risk": 1})), output=RISK, tools=["lookup"])
    run.handlers = scan(lookup)
    await run.perform()
    assert run.pulses >= 3
