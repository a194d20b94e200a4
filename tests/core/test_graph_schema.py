"""JSON Schemas: values against schemas, schemas themselves, and the published schema of documents."""

import json
from pathlib import Path
from typing import Any

import pytest

from aob.core.graph import load
from aob.core.graph.definition import workflow_schema
from aob.core.json_schema import schema_problems
from aob.core.json_schema.problems import bad_schema
from tests.core.graph_texts import ORDER

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["order_id"],
    "properties": {"order_id": {"type": "string", "pattern": "^o-"}, "count": {"type": "integer", "minimum": 1},
                   "lines": {"type": "array", "items": {"type": "string"}}},
    "additionalProperties": False,
}  # fmt: skip


class TestAValue:
    def test_that_fits_has_no_problem(self) -> None:
        assert schema_problems(SCHEMA, {"order_id": "o-1", "count": 2}) == []

    def test_that_does_not_fit_is_told_everything_at_once(self) -> None:
        found = schema_problems(SCHEMA, {"order_id": "1", "count": 0, "lines": ["a", 3], "ordr": 1}, "/inputs")
        assert {problem.path for problem in found} == {
            "/inputs/order_id", "/inputs/count", "/inputs/lines/1", "/inputs/ordr",
        }  # fmt: skip

    def test_that_lacks_something_is_told_what(self) -> None:
        (problem,) = schema_problems(SCHEMA, {}, "/inputs")
        assert (problem.path, problem.hint) == ("/inputs", "add `order_id`")

    def test_with_a_misspelt_name_is_told_the_right_one(self) -> None:
        (problem,) = schema_problems(SCHEMA, {"order_id": "o-1", "cont": 3})
        assert (problem.path, problem.hint) == ("/cont", "did you mean `count`?")

    def test_by_a_schema_that_is_none_is_a_problem_and_no_crash(self) -> None:
        assert schema_problems({"type": "strin"}, {})[0].code == "bad_schema"

    def test_has_a_bounded_number_of_problems(self) -> None:
        assert len(schema_problems({"items": {"type": "string"}}, list(range(1_000)))) == 100


class TestASchema:
    @pytest.mark.parametrize(
        ("schema", "path"),
        [
            ({"type": "strin"}, "/type"),
            ({"properties": {"a": {"minimum": "x"}}}, "/properties/a/minimum"),
            ({"pattern": "(a"}, "/pattern"),
            ({"pattern": "(?=a)b"}, "/pattern"),
            ({"$ref": "#/nowhere"}, ""),
            ({"$ref": "http://127.0.0.1:1/x"}, ""),
            ({"$schema": "http://127.0.0.1:1/x"}, ""),
        ],
    )
    def test_that_is_wrong_is_told_where(self, schema: dict[str, Any], path: str) -> None:
        assert {problem.path for problem in bad_schema(schema, "")} == {path}

    def test_that_leads_out_of_itself_is_never_followed(self) -> None:
        (problem,) = bad_schema({"$ref": "http://127.0.0.1:1/x"}, "")
        assert "Retrieval is disabled" in problem.message

    def test_that_is_right_has_no_problem(self) -> None:
        assert not list(bad_schema(SCHEMA, ""))

    def test_is_bounded(self) -> None:
        assert [problem.code for problem in bad_schema({"description": "x" * 70_000}, "")] == ["too_large"]


class TestThePublishedSchema:
    def test_is_what_the_structs_say(self) -> None:
        path = Path(__file__).parents[2] / "spec" / "workflow.schema.json"
        assert json.loads(path.read_text()) == workflow_schema(), "run: python -m tools.make_schema"

    def test_is_a_schema(self) -> None:
        assert not list(bad_schema(workflow_schema(), ""))

    def test_takes_the_document_of_the_design(self) -> None:
        assert schema_problems(workflow_schema(), load(ORDER).tree) == []

    @pytest.mark.parametrize(
        "node",
        [
            {"kind": "htp"}, {"kind": "http"}, {"kind": "http", "config": {"url": "http://x", "urll": 1}}, {},
            {"kind": "map", "config": {"items": "x"}},
            {"kind": "timer", "config": {"for": "1s"}, "body": {"nodes": {}}},
            {"kind": "timer", "config": {"for": "1s"}, "effect": "nune"}, {"kind": "join", "retry": 0},
        ],
    )  # fmt: skip
    def test_refuses_what_check_refuses(self, node: dict[str, Any]) -> None:
        assert schema_problems(workflow_schema(), {"workflow": "w", "nodes": {"a": node}})
