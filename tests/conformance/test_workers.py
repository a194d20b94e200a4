"""Every backend of `Workers` against the one suite; and jobs and results come back from their bytes as they went."""

from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.graph import compile_workflow, normalise
from aob.core.graph.compiled.ir import IR, Node
from aob.core.items import Items
from aob.core.value import Ref, canonical, decode
from aob.ports.workers import (
    Done,
    Fault,
    Job,
    Report,
    Result,
    Workers,
    decode_job,
    decode_result,
    encode_job,
    encode_result,
)  # fmt: skip
from aob.runs.graphs import Expected
from aob.testing.conformance.workers import Perform, WorkersSuite
from aob.testing.flows import random_flow
from aob.work.pool import Pool


class TestPool(WorkersSuite):
    async def make(self, perform: Perform, report: Report) -> Workers:
        def performed(job: Job) -> Coroutine[object, object, object]:
            async def one() -> object:
                return await perform(job)

            return one()

        return Pool(8, performed, report)


class TestPoolBehindBytes(WorkersSuite):
    """The same workers, reached as remote ones are: what goes there and what comes back are bytes."""

    async def make(self, perform: Perform, report: Report) -> Workers:
        def told(job: Job, result: Result) -> None:
            report(decode_job(encode_job(job)), decode_result(encode_result(result)))

        def performed(job: Job) -> Coroutine[object, object, object]:
            async def one() -> object:
                return await perform(decode_job(encode_job(job)))

            return one()

        return Pool(8, performed, told)


DOCUMENTS = [
    {"kind": "http", "config": {"method": "POST", "url": "https://example.org/{n}", "headers": {"x": "{n}"}}},
    {"kind": "notify", "config": {"to": "https://example.org", "text": "hello {n}", "subject": "s"}},
    {"kind": "emit", "config": {"topic": "orders", "type": "order.made"}},
    {"kind": "object", "config": {"op": "get", "key": "a/b"}},
    {"kind": "agent", "config": {"model": "script:m", "task": "look", "temperature": 0.5}},
    {"kind": "metric", "config": {"metric": "revenue"}},
    {"kind": "function", "config": {"handler": "work"}, "effect": "once", "cache": "off",
     "timeout": {"run": "5s", "heartbeat": "1s", "deadline": "1m"}, "retry": {"attempts": 3, "factor": 1.5}},
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4), max_leaves=12,
)  # fmt: skip


def nodes_of(ir: IR) -> list[Node]:
    """All nodes of a graph and of its bodies."""
    found = list(ir.nodes.values())
    for node in ir.nodes.values():
        if node.body is not None:
            found += nodes_of(node.body)
    return found


def same(one: Job, other: Job) -> bool:
    fields = Job.__struct_fields__
    return [getattr(one, name) for name in fields] == [getattr(other, name) for name in fields]


@given(st.randoms(use_true_random=False), JSON, JSON, st.integers(1, 99), st.booleans())
def test_a_job_of_any_node_comes_back_from_its_bytes(
    dice: Any, value: Any, resume: Any, attempt: int, pushed: bool
) -> None:
    for node in nodes_of(compile_workflow(random_flow(dice))):
        job = Job("run_1", node.id, attempt, node.task, value, pushed, "key", "acme", "fast", "low", 3, resume, pushed)
        again = decode_job(encode_job(job))
        assert same(job, again)
        assert type(again.task.config) is type(node.config)
        assert encode_job(again) == encode_job(job)


@pytest.mark.parametrize("node", DOCUMENTS, ids=[str(node["kind"]) for node in DOCUMENTS])
def test_a_job_of_any_kind_comes_back_from_its_bytes(node: dict[str, Any]) -> None:
    document = normalise({"workflow": "w", "nodes": {"a": node}, "edges": {}})
    task = compile_workflow(document, Expected({})).nodes["a"].task
    job = Job("run_1", "a", 1, task, {"n": 1}, True, "key", "acme", "full", "high")
    assert same(job, decode_job(encode_job(job)))


def test_items_of_a_map_travel_as_the_list_that_they_are() -> None:
    pages = {1: b"[1,2]", 2: b"[3]"}
    refs = [Ref(bytes([n]) * 32, len(data)) for n, data in pages.items()]
    items = Items(refs[0], refs, 3, lambda ref: pages[ref.digest[0]])
    document = normalise({"workflow": "w", "nodes": {"a": DOCUMENTS[-1]}, "edges": {}})
    task = compile_workflow(document, Expected({})).nodes["a"].task
    job = Job("run_1", "a", 1, task, {"items": items}, True, "key", "acme", "full", "high")
    assert decode_job(encode_job(job)).input == {"items": [1, 2, 3]}


@given(JSON, st.booleans(), st.none() | st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=3))
def test_a_result_comes_back_from_its_bytes(value: Any, memo: bool, usage: Any) -> None:
    done = Done(canonical(value), memo, usage, "patch_1", Ref(b"d" * 32, 7), 12)
    assert decode_result(encode_result(done)) == done
    assert done.output == decode(canonical(value))
    fault = Fault("broke", "it broke", memo, value)
    assert decode_result(encode_result(fault)) == fault


def test_a_job_has_nothing_that_can_be_called() -> None:
    document = normalise({"workflow": "w", "nodes": {"a": DOCUMENTS[-1]}, "edges": {}})
    task = compile_workflow(document, Expected({})).nodes["a"].task
    job = Job("run_1", "a", 1, task, None, False, "key", "acme", "full", "high")
    assert not [name for name in Job.__struct_fields__ if callable(getattr(job, name))]
