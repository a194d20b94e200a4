"""What an expression may cost: operations, bytes compared and bytes made have a limit, existing values are free."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aob.core.expression import EvalError, Expression, compile_expression
from aob.core.expression.evaluation import METER, Meter
from aob.core.expression.evaluation.meter import ASKED_UNITS, MADE_MAX, UNITS_MAX
from tests.core.cel_reference import reference

NAMES = frozenset({"inputs", "nodes", "item", "now"})
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "number"}, "n": {"type": "integer"}, "s": {"type": "string"}},
}
OPERATIONS = f"more than {UNITS_MAX:,} operations"
MADE = "makes more than 1 MiB"


def compiled(text: str, **more: Any) -> Expression:
    return compile_expression(text, **{"nodes": frozenset({"f"}), "names": NAMES, **more})


def spent(text: str, inputs: dict[str, Any]) -> tuple[int, int]:
    """Units and bytes that an evaluation takes, under limits that nothing here reaches."""
    expression = compiled(text)
    meter = Meter(10**9, 10**9)
    assert expression.counted
    meter.settle(expression._run({"inputs": inputs, METER: meter}))
    return 10**9 - meter.units, 10**9 - meter.bytes


def test_many_comparisons_with_a_long_list_end_with_an_error() -> None:
    output = {"l": list(range(300)), "m": list(range(1_000, 101_000))}
    expression = compiled("nodes.f.output.l.map(i, i in nodes.f.output.m).size() > 0")
    with pytest.raises(EvalError, match=OPERATIONS):
        expression.eval({"nodes": {"f": {"output": output}}})


@pytest.mark.parametrize(
    "text",
    [
        '["xxxxxxxxxx"]' + ".map(a, a + a)" * 24,
        '[["x"]]' + ".map(a, a + a)" * 24,
        '["x"]' + ".map(a, [a, a])" * 24,
        '["x"]' + '.map(a, {"a": a, "b": a})' * 24,
        '["0123456789"]' + ".map(a, a.replace('', a))" * 8,
        '["0123456789"]' + ".map(a, [a, a, a, a, a, a, a, a].join(a))" * 8,
        '["0123456789"]' + ".map(a, '%s%s'.format([a, a]))" * 20,
        "inputs.l.map(x, inputs.big)",
        "inputs.l.map(x, inputs.text)",
        'inputs.l.map(x, {"a": [inputs.text]})',
        "inputs.text + inputs.text",
        "bytes(inputs.text)",
        "inputs.text.upperAscii() + 'x'",
        "inputs.text.split('')",
        "[inputs.text, inputs.text].join('')",
        "'%s'.format([inputs.text])",
        "[" + ", ".join(["inputs.big"] * 200) + "]",
    ],
)
def test_what_makes_too_much_ends_with_an_error_before_it_is_made(text: str) -> None:
    inputs = {
        "l": list(range(1_000)),
        "big": [{"name": "x" * 90, "n": n} for n in range(100)],
        "text": "y" * (MADE_MAX + 1),
    }
    with pytest.raises(EvalError, match=f"{MADE}|{OPERATIONS}"):
        compiled(text).eval({"inputs": inputs})


@pytest.mark.parametrize(
    "text",
    [
        "inputs.l.all(a, inputs.l.all(b, b >= 0))",
        "inputs.l.exists(x, inputs.l == [x])" + " || inputs.l.exists(x, inputs.l == inputs.k)" * 120,
        "inputs.l.all(x, inputs.text == inputs.same)",
        "inputs.l.exists(x, inputs.text + string(x) == inputs.same) || inputs.l.exists(x, inputs.text < inputs.same)",
        "inputs.l.exists(x, inputs.text.contains('z'))",
        "inputs.l.exists(x, inputs.text.matches('z'))",
        "inputs.l.exists(x, inputs.text.indexOf('z') > 0)",
        "inputs.l.exists(x, inputs.text in inputs.texts)",
        "inputs.l.exists(x, {'a': inputs.l} == {'a': inputs.k})",
        "inputs.m.all(k, inputs.m.all(j, inputs.m.all(i, i == j || i == k || true)))",
        "inputs.l.exists(x, math.greatest(inputs.l) < 0)",
        "inputs.l.exists(x, 'x'.format([inputs.l]) == '')",
    ],
)
def test_what_compares_or_searches_too_much_ends_with_an_error(text: str) -> None:
    text_1 = "y" * 200_000
    inputs = {
        "l": list(range(1_001)),
        "k": [*range(1_000), -1],
        "text": text_1,
        "same": "y" * 200_000,
        "texts": ["y" * 199_999 + "x"] * 5,
        "m": {f"k{n}": n for n in range(120)},
    }
    with pytest.raises(EvalError, match=f"{OPERATIONS}|{MADE}"):
        compiled(text).eval({"inputs": inputs})


def test_no_logic_absorbs_the_limit() -> None:
    expression = compiled("inputs.l.all(a, inputs.l.all(b, b >= 0)) || true")
    with pytest.raises(EvalError, match=OPERATIONS):
        expression.eval({"inputs": {"l": list(range(1_000))}})


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("inputs.l.map(x, x)", 2 + 10 * 2 + 1),  # the macro and its source; a turn and its value; 80 bytes made
        ("inputs.l.map(x, x + 1)", 2 + 10 * 3 + 1),
        ("inputs.l.filter(x, x > 100)", 2 + 10 * 3),
        ("inputs.l.exists(x, x == 0)", 2 + 3),
        ("inputs.l.all(x, x < 0 && x > 100)", 2 + 4),
        ("inputs.l.all(x, x >= 0 && x < 100)", 2 + 10 * 6),
        ("inputs.l == inputs.k", 3 + 10),
        ("inputs.s == inputs.t", 3 + 640 // 64),
        ("inputs.s == inputs.u", 3),  # of another length: nothing is looked at
        ("5 in inputs.l", 2 + 10),
        ("inputs.s + inputs.t", 3 + 1_280 // 64),
        ("[1].exists(x, inputs.s.matches('a'))", 2 + 3 + ASKED_UNITS + 4 * 10),
    ],
)
def test_an_operation_is_a_unit_and_so_are_64_bytes(text: str, units: int) -> None:
    inputs = {"l": list(range(10)), "k": list(range(10)), "s": "x" * 640, "t": "x" * 640, "u": "x" * 639}
    assert spent(text, inputs)[0] == units


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("inputs.l.map(x, x)", 80),
        ("inputs.l.filter(x, x > 5)", 32),
        ("inputs.s + inputs.s", 20),
        ("inputs.l + inputs.l", 160),
        ("[1].map(x, inputs.big)", 8 + 8),  # the list of the text, the list made; what stands in it is free
        ("[1].map(x, [inputs.big])", 8 + 8 + 8),
        ("[1, 2].map(x, inputs.big)", 16 + 16 + 10_000),  # each place but the first is made when it is written
    ],
)
def test_what_is_made_is_counted_and_what_exists_is_free(text: str, made: int) -> None:
    assert spent(text, {"l": list(range(10)), "s": "x" * 10, "big": "y" * 10_000})[1] == made


def test_large_values_pass_by_reference() -> None:
    big = {"rows": [{"n": n, "text": f"{n}" + "x" * 1_000} for n in range(5_000)]}
    names = {"inputs": {"big": big}}
    assert compiled("inputs.big").eval(names) is big
    assert compiled('{"a": inputs.big, "b": 1}').eval(names)["a"] is big
    assert len(compiled("inputs.big.rows.filter(r, r.n > 10)").eval(names)) == 4_989
    assert compiled("inputs.big.rows.map(r, r.text)").eval(names)[7] == "7" + "x" * 1_000


def test_a_long_honest_loop_fits() -> None:
    names = {"inputs": {"l": list(range(100_000))}}
    assert compiled("inputs.l.filter(x, x % 2 == 0).size()").eval(names) == 50_000
    assert compiled("inputs.l.map(x, x * 2).size()").eval(names) == 100_000


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        ("nodes.f.output.risk > 0.7", False),
        ('inputs.country in ["CH", "DE"] && inputs.total >= 100', False),
        ('has(inputs.vip) && inputs.vip == true || inputs.kind == "x"', False),
        ("inputs.x - inputs.y * 2.0", False),
        ("inputs.x + 1", False),
        ("inputs.a + inputs.n", False),  # numbers by their schema
        ("inputs.s.startsWith('a') && inputs.s.matches('^a')", False),
        ("now.getHours() > 8 && now > timestamp('2026-01-01T00:00:00Z')", False),
        ('{"id": inputs.s, "n": [inputs.n, inputs.a]}', False),
        ("math.ceil(inputs.a)", False),
        ("inputs.x + inputs.y", True),
        ("inputs.x == inputs.y", True),
        ("inputs.x in inputs.y", True),
        ("inputs.l.exists(x, x > 1)", True),
        ("inputs.s.split(',')", True),
        ("inputs.s < inputs.t || inputs.s < inputs.u || inputs.s < inputs.v || inputs.s < inputs.w", True),
    ],
)
def test_an_expression_whose_cost_has_a_bound_carries_no_counter(text: str, counted: bool) -> None:
    assert compiled(text, input_schema={**SCHEMA, "additionalProperties": True}).counted is counted


TEXTS = st.sampled_from(
    [
        "inputs.l.map(x, x + x)",
        "inputs.l.filter(x, x in inputs.k).map(x, [x, inputs.k])",
        "inputs.l.map(x, inputs.k.map(y, [x, y]))",
        'inputs.l.map(x, {"a": inputs.k, "b": x})',
        "inputs.l + inputs.k == inputs.k + inputs.l",
        "inputs.l.map(x, string(x)).join(inputs.s)",
        "inputs.s.replace('a', inputs.s).split('b')",
        "inputs.l.exists(x, inputs.s.matches('a*b')) || inputs.s < inputs.s + 'a'",
    ]
)


@settings(max_examples=30, deadline=None)
@given(text=TEXTS, length=st.integers(0, 60), other=st.integers(0, 60), size=st.integers(0, 500))
def test_counting_changes_no_value(text: str, length: int, other: int, size: int) -> None:
    expression = compiled(text)
    names = {"inputs": {"l": list(range(length)), "k": list(range(other)), "s": "ab" * size}}
    try:
        given_value = expression.eval(names)
    except EvalError as error:
        assert MADE in str(error) or OPERATIONS in str(error)  # noqa: PT017
        return
    assert given_value == reference(expression, names)


def test_expressions_that_share_a_meter_may_together_cost_what_one_may() -> None:
    expression = compiled("inputs.l.map(x, x * 2).size()")
    names, meter = {"inputs": {"l": list(range(100_000))}}, Meter()
    assert expression.eval(names, meter) == 100_000
    with pytest.raises(EvalError, match=f"{OPERATIONS}|{MADE}"):
        [expression.eval(names, meter) for _ in range(4)]
