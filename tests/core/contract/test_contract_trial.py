"""Tests that metrics carry: through the gate and the fold, they pass when the contract is right, else they fail."""

import pytest

from aob.core.contract import check_set, read_contracts
from aob.core.metric.metric_tests import MetricTest, try_contracts

EVENTS = """\
event: sold
fields: {id: string, shop: string, item: string, price: {type: number, minimum: 0}, user: string}
rules: [{name: has_price, rule: data.price > 0.0, message: nothing is free}]
enrich: [order_size]
---
event: returned
fields: {id: string, shop: string, item: string, price: number, user: string, sold_at: timestamp}
entities: [{entity: article, key: data.item}]
---
"""
GIVEN = """\
- {type: sold, time: "2026-01-01T00:00:00Z", data: {id: a, shop: north, item: mug, price: 10, user: u1}}
- {type: sold, time: "2026-01-01T00:10:00Z", data: {id: b, shop: north, item: pen, price: 2, user: u2}}
- {type: sold, data: {id: c, shop: south, item: mug, price: 12, user: u1}}
- {type: returned, time: "2026-01-01T02:00:00Z",
   data: {id: a, shop: north, item: mug, price: 10, user: u1, sold_at: "2026-01-01T00:00:00Z"}}
"""
TAKEN_BACK = (
    "moves: [{on: sold, value: data.price}, "
    "{on: returned, value: data.price, retract: true, at: timestamp(data.sold_at)}]"
)
SOLD = "moves: [{on: sold, value: data.price}]"


def tried(metric: str, expect: str, given: str = GIVEN) -> MetricTest:
    """The verdict on one metric over the given events."""
    lines = "".join(f"    {line}\n" for line in given.splitlines())
    text = f"{EVENTS}metric: m\ndimensions: [shop]\n{metric}\ntests:\n- expect: {expect}\n  given:\n{lines}"
    contracts = read_contracts({"x.yaml": text})
    assert not check_set(contracts)
    [trial] = try_contracts(contracts)
    return trial


@pytest.mark.parametrize(
    ("metric", "expect"),
    [
        ("type: count\nmoves: [{on: sold}]", "3"),
        ("type: count\nmoves: [{on: sold}, {on: returned, retract: true}]", "2"),
        (f"type: sum\n{SOLD}", "24"),
        (f"type: sum\n{SOLD}\nwindows: [2h]", "{window: 2h, value: 14}"),
        (f"type: sum\n{SOLD}", '{at: "2026-01-01T00:05:00Z", window: 10m, value: 10}'),
        (f"type: sum\n{SOLD}", "{by: shop, rows: {north: 12, south: 12}}"),
        (f"type: sum\n{SOLD}", "{where: {shop: south}, value: 12}"),
        (f"type: average\n{SOLD}", "8"),
        (f"type: min\n{SOLD}", "2"),
        (f"type: max\n{SOLD}", "12"),
        ("type: ratio\nnumerator: [{on: returned}]\ndenominator: [{on: sold}]", "0.3333333333333333"),
        ("type: distinct\nmoves: [{on: sold, value: data.user}]", "2"),
        ("type: top\nmoves: [{on: sold, value: data.item}]", "[{item: mug, count: 2}, {item: pen, count: 1}]"),
        ("type: last\nmoves: [{on: sold, value: data.item}]", "mug"),
        (f"type: percentile\nquantiles: [0.5]\n{SOLD}", "10"),
        ("type: funnel\nkey: data.id\nwithin: 1d\nsteps: [a, b]\nmoves: [{on: sold, step: a}, {on: returned, step: b}]",
         "{a: 3, b: 1}"),
        ("type: max\nexact: true\n" + TAKEN_BACK, "{where: {shop: north}, value: 2}"),
        ("type: max\non_retract: refold\n" + TAKEN_BACK.replace("[", "[{on: returned, value: 1.0}, ", 1),
         "{where: {shop: north}, value: 2}"),
        ("type: count\nmoves: [{on: sold, when: \"enriched.order_size == 'large'\"}]", "0"),
    ],
)  # fmt: skip
def test_a_right_expectation_passes_and_a_wrong_one_fails(metric: str, expect: str) -> None:
    right = tried(metric, expect)
    assert right.passed, right.reasons
    assert not tried(metric, "-1").passed


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("type: sum\nmoves: [{on: sold, value: data.price}, {on: returned, value: data.price}]", "is 34"),
        ("type: sum\nmoves: [{on: sold, value: data.price, when: data.price > 5.0}]", "is 22"),
        ("type: max\nmoves: [{on: sold, value: data.price}]", "is 12"),
        ("type: count\nmoves: [{on: sold}]", "is 3"),
    ],
)
def test_a_planted_mistake_in_a_metric_fails_its_test(wrong: str, words: str) -> None:
    assert tried("type: sum\n" + SOLD, "24").passed
    [reason] = tried(wrong, "24").reasons
    assert words in reason
    assert "24 was expected" in reason


def test_an_event_that_the_gate_refuses_fails_the_test_with_its_reason() -> None:
    broken = GIVEN.replace("price: 2,", "price: 0,")
    [reason] = tried("type: count\nmoves: [{on: sold}]", "3", broken).reasons
    assert reason.startswith("event 2: ")
    assert "nothing is free" in reason
    [reason] = tried("type: count\nmoves: [{on: sold}]", "3", GIVEN.replace("price: 2,", "price: two,")).reasons
    assert reason.startswith("event 2: /data/price: ")


def test_rows_that_are_missing_or_too_many_are_told() -> None:
    found = tried(f"type: sum\n{SOLD}", "{by: shop, rows: {north: 12, west: 1}}")
    assert found.reasons == ("there is no row west", "row south was not expected: 12")


def test_an_event_that_is_sent_twice_counts_once() -> None:
    twice = "- {type: sold, id: x, data: {id: a, shop: n, item: i, price: 1, user: u}}\n" * 2
    assert tried("type: count\nmoves: [{on: sold}]", "1", twice).passed


def test_a_question_that_cannot_be_asked_is_a_reason() -> None:
    [reason] = tried("type: count\nmoves: [{on: sold}]", "{window: nothing, value: 1}").reasons
    assert reason.startswith("the test cannot be judged: ")


def test_a_derived_metric_is_tested_through_its_operands() -> None:
    text = (
        f"{EVENTS}metric: sum_of\ntype: sum\n{SOLD}\n---\nmetric: count_of\ntype: count\nmoves: [{{on: sold}}]\n---\n"
        "metric: mean\ntype: derived\nvalue: sum_of / count_of\ntests:\n- expect: 8\n  given:\n"
        + "".join(f"    {line}\n" for line in GIVEN.splitlines())
    )
    assert [trial.passed for trial in try_contracts(read_contracts({"x.yaml": text}))] == [True]


def test_each_version_of_a_metric_has_its_own_verdict() -> None:
    one = (
        "metric: m\ntype: count\nversion: {}\nmoves: [{{on: sold{}}}]\ntests: [{{given: [{{type: sold, data: {{id: a, "
    )
    one += "shop: n, item: i, price: 3, user: u}}}}], expect: {}}}]\n"
    text = EVENTS + one.format(1, "", 1) + "---\n" + one.format(2, ", when: data.price > 5.0", 0)
    trials = try_contracts(read_contracts({"x.yaml": text}))
    assert [(trial.version, trial.passed) for trial in trials] == [(1, True), (2, True)]
