"""Pictures of graphs and small facts about documents."""

from hypothesis import given
from hypothesis import strategies as st

from aob.core.graph import load
from aob.core.graph.show import describe, render_graph
from aob.core.graph.show.rows import layers_of
from tests.core.graph_texts import HANDLERS, ORDER


def picture(text: str) -> str:
    return "\n".join(render_graph(load(text).tree))


def test_a_graph_is_drawn_in_layers() -> None:
    assert (
        picture(ORDER)
        == """\
    [fetch]
       │
    [score]
       │
    <risky>
    ┌──┴───┐
(review)   │
    └──┬───┘
    [ship]
       │
    [tell]

  risky → review  when nodes.score.output.risk > 0.7
  risky → ship  else
  review → ship  on approved"""
    )


def test_a_fan_out_and_its_join_are_drawn_as_such() -> None:
    nodes = ", ".join(f"{id}: {{kind: function}}" for id in ("a", "b", "c", "d"))
    assert picture(f"nodes: {{{nodes}, z: {{kind: join}}}}\nedges: [{{from: a, to: b}}, {{from: a, to: c}}, "
                   "{from: a, to: d}, {from: b, to: z}, {from: c, to: z}, {from: d, to: z}]") == """\
      [a]
 ┌─────┼─────┐
[b]   [c]   [d]
 └─────┼─────┘
      <z>"""  # fmt: skip


def test_nodes_with_a_mark_show_it() -> None:
    lines = render_graph(load(ORDER).tree, marks={"tell": "+"})
    assert any(line.strip() == "+[tell]" for line in lines)


def test_a_body_is_drawn_below_its_node() -> None:
    text = """
nodes:
  each:
    kind: map
    body: {nodes: {a: {kind: task}, b: {kind: wait}}, edges: [{from: a, to: b}]}
"""
    assert picture(text) == "[each]\n\neach:\n  [a]\n   │\n  (b)"


def test_what_is_too_wide_is_listed() -> None:
    nodes = ", ".join(f"node_number_{number}: {{kind: task}}" for number in range(20))
    lines = picture(f"nodes: {{{nodes}, z: {{kind: join}}}}\nedges: [{{from: node_number_0, to: z}}]").splitlines()
    assert lines[0] == "[node_number_0] → z"
    assert len(lines) == 21


def test_what_has_a_cycle_is_listed() -> None:
    assert picture("nodes: {a: {kind: join}, b: {kind: join}}\nedges: [{from: a, to: b}, {from: b, to: a}]") == (
        "<a> → b\n<b> → a"
    )


def test_nothing_is_shown_that_a_terminal_would_obey() -> None:
    tree = load("nodes: {a: {kind: branch}, b: {kind: join}}\nedges: [{from: a, to: b}]").tree
    tree["edges"]["a-b"]["when"] = "x == '\x1b[2J'"
    assert "\x1b" not in "\n".join(render_graph(tree))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=16))
def test_any_graph_is_drawn_with_every_node_once(pairs: list[tuple[int, int]]) -> None:
    nodes = {f"n{number}": {"kind": "function"} for number in range(10)}
    edges = {f"e{at}": {"from": f"n{min(pair)}", "to": f"n{max(pair)}"} for at, pair in enumerate(pairs)}
    text = "\n".join(render_graph({"nodes": nodes, "edges": edges}, width_max=10_000))
    assert all(text.count(f"[{id}]") == 1 for id in nodes)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda pair: pair[0] < pair[1]), max_size=16))
def test_every_edge_leads_down(pairs: list[tuple[int, int]]) -> None:
    layers = layers_of([str(number) for number in range(10)], [(str(a), str(b)) for a, b in pairs])
    assert layers is not None
    assert all(layers[str(a)] < layers[str(b)] for a, b in pairs)


def test_the_facts_of_a_document_are_small() -> None:
    assert describe(load(ORDER).tree, HANDLERS) == {
        "nodes": 6, "edges": 6,
        "kinds": {"approval": 1, "branch": 1, "function": 2, "http": 1, "notify": 1},
        "agents": [], "approvals": ["review"], "hosts": ["shop"], "handlers": ["score", "ship"],
        "effects": {"none": ["fetch", "score", "risky", "review"], "keyed": ["ship"], "once": ["tell"]},
    }  # fmt: skip


def test_the_facts_count_what_stands_in_bodies() -> None:
    tree = load("""
nodes:
  each: {kind: map, config: {items: x}, body: {nodes: {think: {kind: agent, config: {task: t, tools: [look]}}}}}
""").tree
    facts = describe(tree)
    assert (facts["nodes"], facts["agents"], facts["handlers"]) == (2, ["each/think"], ["look"])
