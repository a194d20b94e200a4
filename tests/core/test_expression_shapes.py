"""Names with a shape of their own: what is known of an event is judged strictly."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.expression import EvalError, ExpressionError, compile_expression

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "price": {"type": "number"},
        "count": {"type": "integer"},
        "coupon": {"type": "string"},
        "card": {"type": "object", "properties": {"bank": {"type": "string"}, "kind": {"type": "string"}},
                 "required": ["kind"]},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["price", "count", "tags"],
}  # fmt: skip
SHAPES: dict[str, Any] = {"data": SCHEMA, "time": "timestamp", "subject": "string"}


def compiled(text: str) -> Any:
    return compile_expression(text, nodes=frozenset(), names=frozenset(SHAPES), shapes=SHAPES)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("data.price * 2.0", "double"),
        ("data.price > 2", "bool"),
        ("data.count * 2", "int"),
        ("double(data.count) * data.price", "double"),
        ("time", "timestamp"),
        ("time > timestamp('2026-01-01T00:00:00Z')", "bool"),
        ("has(data.coupon) && data.coupon == 'x'", "bool"),
        ("!has(data.coupon) || data.coupon == 'x'", "bool"),
        ("has(data.coupon) ? data.coupon : subject", "dyn"),
        ("has(data.card) && has(data.card.bank) && data.card.bank == 'x'", "bool"),
        ("!(!has(data.card) || data.price > 1.0) && data.card.kind == 'x'", "bool"),
        ("data.tags.exists(t, t == 'x')", "bool"),
    ],
)
def test_what_is_safe_is_accepted_with_its_kind(text: str, kind: str) -> None:
    assert compiled(text).kind == kind


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("data.price * 2", "'*' does not take (double, int)", 11),
        ("time + 1", "'+' does not take (timestamp, int)", 5),
        ("data.cuopon", "data has no field cuopon", 5),
        ("data.coupon == 'x'", "data.coupon may be missing", 5),
        ("data.coupon == 'x' && has(data.coupon)", "data.coupon may be missing", 5),
        ("has(data.coupon) || data.coupon == 'x'", "data.coupon may be missing", 25),
        ("has(data.coupon) ? 'x' : data.coupon", "data.coupon may be missing", 30),
        ("(has(data.coupon) || data.price > 1.0) && data.coupon == 'x'", "data.coupon may be missing", 47),
        ("has(data.card.bank)", "data.card may be missing", 9),
        ("has(data.card) && data.card.bank == 'x'", "data.card.bank may be missing", 28),
        ("data.tags.exists(t, t == data.coupon)", "data.coupon may be missing", 30),
    ],
)
def test_what_may_fail_is_refused_at_its_place(text: str, message: str, offset: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        compiled(text)
    assert [(each.message, each.column) for each in caught.value.problems] == [(message, offset + 1)]


PATHS = ["data.price > 1.0", "data.coupon == 'x'", "data.card.kind == 'x'", "data.card.bank == 'x'"]
TESTS = ["has(data.coupon)", "has(data.card)", "has(data.card.bank)"]
CONDITIONS = st.recursive(
    st.sampled_from(PATHS + TESTS),
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!({})".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=6,
)
EVENTS = st.fixed_dictionaries(
    {"price": st.floats(0, 3), "count": st.integers(0, 3), "tags": st.just([])},
    optional={
        "coupon": st.sampled_from("xy"),
        "card": st.fixed_dictionaries({"kind": st.sampled_from("xy")}, optional={"bank": st.sampled_from("xy")}),
    },
)


@given(CONDITIONS, EVENTS)
def test_what_is_accepted_never_misses_a_field(text: str, data: dict[str, Any]) -> None:
    try:
        made = compiled(text)
    except ExpressionError:
        return
    try:
        assert made.eval({"data": data}) in (True, False)
    except EvalError as error:
        raise AssertionError(f"{text} on {data}: {error}") from error
