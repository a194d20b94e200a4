"""Runs the tests of metrics: given events, the expected value, through the gate and the fold of a home. Gives a verdict
for each test, with reasons for a failure. No clock, no disk, no state."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from aob.core.answers import JsonObject, JsonValue
from aob.core.contract_model import ContractSet, Given, MetricContract
from aob.core.errors import AobError
from aob.core.ingest import Event, Gate, Refused
from aob.core.instant import cut_seconds, ms_of
from aob.core.metric.fold import Fold
from aob.core.metric_query import MetricQuery

STARTS_MS: Final = 1_767_225_600_000  # the default time of a test's first event: the beginning of 2026, in UTC
STEP_MS: Final = 1_000  # the default time between events
SOURCE: Final = "test"
CLOSE: Final = 1e-9
_CANNOT_JUDGE: Final = "the test cannot be judged: "


class MetricTest(msgspec.Struct, frozen=True):
    """The verdict on one test; `reasons` say why it failed."""

    metric: str
    version: int
    name: str
    passed: bool
    reasons: tuple[str, ...] = ()


def try_contracts(contracts: ContractSet, known: ContractSet | None = None) -> list[MetricTest]:
    """Runs every test of every metric, each in isolation. `known` are the other existing contracts."""
    other, found = known or ContractSet(), list[MetricTest]()
    events, metrics = {**other.events, **contracts.events}, {**other.metrics, **contracts.metrics}
    for metric in (metric for versions in contracts.metrics.values() for metric in versions.values()):
        # only this version of the tested metric, so that it answers
        only = {**metrics, metric.name: {metric.version: metric}}
        world = msgspec.structs.replace(contracts, events=events, metrics=only)
        found += [_tried(metric, test, number, world) for number, test in enumerate(metric.tests, 1)]
    return found


def _tried(metric: MetricContract, test: Given, number: int, world: ContractSet) -> MetricTest:
    name = test.name or f"test {number}"
    try:
        reasons = _reasons(metric, test, world)
    except AobError as error:
        reasons = [_CANNOT_JUDGE + str(error)]
    return MetricTest(metric.name, metric.version, name, not reasons, tuple(reasons))


def _reasons(metric: MetricContract, test: Given, world: ContractSet) -> list[str]:
    """Why a test fails. Raises AobError if its query is wrong."""
    sent = _timed(test.given)
    asked_ms = _moment(test.at)
    latest_ms = max([_moment(each.get("time")) or 0 for each in sent], default=STARTS_MS)
    now_ms = asked_ms if asked_ms is not None else latest_ms
    events, reasons = _accepted(Gate(world), sent, max(latest_ms, now_ms))
    if reasons:
        return reasons
    fold = Fold(world, frozenset({metric.name}), endless=True)
    fold.add(events)
    fold.recount(events)
    query = MetricQuery(metric.name, window=test.window, by=test.by, where=test.where)
    reading = fold.read(query, now_ms)
    if test.rows is None:
        return _differs("the value", test.value, reading.value)
    return _rows_differ(test.rows, reading.rows or [], test.by)


def _timed(given: Sequence[Mapping[str, JsonValue]]) -> list[JsonObject]:
    """The events as sent, with default id, source and time."""
    sent: list[JsonObject] = []
    next_ms = STARTS_MS
    for number, each in enumerate(given, 1):
        event: JsonObject = {"id": f"{SOURCE}-{number}", "source": SOURCE, "time": next_ms / 1_000, **each}
        told = _moment(event["time"])
        next_ms = (told if told is not None else next_ms) + STEP_MS
        sent.append(event)
    return sent


def _accepted(gate: Gate, sent: Sequence[JsonObject], now_ms: int) -> tuple[list[Event], list[str]]:
    """The events that pass the gate, without duplicates, and the reasons of the others."""
    events: list[Event] = []
    reasons: list[str] = []
    seen = set[tuple[str, str]]()
    for number, each in enumerate(sent, 1):
        found = gate.look(msgspec.json.encode(each), now_ms)
        if isinstance(found, Refused):
            reasons += [f"event {number}: {reason.pointer or '/'}: {reason.message}" for reason in found.reasons]
        elif (found.source, found.id) not in seen:
            seen.add((found.source, found.id))
            found.offset = len(events)
            events.append(found)
    return events, reasons


def _moment(value: JsonValue) -> int | None:
    """Milliseconds of an event's time: RFC 3339, or seconds since 1970; else None."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return cut_seconds(value)
    if not isinstance(value, str) or not value:
        return None
    try:
        return ms_of(value)
    except ValueError:
        return None


def _differs(what: str, expected: JsonValue, found: JsonValue) -> list[str]:
    if _same(expected, found):
        return []
    return [f"{what} is {_shown(found)}, and {_shown(expected)} was expected"]


def _rows_differ(expected: Mapping[str, JsonValue], rows: Sequence[JsonObject], by: Sequence[str]) -> list[str]:
    found = {",".join(str(row.get("by", {}).get(name, "")) for name in by): row["value"] for row in rows}
    reasons: list[str] = []
    for key, value in expected.items():
        reasons += _differs(f"row {key}", value, found[key]) if key in found else [f"there is no row {key}"]
    return [*reasons, *(f"row {key} was not expected: {_shown(found[key])}" for key in found if key not in expected)]


def _same(expected: JsonValue, found: JsonValue) -> bool:
    """Whether a value is as expected: numbers up to rounding; of an object, the named members."""
    if _is_number(expected) and _is_number(found):
        return math.isclose(expected, found, rel_tol=CLOSE, abs_tol=CLOSE)
    if isinstance(expected, dict) and isinstance(found, dict):
        return all(key in found and _same(value, found[key]) for key, value in expected.items())
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(_same, expected, found))
    return type(expected) is type(found) and expected == found


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: JsonValue) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "nothing" if value is None else msgspec.json.encode(value).decode()
