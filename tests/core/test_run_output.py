"""SEMANTICS 3.2, 3.3: the output of a scope, what is absent, and outcomes without an edge; rules 1 beside rules 2.

The property runs random graphs in every kind of scope against a plain reference that knows nothing of the engine.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.run_desk import Desk, approval, each, edge, edges, flow, function, join, kind, loop

BRANCH = {"kind": "branch", "config": {}}
FAILURES = {"x": function(), "fb": function()}
HANDLED = {"fix": edge("x", "fb", on="failure")}


def wait(**fields: Any) -> dict[str, Any]:
    return kind("wait", fields, message="go")


# -- examples -----------------------------------------------------------------------------------------------------


def test_a_failed_item_gives_what_its_failure_edge_leads_to() -> None:
    desk = Desk(flow({"m": each("[1, 2, 3]", FAILURES, HANDLED)}))
    desk.complete("m[0]/x", 1)
    desk.fail("m[1]/x")
    desk.complete("m[1]/fb", "fallback")
    desk.complete("m[2]/x", 3)
    assert desk.output()["items"] == [1, "fallback", 3]


def test_a_failure_edge_that_is_not_taken_leaves_the_output_alone() -> None:
    desk = Desk(flow({"a": function(), "alert": function()}, {"e": edge("a", "alert", on="failure")}))
    desk.complete("a", 42)
    assert (desk.status, desk.output()) == ("COMPLETED", 42)


def test_a_loop_sees_the_output_of_a_pass_that_has_a_failure_edge() -> None:
    desk = Desk(flow({"l": loop(2, {"x": function(input={"p": "loop.previous"}), "fb": function()}, HANDLED)}))
    desk.complete("l#0/x", "first")
    assert desk.input_of("l#1/x") == {"p": "first"}
    desk.fail("l#1/x")
    desk.complete("l#1/fb", "mended")
    assert desk.output() == "mended"


def test_a_message_that_came_in_time_is_the_output() -> None:
    nodes = {"w": wait(timeout={"deadline": "1m"}), "late": function()}
    desk = Desk(flow(nodes, {"e": edge("w", "late", on="expired")}))
    desk.message("go", payload=7)
    assert desk.output() == 7


def test_several_leaves_are_a_map_by_id() -> None:
    desk = Desk(flow({"a": function(), "b": function(), "c": function()}, {"e": edge("b", "c", on="failure")}))
    for node in ("a", "b"):
        desk.complete(node, node)
    assert desk.output() == {"a": "a", "b": "b"}


def test_a_leaf_is_also_what_leads_only_to_a_join_that_never_ran() -> None:
    nodes = {"a": function(), "b": function(), "j": join(mode="n", n=2)}
    desk = Desk(flow(nodes, {**edges("a j"), "e": edge("b", "j", on="failure")}))
    for node in ("a", "b"):
        desk.complete(node, node)
    assert (desk.how("j"), desk.output()) == ("skipped", {"a": "a", "b": "b"})


def test_by_the_first_rules_the_output_is_that_of_the_last_nodes_that_ran() -> None:
    alarmed = flow({"a": function(), "alert": function()}, {"e": edge("a", "alert", on="failure")})
    desk = Desk(alarmed, rules_number=1)
    desk.complete("a", 42)
    assert desk.output() == {}
    desk = Desk(flow({"m": each("[1, 2]", FAILURES, HANDLED)}), rules_number=1)
    desk.complete("m[0]/x", 1)
    desk.fail("m[1]/x")
    desk.complete("m[1]/fb", "fallback")
    assert desk.output()["items"] == [{}, "fallback"]


def test_a_body_may_declare_its_output() -> None:
    one = each("[1, 2]", {"x": function(), "y": function()}, edges("x y"))
    one["body"]["output"] = {"n": "item", "x": "nodes.x.output", "i": 1}
    desk = Desk(flow({"m": one}))
    for visit, value in (("m[0]/x", 5), ("m[1]/x", 6), ("m[0]/y", None), ("m[1]/y", None)):
        desk.complete(visit, value)
    assert desk.output()["items"] == [{"n": 1, "x": 5, "i": 1}, {"n": 2, "x": 6, "i": 1}]


def test_an_output_of_a_body_that_cannot_be_made_fails_its_pass() -> None:
    one = each("[1]", FAILURES, HANDLED, failures=0)
    one["body"]["output"] = {"x": "nodes.x.output"}
    desk = Desk(flow({"m": one}))
    desk.fail("m[0]/x")
    desk.complete("m[0]/fb")
    assert (desk.status, desk.error["detail"]["code"]) == ("FAILED", "expression_failed")
    assert "nodes.x has no output, for it is failed; ask first: has(nodes.x.output) && …" in str(desk.error)


# -- absent is not null -------------------------------------------------------------------------------------------

ARMS = flow(
    {"b": BRANCH, "foo": function(), "bar": function(), "k": BRANCH, "yes": function(), "no": function()},
    {
        "o1": edge("b", "foo", when="inputs.n > 1"), "o2": {**edge("b", "bar"), "else": True},
        **edges("foo k", "bar k"), "o3": edge("k", "yes", when="has(nodes.foo.output) && has(nodes.foo.output.f)"),
        "o4": {**edge("k", "no"), "else": True},
    },
)  # fmt: skip


@pytest.mark.parametrize(("n", "output", "taken"), [(0, {}, "no"), (2, {"f": None}, "yes"), (2, {"g": 1}, "no")])
def test_a_skipped_node_has_no_output(n: int, output: Any, taken: str) -> None:
    desk = Desk(ARMS, {"n": n})
    desk.complete("foo" if n > 1 else "bar", output)
    assert set(desk.jobs) == {taken}


def test_state_and_error_are_told() -> None:
    asked = {"s": "nodes.x.state", "c": "has(nodes.x.error) ? nodes.x.error.code : ''", "o": "has(nodes.x.output)"}
    nodes = {**FAILURES, "never": function(), "z": function(input={**asked, "n": "nodes.never.state"})}
    document = flow(nodes, {**HANDLED, **edges("x never", "fb z", "never z")})
    desk = Desk(document)
    desk.fail("x", "broke")
    desk.complete("fb")
    assert desk.input_of("z") == {"s": "failed", "c": "broke", "o": False, "n": "skipped"}


def test_two_arms_that_meet() -> None:
    pick = "has(nodes.foo.output) ? nodes.foo.output : nodes.bar.output"
    nodes = {"b": BRANCH, "foo": function(), "bar": function(), "k": function(input={"v": pick})}
    document = flow(nodes, {"o1": edge("b", "foo", when="inputs.n > 1"), "o2": {**edge("b", "bar"), "else": True},
                            **edges("foo k", "bar k")})  # fmt: skip
    for n, arm in ((0, "bar"), (2, "foo")):
        desk = Desk(document, {"n": n})
        desk.complete(arm, arm)
        assert desk.input_of("k") == {"v": arm}


def test_by_the_first_rules_what_is_absent_is_null() -> None:
    asked = {"there": "has(nodes.x.output)", "value": "nodes.x.output"}
    nodes = {"a": function(on_failure="skip"), "x": function(), "z": function(input=asked)}
    document = flow({**nodes, "b": function()}, edges("a x", "x z", "b z"))
    desk = Desk(document, rules_number=1)
    desk.fail("a")
    desk.complete("b")
    assert desk.input_of("z") == {"there": True, "value": None}


# -- an outcome without an edge -----------------------------------------------------------------------------------

DEADLINE = {"timeout": {"deadline": "1m"}}


@pytest.mark.parametrize("way", ["rejected", "expired"])
@pytest.mark.parametrize("handled", ["", "failure", "own"])
def test_rejected_or_expired_without_an_edge_fails_its_node(way: str, handled: str) -> None:
    on = way if handled == "own" else "failure"
    nodes = {"ask": approval(**DEADLINE), "go": function(), **({"else": function()} if handled else {})}
    links = {"f": edge("ask", "else", on=on)} if handled else {}
    document = flow(nodes, {"e": edge("ask", "go", on="approved"), **links})
    desk = Desk(document)
    if way == "rejected":
        desk.answer("reject")
    else:
        desk.fire("ask", "deadline")
    if handled:
        assert (set(desk.jobs), desk.how("ask")) == ({"else"}, on)
    else:
        assert (desk.status, desk.error["code"]) == ("FAILED", f"approval_{way}")


def test_a_wait_that_expires_without_an_edge_fails() -> None:
    desk = Desk(flow({"w": wait(**DEADLINE)}))
    desk.fire("w", "deadline")
    assert (desk.status, desk.error["code"]) == ("FAILED", "node_timeout")


def test_by_the_first_rules_a_rejection_without_an_edge_goes_on() -> None:
    desk = Desk(flow({"ask": approval(), "go": function()}, {"e": edge("ask", "go", on="approved")}), rules_number=1)
    desk.answer("reject")
    assert desk.status == "COMPLETED"


# -- the property -------------------------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    """A random acyclic graph, and how each node ends when it runs: `ok`, `fail`, or the edge that a branch takes."""
    count = draw(st.integers(1, 7))
    nodes: dict[str, Any] = {}
    links: dict[str, Any] = {}
    fate: dict[str, str] = {}
    for number in range(count):
        id = f"n{number}"
        what = draw(st.sampled_from(["function", "function", "function", "branch", "join"])) if number else "function"
        later = [f"n{other}" for other in range(number + 1, count)]
        targets = [target for target in later if draw(st.integers(0, 2)) == 0]
        if what == "branch" and not targets:
            what = "function"
        nodes[id] = {"function": function(), "branch": dict(BRANCH), "join": join()}[what]
        if what == "branch":
            chosen = draw(st.sampled_from(targets))
            for target in targets:
                links[f"{id}_{target}"] = edge(id, target, when="true" if target == chosen else "1 > 2")
            fate[id] = f"{id}_{chosen}"
            continue
        for target in targets:
            on = draw(st.sampled_from(["success", "success", "failure"])) if what == "function" else "success"
            links[f"{id}_{target}"] = edge(id, target, on=on)
        fails = what == "function" and draw(st.integers(0, 3)) == 0
        if fails and not any(links[f"{id}_{target}"].get("on") == "failure" for target in targets):
            nodes[id] = function(on_failure="skip")
        fate[id] = "fail" if fails else "ok"
    for id, node in list(nodes.items()):
        if node["kind"] == "join" and not any(link["to"] == id for link in links.values()):
            nodes[id] = function()
    return {"nodes": nodes, "edges": links, "fate": fate}


def reference(graph: dict[str, Any]) -> Any:
    """The output of a pass, worked out over names alone: nodes come in the order of their numbers."""
    ran: dict[str, str] = {}
    taken: dict[str, bool] = {}
    for id in graph["nodes"]:
        ins = [name for name, link in graph["edges"].items() if link["to"] == id]
        if not ins or any(taken[name] for name in ins):
            ran[id] = graph["fate"][id]
        for name, link in graph["edges"].items():
            if link["from"] == id:
                fate = ran.get(id, "")
                ended = {"ok": "success", "fail": "failure"}.get(fate)
                taken[name] = fate == name if "when" in link else ended == link.get("on", "success")
    leaves = [
        id for id, fate in ran.items()
        if fate != "fail" and not any(taken[name] and link["from"] == id and link["to"] in ran
                                      for name, link in graph["edges"].items())
    ]  # fmt: skip
    return leaves[0] if len(leaves) == 1 else {id: id for id in leaves}


def run_through(desk: Desk, graph: dict[str, Any]) -> None:
    while desk.jobs:
        visit = next(iter(desk.jobs))
        id = visit.rpartition("/")[2]
        if graph["fate"][id] == "fail":
            desk.fail(visit)
        else:
            desk.complete(visit, id)


def whose(graph: dict[str, Any], output: Any) -> Any:
    """Which nodes an output is of: that of one leaf is its own, unless it passes on what came to it."""
    expected = reference(graph)
    inner = {id for id, node in graph["nodes"].items() if node["kind"] in {"branch", "join"}}
    if isinstance(expected, str):
        return expected if expected in inner else output
    if isinstance(output, dict):
        return {id: id if id in inner else value for id, value in output.items()}
    return output


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_the_output_of_any_scope_is_that_of_its_leaves(graph: dict[str, Any]) -> None:
    body = (graph["nodes"], graph["edges"])
    expected = reference(graph)
    root = Desk(flow(*body))
    run_through(root, graph)
    assert root.status == "COMPLETED"
    assert whose(graph, root.output()) == expected
    mapped = Desk(flow({"m": each("[1, 2]", *body)}))
    run_through(mapped, graph)
    assert [whose(graph, item) for item in mapped.output()["items"]] == [expected] * 2
    looped = Desk(flow({"l": loop(2, *body, collect=True)}))
    run_through(looped, graph)
    assert [whose(graph, item) for item in looped.output()["items"]] == [expected] * 2
