"""A value never takes a JSON Schema more steps than there is a bound for; ordinary schemas know no bound at all."""

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aob.core import json_schema as jsonschema_rs_user
from aob.core.contract import read_contracts
from aob.core.ingest import Gate, Refused
from aob.core.json_schema import Checker, checker_of, schema_problems
from aob.core.json_schema.bound import WORK_MAX
from aob.core.json_schema.checker import FAULTS_WORK_MAX
from aob.core.value import canonical

N = {"$ref": "#/$defs/n"}
ANY_MEMBER: dict[str, Any] = {"type": "object", "additionalProperties": N}
DOUBLE = {**N, "$defs": {"n": {"anyOf": [{**ANY_MEMBER, "required": ["zz"]}, {**ANY_MEMBER, "required": ["yy"]}]}}}


def nested(depth: int, leaf: Any = None) -> Any:
    value: Any = {} if leaf is None else leaf
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def union(kinds: int, *, required: bool = True, last: bool = False, combine: str = "oneOf") -> dict[str, Any]:
    """A tree of nodes whose `kind` says what they are."""
    alternatives = []
    for number in range(kinds):
        members = {"kind": {"const": f"k{number}"}, "a": N, "b": {"type": "array", "items": N}}
        members = dict(reversed(members.items())) if last else members
        alternatives.append({"type": "object", "properties": members, "required": ["kind"] if required else []})
    return {**N, "$defs": {"n": {combine: alternatives}}}


def tree(depth: int, kinds: int, kind: str = "") -> dict[str, Any]:
    value: dict[str, Any] = {"kind": kind or "k0"}
    for number in range(depth):
        value = {"kind": f"k{number % kinds}", "a": value, "b": [{"kind": "k1"}]}
    return value


def checker(schema: Any) -> Checker:
    found = checker_of(canonical(schema))
    assert isinstance(found, Checker)
    return found


def test_alternatives_to_the_power_of_the_depth_have_a_limit() -> None:
    assert checker(DOUBLE).bound.work(nested(16)) == 2**16 <= WORK_MAX
    assert "nested too deeply" not in schema_problems(DOUBLE, nested(16))[0].message
    for depth in (17, 20, 500):
        (problem,) = schema_problems(DOUBLE, nested(depth), "/inputs")
        assert (problem.path, problem.code) == ("/inputs", "bad_value")
        assert "nested too deeply" in problem.message


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("combine", ["oneOf", "anyOf"])
def test_an_ordinary_tagged_union_stays_at_any_depth(combine: str, required: bool, last: bool) -> None:
    schema = union(5, required=required, last=last, combine=combine)
    assert schema_problems(schema, tree(60, 5)) == []
    (problem,) = schema_problems(schema, tree(60, 5, kind="unknown"))
    assert (problem.path, problem.code) == ("", "bad_value")


def test_a_union_that_forgets_its_tags_is_bounded_by_its_alternatives() -> None:
    schema = union(2, required=False)
    assert schema_problems(schema, nested(10, {"kind": "k0"}))
    assert "nested too deeply" in schema_problems(schema, nested(40))[0].message


@pytest.mark.parametrize(
    ("schema", "factor"),
    [
        (DOUBLE, 2),
        ({**N, "$defs": {"n": {"allOf": [ANY_MEMBER, ANY_MEMBER, {"items": N}]}}}, 2),
        ({**N, "$defs": {"n": {"if": ANY_MEMBER, "then": ANY_MEMBER, "else": ANY_MEMBER}}}, 3),
        ({**N, "$defs": {"n": {"anyOf": [{"items": N}, ANY_MEMBER, {"type": "string"}]}}}, 1),  # JSON itself
        ({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}, 1),  # a binary tree
        ({"properties": {"a": {"$ref": "#"}}, "patternProperties": {"^a": {"$ref": "#"}, "a$": {"$ref": "#"}}}, 3),
        ({"contains": {"$ref": "#"}, "items": {"$ref": "#"}}, 2),
        ({"$anchor": "me", "anyOf": [{"items": {"$ref": "#me"}}, {"items": {"$dynamicRef": "#me"}}]}, 2),
        ({"properties": {"a": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}}, 1),
        ({"$defs": {"x": {"items": {"$ref": "#/$defs/y"}}, "y": {"anyOf": [{"$ref": "#/$defs/x"}] * 3}}}, 3),
        ({"type": "object", "properties": {"a": {"anyOf": [{"type": "string"}, {"type": "integer"}]}}}, 1),
        ({"$ref": "#"}, 1),
        (True, 1),
        (union(9), 1),
    ],
)
def test_only_what_leads_back_to_itself_more_than_once_counts(schema: Any, factor: int) -> None:
    assert checker(schema).bound.told == factor


def test_alternatives_of_alternatives_are_bounded_without_a_cycle_too() -> None:
    defs: dict[str, Any] = {f"n{at}": {"anyOf": [{"$ref": f"#/$defs/n{at + 1}"}] * 2} for at in range(40)}
    schema = {"$ref": "#/$defs/n0", "$defs": {**defs, "n40": {"type": "string"}}}
    assert "steps" in schema_problems(schema, 1)[0].message


def test_a_contract_refuses_such_an_event_with_its_reason() -> None:
    contract = {"event": "doc", "version": 1, "schema": {"type": "object", "properties": {"tree": N}, **DOUBLE}}
    contract["schema"] = {"type": "object", "properties": {"tree": N}, "$defs": DOUBLE["$defs"]}
    gate = Gate(read_contracts({"a.json": canonical(contract).decode()}))
    line = {"id": "1", "source": "s", "type": "doc", "time": 1, "data": {"tree": nested(40)}}
    found = gate.look(canonical(line), 10_000)
    assert isinstance(found, Refused)
    assert "nested too deeply" in found.reasons[0].message


TAGGED = st.sampled_from([union(3), union(3, required=False), union(3, last=True, combine="anyOf"), DOUBLE])
NODES: Any = st.recursive(
    st.sampled_from([{}, {"kind": "k0"}, {"kind": "k1", "a": {}}, {"kind": 1}, "x", 7, None, {"zz": {}, "yy": {}}]),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"kind": st.sampled_from(["k0", "k1", "k2", "k9"]), "a": inner, "b": st.lists(inner, max_size=2)}
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(schema=TAGGED, value=NODES)
def test_tags_judged_first_change_no_verdict(schema: dict[str, Any], value: Any) -> None:
    plain = jsonschema_rs.validator_for(schema)
    judged = checker(schema)
    assert judged.is_valid(value) is plain.is_valid(value)
    if judged.bound.work(value) <= FAULTS_WORK_MAX and not plain.is_valid(value):
        assert [fault.path for fault in judged.faults(value)] == [
            tuple(fault.instance_path) for fault in plain.iter_errors(value)
        ]


SCHEMAS: Any = st.recursive(
    st.sampled_from(
        [True, {"type": "object"}, {"$ref": "#"}, {"$ref": "#/$defs/n"}, {"required": ["a"]}, {"type": "null"}]
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "anyOf": st.lists(inner, min_size=1, max_size=3),
            "allOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "properties": st.dictionaries(st.sampled_from(["a", "b", "kind"]), inner, max_size=2),
            "additionalProperties": inner,
            "items": inner,
        },
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(schema=SCHEMAS, defined=SCHEMAS, value=NODES)
def test_no_schema_changes_its_verdict_or_raises(schema: Any, defined: Any, value: Any) -> None:
    whole = {**(schema if isinstance(schema, dict) else {}), "$defs": {"n": defined}}
    found = checker_of(canonical(whole))
    if isinstance(found, Checker) and found.bound.work(value) <= WORK_MAX:
        assert found.is_valid(value) is jsonschema_rs.validator_for(whole).is_valid(value)


def test_every_schema_is_judged_by_the_one_checker() -> None:
    package = Path(jsonschema_rs_user.__file__).parents[2]
    users = [path for path in package.rglob("*.py") if "jsonschema_rs" in path.read_text()]
    assert [path.name for path in users] == ["checker.py"]
