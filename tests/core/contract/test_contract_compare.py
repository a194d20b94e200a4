"""What changed between two versions, and whether that breaks somebody."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.contract import compare, read_contracts, to_document
from aob.core.contract.difference import Change
from aob.core.contract_model import Contract, EventContract
from aob.core.json_schema.problems import schema_problems
from tests.core.contract.contract_texts import ALERTS, METRICS, SHOP

NAMES = st.sampled_from(["a", "b", "c", "d"])
FIELD = st.one_of(
    st.builds(
        lambda low, high: (
            {"type": "integer"}
            | ({"minimum": low} if low is not None else {})
            | ({"maximum": high} if high is not None else {})
        ),
        st.none() | st.integers(-3, 0),
        st.none() | st.integers(0, 3),
    ),
    st.builds(lambda size: {"type": "string", "maxLength": size}, st.integers(1, 3)),
    st.builds(
        lambda values: {"type": "string", "enum": values},
        st.lists(st.sampled_from("xyz"), min_size=1, max_size=3, unique=True),
    ),
    st.just({"type": "boolean"}),
)


@st.composite
def events(draw: st.DrawFn) -> EventContract:
    fields = draw(st.dictionaries(NAMES, FIELD, max_size=4))
    required = [name for name in fields if draw(st.booleans())]
    schema: dict[str, Any] = {"type": "object", "properties": fields, "required": required}
    if draw(st.booleans()):
        schema["additionalProperties"] = False
    units = {name: draw(st.sampled_from(["EUR", "USD"])) for name in fields if draw(st.booleans())}
    return EventContract("e", draw(st.integers(1, 3)), schema, units=units)


VALUE = st.integers(-4, 4) | st.sampled_from(["", "x", "y", "z", "xx", "xxxx"]) | st.booleans()
DATA = st.dictionaries(NAMES, VALUE, max_size=4)


def meaning(contract: Contract) -> dict[str, Any]:
    return {key: value for key, value in to_document(contract).items() if key != "version"}


@given(events(), events())
def test_no_change_is_told_exactly_when_both_say_the_same(old: EventContract, new: EventContract) -> None:
    assert not compare(old, old)
    assert bool(compare(old, new)) == (meaning(old) != meaning(new))


@given(events(), events(), st.lists(DATA, max_size=20))
def test_what_is_not_breaking_accepts_whatever_was_accepted(
    old: EventContract, new: EventContract, sent: list[dict[str, Any]]
) -> None:
    if any(change.breaking for change in compare(old, new)):
        return
    for data in sent:
        # A field that the old version did not name might have been anything: a name for it is not called breaking.
        if data.keys() <= old.schema["properties"].keys() and not schema_problems(dict(old.schema), data):
            assert not schema_problems(dict(new.schema), data)


@given(events(), FIELD)
def test_an_optional_field_more_is_not_breaking_and_its_way_back_is(old: EventContract, field: dict[str, Any]) -> None:
    schema = {**old.schema, "properties": {**old.schema["properties"], "new": field}}
    new = msgspec.structs.replace(old, schema=schema)
    assert compare(old, new) == [Change("/schema/properties/new", "added", False, "new is new and optional")]
    [back] = compare(new, old)
    assert back.breaking


@given(events(), FIELD)
def test_a_required_field_more_is_breaking(old: EventContract, field: dict[str, Any]) -> None:
    schema = {
        **old.schema,
        "properties": {**old.schema["properties"], "new": field},
        "required": [*old.schema["required"], "new"],
    }
    [change] = compare(old, msgspec.structs.replace(old, schema=schema))
    assert change.breaking
    assert change.sentence == "new is new and required: events without it are refused"


def pair(text: str, old: str, new: str) -> tuple[Contract, Contract]:
    """The one contract of a text before and after a replacement."""

    def one(text: str) -> Contract:
        found = read_contracts({"x.yaml": text})
        for group in (found.events, found.metrics, found.alerts):
            for versions in group.values():
                return next(iter(versions.values()))
        return next(iter(found.slos.values()))

    assert old in text
    return one(text), one(text.replace(old, new, 1))


EVENT = "event: e\nfields: {a: {type: integer, maximum: 5, unit: EUR}, b: {type: string, enum: [x, y]}}\nenrich: [x]\n"
RULED = EVENT + "rules: [{name: r, rule: data.a > 0}]\nentities: [{entity: o, key: data.b}]\n"
REVENUE = METRICS.partition("---\n")[0]
ALERT, SLO = ALERTS.split("- slo:")[0], "- slo:" + ALERTS.split("- slo:")[1]


@pytest.mark.parametrize(
    ("text", "old", "new", "breaking", "sentence"),
    [
        (RULED, "integer", "number", True, 'a was "integer" and is "number"'),
        (RULED, "maximum: 5", "maximum: 6", False, "maximum of a is 6 instead of 5"),
        (RULED, "maximum: 5", "maximum: 4", True, "maximum of a is 4 instead of 5"),
        (RULED, "maximum: 5, ", "", False, "a is no longer limited by maximum"),
        (RULED, "maximum: 5", "maximum: 5, minimum: 1", True, "minimum of a is 1 instead of nothing"),
        (RULED, "unit: EUR", "unit: USD", True, "a was in EUR and is in USD"),
        (RULED, "[x, y]", "[x, y, z]", False, 'b can also be "z"'),
        (RULED, "[x, y]", "[x]", True, 'b can no longer be "y"'),
        (
            RULED,
            "enum: [x, y]",
            "enum: [x, y], optional: true",
            True,
            "b is optional now: what reads it may find nothing",
        ),
        (RULED, "data.a > 0", "data.a > 1", True, "rule r is another: events may be refused"),
        (RULED, "name: r", "message: hm, name: r", False, "rule r says it in other words"),
        (RULED, "rules: [{name: r, rule: data.a > 0}]\n", "", False, "rule r is gone: more is accepted"),
        (RULED, "enrich: [x]", "enrich: [x, y]", False, "enrichment y is new"),
        (RULED, "enrich: [x]\n", "", True, "enrichment x is gone"),
        (RULED, "fields", "owner: me\nfields", False, "owner: another owner"),
        (REVENUE, "dimensions: [region]", "dimensions: [region, channel]", False, "dimension channel is new"),
        (REVENUE, "dimensions: [region]\n", "", True, "dimension region is gone"),
        (REVENUE, "[region]", "{region: data.area}", True, "dimension region means something else"),
        (REVENUE, "  - all\n", "", True, "window all is gone"),
        (REVENUE, "  - all\n", "  - all\n  - 1h\n", False, "window 1h is new"),
        (REVENUE, "unit: EUR", "unit: USD", True, "unit: the number has another unit"),
        (REVENUE, "type: sum", "type: max", True, "type: it is another type of metric"),
        (REVENUE, "owner: finance", "tests: [{given: [], expect: 0}]\nowner: finance", False, "tests: other tests"),
        (REVENUE, "limit: 5s", "limit: 6s", False, "slo: another objective"),
        (REVENUE, "owner", "budget: 10\nowner", True, "the budget of a dimension is 10 instead of 1000"),
        (REVENUE, "owner", "exact: true\nowner", False, "the number is exact now"),
        (ALERT, "value > 0.2", "value > 0.3", False, "when: it fires under another condition"),
        (ALERT, "rate: value", "rate: value * 2.0", True, "start: something else is started"),
        (SLO, "0.99", "0.9", True, "the target is 0.9 instead of 0.99"),
        (SLO, "0.99", "0.999", False, "the target is 0.999 instead of 0.99"),
    ],
)
def test_a_change_is_judged_and_told(text: str, old: str, new: str, breaking: bool, sentence: str) -> None:
    assert [(each.breaking, each.sentence) for each in compare(*pair(text, old, new))] == [(breaking, sentence)]


def test_a_move_more_or_less_changes_what_a_number_means() -> None:
    found = compare(*pair(REVENUE, "retract: true", "retract: false"))
    assert [(each.change, each.breaking) for each in found] == [("removed", True), ("added", True)]


def test_another_first_window_is_another_answer_when_none_is_asked_for() -> None:
    found = compare(*pair(REVENUE, "  - 1m\n", "  - 1h\n  - 1m\n"))
    assert [each.sentence for each in found if each.breaking] == [
        "another window is the first, which is told when none is asked for"
    ]


def test_contracts_of_two_kinds_do_not_compare() -> None:
    shop = read_contracts(SHOP)
    [change] = compare(shop.events["order.created"][1], shop.metrics["orders"][1])
    assert change.breaking
