"""Contract files: what they may look like, what is read of them, and where a mistake stands."""

import pytest

from aob.core.contract import read_contracts
from aob.core.contract.draft import PROBLEMS_MAX
from aob.core.contract.sources import Sources
from aob.core.contract_model import LATENESS_MS, EventContract, MetricContract, Move, Window
from aob.core.errors import Invalid, Problem
from tests.core.contract.contract_texts import EVENTS, SHOP, problems_of


def event(text: str) -> EventContract:
    [versions] = read_contracts({"x.yaml": text}).events.values()
    [contract] = versions.values()
    return contract


def metric(text: str) -> MetricContract:
    [versions] = read_contracts({"x.yaml": text}).metrics.values()
    [contract] = versions.values()
    return contract


def problems(files: dict[str, str]) -> tuple[Problem, ...]:
    with pytest.raises(Invalid) as caught:
        read_contracts(files)
    return caught.value.problems


def test_the_shop_is_read_and_nothing_is_wrong_with_it() -> None:
    assert not problems_of(SHOP)
    shop = read_contracts(SHOP)
    assert set(shop.events) == {"order.created", "order.refunded"}
    assert set(shop.metrics) == {"revenue", "orders", "order_value", "refund_rate", "checkout"}
    assert set(shop.alerts) == {"refunds_high"}
    assert set(shop.slos) == {"revenue_freshness", "rate_low"}


def test_fields_become_a_schema_without_units_and_classes() -> None:
    contract = event(EVENTS.partition("---")[0])
    properties = contract.schema["properties"]
    assert properties["amount"] == {"type": "number", "minimum": 0}
    assert properties["lines"]["items"]["required"] == ["sku", "price"]
    assert "coupon" not in contract.schema["required"]
    assert contract.units == {"amount": "EUR", "tip": "USD", "paid": "data.currency", "lines[].price": "EUR"}
    assert contract.pii == {"customer_id": "identity"}
    assert contract.lateness_ms == LATENESS_MS


def test_a_schema_may_be_given_whole_with_units_in_it() -> None:
    contract = event("event: a\nschema: {type: object, properties: {x: {type: number, unit: EUR, pii: money}}}")
    assert contract.schema == {"type": "object", "properties": {"x": {"type": "number"}}}
    assert (contract.units, contract.pii) == ({"x": "EUR"}, {"x": "money"})


def test_type_may_be_written_for_event_and_a_timestamp_is_a_text_with_a_format() -> None:
    contract = event("type: a\nfields: {at: timestamp, day: {type: date}}")
    assert contract.type == "a"
    assert contract.schema["properties"]["at"] == {"type": "string", "format": "date-time"}
    assert contract.schema["properties"]["day"] == {"type": "string", "format": "date"}


def test_parts_of_a_ratio_stand_in_one_list_of_moves() -> None:
    made = metric("metric: r\ntype: ratio\nnumerator: [{on: b, value: 2}]\ndenominator: [{on: a, when: true}]")
    assert made.moves == (Move("b", value="2", part="numerator"), Move("a", when="true", part="denominator"))


def test_windows_have_names_and_a_metric_without_any_tells_of_all() -> None:
    made = metric(
        "metric: r\ntype: count\nmoves: [{on: a}]\n"
        "windows: [15m, all, {tumbling: week}, {tumbling: 15m}, {hopping: 1h, every: 5m}, {to_date: year, zone: X}]"
    )
    assert made.windows == {
        "15m": Window("15m", "sliding", size_ms=900_000),
        "all": Window("all", "all"),
        "week": Window("week", "tumbling", unit="week"),
        "15_minutes": Window("15_minutes", "tumbling", size=15, unit="minute"),
        "1h_every_5m": Window("1h_every_5m", "hopping", size_ms=3_600_000, every_ms=300_000),
        "year_to_date": Window("year_to_date", "to_date", unit="year", zone="X"),
    }
    assert metric("metric: r\ntype: count\nmoves: [{on: a}]").windows == {"all": Window("all", "all")}


def test_dimensions_of_a_list_are_fields_of_data() -> None:
    made = metric("metric: r\ntype: count\nmoves: [{on: a}]\ndimensions: [region, customer.tier, enriched.size]")
    assert made.dimensions == {"region": "data.region", "tier": "data.customer.tier", "size": "enriched.size"}


def test_a_test_expects_a_value_or_says_more() -> None:
    made = metric(
        "metric: r\ntype: count\nmoves: [{on: a}]\ndimensions: [x]\ntests:\n"
        "  - {given: [{type: a}], expect: 1}\n"
        "  - {given: [{type: a}], expect: {rows: {EU: 1}, by: x, window: all, where: {x: EU}}}\n"
        "  - {given: [{type: a}], expect: {p50: 3}}\n"
    )
    plain, full, object_value = made.tests
    assert (plain.value, plain.rows) == (1, None)
    assert (full.rows, full.by, full.window, full.where) == ({"EU": 1}, ("x",), "all", {"x": "EU"})
    assert object_value.value == {"p50": 3}


def test_json_and_lists_and_several_documents_are_read_alike() -> None:
    one = {"a.json": '[{"event": "a", "fields": {}}, {"event": "b", "fields": {}}]'}
    two = {"a.yaml": "event: a\nfields: {}\n---\n- event: b\n  fields: {}\n---\n"}
    assert read_contracts(one) == read_contracts(two)


@pytest.mark.parametrize(
    ("text", "path", "place", "words"),
    [
        ("metric: a\ntype: sun", "/type", (2, 7), "'sun' is not one of"),
        (
            "# hello\n---\nevent: a\nfields: {}\n---\nmetric: x\ntype: count\ntypo: 1",
            "/1/typo",
            (8, 1),
            "unknown key `typo`",
        ),
        ("event: a", "", (1, 1), "either `fields` or a `schema`"),
        ("event: a\nfields: {}\nlateness: soon", "/lateness", (3, 11), "is not a duration"),
        ("metric: a\ntype: count\nwindows: [day]", "/windows/0", (3, 11), "`day` is not a window"),
        ("metric: a\ntype: funnel\nsteps: [b]\nmoves: [{on: x, step: c}]", "/moves/0/step", (4, 23), "no step `c`"),
        ("hello: 1", "", (1, 1), "this names no contract"),
        ("- 3", "/0", (1, 3), "a contract is an object"),
        ("event: a\nevent: b\nfields: {}", "/event", (2, 1), "stands twice"),
        ("event: [", "", (2, 1), ""),
        ("alert: a\nmetric: b", "", (1, 1), "`when` is missing"),
        ("slo: a\nobjective: value\ntarget: 2\nmetric: b", "/target", (3, 9), "expected"),
        ("event: 9a\nfields: {}", "/event", (1, 8), "regex"),
    ],
)
def test_a_mistake_of_a_text_is_told_with_its_place(text: str, path: str, place: tuple[int, int], words: str) -> None:
    [problem] = problems({"x.yaml": text})
    assert (problem.path, (problem.line, problem.column)) == (f"x.yaml#{path}", place)
    assert words in problem.message


def test_all_mistakes_of_all_files_are_told_at_once() -> None:
    found = problems({"b.yaml": "metric: a\ntype: x", "a.json": "{", "c.yaml": "event: a\nfields: {x: 3}\nversion: 0"})
    assert [each.path for each in found] == ["a.json#", "b.yaml#/type", "c.yaml#/fields/x", "c.yaml#/version"]


def test_the_same_contract_twice_is_a_mistake_and_two_versions_are_not() -> None:
    text = "event: a\nfields: {}\n"
    [problem] = problems({"a.yaml": text, "b.yaml": text})
    assert problem.message == "event/a@1 stands twice, first in a.yaml"
    assert list(read_contracts({"a.yaml": text, "b.yaml": text + "version: 2"}).events["a"]) == [1, 2]


def test_a_folder_without_contracts_says_so() -> None:
    assert problems({})[0].message == "there is no contract"


def test_sources_tell_the_file_and_the_text_of_a_contract() -> None:
    sources = Sources(SHOP)
    revenue = sources.set.metric("revenue")
    assert revenue is not None
    assert sources.file(revenue) == "metrics.yaml"
    assert (sources.text(revenue) or {})["dimensions"] == ["region"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- " + "[" * 100_000, "deep in one another"),
        ("- " + "{a: " * 50_000, "deep in one another"),
        ("---\n" * 200_000, "more than 10,000 documents"),
    ],
)
def test_a_file_that_would_take_a_reader_of_yaml_for_ever_is_refused(text: str, message: str) -> None:
    [problem] = problems({"x.yaml": text})
    assert message in problem.message


def test_so_many_problems_are_told_and_no_more() -> None:
    unknown = "event: a\n" + "".join(f"k{n}: 1\n" for n in range(5_000))
    twice = '{"event": "a", ' + ", ".join('"owner": "b"' for _ in range(5_000)) + "}"
    for files in ({"x.yaml": unknown}, {"x.json": twice}, {"x.yaml": "- 1\n" * 5_000}):
        assert len(problems(files)) == PROBLEMS_MAX


def test_a_problem_of_a_later_document_stands_where_it_does_in_the_file() -> None:
    files = {"x.yaml": "event: a\nfields: {b: string}\n---\n\nevent: c\nfields: {b: string}\nzz: 1\n"}
    [problem] = problems(files)
    assert (problem.line, problem.column) == (7, 1)
    [broken] = problems({"x.yaml": "event: a\nfields: {b: string}\n---\nevent: 'c\n"})
    assert broken.line == 5
