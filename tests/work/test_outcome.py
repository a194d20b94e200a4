"""Outputs become canonical JSON, or a fault that names the place; exceptions become faults."""

import dataclasses
import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.compose.cluster.guard import UNOWNED
from aob.compose.network import not_owner
from aob.core.errors import Busy, NotFound, Unavailable
from aob.core.value import canonical, decode
from aob.work import WorkError
from aob.work.outcome import OUTPUT_MAX, fault_of, finished

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_any_json_value_is_kept_as_it_is(value: Any) -> None:
    done = finished(value)
    assert done.data == canonical(value)
    assert done.output == value


def test_the_output_is_a_fresh_value_that_later_changes_do_not_reach() -> None:
    value = {"a": [1]}
    done = finished(value)
    value["a"].append(2)
    assert done.output == {"a": [1]}


@dataclasses.dataclass
class Point:
    x: int


def test_tuples_dates_and_dataclasses_become_what_json_has_for_them() -> None:
    assert finished((1, Point(2))).output == [1, {"x": 2}]
    assert finished(datetime(2026, 1, 2, tzinfo=UTC)).output == "2026-01-02T00:00:00Z"


LOOP: list[Any] = []
LOOP.append(LOOP)


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        (object(), "/", "is a object"),
        ({"a": [1, {"b/c": {1, object()}}]}, "/a/1/b~1c", "is a set"),
        ({"a": {7: 1}}, "/a", "has the key 7"),
        ([1.5, math.nan], "/1", "is nan"),
        ({"a": {"b": -math.inf}, "c": None}, "/a/b", "is -inf"),
        ({"a": "\ud800"}, "/a", "half a surrogate"),
        (LOOP, "/0/0/0/0", "holds itself"),
        (lambda: 1, "/", "is a function"),
    ],
)
def test_what_json_cannot_hold_is_a_permanent_fault_that_names_the_place(value: Any, path: str, reason: str) -> None:
    with pytest.raises(WorkError) as refused:
        finished(value)
    fault = refused.value.fault
    assert (fault.code, fault.transient) == ("output_not_json", False)
    assert fault.detail["path"].startswith(path)
    assert reason in fault.message


@given(JSON, st.sampled_from([math.nan, math.inf, object(), {3: 4}, "\udfff"]))
def test_one_bad_leaf_anywhere_is_found(around: Any, bad: Any) -> None:
    with pytest.raises(WorkError) as refused:
        finished([around, {"deep": [around, bad]}])
    assert refused.value.fault.detail["path"] == "/1/deep/1"


def test_an_output_over_the_limit_is_refused_with_the_limit() -> None:
    with pytest.raises(WorkError) as refused:
        finished("x" * OUTPUT_MAX)
    assert refused.value.fault.code == "output_too_large"
    assert refused.value.fault.detail["limit"] == OUTPUT_MAX


def test_an_exception_is_transient_and_shows_its_last_lines() -> None:
    try:
        raise ValueError("no such order")
    except ValueError as error:
        fault = fault_of(error)
    assert (fault.code, fault.transient, fault.message) == ("exception", True, "ValueError: no such order")
    assert fault.detail["type"] == "ValueError"
    assert "test_outcome.py" in fault.detail["traceback"]
    assert canonical(fault)


def test_errors_that_say_what_they_are_keep_their_code() -> None:
    assert fault_of(WorkError("x", code="mine", transient=False)).code == "mine"
    found = [fault_of(error) for error in (NotFound("x"), Unavailable("x", code="disk_full"), Busy("x"))]
    assert [(f.code, f.transient) for f in found] == [("not_found", False), ("disk_full", True), ("busy", True)]


def test_a_done_reads_back_what_it_holds() -> None:
    assert decode(finished(None).data) is None


@pytest.mark.parametrize("error", [not_owner(3), Unavailable("it went", code=UNOWNED)], ids=lambda error: error.code)
def test_a_shard_that_goes_to_another_owner_is_no_failure_of_an_attempt(error: Unavailable) -> None:
    assert fault_of(error).code == "stopped_by_us"
