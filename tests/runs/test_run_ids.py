"""Ids of runs and names of starts: written out or kept for speed, they are what the plain rule says."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aob.core.errors import Invalid
from aob.core.value import canonical
from aob.runs import RunIds, names_of
from aob.runs.core import Ambient, base32


@given(st.lists(st.tuples(st.integers(1, 2**46), st.integers(0, 2**26 - 1)), min_size=1, max_size=20))
def test_an_id_is_a_number_in_base_32_and_greater_than_all_before_it(drawn: list[tuple[int, int]]) -> None:
    times, dice = iter([ms for ms, _ in drawn]), iter([bits for _, bits in drawn])
    ids = RunIds(Ambient(lambda: next(times), lambda count: next(dice)))
    last, made = 0, []
    for ms, bits in drawn:
        last = max(last + 1, (ms << 42) | (bits << 16))
        made.append(ids.next())
        assert made[-1] == "run_" + base32(last, 18)
    assert all(before < after for before, after in pairwise(made))


@given(st.none() | st.text(max_size=5), st.none() | st.text(max_size=5))
def test_the_names_of_a_start_are_its_workflow_and_its_tag(workflow: str | None, tag: str | None) -> None:
    item = {name: value for name, value in (("workflow", workflow), ("tag", tag)) if value is not None}
    try:
        told = canonical([workflow, tag]).decode()
    except UnicodeEncodeError:
        return
    assert names_of(item) == names_of(item) == told


@pytest.mark.parametrize("wrong", [1, True, 1.0, ["a"], {"a": 1}, b"a", "\ud800"])
def test_names_that_are_no_texts_are_refused_each_time(wrong: object) -> None:
    for _ in range(2):
        with pytest.raises(Invalid):
            names_of({"workflow": "a", "tag": wrong})
        with pytest.raises(Invalid):
            names_of({"workflow": wrong})
