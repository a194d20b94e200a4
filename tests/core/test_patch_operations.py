"""Patches of a workflow: RFC 6902 with good errors, list-form paths, operations by id, and their bounds."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from aob.core.errors import Malformed, TooLarge
from aob.core.graph import compile_workflow
from aob.core.graph.patch import EXAMPLES, PatchError, apply, compile_operations, read_operations
from aob.core.graph.patch.operation import DEPTH_MAX, OPERATIONS_MAX, PATCH_BYTES_MAX, VERBS
from aob.core.graph.patch.pointer import format_pointer, parse_pointer, same
from aob.core.graph.patch.schema import EXAMPLE_DOCUMENT, PATCH_SCHEMA
from aob.core.graph.patch.shorthand import BY_ID

ORDER: dict[str, Any] = {
    "workflow": "order",
    "nodes": {
        "fetch": {"kind": "http", "config": {"url": "http://shop.example.com/"}},
        "risky": {"kind": "branch"},
        "ship": {"kind": "function", "config": {"handler": "ship"}},
        "review": {"kind": "approval"},
        "each": {
            "kind": "map",
            "config": {"items": "inputs.items"},
            "body": {"nodes": {"one": {"kind": "function", "config": {"handler": "one"}}}, "edges": {}},
        },
    },
    "edges": {
        "e1": {"from": "fetch", "to": "risky"},
        "e2": {"from": "risky", "to": "ship", "when": "inputs.fast", "order": 1},
        "e3": {"from": "risky", "to": "review", "else": True},
        "e4": {"from": "review", "to": "ship", "on": "approved"},
        "e5": {"from": "fetch", "to": "each"},
    },
}


def patched(*operations: dict[str, Any]) -> Any:
    return apply(ORDER, compile_operations(ORDER, operations))


def problem(*operations: Any) -> Any:
    with pytest.raises(PatchError) as caught:
        compile_operations(ORDER, operations)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


class TestOperationsOfTheRfc:
    def test_the_input_is_never_changed_and_what_is_not_written_is_shared(self) -> None:
        before = json.dumps(ORDER)
        after = patched({"op": "add", "path": "/nodes/ship/retry", "value": 3})
        assert json.dumps(ORDER) == before
        assert after["nodes"]["ship"]["retry"] == 3
        assert after["nodes"]["fetch"] is ORDER["nodes"]["fetch"]
        assert after["edges"] is ORDER["edges"]

    def test_values_of_a_patch_are_not_written_into_by_later_operations(self) -> None:
        value = {"handler": "a"}
        operations = [
            {"op": "replace", "path": "/nodes/ship/config", "value": value},
            {"op": "copy", "from": "/nodes/ship/config", "path": "/nodes/review/config"},
            {"op": "replace", "path": "/nodes/ship/config/handler", "value": "b"},
        ]
        after = apply(ORDER, operations)
        assert value == {"handler": "a"}
        assert after["nodes"]["review"]["config"] == {"handler": "a"}
        assert after["nodes"]["ship"]["config"] == {"handler": "b"}

    def test_a_copy_is_another_value_even_of_what_this_patch_has_written(self) -> None:
        operations = [
            {"op": "add", "path": "/nodes/ship/config/first", "value": 1},
            {"op": "copy", "from": "/nodes/ship/config", "path": "/nodes/review/config"},
            {"op": "add", "path": "/nodes/ship/config/second", "value": 2},
        ]
        after = apply(ORDER, operations)
        assert after["nodes"]["review"]["config"] == {"handler": "ship", "first": 1}

    def test_a_failing_operation_leaves_nothing_behind(self) -> None:
        before = json.dumps(ORDER)
        with pytest.raises(PatchError):
            apply(ORDER, [{"op": "remove", "path": "/edges/e1"}, {"op": "remove", "path": "/edges/e1"}])
        assert json.dumps(ORDER) == before

    def test_a_missing_place_is_named_with_the_closest_one(self) -> None:
        found = problem(
            {"op": "remove", "path": "/edges/e1"}, {"op": "replace", "path": "/nodes/shpi/retry", "value": 1}
        )
        assert found.path == "/operations/1/path"
        assert found.message == "there is no `shpi` in /nodes"
        assert found.hint == "did you mean `ship`?"

    def test_a_failed_test_says_what_was_found(self) -> None:
        found = problem({"op": "test", "path": "/nodes/ship/kind", "value": "http"})
        assert (found.code, found.path) == ("test_failed", "/operations/0/value")
        assert "'function'" in found.message

    @pytest.mark.parametrize(
        ("operation", "path"),
        [
            ("add", "/operations/0"),
            ({"path": "/a", "value": 1}, "/operations/0/op"),
            ({"op": ["add"], "path": "/a", "value": 1}, "/operations/0/op"),
            ({"op": "spam", "path": "/a"}, "/operations/0/op"),
            ({"op": "add", "value": 1}, "/operations/0/path"),
            ({"op": "add", "path": "nodes", "value": 1}, "/operations/0/path"),
            ({"op": "add", "path": "/nodes/~2", "value": 1}, "/operations/0/path"),
            ({"op": "add", "path": "/" + "x" * 5_000, "value": 1}, "/operations/0/path"),
            ({"op": "add", "path": "/labels"}, "/operations/0/value"),
            ({"op": "move", "path": "/labels"}, "/operations/0/from"),
            ({"op": "move", "from": "/nope", "path": "/labels"}, "/operations/0/from"),
            ({"op": "move", "from": "/nodes/ship", "path": "/nodes/ship/config"}, "/operations/0/path"),
            ({"op": "remove", "path": ""}, "/operations/0/path"),
            ({"op": "replace", "path": "", "value": {}}, "/operations/0/path"),
            ({"op": "add", "path": "/nodes/ship/kind/x", "value": 1}, "/operations/0/path"),
        ],
    )
    def test_what_is_wrong_is_refused_at_its_place(self, operation: Any, path: str) -> None:
        assert problem(operation).path == path

    def test_a_patch_that_is_no_list_is_refused(self) -> None:
        with pytest.raises(PatchError):
            apply(ORDER, {"op": "remove"})  # type: ignore[arg-type]  # what a caller without types may send

    def test_numbers_are_equal_by_value_and_booleans_are_no_numbers(self) -> None:
        assert same({"a": [1, 2.0]}, {"a": [1.0, 2]})
        assert not same({"a": True}, {"a": 1})
        assert not same([], {})
        assert not same(None, 0)
        assert not same([1], [1, 2])

    def test_a_deep_value_is_compared_without_recursion(self) -> None:
        deep: Any = 0
        for _ in range(100_000):
            deep = [deep]
        assert same(deep, deep)
        assert same([deep], [[deep[0]]])
        while deep:
            deep = deep[0]

    def test_a_pointer_goes_there_and_back(self) -> None:
        for text in ("", "/", "/a~1b/~0", "/0//x y"):
            assert format_pointer(parse_pointer(text)) == text


class TestTheFormOfTheSeeds:
    def test_a_node_and_an_edge_of_a_list_become_members_of_a_map(self) -> None:
        operations = [
            {"op": "add", "path": "/nodes/-", "value": {"id": "email", "type": "task", "config": {"handler": "mail"}}},
            {"op": "add", "path": "/edges/-", "value": {"from": "ship", "to": "email"}},
        ]
        assert compile_operations(ORDER, operations) == [
            {"op": "add", "path": "/nodes/email", "value": {"kind": "function", "config": {"handler": "mail"}}},
            {"op": "add", "path": "/edges/ship-email", "value": {"from": "ship", "to": "email"}},
        ]

    def test_short_forms_are_written_out(self) -> None:
        after = patched(
            {"op": "add", "path": "/nodes/-", "value": {"id": "email", "type": "task", "input": {"count": 3}}},
            {"op": "add", "path": "/nodes/ship/input", "value": {"all": True}},
            {"op": "add", "path": "/nodes/ship/input/count", "value": 3},
            {"op": "add", "path": "/nodes/ship/priority", "value": "normal"},
            {"op": "add", "path": "/output", "value": {"done": True}},
            {"op": "replace_config", "id": "ship", "config": {}},
        )
        assert after["nodes"]["email"] == {"kind": "function", "config": {"handler": "email"}, "input": {"count": "3"}}
        assert after["nodes"]["ship"]["input"] == {"all": "true", "count": "3"}
        assert after["nodes"]["ship"]["priority"] == "medium"
        assert after["nodes"]["ship"]["config"] == {"handler": "ship"}
        assert after["output"] == {"done": "true"}

    def test_edges_between_the_same_nodes_get_different_ids(self) -> None:
        edge = {"op": "add", "path": "/edges/-", "value": {"from": "fetch", "to": "ship"}}
        failing = {"op": "add", "path": "/edges/-", "value": {"from": "fetch", "to": "ship", "on": "failure"}}
        added = patched(edge, edge, failing)["edges"].keys() - ORDER["edges"].keys()
        assert added == {"fetch-ship", "fetch-ship-2", "fetch-ship-failure"}

    def test_an_edge_between_long_ids_gets_a_short_id(self) -> None:
        long = "n" * 60
        after = patched(
            {"op": "add", "path": "/nodes/-", "value": {"id": long, "kind": "join"}},
            {"op": "add", "path": "/edges/-", "value": {"from": "fetch", "to": long}},
        )
        assert all(len(id) <= 64 for id in after["edges"])

    def test_a_node_that_exists_is_not_added_again(self) -> None:
        found = problem({"op": "add", "path": "/nodes/-", "value": {"id": "ship", "type": "task"}})
        assert found.message == "node `ship` exists already"

    def test_a_body_in_list_form_becomes_maps(self) -> None:
        body = {
            "nodes": [{"id": "a", "type": "task"}, {"id": "b", "type": "join"}],
            "edges": [{"from": "a", "to": "b"}],
        }
        node = {"id": "all", "type": "map", "config": {"items": "inputs.items"}, "body": body}
        assert patched({"op": "add", "path": "/nodes/-", "value": node})["nodes"]["all"]["body"] == {
            "nodes": {"a": {"kind": "function", "config": {"handler": "a"}}, "b": {"kind": "join"}},
            "edges": {"a-b": {"from": "a", "to": "b"}},
        }
        replaced = patched({"op": "replace", "path": "/nodes/each/body", "value": body})
        assert replaced["nodes"]["each"]["body"]["nodes"].keys() == {"a", "b"}

    def test_a_node_joins_a_body_by_its_path(self) -> None:
        after = patched(
            {"op": "add", "path": "/nodes/each/body/nodes/-", "value": {"id": "two", "type": "task"}},
            {"op": "add", "path": "/nodes/each/body/edges/-", "value": {"from": "one", "to": "two"}},
        )
        assert after["nodes"]["each"]["body"]["edges"] == {"one-two": {"from": "one", "to": "two"}}

    def test_type_is_kind_in_paths_too(self) -> None:
        made = compile_operations(
            ORDER,
            [
                {"op": "test", "path": "/nodes/ship/type", "value": "task"},
                {"op": "replace", "path": "/nodes/ship/type", "value": "task"},
            ],
        )
        assert [(step["path"], step["value"]) for step in made] == [("/nodes/ship/kind", "function")] * 2

    @pytest.mark.parametrize(
        "operation",
        [
            {"op": "replace", "path": "/nodes/0/config", "value": {}},
            {"op": "remove", "path": "/nodes/-"},
            {"op": "copy", "from": "/nodes/ship", "path": "/nodes/-"},
            {"op": "add", "path": "/nodes/-", "value": {"type": "task"}},
            {"op": "add", "path": "/nodes/-", "value": {"id": "a b"}},
            {"op": "add", "path": "/nodes/-", "value": "text"},
            {"op": "add", "path": "/nodes/x", "value": {"id": "y", "kind": "join"}},
            {"op": "add", "path": "/nodes/x", "value": {"type": "map", "kind": "join"}},
            {"op": "add", "path": "/edges/-", "value": {"from": "ship"}},
            {"op": "add", "path": "/edges/x", "value": {"id": "y", "from": "ship", "to": "each"}},
            {"op": "replace", "path": "/nodes", "value": [{"id": "a"}, {"id": "a"}]},
            {"op": "replace", "path": "/nodes", "value": 3},
            {"op": "replace", "path": "/edges", "value": 3},
            {"op": "replace", "path": "/edges", "value": [{"from": "a", "to": "b", "id": "x"}] * 2},
        ],
    )
    def test_what_cannot_be_a_map_by_id_is_refused_with_a_hint(self, operation: dict[str, Any]) -> None:
        assert problem(operation).path.startswith("/operations/0")


class TestOperationsById:
    def test_add_and_connect(self) -> None:
        after = patched(
            {"op": "add_node", "id": "tell", "node": {"type": "notify", "config": {"to": "slack:ops", "text": "!"}}},
            {"op": "connect", "from": "ship", "to": "tell", "on": "failure", "id": "e9"},
        )
        assert after["nodes"]["tell"]["kind"] == "notify"
        assert after["edges"]["e9"] == {"from": "ship", "to": "tell", "on": "failure"}

    def test_insert_between_keeps_outcome_and_condition_on_the_first_half(self) -> None:
        after = patched({"op": "insert_between", "id": "mid", "node": {"kind": "join"}, "from": "risky", "to": "ship"})
        assert "e2" not in after["edges"]
        assert after["edges"]["risky-mid"] == {"from": "risky", "to": "mid", "when": "inputs.fast", "order": 1}
        assert after["edges"]["mid-ship"] == {"from": "mid", "to": "ship"}

    def test_what_follows_an_approval_follows_its_approved_outcome(self) -> None:
        after = patched(
            {"op": "insert_between", "id": "ok", "node": {"kind": "approval"}, "from": "fetch", "to": "each"}
        )
        assert after["edges"]["ok-each-approved"] == {"from": "ok", "to": "each", "on": "approved"}
        connected = patched({"op": "connect", "from": "review", "to": "each"})
        assert connected["edges"]["review-each-approved"]["on"] == "approved"

    def test_insert_between_asks_which_edge_when_several_match(self) -> None:
        again = {"op": "connect", "from": "fetch", "to": "each", "on": "failure", "id": "e9"}
        insert = {"op": "insert_between", "id": "m", "node": {"kind": "join"}, "from": "fetch", "to": "each"}
        found = problem(again, insert)
        assert "e5, e9" in found.message
        assert "e9" not in patched(again, {**insert, "on": "failure"})["edges"]
        assert "e5" not in patched(again, {**insert, "edge": "e5"})["edges"]

    def test_replace_config_disable_and_removals(self) -> None:
        after = patched(
            {"op": "replace_config", "id": "ship", "config": {"handler": "other"}},
            {"op": "disable", "id": "fetch"},
            {"op": "disconnect", "from": "risky", "to": "ship"},
            {"op": "disconnect", "id": "e5"},
            {"op": "remove_node", "id": "review"},
        )
        assert after["nodes"]["ship"]["config"] == {"handler": "other"}
        assert after["nodes"]["fetch"]["disabled"] is True
        assert after["edges"].keys() == {"e1"}
        assert "review" not in after["nodes"]

    def test_they_act_in_a_body(self) -> None:
        after = patched(
            {"op": "add_node", "in": "each", "id": "two", "node": {"kind": "join"}},
            {"op": "connect", "in": "each", "from": "one", "to": "two"},
        )
        assert after["nodes"]["each"]["body"]["nodes"].keys() == {"one", "two"}
        assert after["nodes"].keys() == ORDER["nodes"].keys()

    def test_a_document_without_edges_gets_some(self) -> None:
        bare: dict[str, Any] = {"workflow": "w", "nodes": {"a": {"kind": "join"}, "b": {"kind": "join"}}}
        made = compile_operations(bare, [{"op": "connect", "from": "a", "to": "b"}])
        assert apply(bare, made)["edges"] == {"a-b": {"from": "a", "to": "b"}}
        listed = compile_operations(bare, [{"op": "add", "path": "/edges/-", "value": {"from": "a", "to": "b"}}])
        assert apply(bare, listed)["edges"] == {"a-b": {"from": "a", "to": "b"}}

    @pytest.mark.parametrize(
        ("operation", "path", "word"),
        [
            ({"op": "add_node", "id": "ship", "node": {"kind": "join"}}, "id", "exists"),
            ({"op": "add_node", "id": "1x", "node": {"kind": "join"}}, "id", "no id"),
            ({"op": "add_node", "id": "x"}, "node", "object"),
            ({"op": "add_node", "id": "x", "node": {}, "in": "nope"}, "in", "no `nope`"),
            ({"op": "add_node", "id": "x", "node": {}, "in": 3}, "in", "path"),
            ({"op": "connect", "from": "ship", "to": "nope"}, "to", "no node"),
            ({"op": "connect", "from": "ship", "to": "each", "id": "e1"}, "id", "exists"),
            ({"op": "connect", "source": "ship", "to": "each"}, "source", "has no"),
            ({"op": "insert_between", "id": "x", "node": {}, "from": "ship", "to": "each"}, "from", "no such edge"),
            ({"op": "replace_config", "id": "ship", "config": 3}, "config", "object"),
            ({"op": "disable", "id": "risky"}, "id", "branch"),
            ({"op": "disconnect", "id": "e77"}, "id", "no edge"),
        ],
    )
    def test_what_is_wrong_is_refused_at_its_member(self, operation: dict[str, Any], path: str, word: str) -> None:
        found = problem(operation)
        assert found.path == f"/operations/0/{path}"
        assert word in found.message

    def test_the_same_operations_compile_to_the_same_bytes(self) -> None:
        operations = [{"op": "remove_node", "id": "fetch"}]
        first = json.dumps(compile_operations(ORDER, operations))
        reordered = {**ORDER, "edges": dict(reversed(ORDER["edges"].items()))}
        assert json.dumps(compile_operations(reordered, operations)) == first


class TestBounds:
    def test_too_many_operations(self) -> None:
        with pytest.raises(TooLarge, match="257 operations"):
            read_operations([{"op": "test", "path": "", "value": 1}] * (OPERATIONS_MAX + 1))

    def test_too_many_bytes(self) -> None:
        big = [{"op": "add", "path": "/labels", "value": "x" * PATCH_BYTES_MAX}]
        with pytest.raises(TooLarge):
            read_operations(big)
        with pytest.raises(TooLarge):
            read_operations(json.dumps(big))

    def test_too_deep(self) -> None:
        deep: Any = 0
        for _ in range(DEPTH_MAX):
            deep = [deep]
        with pytest.raises(TooLarge, match="nested"):
            read_operations([{"op": "add", "path": "/labels", "value": deep}])
        with pytest.raises(Malformed):
            read_operations("[" * 100_000 + "]" * 100_000)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, b"bytes", "\ud800", object()])
    def test_what_json_cannot_hold(self, value: Any) -> None:
        with pytest.raises(PatchError):
            read_operations([{"op": "add", "path": "/labels", "value": value}])

    @pytest.mark.parametrize("text", ["", "{", "[{]", b"\xff\xfe\x00", '[{"op": NaN}]'])
    def test_text_that_is_no_json(self, text: str | bytes) -> None:
        with pytest.raises((Malformed, PatchError)):
            read_operations(text)

    @pytest.mark.parametrize("text", ["3", "{}", '{"operations": {}}', "[3]"])
    def test_json_that_is_no_patch(self, text: str) -> None:
        with pytest.raises(PatchError):
            read_operations(text)

    def test_the_body_of_a_patch_gives_its_operations(self) -> None:
        assert read_operations('{"reason": "why", "operations": [{"op": "disable", "id": "a"}]}') == [
            {"op": "disable", "id": "a"}
        ]


class TestExamplesAndSchema:
    @pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["title"]))
    def test_each_example_applies_and_fits_the_schema(self, example: dict[str, Any]) -> None:
        made = compile_operations(EXAMPLE_DOCUMENT, example["operations"])
        after = apply(EXAMPLE_DOCUMENT, made)
        assert after != EXAMPLE_DOCUMENT
        assert compile_workflow(after).hash
        body = {"operations": example["operations"]}
        assert jsonschema_rs.validator_for(PATCH_SCHEMA).is_valid(body)
        assert jsonschema_rs.validator_for(PATCH_SCHEMA).is_valid({"operations": made})

    def test_the_schema_knows_every_operation(self) -> None:
        operations: Any = PATCH_SCHEMA["properties"]["operations"]["items"]["oneOf"]  # type: ignore[index,call-overload]  # data
        assert {found["properties"]["op"]["const"] for found in operations} == {*VERBS, *BY_ID}

    @pytest.mark.parametrize(
        "operation",
        [{"op": "add", "path": "/x"}, {"op": "connect", "from": "a"}, {"op": "spam"}, {"op": "disconnect", "from": "a"},
         {"op": "disable", "id": "a", "why": "x"}, {"op": "remove", "path": "x"}],
    )  # fmt: skip
    def test_the_schema_refuses_what_we_refuse(self, operation: dict[str, Any]) -> None:
        assert not jsonschema_rs.validator_for(PATCH_SCHEMA).is_valid({"operations": [operation]})

    def test_the_published_schema_is_this_one(self) -> None:
        published = Path(__file__).parents[2] / "spec" / "patch.schema.json"
        assert json.loads(published.read_text()) == PATCH_SCHEMA
