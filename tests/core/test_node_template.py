"""Texts filled from the input of a node."""

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.node.template.filling import TemplateError, fill, fill_text, holes

VALUES: dict[str, Any] = {"name": "Ann", "n": 3, "order": {"id": "o-1", "lines": [{"sku": "x"}]}, "none": None}


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("plain", "plain"),
        ("hello {name}", "hello Ann"),
        ("{order.id}/{order.lines[0].sku}", "o-1/x"),
        ("{order.lines.0.sku}!", "x!"),
        ("{n}", 3),
        ("{ n }", 3),
        ("{none}", None),
        ("n is {n}", "n is 3"),
        ("{order.lines}", [{"sku": "x"}]),
        ("lines: {order.lines}", 'lines: [{"sku":"x"}]'),
        ("{{name}}", "{name}"),
        ("a } b }} c", "a } b } c"),
        ({"a": ["{n}", {"b": "{name}?"}], "c": 4}, {"a": [3, {"b": "Ann?"}], "c": 4}),
        (("{n}", True), [3, True]),
    ],
)
def test_a_template_is_filled(template: Any, filled: Any) -> None:
    assert fill(template, VALUES) == filled


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{nme}", "there is no 'nme', only n, name, none, order"),
        ("{order.di}", "there is no 'di', only id, lines"),
        ("{order.lines[1]}", "there is no item 1 in a list of 1"),
        ("{name.first}", "'first' is asked of str"),
        ("{none.x}", "'x' is asked of NoneType"),
        ("{", "is not a name in braces"),
        ("{a b}", "is not a name in braces"),
        ('{"a": 1}', "is not a name in braces"),
        ("{}", "is not a name in braces"),
        ("{name", "is not a name in braces"),
        ("{name.__class__.x}", "'__class__' is asked of str"),
        ("{name!r}", "is not a name in braces"),
    ],
)
def test_what_cannot_be_filled_says_why(template: str, message: str) -> None:
    with pytest.raises(TemplateError, match=message.replace("[", r"\[")):
        fill(template, VALUES)


def test_values_are_made_safe_where_they_are_put() -> None:
    text = fill_text(
        "http://shop/{path}?q={n}", {"path": "../admin?x=", "n": 3}, quote=lambda value: quote(value, safe="")
    )
    assert text == "http://shop/..%2Fadmin%3Fx%3D?q=3"


def test_holes_are_found_with_their_place() -> None:
    found = [(path, hole.text) for path, hole in holes({"a": ["x", "{b.c} {d}"], "e/f": "{g}"}, "/config")]
    assert found == [("/config/a/1", "b.c"), ("/config/a/1", "d"), ("/config/e~1f", "g")]


@given(st.text())
def test_what_is_filled_in_is_never_filled_again(value: str) -> None:
    assert fill("<{x}>", {"x": value}) == f"<{value}>"


@given(st.text().map(lambda text: text.replace("{", "{{").replace("}", "}}")))
def test_doubled_braces_are_braces(text: str) -> None:
    assert fill(text, {}) == text.replace("{{", "{").replace("}}", "}")
