"""Documents to graphs: what a node and an edge hold, and that the same document always gives the same graph."""

import copy
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.errors import Invalid
from aob.core.graph import HandlerFacts, artifact_hash, compile_workflow, load
from aob.core.graph.compiled import IR
from aob.core.graph.compiled.ir import NodeSpec, Retry, Timeouts
from aob.core.policy.effect import effect_of
from aob.core.rules import FIRST_RULES, RULES
from aob.core.value import canonical
from aob.runs.graphs import Versions
from tests.core.graph_texts import HANDLERS, ORDER
from tests.core.run_desk import each, flow, function

EFFECTS = ("none", "keyed", "once")


def compiled(text: str, handlers: dict[str, HandlerFacts] | None = None) -> IR:
    return compile_workflow(load(text).tree, HANDLERS if handlers is None else handlers)


def spec_of(fields: str, kind: str = "function") -> NodeSpec:
    """The common fields of a node that is written like this."""
    config = {
        "function": "config: {handler: ship}", "http": "config: {url: 'http://x'}", "approval": "config: {}",
        "notify": "config: {to: 'slack:x', text: hi}", "timer": "config: {for: 1s}", "wait": "config: {message: m}",
    }[kind]  # fmt: skip
    return compiled(f"workflow: w\nnodes: {{a: {{kind: {kind}, {config}{fields and ', ' + fields}}}}}").nodes["a"].spec


class TestTheDocumentOfTheDesign:
    graph = compiled(ORDER)

    def test_has_its_nodes_with_their_edges(self) -> None:
        nodes = self.graph.nodes
        assert list(nodes) == sorted(nodes)
        assert {id: [edge.id for edge in node.ins] for id, node in nodes.items()} == {
            "fetch": [], "score": ["e1"], "risky": ["e2"], "review": ["e3"], "ship": ["e4", "e5"], "tell": ["e6"],
        }  # fmt: skip
        assert {id: node.need for id, node in nodes.items()} == {
            "fetch": 0, "score": 1, "risky": 1, "review": 1, "ship": 2, "tell": 1,
        }  # fmt: skip
        assert {on: [edge.id for edge in edges] for on, edges in nodes["review"].outs.items()} == {"approved": ["e5"]}
        assert nodes["fetch"].outs["success"][0].target is nodes["score"]

    def test_begins_and_ends_where_no_edge_leads(self) -> None:
        assert [node.id for node in self.graph.entry] == ["fetch"]
        assert [node.id for node in self.graph.sinks] == ["tell"]

    def test_has_its_conditions_compiled_and_else_last(self) -> None:
        first, last = self.graph.nodes["risky"].outs["success"]
        assert first.when is not None
        assert first.when.eval({"nodes": {"score": {"output": {"risk": 0.8}}}}) is True
        assert (last.default, last.when) == (True, None)

    def test_has_its_inputs_compiled(self) -> None:
        made = self.graph.nodes["fetch"].input
        assert made is not None
        assert made["order_id"].eval({"inputs": {"order_id": "7"}}) == "7"
        assert self.graph.nodes["ship"].input is None

    def test_decides_inside_what_needs_no_worker(self) -> None:
        assert [id for id, node in self.graph.nodes.items() if node.inner] == ["review", "risky"]

    def test_has_its_fields_resolved(self) -> None:
        nodes = self.graph.nodes
        assert nodes["fetch"].spec.retry == Retry(attempts=5)
        assert nodes["review"].spec.timeout == Timeouts(deadline_ms=7_200_000, remind_ms=3_600_000, expire="reject")
        assert {id: node.spec.effect for id, node in nodes.items()} == {
            "fetch": "none", "score": "none", "risky": "none", "review": "none", "ship": "keyed", "tell": "once",
        }  # fmt: skip


class TestFields:
    def test_are_defaults_where_nothing_is_said(self) -> None:
        assert spec_of("") == NodeSpec()

    @pytest.mark.parametrize(
        ("fields", "kind", "expected"),
        [
            ("timeout: 30s", "function", Timeouts(run_ms=30_000)),
            ("timeout: 30s", "approval", Timeouts(deadline_ms=30_000)),
            ("timeout: 30s", "wait", Timeouts(deadline_ms=30_000)),
            ("timeout: 2.5", "function", Timeouts(run_ms=2_500)),
            ("timeout: {queue: 1s, start: 2s, run: 3s, heartbeat: 4s, deadline: 5s}", "function",
             Timeouts(1_000, 2_000, 3_000, 4_000, 5_000)),
        ],
    )  # fmt: skip
    def test_hold_time_in_milliseconds(self, fields: str, kind: str, expected: Timeouts) -> None:
        assert spec_of(fields, kind).timeout == expected

    def test_hold_a_retry_written_short_and_long(self) -> None:
        assert spec_of("retry: 3").retry == Retry(attempts=3)
        long = spec_of("retry: {attempts: 4, first: 200ms, factor: 3, max: 1m, jitter: 0}").retry
        assert long == Retry(4, 200, 3.0, 60_000, 0.0)

    @pytest.mark.parametrize(
        ("handler", "fields", "effect", "deterministic"),
        [
            (HandlerFacts("ship", "1"), "", "keyed", False),
            (HandlerFacts("ship", "1", effect="none", deterministic=True), "", "none", True),
            (HandlerFacts("ship", "1", effect="none", deterministic=True),
             "effect: once, deterministic: false", "once", False),
        ],
    )  # fmt: skip
    def test_of_the_node_come_before_the_handlers_own(
        self, handler: HandlerFacts, fields: str, effect: str, deterministic: bool
    ) -> None:
        text = f"workflow: w\nnodes: {{a: {{kind: function, config: {{handler: ship}}{fields and ', ' + fields}}}}}"
        spec = compiled(text, {"ship": handler}).nodes["a"].spec
        assert (spec.effect, spec.deterministic) == (effect, deterministic)

    @pytest.mark.parametrize("declared", EFFECTS)
    @pytest.mark.parametrize("own", [None, *EFFECTS])
    def test_of_the_effects_of_node_and_handler_the_strongest_counts(self, own: Any, declared: Any) -> None:
        node = function(**({} if own is None else {"effect": own}))
        document, handlers = (
            flow({"a": node, "m": each("[1]", {"x": node})}),
            {"work": HandlerFacts("work", "1", declared)},
        )
        by_the_gate = effect_of(node, {"work": declared})
        for rules, expected in ((FIRST_RULES, own or declared), (RULES, by_the_gate)):
            ir = compile_workflow(document, handlers, rules)
            body = ir.nodes["m"].body
            assert body is not None
            assert {ir.nodes["a"].spec.effect, body.nodes["x"].spec.effect} == {expected}

    @pytest.mark.parametrize("own", [None, *EFFECTS])
    def test_are_the_nodes_own_where_no_handler_is_known(self, own: Any) -> None:
        node = function(**({} if own is None else {"effect": own}))
        assert compile_workflow(flow({"a": node})).nodes["a"].spec.effect == (own or "keyed")

    def test_that_a_handler_comes_to_declare_refuse_nothing_that_was_accepted(self) -> None:
        node = function(effect="none", deterministic=True, cache="read_through")
        document, now = flow({"a": node}), {"work": HandlerFacts("work", "2", "once")}
        with pytest.raises(Invalid, match="not a correct workflow"):
            compile_workflow(document, now)
        assert Versions.base(document, now).ir(0).nodes["a"].spec.effect == "once"

    def test_of_the_workflow_are_resolved(self) -> None:
        spec = compiled(
            "workflow: w\nnodes: {a: {kind: timer, config: {for: 1s}}}\ntimeout: {run: 1h, start: 5s}\n"
            "limits: {agents: 2}\nmode: fast\npriority: high\nlabels: {team: x}\ninputs: {type: object}"
        ).spec
        assert (spec.name, spec.run_ms, spec.start_ms, spec.agents_max) == ("w", 3_600_000, 5_000, 2)
        assert (spec.mode, spec.priority, spec.labels, spec.inputs) == (
            "fast",
            "high",
            {"team": "x"},
            {"type": "object"},
        )


class TestBodies:
    TEXT = """
workflow: w
nodes:
  each:
    kind: map
    config: {items: inputs.rows}
    body:
      nodes:
        a: {kind: timer, config: {for: 1s}}
        again: {kind: loop, config: {max: 3, while: loop.index < 2}, body: {nodes: {b: {kind: branch}, c: {kind: join}},
                edges: {e: {from: b, to: c, else: true}}}}
      edges: {e: {from: a, to: again}}
output: {rows: nodes.each.output}
"""

    def test_are_graphs_of_their_own(self) -> None:
        graph = compiled(self.TEXT)
        each = graph.nodes["each"].body
        assert each is not None
        again = each.nodes["again"].body
        assert again is not None
        assert [[node.id for node in body.entry] for body in (graph, each, again)] == [["each"], ["a"], ["b"]]
        assert graph.output is not None
        assert (each.output, again.output) == (None, None)

    def test_have_the_expressions_of_their_node(self) -> None:
        graph = compiled(self.TEXT)
        assert graph.nodes["each"].exprs["items"].eval({"inputs": {"rows": [1]}}) == [1]
        each = graph.nodes["each"].body
        assert each is not None
        assert each.nodes["again"].exprs["while"].eval({"loop": {"index": 1}}) is True

    def test_change_the_hash_of_the_node_around_them(self) -> None:
        other = compiled(self.TEXT.replace("for: 1s", "for: 2s"))
        assert other.nodes["each"].hash != compiled(self.TEXT).nodes["each"].hash


class TestExpressionsOfConfigs:
    def test_are_compiled_under_their_key(self) -> None:
        graph = compiled("""
workflow: w
nodes:
  a: {kind: timer, config: {until: "now + duration('1h')"}}
  b: {kind: wait, config: {message: m, key: inputs.id}}
  c: {kind: timer, config: {until: "2027-01-01T00:00:00Z"}}
""")
        assert {id: list(node.exprs) for id, node in graph.nodes.items()} == {"a": ["until"], "b": ["key"], "c": []}


class TestOrderOfABranch:
    def test_is_by_order_then_id_with_else_last(self) -> None:
        graph = compiled("""
workflow: w
nodes: {a: {kind: branch}, z: {kind: join}}
edges:
  d: {from: a, to: z, when: "1 == 1", order: 2}
  a: {from: a, to: z, else: true}
  c: {from: a, to: z, when: "1 == 2", order: 1}
  b: {from: a, to: z, when: "1 == 3", order: 2}
""")
        assert [edge.id for edge in graph.nodes["a"].outs["success"]] == ["c", "b", "d", "a"]


class TestHashes:
    def test_are_the_same_for_the_same_document(self) -> None:
        assert compiled(ORDER).hash == compiled(ORDER).hash
        assert {node.hash for node in compiled(ORDER).nodes.values()} == {
            n.hash for n in compiled(ORDER).nodes.values()
        }

    @pytest.mark.parametrize(
        ("old", "new", "node"),
        [("attempts: 5", "attempts: 6", "fetch"), ('"shipped"', '"sent"', "tell"), ("order: 1", "order: 2", "")],
    )  # fmt: skip
    def test_change_with_the_document_and_only_where_it_changed(self, old: str, new: str, node: str) -> None:
        before, after = compiled(ORDER), compiled(ORDER.replace(old, new))
        assert before.hash != after.hash
        changed = [id for id in before.nodes if before.nodes[id].hash != after.nodes[id].hash]
        assert changed == ([node] if node else [])

    @pytest.mark.parametrize("name", ["score", "ship"])
    def test_change_with_the_version_of_a_handler(self, name: str) -> None:
        before = compiled(ORDER)
        other = HandlerFacts(name, "v2", effect=HANDLERS[name].effect, deterministic=HANDLERS[name].deterministic)
        after = compiled(ORDER, {**HANDLERS, name: other})
        assert before.hash != after.hash
        assert [id for id in before.nodes if before.nodes[id].hash != after.nodes[id].hash] == [name]

    def test_change_with_the_version_of_a_tool(self) -> None:
        text = "workflow: w\nnodes: {a: {kind: agent, config: {task: think, tools: [look]}}}"
        assert compiled(text).hash != compiled(text, {"look": HandlerFacts("look", "v2")}).hash

    def test_of_a_node_with_a_body_change_with_the_handlers_inside(self) -> None:
        body = "body: {nodes: {b: {kind: function, config: {handler: look}}}}"
        text = f"workflow: w\nnodes: {{a: {{kind: loop, config: {{max: 1}}, {body}}}}}"
        other = compiled(text, {"look": HandlerFacts("look", "v2")})
        assert compiled(text).nodes["a"].hash != other.nodes["a"].hash

    def test_of_an_artifact_name_its_canonical_bytes(self) -> None:
        tree = load(ORDER).tree
        assert artifact_hash(tree) == artifact_hash(dict(reversed(tree.items())))
        assert artifact_hash(tree).startswith("sha256:")
        assert len(artifact_hash(tree)) == 7 + 64


def shuffled(value: Any, dice: random.Random) -> Any:
    """The same value with the keys of its maps in another order."""
    if isinstance(value, dict):
        keys = list(value)
        dice.shuffle(keys)
        return {key: shuffled(value[key], dice) for key in keys}
    return value


@given(st.randoms(use_true_random=False))
def test_the_order_of_keys_never_matters(dice: random.Random) -> None:
    tree = load(ORDER).tree
    other = shuffled(tree, dice)
    assert canonical(other) == canonical(tree)
    one, two = compile_workflow(tree, HANDLERS), compile_workflow(other, HANDLERS)
    assert one.hash == two.hash
    assert list(one.nodes) == list(two.nodes)
    assert list(one.edges) == list(two.edges)
    for id, node in one.nodes.items():
        assert node.hash == two.nodes[id].hash
        assert node.spec == two.nodes[id].spec
        assert node.config == two.nodes[id].config
        assert {on: [e.id for e in edges] for on, edges in node.outs.items()} == {
            on: [e.id for e in edges] for on, edges in two.nodes[id].outs.items()
        }


def test_compiling_leaves_the_document_as_it_was() -> None:
    tree = load(ORDER).tree
    before = copy.deepcopy(tree)
    compile_workflow(tree, HANDLERS)
    assert tree == before


def test_a_document_with_problems_is_not_compiled() -> None:
    with pytest.raises(Invalid) as caught:
        compiled("workflow: w\nnodes: {a: {kind: htp}, b: {kind: tmer}}")
    assert len(caught.value.problems) == 2


def test_a_run_begins_within_its_time_to_start() -> None:
    nodes = "nodes: {a: {kind: function}, b: {kind: function, timeout: {queue: 1s}}, c: {kind: function}}"
    text = f"workflow: w\n{nodes}\nedges: [{{from: a, to: c}}]\ntimeout: {{start: 5s}}"
    found = {id: node.spec.timeout.queue_ms for id, node in compile_workflow(load(text).tree).nodes.items()}
    assert found == {"a": 5_000, "b": 1_000, "c": 0}
    assert compile_workflow(load(text).tree, None, 1).nodes["a"].spec.timeout.queue_ms == 0
