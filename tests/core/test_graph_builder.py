"""Workflows written in Python are the same documents as those written in YAML."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aob
from aob.core.errors import Invalid
from aob.core.graph import check, compile_workflow, load
from aob.core.graph.builder import Workflow
from tests.core.graph_texts import HANDLERS, ORDER


def order() -> Workflow:
    """The document of the design, in Python, with the ids that its edges have there."""
    schema = {
        "type": "object", "required": ["order_id"],
        "properties": {"order_id": {"type": "string"}, "email": {"type": "string"}},
    }  # fmt: skip
    wf = Workflow("order", inputs=schema)
    url = "http://shop/orders/{order_id}"
    fetch = wf.http("fetch", url=url, input={"order_id": "inputs.order_id"}, retry={"attempts": 5})
    score = wf.function(
        "score", handler="score", input={"order": fetch.output}, deterministic=True, cache="read_through"
    )
    risky = wf.branch("risky")
    timeout = {"deadline": "2h", "remind": "1h", "expire": "reject"}
    review = wf.approval("review", role="finance", form={"reason": "string"}, timeout=timeout)
    ship = wf.function("ship", handler="ship")
    tell = wf.notify("tell", to="mailto:{email}", text="shipped", input={"email": "inputs.email"})
    fetch.to(score, id="e1").to(risky, id="e2")
    risky.when("nodes.score.output.risk > 0.7").to(review, id="e3")
    risky.otherwise().to(ship, id="e4")
    review.on("approved").to(ship, id="e5")
    ship.to(tell, id="e6")
    return wf


def test_the_document_of_the_design_is_the_same_in_python() -> None:
    assert order().document() == load(ORDER).tree
    assert compile_workflow(order().document(), HANDLERS).hash == compile_workflow(load(ORDER).tree, HANDLERS).hash


def test_a_document_is_a_copy_of_its_own() -> None:
    wf = order()
    wf.document()["nodes"].clear()
    assert wf.document() == load(ORDER).tree


class TestEdges:
    def test_are_drawn_by_shifting(self) -> None:
        wf = Workflow("w")
        a, b, c, d = (wf.function(id) for id in "abcd")
        a >> [b, c] >> d
        assert list(wf.document()["edges"]) == ["a-b", "a-c", "b-d", "c-d"]

    def test_go_on_from_their_target(self) -> None:
        wf = Workflow("w")
        a, b, c = (wf.function(id) for id in "abc")
        assert (a >> b >> c) is c
        assert list(wf.document()["edges"]) == ["a-b", "b-c"]

    def test_may_begin_at_several(self) -> None:
        wf = Workflow("w")
        a, b, c = (wf.function(id) for id in "abc")
        [a, b] >> c
        assert list(wf.document()["edges"]) == ["a-c", "b-c"]

    def test_of_an_outcome_say_so(self) -> None:
        wf = Workflow("w")
        review, ship, stop = wf.approval("review"), wf.function("ship"), wf.function("stop")
        review.on("approved") >> ship
        review.on("rejected") >> stop
        assert wf.document()["edges"]["review-ship-approved"] == {"from": "review", "to": "ship", "on": "approved"}

    def test_of_a_branch_are_asked_in_the_order_of_writing(self) -> None:
        wf = Workflow("w")
        risky, a, b, c = wf.branch("risky"), wf.function("z"), wf.function("y"), wf.function("x")
        risky.when("1 == 1") >> a
        risky.when("1 == 2") >> b
        risky.otherwise() >> c
        outs = compile_workflow(wf.document()).nodes["risky"].outs["success"]
        assert [edge.target.id for edge in outs] == ["z", "y", "x"]

    def test_may_not_share_an_id(self) -> None:
        wf = Workflow("w")
        a, b = wf.function("a"), wf.function("b")
        a.to(b, id="e")
        with pytest.raises(Invalid, match="edge `e` already"):
            a.to(b, id="e")


class TestNodes:
    def test_may_not_share_an_id(self) -> None:
        wf = Workflow("w")
        wf.function("a")
        with pytest.raises(Invalid, match="node `a` already"):
            wf.function("a")

    def test_take_a_handler_by_name_as_a_function_or_by_their_id(self) -> None:
        class Mark:
            name = "scored"

        def score() -> None: ...

        def other() -> None: ...

        other.__aob_node__ = Mark()  # type: ignore[attr-defined]  # what the decorator of handlers does
        wf = Workflow("w")
        wf.function("a", handler="x")
        wf.function("b", handler=score)
        wf.function("c", handler=other)
        wf.function("d")
        wf.agent("e", task="think", tools=[score, "y"])
        wf.function("f", verify=score, on_uncertain="verify")
        nodes = wf.document()["nodes"]
        assert [nodes[id]["config"]["handler"] for id in "abcd"] == ["x", "score", "scored", "d"]
        assert nodes["e"]["config"]["tools"] == ["score", "y"]
        assert nodes["f"]["verify"] == "score"

    def test_say_in_cel_what_they_give(self) -> None:
        wf = Workflow("w")
        assert (wf.function("a").output, wf.function("a-b").output) == ("nodes.a.output", 'nodes["a-b"].output')

    def test_leave_out_what_is_not_said(self) -> None:
        wf = Workflow("w")
        wf.join("a")
        wf.timer("b", for_="1s")
        assert wf.document()["nodes"] == {"a": {"kind": "join"}, "b": {"kind": "timer", "config": {"for": "1s"}}}

    def test_of_every_kind_can_be_written(self) -> None:
        wf = Workflow("w", output={"x": "nodes.start.output"}, timeout="1h", agents_max=1, mode="fast", priority="high")
        start = wf.timer("start", until="now")
        every = [
            wf.http("http", url="http://x", method="POST", body={"a": "{a}"}, expect=[200], input={"a": "1"}),
            wf.wait("wait", message="paid", key="inputs.id", payload={"type": "object"}, timeout="1h"),
            wf.agent("agent", task="think", model="script:a", output={"type": "object"}, limits={"calls_max": 2}),
            wf.object("object", op="put", key="a/{id}", input={"id": "1"}),
            wf.emit("emit", topic="orders", type="order.shipped"),
            wf.metric(
                "rate",
                metric="refund_rate",
                window="15m",
                by=["region"],
                where={"shop": "{shop}"},
                input={"shop": "'a'"},
            ),
            wf.notify("notify", to="slack:ops", text="hi"),
            wf.approval("approval", text="ok?"),
        ]
        start >> every
        with wf.map("each", items="inputs.rows", window=5) as each:
            a, b = each.function("a", input={"x": "item"}), each.function("b")
            a >> b
        with wf.loop("again", max=3, while_="loop.index < 2", collect=True) as again:
            again.function("c", input={"x": "loop.previous"})
        start >> each >> again
        assert check(wf.document()) == []

    def test_in_a_body_stand_in_the_body(self) -> None:
        wf = Workflow("w")
        with wf.map("each", items="inputs.rows") as body:
            body.function("a") >> body.function("b")
        wf.function("z") >> body
        document = wf.document()
        assert document["nodes"]["each"] == {
            "kind": "map", "config": {"items": "inputs.rows"},
            "body": {
                "nodes": {
                    "a": {"kind": "function", "config": {"handler": "a"}},
                    "b": {"kind": "function", "config": {"handler": "b"}},
                },
                "edges": {"a-b": {"from": "a", "to": "b"}},
            },
        }  # fmt: skip
        assert list(document["edges"]) == ["z-each"]


@given(
    st.lists(st.sampled_from(["a", "b", "c", "d", "e", "f"]), unique=True, min_size=1).flatmap(
        lambda ids: st.tuples(st.just(ids), st.lists(st.tuples(st.sampled_from(ids), st.sampled_from(ids)), max_size=8))
    )
)
def test_what_is_built_is_what_the_list_form_says(world: tuple[list[str], list[tuple[str, str]]]) -> None:
    ids, pairs = world
    wf = Workflow("w")
    steps = {id: wf.function(id, retry=2) for id in ids}
    for source, target in pairs:
        steps[source] >> steps[target]
    written: dict[str, Any] = {
        "workflow": "w",
        "nodes": [{"id": id, "type": "task", "retry": 2} for id in ids],
        "edges": [{"from": source, "to": target} for source, target in pairs],
    }
    text = "workflow: w\nnodes:\n" + "".join(f"- {{id: {id}, type: task, retry: 2}}\n" for id in ids)
    text += "edges:\n" + "".join(f"- {{from: {a}, to: {b}}}\n" for a, b in pairs) if pairs else "edges: []"
    from aob.core.graph import normalise

    assert wf.document() == normalise(written) == load(text).tree


def test_each_name_of_the_package_is_found_by_its_first_use() -> None:
    assert all(getattr(aob, name) is not None for name in aob.__all__)
    assert aob.Workflow is Workflow
