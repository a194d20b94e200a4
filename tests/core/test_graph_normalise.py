"""The canonical form: lists to maps by id, short words to long ones, twice the same as once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.errors import Invalid
from aob.core.graph import check, load, normalise
from aob.core.graph.normal_form import Normaliser

SEED: dict[str, Any] = {
    "workflow": "seed",
    "nodes": [{"id": "fetch", "type": "http", "config": {"url": "http://shop"}}, {"id": "process", "type": "function"}],
    "edges": [{"from": "fetch", "to": "process"}],
}
"""The list form of the seeds."""


class TestLists:
    def test_become_maps_by_id(self) -> None:
        assert normalise(SEED) == {
            "workflow": "seed",
            "nodes": {
                "fetch": {"kind": "http", "config": {"url": "http://shop"}},
                "process": {"kind": "function", "config": {"handler": "process"}},
            },
            "edges": {"fetch-process": {"from": "fetch", "to": "process"}},
        }
        assert check(normalise(SEED)) == []

    def test_leave_the_document_as_it_was(self) -> None:
        before = repr(SEED)
        normalise(SEED)
        assert repr(SEED) == before

    def test_of_edges_get_ids_from_their_ends(self) -> None:
        edge = {"from": "a", "to": "b"}
        made = normalise({"nodes": {}, "edges": [edge, edge, {**edge, "on": "failure"}, {**edge, "id": "mine"}, edge]})
        assert list(made["edges"]) == ["a-b", "a-b-2", "a-b-failure", "mine", "a-b-3"]

    def test_of_edges_never_take_an_id_that_another_names(self) -> None:
        edge = {"from": "a", "to": "b"}
        assert list(normalise({"edges": [edge, {**edge, "id": "a-b"}]})["edges"]) == ["a-b-2", "a-b"]

    def test_of_edges_between_long_ids_get_ids_that_are_ids(self) -> None:
        (id,) = normalise({"edges": [{"from": "a" * 64, "to": "b" * 64}]})["edges"]
        assert len(id) <= 64

    def test_in_bodies_become_maps_too(self) -> None:
        body = {"nodes": [{"id": "a", "type": "task"}], "edges": []}
        made = normalise({"nodes": [{"id": "each", "kind": "map", "config": {"items": "inputs.x"}, "body": body}]})
        assert made["nodes"]["each"]["body"] == {
            "nodes": {"a": {"kind": "function", "config": {"handler": "a"}}},
            "edges": {},
        }

    @pytest.mark.parametrize(
        ("document", "path", "code"),
        [
            ({"nodes": [{"type": "http"}]}, "/nodes/0", "missing"),
            ({"nodes": ["fetch"]}, "/nodes/0", "missing"),
            ({"nodes": [{"id": "a"}, {"id": "a"}]}, "/nodes/1/id", "duplicate_id"),
            ({"nodes": [], "edges": [{"from": "a"}]}, "/edges/0", "missing"),
            ({"edges": [{"id": "e", "from": "a", "to": "b"}, {"id": "e", "from": "a", "to": "c"}]},
             "/edges/1/id", "duplicate_id"),
        ],
    )  # fmt: skip
    def test_without_ids_have_no_canonical_form(self, document: dict[str, Any], path: str, code: str) -> None:
        with pytest.raises(Invalid) as caught:
            normalise(document)
        assert [(problem.path, problem.code) for problem in caught.value.problems] == [(path, code)]

    def test_tell_every_problem_at_once_and_where(self) -> None:
        text = "workflow: w\nnodes:\n  - {id: a, type: htp}\n  - {type: http}\n  - {id: a, type: http}\n"
        with pytest.raises(Invalid) as caught:
            load(text)
        assert [(problem.line, problem.code) for problem in caught.value.problems] == [
            (3, "unknown_kind"), (4, "missing"), (5, "duplicate_id"),
        ]  # fmt: skip


class TestShortForms:
    def test_a_task_is_a_function(self) -> None:
        made = normalise({"nodes": {"a": {"kind": "task", "handler": "score"}}})
        assert made["nodes"]["a"] == {"kind": "function", "config": {"handler": "score"}}

    def test_a_handler_in_the_config_stays(self) -> None:
        made = normalise({"nodes": {"a": {"type": "task", "config": {"handler": "x"}}}})
        assert made["nodes"]["a"] == {"kind": "function", "config": {"handler": "x"}}

    def test_numbers_and_truths_stand_for_themselves_in_an_input(self) -> None:
        made = normalise(
            {"nodes": {"a": {"kind": "join", "input": {"a": 1, "b": True, "c": None, "d": 1.5, "e": "x"}}}}
        )
        assert made["nodes"]["a"]["input"] == {"a": "1", "b": "true", "c": "null", "d": "1.5", "e": "x"}

    def test_a_normal_priority_is_a_medium_one(self) -> None:
        made = normalise({"priority": "normal", "nodes": {"a": {"kind": "join", "priority": "normal"}}})
        assert (made["priority"], made["nodes"]["a"]["priority"]) == ("medium", "medium")

    def test_an_id_that_repeats_its_key_goes(self) -> None:
        made = normalise(
            {"nodes": {"a": {"id": "a", "kind": "join"}}, "edges": {"e": {"id": "e", "from": "a", "to": "a"}}}
        )
        assert made == {"nodes": {"a": {"kind": "join"}}, "edges": {"e": {"from": "a", "to": "a"}}}

    def test_an_id_that_differs_from_its_key_is_a_problem(self) -> None:
        found = check(normalise({"workflow": "w", "nodes": {"a": {"id": "b", "kind": "branch"}}}))
        assert "/nodes/a/id" in [problem.path for problem in found]


ids = st.sampled_from(["a", "b", "c", "d-e"])
scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-2, 2) | st.sampled_from(["x", "inputs.a"])
node = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["task", "function", "http", "x"]),
        "type": st.sampled_from(["task", "join"]),
        "id": ids,
        "handler": st.sampled_from(["h", "k"]),
        "config": st.dictionaries(st.sampled_from(["handler", "url"]), scalars, max_size=2) | scalars,
        "input": st.dictionaries(ids, scalars, max_size=2) | scalars,
        "priority": st.sampled_from(["normal", "high"]),
    },
)
edge = st.fixed_dictionaries(
    {"from": ids, "to": ids}, optional={"id": ids, "on": st.sampled_from(["success", "failure"])}
)


def bodies(nodes: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(
        {},
        optional={
            "nodes": st.dictionaries(ids, nodes, max_size=3) | st.lists(nodes, max_size=3) | scalars,
            "edges": st.dictionaries(ids, edge, max_size=3) | st.lists(edge, max_size=3) | scalars,
        },
    )


documents = bodies(node | st.tuples(node, bodies(node)).map(lambda pair: {**pair[0], "body": pair[1]}) | scalars)


@given(documents)
def test_normalising_twice_is_normalising_once(document: dict[str, Any]) -> None:
    try:
        once = normalise(document)
    except Invalid:
        return
    assert normalise(once) == once


@given(documents)
def test_nothing_but_a_missing_id_stops_it(document: dict[str, Any]) -> None:
    made = Normaliser(document)
    assert {problem.code for problem in made.problems} <= {"missing", "duplicate_id"}
    assert made.problems or made.tree == normalise(document)
