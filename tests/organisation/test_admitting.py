"""What agents and runs produce is judged before it is appended: by the topic, by its schemas, by the gate."""

from pathlib import Path
from typing import Any

import pytest

import aob
from aob.core.policy import LOCAL
from aob.work import WorkError
from tests.organisation.test_agents_at_work import home, records, send, values

CLOSED = """{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
             "additionalProperties": false}"""
CONTRACT = """
event: order.placed
fields: {n: integer}
---
metric: orders
type: count
moves: [{on: order.placed}]
windows: [all]
"""


async def push(app: Any, subject: str) -> None:
    await app.metrics.push_schema(LOCAL, subject, CLOSED)


def reasons(letter: Any) -> list[tuple[str, str]]:
    return [(each["path"], each["code"]) for each in letter["error"]["detail"]["reasons"]]


@pytest.mark.every_store
async def test_an_agent_whose_output_a_topic_does_not_take_fails_with_the_reasons(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out", "typed"])
    async def writes(record: Any, ctx: Any) -> None:
        ctx.emit(record.data["to"], record.data["type"], record.data["data"])
        ctx.set_state((ctx.state or 0) + 1)

    async with home(tmp_path, writes, topics=("orders", "out", "typed")) as app:
        await app.metrics.update_topic(LOCAL, "typed", types=("sorted",))
        await push(app, "out-value")
        good = [{"to": "out", "type": "any", "data": {"n": 1}}, {"to": "typed", "type": "sorted", "data": "any"}]
        bad = [{"to": "out", "type": "any", "data": {"n": "x"}}, {"to": "typed", "type": "other", "data": 1}]
        await send(app, "ann", good[0], *bad, good[1])
        assert values(await records(app, "out", 1)) == [{"n": 1}]
        assert values(await records(app, "typed", 1)) == ["any"]
        schema, kind = values(await records(app, "dead.writes", 2))
        assert (schema["code"], schema["attempts"], reasons(schema)) == (
            "record_refused", 1, [("/outputs/0/data", "schema_unmet")],
        )  # fmt: skip
        assert reasons(kind) == [("/outputs/0/type", "type_not_taken")]
        await app.metrics.delete_topic(LOCAL, "typed", drain="0s", keep="1h", force=True)
        await send(app, "bob", good[1])
        letters = values(await records(app, "dead.writes", 3))
        assert [reasons(each) for each in letters if each["key"] == "bob"] == [[("/outputs/0", "topic_read_only")]]


async def test_a_question_that_its_topic_does_not_take_is_refused_where_it_is_asked(tmp_path: Path) -> None:
    @aob.agent(consumes=["prices"])
    async def prices(record: Any, ctx: Any) -> None:
        ctx.reply(record.data["n"])

    @aob.agent(consumes=["orders"], produces=["out"])
    async def buys(record: Any, ctx: Any) -> None:
        try:
            ctx.emit("out", "bought", await ctx.ask("prices", "k", record.data))
        except WorkError as error:
            ctx.emit("out", "refused", error.fault.code)

    async with home(tmp_path, prices, buys, topics=("orders", "out", "prices")) as app:
        await push(app, "prices-value")
        await send(app, "ann", {"n": 7}, {"n": "x"})
        assert values(await records(app, "out", 2)) == [7, "record_refused"]


async def test_what_an_agent_produces_of_a_type_with_a_contract_passes_the_gate_and_counts_once(tmp_path: Path) -> None:
    tried: list[int] = []

    @aob.agent(consumes=["orders"], produces=["out"], backoff="1ms")
    async def places(record: Any, ctx: Any) -> None:
        tried.append(ctx.attempt)
        ctx.emit("out", "order.placed", {"n": record.data})

    async with home(tmp_path, places) as app:
        await app.push_contracts({"c.yaml": CONTRACT})
        await send(app, "ann", 1, "x", 2)
        found = await records(app, "out", 2)
        assert sorted(values(found), key=str) == [{"n": 1}, {"n": 2}]
        (letter,) = values(await records(app, "dead.places", 1))
        assert (letter["record"], letter["code"]) == ("ann-1", "record_refused")
        assert reasons(letter)[0][0] == "/outputs/0/data/n"
        assert (await app.metric("orders"))["value"] == 2
    assert tried == [1, 1, 1]


async def test_a_record_that_is_too_deep_for_its_topic_says_so_with_its_chain(tmp_path: Path) -> None:
    @aob.agent(consumes=["orders"], produces=["out"])
    async def passes(record: Any, ctx: Any) -> None:
        ctx.emit("out", "x", 1)

    async with home(tmp_path, passes) as app:
        await app.metrics.update_topic(LOCAL, "out", depth_max=1)
        await send(app, "ann", 0)
        (letter,) = values(await records(app, "dead.passes", 1))
        assert (letter["code"], letter["error"]["detail"]["chain"]["causationid"]) == ("too_deep", "ann-0")


async def test_a_node_that_emits_what_a_declared_topic_does_not_take_fails_with_the_reasons(tmp_path: Path) -> None:
    emits = {"kind": "emit", "config": {"topic": "out", "type": "seen"}, "input": {"n": "inputs.n"}}
    async with aob.open(tmp_path) as app:
        await app.metrics.create_topic(LOCAL, "out")
        await push(app, "out-value")
        await app.push({"workflow": "w", "inputs": {"n": "any"}, "nodes": {"e": emits}})
        good = await (await app.start("w", {"n": 1})).done()
        bad = await (await app.start("w", {"n": "x"})).done()
        assert (good["status"], bad["status"]) == ("COMPLETED", "FAILED")
        error = bad["nodes"]["e"]["error"]
        assert (error["code"], error["detail"]["sent"]) == ("record_refused", False)
        assert [each["path"] for each in error["detail"]["reasons"]] == ["/records/0/data"]
        assert [each["data"] for each in (await app.metrics.consume(LOCAL, "out"))["records"]] == [{"n": 1}]
