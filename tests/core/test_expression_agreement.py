"""The translation of expressions agrees with the library on random expressions and values, errors included."""

import math
from datetime import UTC, datetime
from functools import partial
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from aob.core.expression import EvalError, Expression, ExpressionError, compile_expression
from tests.core.cel_reference import reference

NAMES = frozenset({"inputs", "nodes", "item", "now"})
FIELDS = ("a", "b", "c", "d")
EDGES = [0, 1, -1, 2, 3, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
UNSIGNED = [2**63, 2**64 - 1]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from(EDGES),
    st.sampled_from([0.0, -0.0, 0.5, 1.0, 2.0, -1.5, 1e308, float(2**53), float(2**63), 1e19]),
    st.sampled_from(["", "a", "b", "ab", "é", "😀", "10", "\0", "a\0", "a\0b", "1\0"]),
    st.sampled_from([b"", b"a", b"a\0", b"\0", b"\xff"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from((*FIELDS, "a\0")), inner, max_size=3),
    max_leaves=6,
)
NUMBERS = st.sampled_from([*EDGES, 4, 7, 0.5, 2.0, -1.5, 1e308])
LIKELY = {
    "a": NUMBERS,
    "b": st.lists(NUMBERS | VALUES, max_size=4),
    "c": st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=3),
    "d": st.sampled_from(["", "a", "b", "ab", "😀", "a\0", "\0a"]),
    "e": st.booleans(),
}
OBJECTS = st.fixed_dictionaries(
    {}, optional={name: st.one_of(kind, kind, kind, VALUES) for name, kind in LIKELY.items()}
)
NAMED = st.fixed_dictionaries(
    {
        "inputs": OBJECTS,
        "nodes": st.fixed_dictionaries({"n": st.fixed_dictionaries({"output": OBJECTS | VALUES})}),
        "now": st.just(datetime(2026, 1, 2, tzinfo=UTC)),
    },
    optional={"item": VALUES},
)

LITERALS = [
    *("0", "1", "2", "-1", "9223372036854775807", "9007199254740993", "0.0", "0.5", "1.0", "2.0", "9007199254740992.0"),
    *("true", "false", "null", '""', '"a"', '"ab"', '"😀"', "[]", "{}", '["a", "b"]', "[1, 2.0, true]"),
]
RARE = [
    'b"a"',
    'b"a\\x00"',
    '"a\\u0000"',
    "bytes(inputs.d)",
    "string(inputs.a)",
    "now",
    'duration("1h")',
    "inputs.d.matches('a')",
    "now.getHours()",
]
PATHS = [
    *("inputs.a", "inputs.b", "inputs.c", "inputs.d", "inputs.e", "inputs.c.a", 'inputs["a"]', "nodes.n.output"),
    *("nodes.n.output.a", "nodes.n.output.b", "item", "item.a", "item.b.c", 'nodes["n"].output.c'),
]
BINARY = ["+", "-", "*", "/", "%", "<", "<=", ">", ">=", "==", "!=", "in", "&&", "||"]
UNARY = ("!({0})", "-({0})", "size({0})", "string({0})", "int({0})", "double({0})", "has({0}.a)", "({0}).b", "[{0}]")
METHODS = ("({0}).startsWith({1})", "({0}).endsWith({1})", "({0}).contains({1})", "({0})[{1}]", "[{0}, {1}]")
ASKED = (
    *("dyn({0}).matches({1})", "dyn({0}).split({1})", "dyn({0}).join({1})", "dyn({0}).indexOf({1})"),
    *("dyn({0}).lastIndexOf({1})", "dyn({0}).charAt({1})", "dyn({0}).substring({1})", "dyn({0}).replace({1}, 'x')"),
    *("dyn({0}).format([{1}])", "math.greatest(dyn({0}), dyn({1}))", "math.least([dyn({0}), dyn({1})])"),
)
ASKED_OF_ONE = ("bytes({0})", "dyn({0}).lowerAscii()", "dyn({0}).trim()", "math.ceil(dyn({0}))", "math.abs(dyn({0}))")
MACROS = ("all", "exists", "exists_one", "filter", "map")
DEPTH_MAX = 4


@st.composite
def texts(draw: st.DrawFn, depth: int = DEPTH_MAX, bound: tuple[str, ...] = ()) -> str:
    """An expression; `dyn` hides types from the checker often, so that wrong ones meet at evaluation."""

    def inner(*more: str) -> str:
        return draw(texts(depth - 1, (*bound, *more)))

    shape = draw(st.integers(0, 11 if depth else 2))
    if shape <= 2:
        leaf = draw(st.sampled_from(RARE if draw(st.integers(0, 30)) == 30 else [*PATHS, *LITERALS, *bound * 8]))
        return f"dyn({leaf})" if leaf in LITERALS and draw(st.integers(0, 3)) else leaf
    if shape <= 6:
        text = f"({inner()}) {draw(st.sampled_from(BINARY))} ({inner()})"
    elif shape == 7:
        text = draw(st.sampled_from((*UNARY, *ASKED_OF_ONE))).format(inner())
    elif shape == 8:
        text = draw(st.sampled_from((*METHODS, *METHODS, *ASKED))).format(inner(), inner())
    elif shape == 9:
        text = f"({inner()}) ? dyn({inner()}) : ({inner()})"
    elif shape == 10:
        name = draw(st.sampled_from(["x", "item"]))
        first = f"{inner(name)}, " if draw(st.booleans()) else ""
        macro = "map" if first else draw(st.sampled_from(MACROS))
        text = f"({inner()}).{macro}({name}, {first}{inner(name)})"
    else:
        text = f'{{"a": {inner()}, "b" + string({inner()}): {inner()}}}'
    return f"dyn({text})" if draw(st.integers(0, 6)) else text


def compiled(text: str) -> Expression:
    return compile_expression(text, nodes=frozenset({"n"}), names=NAMES)


def exact(value: Any) -> Any:
    """The value with its types spelled out, so that true, 1 and 1.0 differ and nan is itself."""
    if isinstance(value, list):
        return [exact(item) for item in value]
    if isinstance(value, dict):
        return {exact(key): exact(item) for key, item in value.items()}
    if isinstance(value, float) and math.isnan(value):
        return ("float", "nan")
    return (type(value).__name__, repr(value))


def outcome(of: Any, names: dict[str, Any]) -> Any:
    try:
        return exact(of(names))
    except EvalError:
        return "an error"


def narrow(value: Any) -> Any:
    """The value with one key in each map: the library walks a map in an order of its own, another one each time."""
    if isinstance(value, list):
        return [narrow(item) for item in value]
    if isinstance(value, dict):
        return {key: narrow(item) for key, item in list(value.items())[:1]}
    return value


def given_names(text: str, names: dict[str, Any]) -> dict[str, Any]:
    """The names, narrowed where the text may walk a map."""
    if not any(f".{macro}(" in text for macro in MACROS):
        return names
    inputs = {name: narrow(value) for name, value in names["inputs"].items()}
    return {name: inputs if name == "inputs" else narrow(value) for name, value in names.items()}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(text=texts(), samples=st.lists(NAMED, min_size=3, max_size=6))
def test_a_translated_expression_gives_what_the_library_gives(text: str, samples: list[dict[str, Any]]) -> None:
    try:
        expression = compiled(text)
    except ExpressionError:
        assume(False)
        return
    for sample in samples:
        names = given_names(text, sample)
        assert outcome(expression.eval, names) == outcome(partial(reference, expression), names), (text, names)


EACH: list[Any] = [
    *(
        None,
        True,
        False,
        *EDGES,
        0.0,
        -0.0,
        0.5,
        1.0,
        -1.5,
        7,
        -7,
        1e308,
        float(2**53),
        float(2**63),
        math.inf,
        math.nan,
    ),
    *(b"", b"a"),
    *("", "a", "ab", "😀", "10", [], [1], [1.0], [True], [1, 2.0, "a"], [math.nan], [2**53 + 1], [[1], {"a": 1}]),
    *({}, {"a": 1}, {"a": 1.0}, {"a": True, "b": [None]}, {"b": {"a": 0}}),
]
FORMS = [
    *(f"inputs.a {operator} inputs.b" for operator in BINARY),
    *(form.format("inputs.a", "inputs.b") for form in METHODS),
    *("inputs.a ? 1 : inputs.b", '{"a": inputs.a, "b" + string(inputs.b): 1}'),
]


@pytest.mark.parametrize("text", FORMS)
def test_each_operator_agrees_on_every_pair_of_values(text: str) -> None:
    expression = compiled(text)
    for left in EACH:
        for right in EACH:
            names = {"inputs": {"a": left, "b": right}}
            assert outcome(expression.eval, names) == outcome(partial(reference, expression), names), (
                text,
                left,
                right,
            )


NULS: list[Any] = ["\0", "a\0b", "1\0", b"a\0", b"\0", ["a\0"], {"a\0": 1}, {"a": "\0"}]
FEW: list[Any] = ["", "a", "a\0b", "\0", b"a\0", 0, 1, 2, -1, 0.5, None, True, [], ["a", "\0"], {"a\0": "\0"}]


@pytest.mark.parametrize("text", FORMS)
def test_each_operator_agrees_on_values_that_hold_a_nul(text: str) -> None:
    expression = compiled(text)
    for left, right in [*product(NULS, FEW), *product(FEW, NULS)]:
        names = {"inputs": {"a": left, "b": right}}
        assert outcome(expression.eval, names) == outcome(partial(reference, expression), names), (text, left, right)


@pytest.mark.parametrize("form", ASKED)
def test_each_operation_that_is_asked_for_agrees_with_text_and_bytes_that_hold_a_nul(form: str) -> None:
    expression = compiled(form.format("inputs.a", "inputs.b"))
    for left in FEW:
        for right in FEW:
            names = {"inputs": {"a": left, "b": right}}
            assert outcome(expression.eval, names) == outcome(partial(reference, expression), names), (
                form,
                left,
                right,
            )


@pytest.mark.parametrize("method", ["indexOf", "lastIndexOf"])
def test_searching_a_text_agrees_from_every_place(method: str) -> None:
    whole, placed = compiled(f"inputs.a.{method}(inputs.b)"), compiled(f"inputs.a.{method}(inputs.b, inputs.c)")
    for text in ("", "a", "abab", "aXa\0Xa", "é😀é"):
        for part in ("", "a", "ab", "Xa", "é", "\0", "abc"):
            for at in (-1, 0, 1, 2, 3, 4, 5, 7, 9):
                names = {"inputs": {"a": text, "b": part, "c": at}}
                assert outcome(whole.eval, names) == outcome(partial(reference, whole), names), (text, part)
                assert outcome(placed.eval, names) == outcome(partial(reference, placed), names), (text, part, at)


@pytest.mark.parametrize("text", [form.format("inputs.a") for form in (*UNARY, *ASKED_OF_ONE)])
def test_each_function_agrees_on_every_value(text: str) -> None:
    expression = compiled(text)
    for value in [*EACH, *NULS, 1e19, -1e19, 2.5, -2.5]:
        names = {"inputs": {"a": value}}
        assert outcome(expression.eval, names) == outcome(partial(reference, expression), names), (text, value)


ITEMS: list[Any] = [
    *([], [1], [1, 1], [0, 1], [1, 0, 1], ["a", 1], [1, "a"], [0, "a"], [None], [True, False], [2, 3], [{}, {"y": 1}]),
    *([{"y": 1}, {}], [{"y": 1}, {"y": 1}], [{"y": 0}, {"y": 2}, 5], {}, {"a": 1}, "a", 1, None),
]


@pytest.mark.parametrize("body", ["x == 1", "x > 0", "x.y == 1", "x", "x == 'a'", "has(x.y)", "1", "[x, inputs.b]"])
@pytest.mark.parametrize("macro", [*MACROS, "map(x, true, x).filter"])
def test_each_macro_agrees_on_lists_that_hold_wrong_items(macro: str, body: str) -> None:
    expression = compiled(f"inputs.a.{macro}(x, dyn({body}))")
    for items in ITEMS:
        names = {"inputs": {"a": items, "b": 0}}
        assert outcome(expression.eval, names) == outcome(partial(reference, expression), names), (macro, body, items)


@pytest.mark.parametrize("operator", ["&&", "||"])
def test_logic_agrees_when_either_side_fails(operator: str) -> None:
    sides = [
        "true",
        "false",
        "dyn(1)",
        "inputs.missing",
        "1 / inputs.zero > 0",
        "inputs.yes",
        "inputs.no",
        "inputs.text",
    ]
    names = {"inputs": {"zero": 0, "yes": True, "no": False, "text": "a"}}
    for left in sides:
        for right in sides:
            expression = compiled(f"{left} {operator} {right}")
            assert outcome(expression.eval, names) == outcome(partial(reference, expression), names), (
                left,
                operator,
                right,
            )


@pytest.mark.parametrize("operator", BINARY[:11])
@pytest.mark.parametrize("literal", ["0", "1", "-2", "0.5", "9007199254740992", "9007199254740993.0"])
def test_comparisons_with_a_literal_agree_from_both_sides(operator: str, literal: str) -> None:
    values = [*EDGES, *UNSIGNED, 0.5, -2.0, float(2**53), math.inf, math.nan, None, True, "a", [1], {"a": 1}]
    for text in (f"inputs.a {operator} {literal}", f"{literal} {operator} inputs.a"):
        try:
            expression = compiled(text)
        except ExpressionError:
            continue  # the checker refuses, as for `%` of a double
        for value in values:
            names = {"inputs": {"a": value}}
            assert outcome(expression.eval, names) == outcome(partial(reference, expression), names), (text, value)
