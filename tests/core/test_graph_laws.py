"""Laws of checking and compiling, for any damage to a document."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from aob.core.errors import Invalid
from aob.core.graph import check, compile_workflow, load, normalise
from aob.core.value import canonical
from tests.core.graph_texts import HANDLERS, ORDER

BODIES = """
workflow: bodies
inputs: {type: object}
nodes:
  first: {kind: timer, config: {for: 1s}}
  each:
    kind: map
    config: {items: inputs.rows, window: 5}
    body:
      nodes:
        a: {kind: function, config: {handler: look}, input: {x: item, y: nodes.first.output}, retry: 3}
        again:
          kind: loop
          config: {max: 3, while: loop.index < 2}
          body: {nodes: {b: {kind: wait, config: {message: m}}}}
      edges: [{from: a, to: again}]
  think: {kind: agent, config: {task: "look at {n}", tools: [look]}, input: {n: "1"}, timeout: {run: 1m}}
  done: {kind: join, config: {mode: n, n: 1}}
edges: [{from: first, to: each}, {from: first, to: think}, {from: each, to: done}, {from: think, to: done}]
output: {n: nodes.done.output}
"""

TREES: list[Any] = [load(ORDER).tree, load(BODIES).tree]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
    | st.sampled_from(["fetch", "risky", "1h", "nodes.x.output", "{", "{x}", "map", "branch", "$ref", "1 +", "true"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def paths(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value inside a value."""
    found = [at]
    if isinstance(value, dict):
        found += [path for key, item in value.items() for path in paths(item, (*at, key))]
    elif isinstance(value, list):
        found += [path for index, item in enumerate(value) for path in paths(item, (*at, index))]
    return found


def damaged(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy of a tree with another value at a path; `...` takes the value away."""
    if not path:
        return value
    head, *rest = path
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if value is ... and not rest:
        del copy[head]
    else:
        copy[head] = damaged(tree[head], tuple(rest), value)
    return copy


@st.composite
def damages(draw: st.DrawFn) -> Any:
    """A document with up to three values replaced, removed or moved."""
    tree = draw(st.sampled_from(TREES))
    for _ in range(draw(st.integers(1, 3))):
        known = paths(tree)[1:]
        if not known:
            break
        value = draw(values | st.just(...) | st.sampled_from(known).map(lambda path: ("copy", path)))
        if isinstance(value, tuple):
            source: Any = tree
            for step in value[1]:
                source = source[step]
            value = source
        tree = damaged(tree, draw(st.sampled_from(known)), value)
    return tree


@settings(max_examples=300, deadline=None)
@given(damages())
def test_a_document_compiles_exactly_when_it_has_no_problem_and_has_the_same_when_it_is_checked_again(
    tree: Any,
) -> None:
    found = check(tree, HANDLERS)
    assert check(tree, HANDLERS) == found
    try:
        graph = compile_workflow(tree, HANDLERS)
    except Invalid as invalid:
        told = invalid.problems
        graph = None
    else:
        told = ()
    assert len(told) == len(found)
    assert (graph is None) == bool(found)


@settings(max_examples=200, deadline=None)
@given(damages())
def test_a_document_read_from_its_text_has_the_same_problems_with_places(tree: Any) -> None:
    text = canonical(tree)
    if not isinstance(tree, dict):
        return
    try:
        document = load(text)
    except Invalid:
        return
    found = check(document, HANDLERS)
    assert sorted(p.path for p in found) == sorted(p.path for p in check(normalise(tree), HANDLERS))
    assert all(problem.line and problem.column for problem in found)
    size = len(text.decode())
    assert all(problem.line == 1 and problem.column <= size for problem in found)


def test_the_documents_begin_without_a_problem() -> None:
    assert [check(tree, HANDLERS) for tree in TREES] == [[], []]
