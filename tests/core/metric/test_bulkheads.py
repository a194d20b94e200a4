"""Whatever was accepted: it can be folded, written, read back and asked for, and what cannot be is counted."""

import json
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from aob.core.contract import check_set, read_contracts
from aob.core.errors import Invalid
from aob.core.ingest import paths
from aob.core.metric.entity import Entities
from aob.core.metric.fold import Fold
from aob.core.metric.tile import NeedsScan
from aob.core.metric_query import MetricQuery
from tests.core.metric.ingesting import Intake

NOW_MS = 1_781_703_441_123
EVENT = """
event: cart
version: 1
owner: shop
fields:
  paid: {type: number}
  total: {type: number}
  n: {type: integer}
  m: {type: integer}
  who: {type: string}
  at: {type: string, format: date-time}
  any: {}
entities:
  - {entity: cart, key: string(data.paid / data.total), set: {n: data.n, share: data.paid / data.total, any: data.any}}
---
event: paid
version: 1
owner: shop
fields: {who: {type: string}, fee: {type: number}}
"""
NUMBERS = (
    "data.paid", "data.paid / data.total", "data.paid * data.total", "data.n", "data.n * data.m", "data.n / data.m",
    "data.n % data.m", "double(data.n) / data.total", "-data.paid", "data.n == 0 ? 0.0 / data.total : data.paid",
    "double(data.who)", "data.any", "data.paid * 1e308", "double(data.n) * 1e308 * 1e308",
)  # fmt: skip
TEXTS = (*NUMBERS, "data.who", "string(data.paid / data.total)", "timestamp(data.at)", "data.who + data.who", "data")
INSTANTS = ("", "timestamp(data.at)", "timestamp(data.at) + duration('100000h')", "timestamp(data.n)")
WINDOWS = (
    "[all, 1h, {name: year, tumbling: year}, {name: week, tumbling: week, zone: Asia/Kolkata},"
    " {name: day, to_date: day, zone: America/New_York}, {name: hop, hopping: 5m, every: 1m},"
    " {name: months, tumbling: month, zone: Pacific/Apia}]"
)
floats = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 1e308, -1e308, 5e-324, 1.7976931348623157e308]),
    st.floats(allow_nan=False, allow_infinity=False),
)
ints = st.one_of(st.sampled_from([0, 1, -1, 2**63 - 1, -(2**63), 2**53 + 1]), st.integers(-(2**63), 2**63 - 1))
times = st.sampled_from([
    "0001-01-01T00:00:00Z", "0001-01-02T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-30T23:00:00Z",
    "2026-06-17T13:00:00+02:00", "1969-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00",
])  # fmt: skip
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), floats, ints, st.text(max_size=3), st.just(2**70)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=2), inner, max_size=2)),
    max_leaves=3,
)
carts = st.fixed_dictionaries({
    "paid": floats, "total": floats, "n": ints, "m": ints, "who": st.sampled_from(["", "a", "1e999", "nan"]),
    "at": times, "any": anything,
})  # fmt: skip


@st.composite
def metrics(draw: st.DrawFn) -> str:
    """A metric of any type over whatever an event has."""
    kind = draw(st.sampled_from([
        "count", "sum", "min", "max", "average", "ratio", "distinct", "percentile", "top", "last", "funnel",
        "sessions", "join",
    ]))  # fmt: skip
    at = draw(st.sampled_from(INSTANTS))
    more = f', at: "{at}"' if at else ""
    value = draw(st.sampled_from(NUMBERS if kind not in ("distinct", "top", "last") else TEXTS))
    move = f"on: cart{more}" if kind == "count" else f'on: cart, value: "{value}"{more}'
    key = draw(st.sampled_from(["data.who", "string(data.paid / data.total)", "string(data.n)"]))
    head = f"metric: m\nversion: 1\nowner: shop\ntype: {kind}\nwindows: {WINDOWS}\n"
    if draw(st.booleans()):
        head += 'dimensions: {d: "string(data.n)", s: "string(data.paid / data.total)"}\nbudget: 3\n'
    if kind == "ratio":
        return f"{head}numerator: [{{{move}}}]\ndenominator: [{{on: cart}}]\n"
    if kind == "funnel":
        steps = f"steps: [a, b]\nmoves: [{{on: cart, step: 0{more}}}, {{on: cart, step: 1}}]\n"
        return f"{head}key: '{key}'\nwithin: 1h\n{steps}"
    if kind == "sessions":
        return f"{head}key: '{key}'\nwithin: 1h\nmoves: [{{on: cart{more}}}]\n"
    if kind == "join":
        return (
            f"{head}key: data.who\nwithin: 1h\nvalue: left.data.paid / left.data.total + right.data.fee\n"
            f"moves: [{{on: cart, step: 0{more}}}, {{on: paid, step: 1}}]\n"
        )
    exact = draw(st.sampled_from(["", "exact: true\n"])) if kind in ("min", "max", "distinct", "top") else ""
    return f"{head}{exact}moves: [{{{move}}}]\n"


def line(number: int, type: str, data: Any) -> bytes:
    """An event of now."""
    told = {"id": str(number), "source": "s", "type": type, "time": (NOW_MS - number) / 1000, "data": data}
    return json.dumps(told).encode()


YEAR_1: Final = -62_135_596_800_000
YEAR_9999: Final = 253_402_300_799_999


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    metrics(), st.lists(st.lists(carts, min_size=1, max_size=5), min_size=1, max_size=2),
    st.one_of(st.sampled_from([None, YEAR_1, YEAR_9999]), st.integers(YEAR_1, YEAR_9999)),
    st.sampled_from(["all", "1h", "year", "week", "day", "hop", "months"]),
)  # fmt: skip
def test_any_accepted_event_under_any_legal_contract_is_folded_written_and_read_at_any_instant(
    text: str, groups: list[list[dict[str, Any]]], at_ms: int | None, window: str
) -> None:
    contracts = read_contracts({"m.yaml": f"{EVENT}---\n{text}"})
    assume(not [problem for problem in check_set(contracts, contracts) if not problem.code.startswith("warn")])
    intake, fold, entities = Intake(contracts), Fold(contracts), Entities(contracts, paths)
    number = 0
    for group in groups:
        lines = []
        for data in group:
            number += 2
            lines += [
                line(number, "cart", data), line(number + 1, "paid", {"who": data["who"], "fee": data["total"]})
            ]  # fmt: skip
        events = intake.take(lines, NOW_MS)
        fold.add(events)
        fold.forget(NOW_MS)
        entities.add(events)
        entities.load(dict(entities.pages()))
        lost = fold.unmoved()
        fold = Fold.load(contracts, fold.dump(full=True))
        assert fold.unmoved() == lost
    assert not fold.faults, "nothing reaches the last line"
    by = tuple(contracts.metric("m").dimensions)  # type: ignore[union-attr]
    for more in ({}, {"by": by}, {"compare": "previous"}, {"step": "1d"}):
        try:
            reading = fold.read(MetricQuery("m", window, as_of_ms=at_ms, **more), NOW_MS)
        except (Invalid, NeedsScan):
            continue
        msgspec.json.encode(reading)
        assert not (reading.value is None and contracts.metric("m").type == "sum" and not reading.overflow)  # type: ignore[union-attr]


def told(text: str, *lines: bytes) -> Fold:
    """A fold of these lines."""
    contracts = read_contracts({"m.yaml": f"{EVENT}---\n{text}"})
    fold = Fold(contracts)
    fold.add(Intake(contracts).take(lines, NOW_MS))
    return Fold.load(contracts, fold.dump(full=True))


def cart(number: int, **data: Any) -> bytes:
    """A cart with what is said of it."""
    base = {"paid": 0.0, "total": 0.0, "n": 0, "m": 0, "who": "a", "at": "2026-06-17T13:00:00Z", "any": None}
    return line(number, "cart", base | data)


def test_what_is_no_number_moves_nothing_and_is_counted() -> None:
    text = (
        "metric: share\nversion: 1\ntype: average\nmoves: [{on: cart, value: data.paid / data.total}]\nwindows: [all]"
    )
    fold = told(text, cart(1), cart(2, paid=1.0, total=2.0), cart(3, paid=1.0))
    reading = fold.read(MetricQuery("share", "all"), NOW_MS)
    assert (reading.value, reading.unmoved, fold.unmoved()) == (0.5, 2, {"share": 2})


def test_a_metric_that_is_made_of_others_counts_what_could_not_move_them() -> None:
    text = (
        "metric: share\nversion: 1\ntype: average\nmoves: [{on: cart, value: data.paid / data.total}]\nwindows: [all]\n"
        "---\nmetric: n\nversion: 1\ntype: count\nmoves: [{on: cart}]\nwindows: [all]\n"
        "---\nmetric: twice\nversion: 1\ntype: derived\nvalue: share * n\nwindows: [all]\n"
    )
    reading = told(text, cart(1), cart(2, paid=1.0, total=2.0), cart(3)).read(MetricQuery("twice", "all"), NOW_MS)
    assert (reading.value, reading.unmoved) == (1.5, 2)


def test_a_weight_that_cannot_be_moves_nothing_and_is_counted_and_one_too_large_says_overflow() -> None:
    text = (
        "metric: best\nversion: 1\ntype: top\nk: 2\nwindows: [all]\n"
        "moves: [{on: cart, value: data.who, weight: data.paid / data.total}]\n"
    )
    lines = [cart(1, who="a"), cart(2, who="a", paid=3.0, total=2.0), cart(3, who="b", paid=1.0, total=1.0)]
    reading = told(text, *lines).read(MetricQuery("best", "all"), NOW_MS)
    assert reading.value == [{"item": "a", "sum": 1.5}, {"item": "b", "sum": 1.0}]
    assert (reading.unmoved, reading.overflow) == (1, False)
    big = [cart(n, who="a", paid=1.7e308, total=1.0) for n in (4, 5)]
    reading = told(text, *lines, *big).read(MetricQuery("best", "all"), NOW_MS)
    assert (reading.value[0], reading.overflow) == ({"item": "a", "sum": None}, True)


def test_an_event_outside_the_calendar_is_lost_only_to_what_it_would_have_moved() -> None:
    text = (
        "metric: m\nversion: 1\ntype: count\nwindows: [all]\n"
        "moves: [{on: cart, at: timestamp(data.at), when: data.n == 1}]\n"
    )
    lines = [cart(number, n=number, at="0001-01-01T00:00:00Z") for number in (1, 2, 3)]
    reading = told(text, *lines).read(MetricQuery("m", "all"), NOW_MS)
    assert (reading.value, reading.unmoved) == (0, 1)


@pytest.mark.parametrize(("at", "lost"), [
    ("0001-01-01T23:59:59.999Z", 1), ("0001-01-02T00:00:00Z", 0), ("9999-12-30T23:59:59.999Z", 0),
    ("9999-12-31T00:00:00Z", 1),
])  # fmt: skip
def test_an_instant_outside_the_calendar_moves_nothing_and_is_counted(at: str, lost: int) -> None:
    text = "metric: m\nversion: 1\ntype: count\nmoves: [{on: cart, at: timestamp(data.at)}]\nwindows: [all]"
    reading = told(text, cart(1, at=at)).read(MetricQuery("m", "all"), NOW_MS)
    assert (reading.value, reading.unmoved) == (1 - lost, lost)


def test_what_no_number_can_hold_says_overflow_instead_of_nothing() -> None:
    text = (
        "metric: m\nversion: 1\ntype: sum\nmoves: [{on: cart, value: data.paid}]\nwindows: [all]\n"
        "dimensions: {who: data.who}\n"
        "---\nmetric: n\nversion: 1\ntype: sum\nmoves: [{on: cart, value: data.n}]\nwindows: [all]\n"
        "---\nmetric: half\nversion: 1\ntype: derived\nvalue: m / 2.0\nwindows: [all]\n"
    )
    big = [cart(n, paid=1e308, n=2**62, who=who) for n, who in ((1, "a"), (2, "a"), (3, "b"))]
    fold = told(text, *big)
    for name in ("m", "n", "half"):
        reading = fold.read(MetricQuery(name, "all"), NOW_MS)
        assert (reading.value, reading.overflow, reading.exact) == (None, True, True), name
    assert fold.read(MetricQuery("m", "all", by=("who",)), NOW_MS).rows == [
        {"by": {"who": "a"}, "value": None, "overflow": True}, {"by": {"who": "b"}, "value": 1e308},
    ]  # fmt: skip
    less = told(text, big[0], cart(5, paid=-1e308, n=-(2**62)))
    assert [less.read(MetricQuery(name, "all"), NOW_MS).value for name in ("m", "n")] == [0.0, 0]


@pytest.mark.parametrize("zeros", [(0.0, -0.0), (-0.0, 0.0), (-0.0, -0.0)])
@pytest.mark.parametrize(
    "kind", ["min", "max", "min\nexact: true", "max\nexact: true", "percentile", "average", "last"]
)
def test_zero_has_no_sign_whichever_came_first(kind: str, zeros: tuple[float, float]) -> None:
    text = f"metric: m\nversion: 1\ntype: {kind}\nmoves: [{{on: cart, value: data.paid}}]\nwindows: [all]"
    fold = told(text, *(cart(number, paid=zero) for number, zero in enumerate(zeros)))
    value = fold.read(MetricQuery("m", "all"), NOW_MS).value
    assert "-" not in msgspec.json.encode(value).decode()


def test_a_mean_of_which_more_was_taken_back_than_has_come_is_none() -> None:
    text = (
        "metric: m\nversion: 1\ntype: average\nwindows: [all]\n"
        "moves: [{on: cart, value: data.paid}, {on: paid, value: data.fee, retract: true}]"
    )
    back = line(9, "paid", {"who": "a", "fee": 5.0})
    for lines, value in (
        ((back,), None),
        ((back, cart(1, paid=5.0)), None),
        ((back, *(cart(n, paid=5.0) for n in (1, 2))), 5.0),
    ):
        assert told(text, *lines).read(MetricQuery("m", "all"), NOW_MS).value == value
