"""Decisions of models: a record for each call, of agents on topics and of runs, listed and looked into."""

import asyncio
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import aob
from aob.cli.commands.organisation.eval import failures, read
from aob.core.errors import CallerError, NotFound
from aob.core.policy import LOCAL, Caller
from aob.core.verbs.organisation import decision_verbs
from tests.organisation.test_agents_at_work import home, records, send, values
from tests.organisation.test_agents_in_shards import KEYS, SHARDS, told

SCRIPT = """
rules:
- when: input.text == "bad"
  error: {kind: refused}
- contains: look
  steps:
  - tools: [{name: lookup, args: {id: "{text}"}}]
    usage: {tokens_in: 7, tokens_out: 3, cost_usd: 0.5}
  - answer: {kind: known}
- answer: {kind: billing}
"""
KIND = {"type": "object", "properties": {"kind": {"type": "string"}}, "required": ["kind"]}
OTHER = Caller("other", "bob", frozenset({"view"}))


@aob.node(effect="none")
async def lookup(id: str) -> str:
    """Looks an order up."""
    return id * 3_000  # too large for the record itself


@aob.agent(consumes=["orders"], produces=["out"], attempts=2, backoff="1ms")
async def sorts(record: Any, ctx: Any) -> None:
    """Sorts orders by a model."""
    task = "look at {text}" if record.data == "looked" else "sort {text}"
    found = await ctx.model(
        task, {"text": record.data}, model="script:desk", output=KIND, tools=["lookup"], system="Sort."
    )  # fmt: skip
    if record.data == "again" and ctx.attempt == 1:
        raise ValueError("once more")
    ctx.emit("out", "sorted", found)


def script(path: Path) -> None:
    (path / "scripts").mkdir(parents=True, exist_ok=True)
    (path / "scripts" / "desk.yaml").write_text(SCRIPT)


async def test_each_call_of_a_model_is_a_record_that_can_be_found_and_read(tmp_path: Path) -> None:
    script(tmp_path)
    async with home(tmp_path, sorts, lookup) as app:
        await send(app, "ann", "plain", "looked", "again")
        await send(app, "bob", "plain")
        assert len(await records(app, "out", 4)) == 4
        page = await app.metrics.decisions(app.who)
        # "again" was handled twice and asked once: its second handling got the recorded answer
        assert len(page["decisions"]) == page["looked_at"] == 5
        assert page["next"] is None
        assert [each["at"] for each in page["decisions"]] == sorted((e["at"] for e in page["decisions"]), reverse=True)
        of_ann = await app.metrics.decisions(app.who, key="ann")
        assert [each["visit"].rpartition(".")[2] for each in of_ann["decisions"]] == ["2", "1", "1", "0"]
        answered, called = of_ann["decisions"][1:3]
        assert (called["chosen"], called["calls"], called["call"]) == ("tools", ["lookup"], 1)
        assert (called["tokens_in"], called["tokens_out"], called["cost_usd"]) == (7, 3, 0.5)
        assert (answered["chosen"], answered["call"], answered["failed"]) == ("answer", 2, False)
        assert (called["agent"], called["key"], called["correlationid"]) == ("sorts", "ann", "ann-1")
        assert called["brain"]["label"] == "scripted"

        shown = await app.metrics.decision(app.who, answered["id"])
        assert (shown["gone"], shown["answer"]["output"]) == (False, {"kind": "known"})
        assert len(shown["body"]) == 64  # it lies beside, with the result of the tool
        asked = shown["asked"]["messages"]
        assert (asked[0]["text"], asked[-1]["text"]) == ("look at looked", "looked" * 3_000)
        assert shown["asked"]["system"].endswith("Sort.")
        assert set(shown["tools"]) == {"lookup"}


async def test_lists_are_paged_and_filtered_and_of_one_tenant(tmp_path: Path) -> None:
    script(tmp_path)
    async with home(tmp_path, sorts, lookup) as app:
        for n in range(5):
            await send(app, f"k{n}", "plain")
        await records(app, "out", 5)
        every = (await app.metrics.decisions(app.who))["decisions"]
        found, before = [], ""
        for _ in range(3):
            page = await app.metrics.decisions(app.who, limit=2, before=before)
            found += page["decisions"]
            before = page["next"] or ""
        assert (found, before) == (every, "")
        assert (await app.metrics.decisions(app.who, agent="others"))["decisions"] == []
        only = await app.metrics.decisions(app.who, agent="sorts", correlation="k3-0")
        assert [each["key"] for each in only["decisions"]] == ["k3"]
        at = every[2]["at"]
        later = await app.metrics.decisions(app.who, since=at)
        assert all(each["at"] >= at for each in later["decisions"])
        assert {each["id"] for each in later["decisions"]}.isdisjoint(
            each["id"] for each in (await app.metrics.decisions(app.who, until=at))["decisions"]
        )
        assert (await app.metrics.decisions(OTHER))["decisions"] == []
        for wrong in (every[0]["id"][:-1], "decision_9999-" + "0" * 20, "x"):
            with pytest.raises(NotFound) as missing:
                await app.metrics.decision(app.who, wrong)
            assert missing.value.code == "decision_not_found"
        with pytest.raises(NotFound):
            await app.metrics.decision(OTHER, every[0]["id"])
        with pytest.raises(CallerError):
            await app.metrics.decisions(app.who, since="yesterday")


async def test_a_dead_letter_names_the_decisions_that_led_to_it(tmp_path: Path) -> None:
    script(tmp_path)
    async with home(tmp_path, sorts, lookup) as app:
        await send(app, "ann", "bad")
        [letter] = values(await records(app, "dead.sorts", 1))
        [id] = letter["decisions"]
        shown = await app.metrics.decision(app.who, id)
        assert (shown["failed"], shown["chosen"], shown["asked"]) == (True, "error", None)
        assert shown["error"]["code"] == letter["code"] == "model_refused"


async def test_an_agent_of_a_run_leaves_the_same_records(tmp_path: Path) -> None:
    script(tmp_path)
    flow = {"workflow": "sorting", "nodes": {"sorts": {
        "kind": "agent", "config": {"task": "sort {text}", "model": "script:desk", "output": KIND}}}}  # fmt: skip
    async with aob.open(tmp_path) as app:
        await app.push(flow)
        run = await app.start("sorting", {"text": "plain"})
        await run.done()
        page = await app.metrics.decisions(app.who, run=run.id)
        [row] = page["decisions"]
        assert (row["workflow"], row["node"], row["agent"]) == ("sorting", "sorts", "")
        assert (row["correlationid"], row["causationid"]) == (run.id, f"{run.id}/sorts")
        shown = await app.metrics.decision(app.who, row["id"])
        assert shown["answer"]["output"] == {"kind": "billing"}
        assert shown["asked"]["messages"][0]["text"] == "sort plain"


async def test_decisions_are_a_topic_that_others_may_follow(tmp_path: Path) -> None:
    script(tmp_path)
    async with home(tmp_path, sorts, lookup) as app:
        await send(app, "ann", "plain")
        async with asyncio.timeout(20):
            async for each in app.follow("aob.decisions"):
                assert (each.type, each.data["chosen"]) == ("model.decided", "answer")
                break
        topics = await app.shared.topics.topics(LOCAL.tenant, "aob.decisions")
        assert [shape.name for shape in topics] == ["aob.decisions"]


async def test_a_conversation_is_forked_into_a_shadow_and_differs_where_it_chooses_otherwise(tmp_path: Path) -> None:
    script(tmp_path)
    (tmp_path / "scripts" / "other.yaml").write_text("rules:\n- answer: {kind: other}\n")
    asks = "rules:\n- steps:\n  - tools: [{name: lookup, args: {id: unheard}}]\n  - answer: {kind: known}\n"
    (tmp_path / "scripts" / "asks.yaml").write_text(asks)
    async with home(tmp_path, sorts, lookup) as app:
        await send(app, "ann", "looked")
        await records(app, "out", 1)
        begun = (await app.metrics.decisions(app.who))["decisions"][-1]["id"]
        told = await app.metrics.conversation(app.who, begun)
        assert [each["chosen"] for each in told["steps"]] == ["tools", "answer"]
        assert [(each["name"], each["args"]) for each in told["results"]] == [("lookup", {"id": "looked"})]

        same = await app.metrics.fork_decision(app.who, begun)
        assert (same["divergence"], same["unknown"], len(same["steps"])) == (None, 0, 2)
        other = await app.metrics.fork_decision(app.who, begun, model="script:other")
        assert (other["divergence"]["step"], other["divergence"]["what"]) == (0, "chosen")
        assert other["divergence"]["second"]["output"] == {"kind": "other"}
        refused = await app.metrics.fork_decision(app.who, begun, model="script:asks")
        assert (refused["unknown"], refused["divergence"]["what"]) == (1, "calls")
        prompted = await app.metrics.fork_decision(app.who, begun, task="sort it")
        assert prompted["steps"][0]["output"] == {"kind": "billing"}
        tool = decision_verbs.ChangedTool(description="Looks up.")
        assert (await app.metrics.fork_decision(app.who, begun, tools={"lookup": tool}))["divergence"] is None
        with pytest.raises(CallerError) as unknown:
            await app.metrics.fork_decision(app.who, begun, tools={"nothing": tool})
        assert unknown.value.code == "tool_unknown"
        # a fork is no decision of anybody
        assert (await app.metrics.decisions(app.who))["looked_at"] == 2


async def test_runs_are_compared_at_the_first_choice_that_differs(tmp_path: Path) -> None:
    script(tmp_path)
    flow = {"workflow": "sorting", "nodes": {"sorts": {
        "kind": "agent", "config": {
            "task": "{task} {text}", "model": "script:desk", "output": KIND, "tools": ["lookup"]}}}}  # fmt: skip
    async with aob.open(tmp_path, app=SimpleNamespace(lookup=lookup)) as app:
        await app.push(flow)
        runs = [await app.start("sorting", {"task": task, "text": "a"}) for task in ("sort", "sort", "look")]
        for each in runs:
            await each.done()
        first, second, third = (each.id for each in runs)
        assert (await app.metrics.diff_decisions(app.who, first, second))["same"]
        told = await app.metrics.diff_decisions(app.who, first, third)
        assert (told["same"], told["divergence"]["step"], told["divergence"]["what"]) == (False, 0, "chosen")
        assert told["second"] == (await app.metrics.decisions(app.who, run=third))["decisions"][-1]["id"]
        with pytest.raises(NotFound):
            await app.metrics.diff_decisions(app.who, first, "decision_1-" + "0" * 20)


def test_an_eval_says_what_does_not_hold() -> None:
    step = {"chosen": "answer", "calls": [], "output": {"kind": "billing"}, "text": "", "error": None}
    tools = {"chosen": "tools", "calls": [{"name": "lookup", "args": {}}], "output": None, "text": "", "error": None}
    steps = [tools, step]
    right = {"tools": ["lookup"], "chosen": "answer", "output": {"kind": "billing"}, "output_schema": KIND,
             "contains": "bill"}  # fmt: skip
    assert failures(right, steps) == []
    wrong = {"tools": [], "chosen": "tools", "output": {}, "output_schema": {"type": "string"}, "contains": "cake"}
    for name, value in wrong.items():
        assert len(failures({name: value}, steps)) == 1
    with pytest.raises(CallerError):
        read(b'{"evals": [{"name": "a", "asked": {}, "expect": {"cake": 1}}]}', "f")


@aob.agent(consumes=["out"], produces=["orders"], attempts=1)
async def bills(record: Any, ctx: Any) -> None:
    """Gives up what is billed."""
    raise ValueError("no")


async def test_what_came_of_a_record_is_a_tree_of_causes(tmp_path: Path) -> None:
    script(tmp_path)
    async with home(tmp_path, sorts, bills, lookup) as app:
        await send(app, "ann", "plain")
        await send(app, "bob", "plain")
        await records(app, "dead.bills", 2)
        told = await app.metrics.trace(app.who, "ann-0")
        found = [(each["level"], each["kind"], each["topic"]) for each in told["nodes"]]
        assert found[0] == (0, "record", "orders")
        assert sorted(found[1:]) == [
            (1, "decision", "aob.decisions"), (1, "record", "out"), (2, "dead letter", "dead.bills")
        ]  # fmt: skip
        assert [each["says"] for each in told["nodes"] if each["says"]] == [
            "sorts asked script:desk: answer", "bills gave up after 1: exception"
        ]  # fmt: skip
        assert (told["correlation"], told["looked_at"], told["cut"]) == ("ann-0", 8, [])
        output = next(each for each in told["nodes"] if each["topic"] == "out")
        again = await app.metrics.trace(app.who, output["id"])  # its correlation is that of the first record
        assert [each["id"] for each in again["nodes"]] == [each["id"] for each in told["nodes"]]
        few = await app.metrics.trace(app.who, "ann-0", look_max=3)
        assert (few["looked_at"], len(few["cut"])) == (3, 1)
        narrow = await app.metrics.trace(app.who, "ann-0", topics=("out",))
        assert [each["topic"] for each in narrow["nodes"]] == ["out"]
        with pytest.raises(NotFound) as missing:
            await app.metrics.trace(app.who, "nobody")
        assert missing.value.code == "trace_not_found"
        with pytest.raises(NotFound):
            await app.metrics.trace(OTHER, "ann-0")


async def test_what_a_run_has_caused_stands_below_it(tmp_path: Path) -> None:
    script(tmp_path)
    flow = {"workflow": "sorting", "nodes": {
        "sorts": {"kind": "agent", "config": {"task": "sort {text}", "model": "script:desk", "output": KIND}},
        "tell": {"kind": "emit", "config": {"topic": "told", "type": "sorted"}},
    }, "edges": [{"from": "sorts", "to": "tell"}]}  # fmt: skip
    async with aob.open(tmp_path) as app:
        await app.push(flow)
        run = await app.start("sorting", {"text": "plain"})
        assert (await run.done())["status"] == "COMPLETED"
        told = await app.metrics.trace(app.who, run.id)
        assert [(each["level"], each["kind"]) for each in told["nodes"]] == [(0, "run"), (1, "decision"), (1, "record")]


@pytest.mark.every_store
async def test_decisions_of_all_shards_are_found_with_what_lies_beside_them(tmp_path: Path) -> None:
    script(tmp_path)
    settings = {} if os.environ.get("AOB_STORE") else SHARDS
    async with home(tmp_path, sorts, lookup, settings=settings) as app:
        for name in KEYS:
            await app.produce("orders", "order", "looked", subject=name)
        await told(app, "out", len(KEYS))
        page = await app.metrics.decisions(app.who)
        assert sorted(each["key"] for each in page["decisions"]) == sorted([*KEYS, *KEYS])
        for row in page["decisions"]:
            shown = await app.metrics.decision(app.who, row["id"])
            assert (shown["gone"], shown["key"]) == (False, row["key"])
            assert shown["asked"]["messages"][0]["text"] == "look at looked"
