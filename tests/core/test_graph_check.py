"""Every error of a document, each at its exact place, with a hint; and all of them at once."""

from typing import Any

import pytest

from aob.core.errors import Problem
from aob.core.graph import HandlerFacts, check, load
from tests.core.graph_texts import HANDLERS, ORDER, marked

Case = tuple[str, str, str, str]

SHAPES: list[Case] = [
    ("an unknown key of the workflow", """
workflow: w
¤nods: {}
nodes: {a: {kind: join2}}
""", "unknown_key", "did you mean `nodes`?"),
    ("an unknown key of a node", """
workflow: w
nodes:
  a: {kind: timer, config: {for: 1s}, ¤retyr: 3}
""", "unknown_key", "did you mean `retry`?"),
    ("a word that others use for a key", """
workflow: w
nodes:
  a: {kind: timer, config: {for: 1s}, ¤retries: 3}
""", "unknown_key", "did you mean `retry`?"),
    ("an unknown key of a config", """
workflow: w
nodes:
  a: {kind: timer, config: {for: 1s, ¤untl: x}}
""", "unknown_key", "did you mean `until`?"),
    ("an unknown key of an edge", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}}, b: {kind: join}}
edges: {e: {from: a, to: b, ¤condition: "true"}}
""", "unknown_key", "did you mean `when`?"),
    ("an unknown key of a body", """
workflow: w
nodes:
  a:
    kind: loop
    config: {max: 2}
    body: {nodes: {b: {kind: timer, config: {for: 1s}}}, ¤edgs: {}}
""", "unknown_key", ""),
    ("a missing kind", """
workflow: w
nodes:
  ¤a: {config: {}}
""", "missing", "add `kind:`"),
    ("a missing key of a config", """
workflow: w
nodes:
  a: {kind: http, ¤config: {}}
""", "missing", "add `url:`"),
    ("a loop without max", """
workflow: w
nodes:
  a: {kind: loop, ¤config: {}, body: {nodes: {b: {kind: timer, config: {for: 1s}}}}}
""", "missing", "add `max:`"),
    ("an unknown kind", """
workflow: w
nodes:
  a: {kind: ¤htp}
""", "unknown_kind", "did you mean `http`?"),
    ("a wrong word", """
workflow: w
nodes:
  a: {kind: timer, config: {for: 1s}, effect: ¤nune}
""", "bad_value", "did you mean `none`?"),
    ("a wrong type", """
workflow: w
nodes:
  a: {kind: timer, config: {for: 1s}, disabled: ¤"yes"}
""", "bad_type", "write true or false, without quotes"),
    ("a number out of range", """
workflow: w
nodes:
  a: {kind: timer, config: {for: 1s}, retry: {attempts: ¤0}}
""", "bad_type", ""),
    ("a label that is a number", """
workflow: w
labels: {version: ¤1}
nodes: {a: {kind: timer, config: {for: 1s}}}
""", "bad_type", 'write it in quotes: "1"'),
    ("an id of a node that is none", """
workflow: w
nodes:
  ¤2fast: {kind: timer, config: {for: 1s}}
""", "bad_id", "an id begins with a letter"),
    ("an id of an edge that is none", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}}, b: {kind: join}}
edges:
  ¤"a/b": {from: a, to: b}
""", "bad_id", "an id begins with a letter"),
    ("a name of a workflow that is none", """
workflow: ¤my workflow
nodes: {a: {kind: timer, config: {for: 1s}}}
""", "bad_id", "an id begins with a letter"),
    ("a bad duration of a timer", """
workflow: w
nodes: {a: {kind: timer, config: {for: ¤1 fortnight}}}
""", "bad_duration", "write 500ms"),
    ("a bad duration of a timeout", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}, timeout: {deadline: ¤2 hous}}}
""", "bad_duration", "write 500ms"),
    ("a bad duration of a retry", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}, retry: {attempts: 2, first: ¤soon}}}
""", "bad_duration", "write 500ms"),
    ("a bad duration of the workflow", """
workflow: w
timeout: {run: ¤never}
nodes: {a: {kind: timer, config: {for: 1s}}}
""", "bad_duration", "write 500ms"),
    ("a bad schema of the inputs", """
workflow: w
inputs: {type: object, properties: {a: {type: ¤strin}}}
nodes: {a: {kind: timer, config: {for: 1s}}}
""", "bad_schema", "did you mean `string`?"),
    ("inputs that are no object", """
workflow: w
inputs: {type: ¤array}
nodes: {a: {kind: timer, config: {for: 1s}}}
""", "bad_schema", "write type: object"),
    ("a schema that leads out of itself", """
workflow: w
¤inputs: {$ref: "http://example.com/schema"}
nodes: {a: {kind: timer, config: {for: 1s}}}
""", "bad_schema", "nothing is fetched"),
    ("a bad schema of a message", """
workflow: w
nodes: {a: {kind: wait, config: {message: m, payload: {minimum: ¤low}}}}
""", "bad_schema", ""),
    ("no nodes", """
workflow: w
¤nodes: {}
""", "no_entry", "add a node"),
]  # fmt: skip

EDGES: list[Case] = [
    ("an edge to nowhere", """
workflow: w
nodes: {fetch: {kind: timer, config: {for: 1s}}}
edges: {e: {from: fetch, to: ¤fetsh}}
""", "unknown_node", "did you mean `fetch`?"),
    ("an edge from nowhere", """
workflow: w
nodes: {fetch: {kind: timer, config: {for: 1s}}}
edges: {e: {from: ¤start, to: fetch}}
""", "unknown_node", "nodes: fetch"),
    ("the same edge twice", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}}, b: {kind: join}}
edges:
  e1: {from: a, to: b}
  ¤e2: {from: a, to: b}
""", "duplicate_edge", "remove one"),
    ("a cycle", """
workflow: w
nodes:
  start: {kind: timer, config: {for: 1s}}
  ¤a: {kind: timer, config: {for: 1s}}
  b: {kind: timer, config: {for: 1s}}
edges: [{from: start, to: a}, {from: a, to: b}, {from: b, to: a}]
""", "cycle", "kind loop"),
    ("an outcome that is not offered", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}}, b: {kind: join}}
edges: {e: {from: a, to: b, on: ¤failure}}
""", "bad_outcome", "outcomes: success"),
    ("a misspelt outcome", """
workflow: w
nodes: {a: {kind: approval}, b: {kind: join}}
edges: {e: {from: a, to: b, on: ¤aproved}}
""", "bad_outcome", "did you mean `approved`?"),
    ("a condition outside a branch", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}}, b: {kind: join}}
edges: {e: {from: a, to: b, when: ¤"true"}}
""", "bad_when", "put a branch between"),
    ("an else outside a branch", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}}, b: {kind: join}}
edges: {e: {from: a, to: b, else: ¤true}}
""", "bad_when", "put a branch between"),
    ("a condition on the failure of a branch", """
workflow: w
nodes: {a: {kind: branch}, b: {kind: join}}
edges: {e: {from: a, to: b, else: true}, f: {from: a, to: b, on: failure, when: ¤"true"}}
""", "bad_when", "put a branch between"),
    ("both a condition and else", """
workflow: w
nodes: {a: {kind: branch}, b: {kind: join}}
edges: {e: {from: a, to: b, when: "true", else: ¤true}}
""", "bad_when", ""),
    ("a second else", """
workflow: w
nodes: {a: {kind: branch}, b: {kind: join}, c: {kind: join}}
edges: {e: {from: a, to: b, else: true}, f: {from: a, to: c, else: ¤true}}
""", "bad_when", "give this one a condition"),
    ("an edge of a branch with no condition", """
workflow: w
nodes: {a: {kind: branch}, b: {kind: join}}
edges: {¤e: {from: a, to: b}}
""", "bad_when", "else: true"),
    ("a branch with nothing to choose", """
workflow: w
nodes: {¤a: {kind: branch}}
""", "bad_when", "add an edge"),
    ("a join with nothing to wait for", """
workflow: w
nodes: {¤a: {kind: join}}
""", "bad_join", ""),
    ("a join that wants more than come", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}}, b: {kind: join, config: {mode: n, n: ¤2}}}
edges: {e: {from: a, to: b}}
""", "bad_join", "from 1 to 1"),
    ("a node behind a condition that is never true", """
workflow: w
nodes:
  a: {kind: branch}
  ¤b: {kind: timer, config: {for: 1s}}
  c: {kind: timer, config: {for: 1s}}
edges: [{from: a, to: b, when: "false"}, {from: a, to: c, else: true}]
""", "unreachable", ""),
    ("a node behind a deadline that is not there", """
workflow: w
nodes:
  a: {kind: wait, config: {message: m}}
  ¤b: {kind: timer, config: {for: 1s}}
edges: [{from: a, to: b, on: expired}]
""", "unreachable", ""),
]  # fmt: skip

EXPRESSIONS: list[Case] = [
    ("a syntax error", """
workflow: w
nodes:
  a: {kind: timer, config: {for: 1s}, input: {x: "1 + ¤* 2"}}
""", "bad_expression", ""),
    ("wrong types", """
workflow: w
inputs: {type: object, properties: {n: {type: string}}}
nodes:
  a: {kind: timer, config: {for: 1s}, input: {x: inputs.n ¤+ 1}}
""", "bad_expression", ""),
    ("a node that comes later", """
workflow: w
nodes:
  a: {kind: timer, config: {for: 1s}, input: {x: "1 + ¤nodes.b.output"}}
  b: {kind: timer, config: {for: 1s}}
edges: {e: {from: a, to: b}}
""", "not_before", "add an edge from `b`"),
    ("a node that stands beside", """
workflow: w
nodes:
  a: {kind: timer, config: {for: 1s}}
  b: {kind: timer, config: {for: 1s}, input: {x: ¤nodes.a.output}}
""", "not_before", "add an edge from `a`"),
    ("itself", """
workflow: w
nodes:
  a: {kind: timer, config: {for: 1s}, input: {x: ¤nodes.a.output}}
""", "not_before", "a node's own output comes after it"),
    ("a node that is not there", """
workflow: w
nodes:
  fetch: {kind: timer, config: {for: 1s}}
  b:
    kind: timer
    config: {for: 1s}
    input:
      x: |
        true &&
          ¤nodes.fech.output
edges: {e: {from: fetch, to: b}}
""", "unknown_node", "did you mean `fetch`?"),
    ("a name of a map outside of one", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}, input: {x: ¤item.id}}}
""", "bad_expression", ""),
    ("a condition that is no truth", """
workflow: w
nodes: {a: {kind: branch}, b: {kind: join}}
edges: {e: {from: a, to: b, when: "¤1"}}
""", "bad_expression", ""),
    ("a time that is none", """
workflow: w
nodes: {a: {kind: timer, config: {until: ¤"1 + 1"}}}
""", "bad_expression_type", ""),
    ("items that are no list", """
workflow: w
nodes:
  a: {kind: map, config: {items: ¤"3"}, body: {nodes: {b: {kind: timer, config: {for: 1s}}}}}
""", "bad_expression_type", ""),
    ("the end of a loop that is no truth", """
workflow: w
nodes:
  a: {kind: loop, config: {max: 3, while: "¤'on'"}, body: {nodes: {b: {kind: timer, config: {for: 1s}}}}}
""", "bad_expression", ""),
    ("an output of something that is not there", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}}}
output: {x: ¤nodes.b.output}
""", "unknown_node", "nodes before it: a"),
    ("a node inside a body, from outside", """
workflow: w
nodes:
  each: {kind: map, config: {items: inputs.rows}, body: {nodes: {inner: {kind: timer, config: {for: 1s}}}}}
  after: {kind: timer, config: {for: 1s}, input: {x: ¤nodes.inner.output}}
edges: {e: {from: each, to: after}}
""", "unknown_node", ""),
]  # fmt: skip

MEANINGS: list[Case] = [
    ("a handler that is not there", """
workflow: w
nodes: {a: {kind: function, config: {handler: ¤scor}}}
""", "unknown_handler", "did you mean `score`?"),
    ("a tool that is not there", """
workflow: w
nodes: {a: {kind: agent, config: {task: think, tools: [look, ¤shop]}}}
""", "unknown_handler", "did you mean `ship`?"),
    ("a check of an effect that is not there", """
workflow: w
nodes: {a: {kind: function, config: {handler: ship}, on_uncertain: verify, verify: ¤shipped}}
""", "unknown_handler", "did you mean `ship`?"),
    ("a check of an effect without a name", """
workflow: w
nodes: {¤a: {kind: function, config: {handler: ship}, on_uncertain: verify}}
""", "missing", "add verify: HANDLER"),
    ("keeping what has an effect", """
workflow: w
nodes: {a: {kind: function, config: {handler: ship}, deterministic: true, cache: ¤read_through}}
""", "bad_cache", "effect: none and deterministic: true"),
    ("keeping what is not deterministic", """
workflow: w
nodes: {a: {kind: http, config: {url: "http://shop"}, cache: ¤read_only}}
""", "bad_cache", "effect: none and deterministic: true"),
    ("keeping what is only waited for", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}, cache: ¤read_only}}
""", "bad_cache", "leave `cache` out"),
    ("a name in a text that the input does not give", """
workflow: w
nodes: {a: {kind: http, config: {url: "http://shop"}, input: {order_id: "'1'"}},
        b: {kind: http, config: {url: ¤"http://shop/{order_id}"}, input: {order: "'1'"}}}
""", "unknown_name", "did you mean `order`?"),
    ("a name deep in a body", """
workflow: w
nodes:
  a: {kind: http, config: {url: "http://shop", method: POST, body: {lines: [1, ¤"{x.y}"]}}, input: {order: "'1'"}}
""", "unknown_name", ""),
    ("a brace that is none", """
workflow: w
nodes: {a: {kind: notify, config: {to: "slack:ops", text: ¤"hello {world"}}}
""", "bad_template", "{{ for a brace"),
    ("a map without a body", """
workflow: w
nodes: {¤a: {kind: map, config: {items: inputs.rows}}}
""", "missing", "add body:"),
    ("a body where none belongs", """
workflow: w
nodes:
  a:
    kind: timer
    config: {for: 1s}
    ¤body: {nodes: {}}
""", "bad_body", "only map and loop"),
    ("an empty body", """
workflow: w
nodes: {a: {kind: loop, config: {max: 2}, body: {¤nodes: {}}}}
""", "no_entry", ""),
    ("an id of a node around", """
workflow: w
nodes:
  fetch: {kind: timer, config: {for: 1s}}
  each:
    kind: map
    config: {items: inputs.rows}
    body: {nodes: {¤fetch: {kind: timer, config: {for: 1s}}}}
""", "duplicate_id", "give it another id"),
    ("a reminder of no ticket", """
workflow: w
nodes: {a: {kind: timer, config: {for: 1s}, timeout: {remind: ¤1h}}}
""", "bad_timeout", "a ticket"),
    ("an end without a deadline", """
workflow: w
nodes: {a: {kind: approval, timeout: {expire: ¤reject}}}
""", "bad_timeout", "add deadline"),
    ("a reminder after the end", """
workflow: w
nodes: {a: {kind: approval, timeout: {deadline: 1h, remind: ¤2h}}}
""", "bad_timeout", "make it shorter"),
    ("a password in a URL", """
workflow: w
nodes: {a: {kind: http, config: {url: ¤"http://me:secret@shop/"}}}
""", "secret_in_document", "by reference"),
    ("a URL of another kind", """
workflow: w
nodes: {a: {kind: http, config: {url: ¤"file:///etc/passwd"}}}
""", "bad_url", "https://HOST/PATH"),
    ("a timer with two ends", """
workflow: w
nodes: {a: {kind: timer, ¤config: {for: 1s, until: now}}}
""", "bad_timer", "write for"),
]  # fmt: skip


def ids(cases: list[Case]) -> list[str]:
    return [case[0] for case in cases]


@pytest.mark.parametrize(
    ("what", "text", "code", "hint"),
    [*SHAPES, *EDGES, *EXPRESSIONS, *MEANINGS],
    ids=ids([*SHAPES, *EDGES, *EXPRESSIONS, *MEANINGS]),
)
def test_an_error_is_told_at_its_place(what: str, text: str, code: str, hint: str) -> None:
    plain, place = marked(text)
    found = check(load(plain), HANDLERS)
    here = [problem for problem in found if (problem.line, problem.column) == place]
    assert here, f"nothing at {place}: {found}"
    assert code in {problem.code for problem in here}, here
    assert any(hint in problem.hint for problem in here), here
    if not what.startswith(("an unknown key of the workflow", "both")):
        assert len(found) == 1, found


def problems_of(text: str, handlers: dict[str, HandlerFacts] | None = None) -> list[Problem]:
    return check(load(text), HANDLERS if handlers is None else handlers)


class TestTheDocumentOfTheDesign:
    def test_has_no_problem(self) -> None:
        assert problems_of(ORDER) == []

    def test_without_handlers_has_no_problem_when_they_are_not_asked_for(self) -> None:
        assert check(load(ORDER)) == []

    def test_without_handlers_names_each_that_is_missing(self) -> None:
        found = problems_of(ORDER, {})
        assert [problem.path for problem in found if problem.code == "unknown_handler"] == [
            "/nodes/score/config/handler",
            "/nodes/ship/config/handler",
        ]

    def test_may_not_keep_the_output_of_a_handler_with_an_effect(self) -> None:
        found = problems_of(ORDER, {**HANDLERS, "score": HandlerFacts("score", "v1", effect="keyed")})
        assert [(problem.path, problem.code) for problem in found] == [("/nodes/score/cache", "bad_cache")]


class TestManyErrors:
    TEXT = """
workflow: w
nodes:
  a: {kind: htp}
  b: {kind: timer, config: {for: soon}, retyr: 2, input: {x: "1 +"}}
  c: {kind: function, config: {handler: nope}, effect: nune}
edges:
  e1: {from: b, to: x}
  e2: {from: b, to: c, on: never}
"""

    def test_are_told_at_once_in_the_order_of_the_text(self) -> None:
        found = problems_of(self.TEXT)
        assert [(problem.line, problem.code) for problem in found] == [
            (4, "unknown_kind"),
            (5, "bad_duration"),
            (5, "unknown_key"),
            (5, "bad_expression"),
            (6, "unknown_handler"),
            (6, "bad_value"),
            (8, "unknown_node"),
            (9, "bad_outcome"),
        ]

    def test_stand_at_a_path_that_is_a_json_pointer(self) -> None:
        assert {problem.path for problem in problems_of(self.TEXT)} >= {
            "/nodes/a/kind",
            "/nodes/b/config/for",
            "/nodes/b/input/x",
            "/edges/e1/to",
        }

    def test_of_a_document_without_text_have_paths_and_no_lines(self) -> None:
        found = check(load(self.TEXT).tree, HANDLERS)
        assert len(found) == 8
        assert all(problem.path and not problem.line for problem in found)


class TestAnExpressionThatIsWrong:
    def test_has_a_caret_below_its_place(self) -> None:
        (problem,) = problems_of(
            'workflow: w\nnodes: {a: {kind: timer, config: {for: 1s}, input: {x: "1 + nodes.b.output"}}}'
        )
        assert problem.caret == "1 + nodes.b.output\n    ^"

    def test_stands_at_its_place_in_json_with_escapes(self) -> None:
        text = '{"workflow": "w", "nodes": {"a": {"kind": "timer", "config": {"for": "1s"},\n'
        text += '"input": {"x": "\\"a\\" + \\n\\"\\u00e9\\" + ¤nodes.b.output"}}}}'
        plain, place = marked(text)
        (problem,) = problems_of(plain)
        assert (problem.line, problem.column) == place

    def test_in_a_text_with_an_escape_of_yaml_stands_at_its_place(self) -> None:
        plain, place = marked(
            'workflow: w\nnodes: {a: {kind: timer, config: {for: 1s}, input: {x: "\\"a\\" + ¤nodes.b.output"}}}'
        )
        (problem,) = problems_of(plain)
        assert (problem.line, problem.column) == place


class TestSight:
    def test_of_a_body_reaches_what_comes_before_the_body(self) -> None:
        assert not problems_of("""
workflow: w
nodes:
  first: {kind: timer, config: {for: 1s}}
  each:
    kind: map
    config: {items: inputs.rows}
    body:
      nodes:
        a: {kind: timer, config: {for: 1s}, input: {x: nodes.first.output, y: item.id}}
        again:
          kind: loop
          config: {max: 3, while: "loop.index < 2 && item.id > 0 && nodes.a.output == null"}
          body:
            nodes: {b: {kind: timer, config: {for: 1s}, input: {x: nodes.a.output, y: item, z: loop.previous}}}
      edges: {e: {from: a, to: again}}
edges: {e: {from: first, to: each}}
""")

    def test_of_a_body_does_not_reach_what_comes_after_it(self) -> None:
        (problem,) = problems_of("""
workflow: w
nodes:
  each:
    kind: map
    config: {items: inputs.rows}
    body: {nodes: {a: {kind: timer, config: {for: 1s}, input: {x: nodes.last.output}}}}
  last: {kind: timer, config: {for: 1s}}
edges: {e: {from: each, to: last}}
""")
        assert (problem.code, problem.path) == ("unknown_node", "/nodes/each/body/nodes/a/input/x")

    def test_of_a_condition_reaches_what_comes_before_its_branch(self) -> None:
        assert not problems_of(ORDER)

    def test_passes_through_any_number_of_edges(self) -> None:
        nodes = "\n".join(f"  n{i}: {{kind: timer, config: {{for: 1s}}}}" for i in range(50))
        edges = "\n".join(f"  - {{from: n{i}, to: n{i + 1}}}" for i in range(50))
        last = "  n50: {kind: timer, config: {for: 1s}, input: {x: nodes.n0.output}}"
        assert not problems_of(f"workflow: w\nnodes:\n{nodes}\n{last}\nedges:\n{edges}")


class TestCycles:
    def test_are_named_as_a_path_from_the_smallest_id(self) -> None:
        found = problems_of("""
workflow: w
nodes: {c: {kind: join}, a: {kind: join}, b: {kind: join}}
edges: [{from: c, to: a}, {from: a, to: b}, {from: b, to: c}]
""")
        assert [problem.message for problem in found if problem.code == "cycle"] == ["a cycle: a → b → c → a"]
        assert [problem.code for problem in found if problem.code == "no_entry"]

    def test_of_one_node_are_cycles(self) -> None:
        found = problems_of("workflow: w\nnodes: {a: {kind: join}}\nedges: [{from: a, to: a}]")
        assert "a cycle: a → a" in [problem.message for problem in found]

    def test_hide_no_reference_of_a_node_to_itself(self) -> None:
        found = problems_of("""
workflow: w
nodes: {a: {kind: join, input: {x: nodes.a.output, y: nodes.b.output}}, b: {kind: join}}
edges: [{from: a, to: b}, {from: b, to: a}]
""")
        assert [problem.path for problem in found if problem.code == "not_before"] == ["/nodes/a/input/x"]

    def test_that_have_nothing_in_common_are_told_each(self) -> None:
        found = problems_of("""
workflow: w
nodes: {a: {kind: join}, b: {kind: join}, c: {kind: join}, d: {kind: join}, s: {kind: timer, config: {for: 1s}}}
edges: [{from: a, to: b}, {from: b, to: a}, {from: c, to: d}, {from: d, to: c}, {from: s, to: a}, {from: b, to: c}]
""")
        assert [problem.message for problem in found] == ["a cycle: a → b → a", "a cycle: c → d → c"]

    def test_make_what_stands_behind_them_unreachable(self) -> None:
        found = problems_of("""
workflow: w
nodes: {a: {kind: join}, b: {kind: join}, s: {kind: timer, config: {for: 1s}}, z: {kind: join}}
edges: [{from: a, to: b}, {from: b, to: a}, {from: b, to: z}]
""")
        assert {problem.code: problem.path for problem in found} == {"cycle": "/nodes/a", "unreachable": "/nodes/z"}


class TestBounds:
    def test_of_nodes(self) -> None:
        nodes: dict[str, Any] = {f"n{i}": {"kind": "branch"} for i in range(10_001)}
        (problem,) = check({"workflow": "w", "nodes": nodes, "edges": {}})
        assert (problem.code, problem.path) == ("too_large", "/nodes")

    def test_of_bodies_in_bodies(self) -> None:
        node: dict[str, Any] = {"kind": "timer", "config": {"for": "1s"}}
        for depth in range(9):
            node = {"kind": "loop", "config": {"max": 1}, "body": {"nodes": {f"n{depth}": node}, "edges": {}}}
        (problem,) = check({"workflow": "w", "nodes": {"a": node}, "edges": {}})
        assert problem.code == "too_large"
        assert "8 deep" in problem.message

    def test_of_bytes(self) -> None:
        node = {"kind": "timer", "config": {"for": "1s"}, "description": "x" * 1_100_000}
        (problem,) = check({"workflow": "w", "nodes": {"a": node}, "edges": {}})
        assert problem.code == "too_large"

    @pytest.mark.parametrize("value", [[], "x", None, 3])
    def test_what_is_no_document_at_all_is_a_problem(self, value: Any) -> None:
        assert [problem.code for problem in check(value)] == ["bad_type"]

    @pytest.mark.parametrize(
        "document",
        [
            {"workflow": 3, "nodes": [], "edges": "x"},
            {"workflow": "w", "nodes": {"a": None, "b": [], "c": {"kind": []}}, "edges": {"e": None, "f": {"from": 3}}},
            {"workflow": "w", "nodes": {"a": {"kind": "loop", "config": [], "body": []}}, "edges": {}},
            {"workflow": "w", "nodes": {"a": {"kind": "http", "config": {"url": None}, "input": []}}, "edges": {}},
            {"workflow": "w", "nodes": {"a": {"kind": "x", "body": {"nodes": 3}}}, "edges": {}, "output": {"a": 1}},
        ],
    )
    def test_nothing_that_is_json_makes_it_raise(self, document: Any) -> None:
        assert check(document, HANDLERS)


class TestWhatIsAllowed:
    @pytest.mark.parametrize(
        "text",
        [
            "workflow: w\nnodes: {a: {kind: branch}, b: {kind: join}}\nedges: [{from: a, to: b, when: 'true'}]",
            "workflow: w\nnodes: {a: {kind: timer, config: {for: 1s}}, b: {kind: timer, config: {for: 1s}}}",
            "workflow: w\nnodes: {a: {kind: timer, config: {until: '2027-01-01T00:00:00Z'}}}",
            "workflow: w\nnodes: {a: {kind: timer, config: {until: now + duration('1h')}}}",
            "workflow: w\nnodes: {a: {kind: wait, config: {message: m, key: inputs.id}, timeout: 1h},\n"
            "        b: {kind: join}}\nedges: [{from: a, to: b, on: expired}]",
            "workflow: w\nnodes: {a: {kind: approval}}\nlimits: {agents: 0}\ntimeout: {run: 1h, start: 5s}\nmode: fast",
            "workflow: w\nnodes: {a: {kind: notify, config: {to: '{who}', text: 'a {{ b }} {c.d[0]}'}}}",
            "workflow: w\nnodes: {a-b: {kind: timer, config: {for: 1s}}, c: {kind: timer, config: {for: 1s}, "
            "input: {x: 'nodes[\"a-b\"].output'}}}\nedges: [{from: a-b, to: c}]",
        ],
    )
    def test_has_no_problem(self, text: str) -> None:
        assert problems_of(text) == []


class TestTheInputOfAHandler:
    FACTS = HandlerFacts(
        "score", "v1",
        input={"properties": {"order": {}, "limit": {}}, "required": ["order"], "additionalProperties": False},
    )  # fmt: skip

    def test_may_not_have_a_name_that_it_does_not_take(self) -> None:
        text = "workflow: w\nnodes: {a: {kind: function, config: {handler: score}, input: {order: '1', ¤lmit: '2'}}}"
        plain, place = marked(text)
        (problem,) = problems_of(plain, {"score": self.FACTS})
        assert (problem.code, problem.hint) == ("unknown_input", "did you mean `limit`?")
        assert problem.line == place[0]

    def test_must_have_what_it_needs(self) -> None:
        text = "workflow: w\nnodes: {a: {kind: function, config: {handler: score}, input: {limit: '2'}}}"
        (problem,) = problems_of(text, {"score": self.FACTS})
        assert (problem.code, problem.path) == ("missing", "/nodes/a/input")
