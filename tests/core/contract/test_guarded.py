"""After `when: has(x)`, `value`, `key`, `at` and dimensions read x as it is; without it x may be missing."""

import pytest

from aob.core.contract import check_set, read_contracts
from aob.core.contract_model import ContractSet
from aob.core.errors import Invalid, Problem
from aob.core.metric.metric_tests import try_contracts

EVENT = """
event: sold
version: 1
fields:
  amount: number
  coupon: {type: string, optional: true}
  off: {type: number, optional: true}
  at: {type: string, optional: true}
  person: {type: object, optional: true, properties: {name: {type: string}, age: {type: number}}}
---
"""


def problems(metric: str) -> list[Problem]:
    return list(check_set(read_contracts({"a.yaml": EVENT + metric}), ContractSet()))


METRICS = {
    "value": "metric: m\ntype: sum\nmoves: [{on: sold, value: data.off WHEN}]\n",
    "dimension": "metric: m\ntype: count\nmoves: [{on: sold WHEN}]\ndimensions: [coupon]\n",
    "key": "metric: m\ntype: sessions\nkey: data.coupon\nwithin: 30m\nmoves: [{on: sold WHEN}]\n",
    "at": "metric: m\ntype: count\nmoves: [{on: sold, at: timestamp(data.at) WHEN}]\n",
    "within": "metric: m\ntype: sum\nmoves: [{on: sold, value: data.person.age WHEN}]\n",
}
ALL = "has(data.off) && has(data.coupon) && has(data.at) && has(data.person) && has(data.person.age)"


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize(
    ("when", "right"),
    [
        ("", False),
        (f', when: "{ALL}"', True),
        (f', when: "data.amount > 1.0 && {ALL}"', True),
        (f', when: "!(!has(data.off) || !({ALL}))"', True),
        (', when: "data.amount > 1.0"', False),
        (f', when: "data.amount > 1.0 || ({ALL})"', False),
        (f', when: "!({ALL})"', False),
    ],
)
def test_what_a_condition_asks_for_is_there(name: str, when: str, right: bool) -> None:
    found = problems(METRICS[name].replace(" WHEN", when))
    assert (found == []) == right, found


def test_every_move_guards_for_itself() -> None:
    text = "metric: m\ntype: count\nmoves: [{on: sold, when: has(data.coupon)}, {on: sold}]\ndimensions: [coupon]\n"
    assert "may be missing" in problems(text)[0].message


def test_the_fold_reads_it_only_where_the_condition_holds() -> None:
    text = (
        EVENT
        + """
metric: m
type: sum
moves: [{on: sold, when: "has(data.coupon) && has(data.off)", value: data.off}]
dimensions: [coupon]
windows: [all]
tests:
  - given:
      - {type: sold, data: {amount: 1}}
      - {type: sold, data: {amount: 1, coupon: b}}
      - {type: sold, data: {amount: 1, off: 5}}
      - {type: sold, data: {amount: 1, coupon: a, off: 2}}
      - {type: sold, data: {amount: 1, coupon: b, off: 3}}
    expect: {rows: {a: 2, b: 3}, by: [coupon]}
"""
    )
    (trial,) = try_contracts(read_contracts({"a.yaml": text}), ContractSet())
    assert trial.passed, trial.reasons


@pytest.mark.parametrize("expect", ["{value: 1, wnidow: all}", "{rows: {a: 1}, bye: [coupon]}", "{value: 1, x: 2}"])
def test_a_test_refuses_keys_that_it_does_not_know(expect: str) -> None:
    text = EVENT + "metric: m\ntype: count\nmoves: [{on: sold}]\nwindows: [all]\ntests: [{given: [], expect: EXPECT}]\n"
    with pytest.raises(Invalid) as told:
        read_contracts({"a.yaml": text.replace("EXPECT", expect)})
    (problem,) = told.value.problems
    assert (problem.code, "/expect/" in problem.path) == ("unknown_key", True)
