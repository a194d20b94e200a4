"""Expressions: what a document may say, how a mistake is told, and what a value comes out as."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from aob.core.errors import AobError, Problem
from aob.core.expression import EvalError, Expression, ExpressionError, compile_expression
from aob.core.expression.evaluation.meter import UNITS_MAX
from aob.core.expression.expression import EXPRESSION_MAX
from tests.core.cel_reference import reference

NODES = frozenset({"score", "fetch-all"})
NAMES = frozenset({"inputs", "nodes", "item", "loop", "run", "now"})
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "total": {"type": "number"},
        "count": {"type": "integer"},
        "name": {"type": "string"},
        "vip": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "lines": {"type": "array", "items": {"$ref": "#/$defs/line"}},
        "first": {"$ref": "#/$defs/line"},
        "customer": {"type": "object", "properties": {"name": {"type": "string"}}, "additionalProperties": False},
        "extra": {"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "integer"}},
        "free": {"type": "object"},
        "either": {"anyOf": [{"type": "string"}, {"type": "object", "properties": {"x": {}}}]},
        "maybe": {"type": ["string", "null"]},
    },
    "$defs": {"line": {"type": "object", "properties": {"price": {"type": "number"}, "sku": {"type": "string"}}}},
}


def compiled(text: str, **more: Any) -> Expression:
    return compile_expression(text, **{"nodes": NODES, "names": NAMES, **more})


def problems(text: str, **more: Any) -> tuple[Problem, ...]:
    with pytest.raises(ExpressionError) as caught:
        compiled(text, **more)
    assert caught.value.problem is caught.value.problems[0]
    return caught.value.problems


def score(value: Any) -> dict[str, Any]:
    return {"nodes": {"score": {"output": value}}}


# --- what comes out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("risk", [2, 2.0, 1.5])
@pytest.mark.parametrize("text", ["nodes.score.output.risk > 0.7", "nodes.score.output.risk > 1"])
def test_a_json_number_compares_with_an_int_and_with_a_double(text: str, risk: float) -> None:
    assert compiled(text).eval(score({"risk": risk})) is True


def test_an_expression_tells_what_it_reads() -> None:
    expression = compiled('nodes.score.output.risk > 0.7 && has(nodes["fetch-all"].output) && run.id in inputs.x')
    assert expression.nodes == {"score", "fetch-all"}
    assert expression.names == {"nodes", "inputs", "run"}
    assert expression.kind == "bool"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("1", "int"),
        ("1.5", "double"),
        ('"a"', "string"),
        ("[1]", "list"),
        ('{"a": 1}', "map"),
        ("null", "null"),
        ("inputs.x", "dyn"),
        ("now", "timestamp"),
        ('duration("1h")', "duration"),
    ],
)
def test_the_kind_is_what_the_checker_knows(text: str, kind: str) -> None:
    assert compiled(text).kind == kind


def test_a_schema_tells_more_of_the_kind() -> None:
    assert compiled("inputs.name", input_schema=SCHEMA).kind == "string"
    assert compiled("inputs.vip", input_schema=SCHEMA).kind == "bool"
    assert compiled("inputs.total", input_schema=SCHEMA).kind == "dyn"
    assert compiled("nodes.score.output.name", node_types={"score": SCHEMA}).kind == "string"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('inputs.country in ["CH", "AT"] && inputs.total >= 100', True),
        ("has(inputs.vip) && inputs.vip", False),
        ('"order " + inputs.id + ": " + string(inputs.total)', "order o-17: 120"),
        ('inputs.total > 100 ? "large" : "small"', "large"),
        ("inputs.lines.exists(l, l.price > 50)", True),
        ("inputs.lines.filter(l, l.price > 50).map(l, l.sku)", ["b"]),
        ("inputs.lines.all(l, inputs.lines.exists_one(m, m.sku == l.sku))", True),
        ('{"id": inputs.id, "skus": inputs.lines.map(l, l.sku)}', {"id": "o-17", "skus": ["a", "b"]}),
        ("double(inputs.total) * 1.5", 180.0),
        ("-7 / 2 == -3 && -7 % 2 == -1", True),
        ("inputs.lines[1].price", 99.5),
        ("size(inputs.lines) == 2 && size(inputs.id) == 4", True),
        ("inputs.missing > 1 || true", True),
        ("1 / 0 > 0 && false", False),
        ("true == 1", None),
    ],
)
def test_the_common_part_is_translated_and_agrees_with_the_library(text: str, value: Any) -> None:
    names = {
        "inputs": {
            "country": "CH",
            "total": 120,
            "id": "o-17",
            "lines": [{"sku": "a", "price": 10}, {"sku": "b", "price": 99.5}],
        }
    }
    if value is None:
        problems(text)
        return
    expression = compiled(text)
    assert expression.eval(names) == reference(expression, names) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('inputs.id.matches("^o-[0-9]+$")', True),
        ("inputs.id.matches(inputs.pattern)", True),
        ('now > timestamp("2026-01-01T00:00:00Z") && now.getFullYear() == 2026', True),
        ("now - timestamp(inputs.at) > duration('24h')", True),
        ("[now] == [timestamp('2026-05-01T00:00:00Z')] && now != timestamp(inputs.at)", True),
        ("string(1.5) + string(now)", "1.52026-05-01T00:00:00Z"),
        ("int('12') + int(2.9) + int(inputs.big / 10000000000.0)", 114),
        ("size(b'abc') + size(bytes(inputs.id))", 7),
        ("type(inputs.id) == string && type(now) == google.protobuf.Timestamp && type(1) != type(1.0)", True),
        ("inputs.unsigned + inputs.unsigned > inputs.unsigned", False),
        ("inputs.l[1.0]", 2),
        ("bool('true') && 0.0 / 0.0 != 0.0 / 0.0", True),
    ],
)
def test_single_operations_are_asked_of_the_library(text: str, value: Any) -> None:
    inputs = {
        "id": "o-17",
        "pattern": "[0-9]",
        "at": "2026-04-01T00:00:00Z",
        "big": 1e12,
        "unsigned": 2**63,
        "l": [1, 2],
    }
    names = {"inputs": inputs, "now": datetime(2026, 5, 1, tzinfo=UTC)}
    expression = compiled(text)
    if value is False:
        with pytest.raises(EvalError, match="overflow"):
            expression.eval(names)
        return
    assert expression.eval(names) == reference(expression, names) == value


def test_only_what_is_read_crosses_over_to_the_library() -> None:
    names = {"inputs": {"id": "o-17", "other": object()}}
    assert compiled('inputs.id.matches("o")').eval(names) is True


def test_a_map_is_walked_in_the_order_of_its_keys_always() -> None:
    letters = {letter: letter for letter in "qwertzuiop"}
    expression = compiled("inputs.filter(k, inputs[k].matches('[^p]')).map(k, k + '!')")
    assert expression.eval({"inputs": letters}) == [f"{letter}!" for letter in sorted(letters) if letter != "p"]


def test_now_may_be_milliseconds_or_a_datetime() -> None:
    expression = compiled('now + duration("1h")')
    at = datetime(2026, 5, 1, 12, tzinfo=UTC)
    for now in (
        at,
        round(at.timestamp() * 1_000),
        at.astimezone(timezone(timedelta(hours=2))),
        at.replace(tzinfo=None),
    ):
        assert expression.eval({"now": now}) == at + timedelta(hours=1)
    with pytest.raises(EvalError, match="now is string"):
        expression.eval({"now": "noon"})
    with pytest.raises(EvalError, match="now"):
        expression.eval({})


def test_loop_may_be_used_although_cel_reserves_the_word() -> None:
    names = {"loop": {"index": 3, "previous": {"loop": "loop"}}}
    assert compiled('loop.index > 2 && loop.previous.loop == "loop"').eval(names) is True
    by_library = compiled("string(loop.index).matches('^3$') // loop\n && loop.previous.loop.matches(r'loop')")
    assert by_library.names == {"loop"}
    assert by_library.eval(names) is True
    assert compiled("[1, 2].map(loop, loop * 2)").eval({}) == [2, 4]
    assert problems("loop.indx > 1")[0].column == 6
    assert problems("loop.index + 'a'")[0].message == "'+' does not take (int, string)"
    assert "loop" in problems("lo0p.index")[0].message


def test_a_library_value_comes_out_as_plain_python() -> None:
    assert type(compiled('b"ab" + b"c"').eval({})) is bytes
    assert compiled('{"at": now, "for": [duration("90s")]}').eval({"now": 0}) == {
        "at": datetime(1970, 1, 1, tzinfo=UTC),
        "for": [timedelta(seconds=90)],
    }


# --- what is refused at load -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "column", "message", "hint"),
    [
        ('1 + "a"', 3, "'+' does not take (int, string)", "string(x)"),
        ("1 > 0.5", 3, "'>' does not take (int, double)", "double(x)"),
        ("!inputs.a ? 1 : 'x'", 11, "'?:' does not take (bool, int, string)", "dyn(x)"),
        ("'a' && true", 5, "'&&' does not take (string, bool)", "compare with something"),
        ("now + 1", 5, "'+' does not take (timestamp, int)", ""),
        ("nodes.scor.output.risk > 1", 7, "there is no node scor that comes before", "did you mean score?"),
        ("nodes.x.output", 7, "there is no node x that comes before", "fetch-all, score"),
        ('nodes["x"].output', 7, "there is no node x that comes before", ""),
        ("has(nodes.x)", 11, "there is no node x that comes before", ""),
        ("has(nodes.score.odes)", 17, "a node has no odes", ""),
        ("nodes . scor", 9, "there is no node scor that comes before", ""),
        ("nodes.score", 7, "nodes.score is not a value", "nodes.score.output"),
        ("nodes.score.result", 13, "a node has no result", "nodes.score.output"),
        ("nodes[inputs.id].output", 1, "a node must be named", "nodes.ID.output"),
        ("size(nodes)", 6, "a node must be named", "nodes.ID.output"),
        ("nodes.fetch-all.output", 7, "there is no node fetch that comes before", "did you mean fetch-all?"),
        ("inputs.order-id", 14, "there is no name id", '["order-id"]'),
        ("inptus.total > 1", 1, "there is no name inptus", "did you mean inputs?"),
        ("size(inptus.a.b)", 6, "there is no name inptus", "did you mean inputs?"),
        ("xyz", 1, "there is no name xyz", "here are inputs, item, loop, nodes, now, run"),
        ("run.idd", 5, "run has no field idd", "did you mean id?"),
        ('inputs.a.startsWit("x")', 10, "there is no function startsWit", "did you mean startsWith?"),
        ("'a'.startsWith(1)", 5, "'startsWith' does not take (string, int)", ""),
        ("inputs.l.exist(x, x.a > 1)", 10, "there is no function exist", "did you mean exists?"),
        ("inputs.a = 1", 10, "syntax error: '=' is not an operator", "=="),
        ("inputs.a and inputs.b", 10, "syntax error at and", "&&"),
        ("not inputs.a", 1, "syntax error at not", "!"),
        ("(inputs.a", 10, "syntax error: the expression ends too early", ""),
        ('"abc', 1, "syntax error: a text that is not closed", ""),
        ("nodes.in.output", 7, "syntax error: in is a word of the language", '["in"]'),
        ("", 1, "the expression is empty", "inputs.total > 100"),
        ("a b", 3, "syntax error", ""),
        ("1\n + 'a'", 2, "'+' does not take", ""),
        ("99999999999999999999", 1, "invalid int literal", ""),
        ("'a'.b", 4, "string has no fields", ""),
        ("int", 1, "a type is not a value", "type(x) == int"),
        ('timestamp("noon")', 10, 'timestamp cannot read "noon"', ""),
        ('inputs.a.matches("[")', 17, 'matches cannot read "["', ""),
        ("inputs.a > 1u", 12, "unsigned numbers are no part", ""),
        ("uint(inputs.a)", 5, "unsigned numbers are no part", ""),
        ("google.protobuf.Int64Value{value: 1}", 1, "messages are no part", ""),
        ('{1: "a"}', 2, "the keys of a map are text", ""),
        ("'é😀' + 1", 6, "'+' does not take (string, int)", ""),
    ],
)
def test_a_mistake_is_told_with_its_column_and_a_hint(text: str, column: int, message: str, hint: str) -> None:
    first = problems(text)[0]
    assert (first.column, first.code) == (column, "bad_expression")
    assert message in first.message
    assert hint in first.hint
    source, caret = first.caret.split("\n")
    assert source == text.split("\n")[first.line - 1]
    assert caret == " " * (column - 1) + "^"


def test_every_mistake_of_a_text_is_told_at_once_in_its_order() -> None:
    found = problems("inputs.totl > 1 && inputs.name + 1 == nodes.x.output && foo(2)", input_schema=SCHEMA)
    assert [each.column for each in found] == [8, 32, 45, 57]


def test_the_place_is_that_of_the_document() -> None:
    found = problems("true &&\n  1 + 'a'", line=12, column=9)[0]
    assert (found.line, found.column, found.caret) == (13, 5, "  1 + 'a'\n    ^")
    assert problems("foo(1)", line=12, column=9)[0].column == 9
    assert "12:9 /: there is no function foo\nfoo(1)\n^" in str(problems("foo(1)", line=12, column=9)[0])


def test_a_name_that_exists_elsewhere_says_where() -> None:
    here = frozenset({"inputs", "nodes"})
    assert "body of a map" in problems("item.a > 1", names=here)[0].hint
    assert "body of a loop" in problems("loop.index", names=here)[0].hint
    assert compiled("[1].map(item, item)", names=here).names == frozenset()
    assert compiled("payload.x > 1", names=frozenset({"payload"})).eval({"payload": {"x": 2}}) is True


def test_a_condition_must_be_a_bool() -> None:
    assert problems("inputs.a + 'x'", want="bool")[0].message == "this must be true or false, and it is string"
    assert problems("inputs.name", want="bool", input_schema=SCHEMA)
    assert compiled("inputs.vip", want="bool", input_schema=SCHEMA).kind == "bool"
    open_kind = compiled("inputs.vip", want="bool")
    assert open_kind.eval({"inputs": {"vip": True}}) is True
    with pytest.raises(EvalError, match="it is int"):
        open_kind.eval({"inputs": {"vip": 1}})


@pytest.mark.parametrize(
    "text",
    [
        "inputs.total > 1 && inputs.total > 0.5 && inputs.total != 1.0",
        "inputs.total * 2 > 10",
        "inputs.count > 0.5 || 1.5 == inputs.count",
        "has(inputs.vip) && inputs.vip && has(inputs.customer.name)",
        "inputs.lines[0].price > 1 && inputs.lines.exists(l, l.sku == 'a')",
        "inputs.first.price > 1",
        "inputs.free.anything.goes + 1 > 2",
        "inputs.extra.more + 1 > 2",
        "inputs.either.y == inputs.maybe",
        "inputs.tags.map(inputs, inputs.anything) == []",
        "'a' in inputs.tags",
        "has(inputs.unheard_of)",
    ],
)
def test_a_schema_leaves_in_peace_what_may_be_right(text: str) -> None:
    assert compiled(text, input_schema=SCHEMA).kind == "bool"


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("inputs.totl > 1", 8, "inputs has no field totl"),
        ('inputs["totl"] > 1', 8, "inputs has no field totl"),
        ("inputs.customer.nam", 17, "inputs.customer has no field nam"),
        ("has(inputs.custmer.name)", 12, "inputs has no field custmer"),
        ("inputs.first.prize > 1", 14, "inputs.first has no field prize"),
        ("inputs.name + 1", 13, "(string, int)"),
        ("inputs.total + 'a'", 14, "(int, string)"),
        ("inputs.total * 2.0 + 1", 20, "(double, int)"),
        ("inputs.count + 1.5", 14, "(int, double)"),
        ("inputs.name == 1", 13, "(string, int)"),
        ("inputs.tags[0] + 1", 16, "(string, int)"),
        ("1 in inputs.tags", 3, "(int, list(string))"),
        ("inputs.name.first", 12, "string has no fields"),
        ("inputs.extra.more + 'a'", 19, "(int, string)"),
        ("inputs.vip && inputs.name", 12, "(bool, string)"),
    ],
)
def test_a_schema_finds_what_must_be_wrong(text: str, column: int, message: str) -> None:
    found = problems(text, input_schema=SCHEMA)[0]
    assert (found.column, message in found.message) == (column, True), found
    inner = text.replace("inputs", "nodes.score.output")
    assert message.replace("inputs", "nodes.score.output") in problems(inner, node_types={"score": SCHEMA})[0].message


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"properties": True},
        {"$ref": "#"},
        {"$ref": "#/nowhere"},
        {"$ref": "https://example.org/schema"},
        {"properties": {"a": True, "b": {"$ref": "#/properties/b"}}},
        {"type": 7, "properties": {"a": {"type": "array", "items": False}, "b": {"type": "number"}}},
    ],
)
def test_an_odd_schema_is_no_reason_to_refuse(schema: dict[str, Any]) -> None:
    assert compiled("inputs.a == inputs.b", input_schema=schema).kind == "bool"


@pytest.mark.parametrize(
    "text",
    [
        "(" * 50 + "1" + ")" * 50,
        "+".join(["1"] * 100),
        "[" * 40 + "]" * 40,
        "x" * (EXPRESSION_MAX + 1),
        "'\ud800' == 1",
    ],
)
def test_what_is_too_long_too_deep_or_not_text_is_refused(text: str) -> None:
    assert problems(text)[0].message
    assert issubclass(ExpressionError, AobError)


def test_a_long_line_is_shown_around_the_caret() -> None:
    found = problems("true && " * 200 + "nope")[0]
    source, caret = found.caret.split("\n")
    assert len(source) <= 120
    assert source[caret.index("^") :] == "nope"


# --- what fails at evaluation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "inputs", "message"),
    [
        ("inputs.a", {}, "inputs has no field 'a'"),
        ("inputs.a.b.c", {"a": {"b": {}}}, "inputs.a.b has no field 'c'"),
        ("inputs.a.b", {"a": [1]}, "inputs.a is list and has no field 'b'"),
        ("inputs.a * 1.5", {"a": 2}, r"'\*' does not take int and double; double\(x\)"),
        ("inputs.a + 1", {"a": 2**63 - 1}, "integer overflow"),
        ("inputs.a / 0", {"a": 1}, "division by zero"),
        ("inputs.a > 1", {"a": "x"}, "'>' does not take string and int"),
        ("inputs.a && true", {"a": 1}, "'&&' does not take int and bool"),
        ("inputs.a[2]", {"a": [1]}, "index 2 is outside a list of 1"),
        ("inputs.a.map(x, x)", {"a": 1}, "a macro runs over a list or a map, not over int"),
        ("inputs.a.filter(x, x)", {"a": [1]}, "the condition of a macro is int, not a bool"),
        ("inputs.a ? 1 : 2", {"a": "yes"}, "the condition of '\\?:' is string, not a bool"),
        ("has(inputs.a.b)", {"a": None}, "null has no fields"),
        ("inputs.a.startsWith('x')", {"a": 1}, "startsWith does not take int and string"),
        ("{inputs.a: 1}", {"a": 1}, "the keys of a map are text, and this is int"),
        ("{inputs.a: 1, 'x': 2}", {"a": "x"}, "the map has the key 'x' twice"),
        ("inputs.a.matches('x')", {"a": 1}, "matches.* is not possible"),
        ("now + inputs.a", {"a": 1}, r"'\+' does not take \(timestamp, int\)"),
        ("now.getHours(inputs.a)", {"a": 1}, "getHours"),
        ("inputs.a.getHours()", {"a": 1}, "getHours.* is not possible"),
        ("item", {}, "item has no value here"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error_with_words(text: str, inputs: dict[str, Any], message: str) -> None:
    expression = compiled(text)
    with pytest.raises(EvalError, match=message):
        expression.eval({"inputs": inputs, "now": 0})
    if "keys of a map" not in message:
        with pytest.raises(EvalError):
            reference(expression, {"inputs": inputs, "now": 0})


def test_loops_have_a_limit_that_no_logic_absorbs() -> None:
    many = {"inputs": {"l": list(range(1_000))}}
    expression = compiled("inputs.l.all(a, inputs.l.all(b, b >= 0)) || true")
    with pytest.raises(EvalError, match=f"{UNITS_MAX:,} operations"):
        expression.eval(many)
    assert compiled("inputs.l.exists(a, a == 399)").eval(many) is True


def test_values_nested_too_deeply_are_an_error() -> None:
    deep: list[Any] = []
    other: list[Any] = []
    for _ in range(5_000):
        deep, other = [deep], [other]
    with pytest.raises(EvalError, match="nested too deeply"):
        compiled("inputs.a == inputs.b").eval({"inputs": {"a": deep, "b": other}})


# --- the house -------------------------------------------------------------------------------------------------------


def test_the_library_is_loaded_by_the_first_expression_only() -> None:
    script = "import sys, aob.core.expression; sys.exit(any(name.startswith('cel_expr') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_same_text_in_two_places_is_judged_in_each() -> None:
    text = "nodes.score.output > 1"
    assert compiled(text).nodes == {"score"}
    assert problems(text, nodes=frozenset())[0].hint == "no node comes before it"
    assert compiled(text).nodes == {"score"}
