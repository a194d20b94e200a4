"""Every measure of the bench that needs no server runs once, small: it works and gives figures; no time counts."""

import math
from typing import Final

import pytest

from bench.frame import Bench, available

SMALL: Final = 0.002
SERVED: Final = frozenset({
    "starts", "up", "fresh", "import_aob", "open", "restart", "overload", "shards", "cells", "long", "platform",
})  # fmt: skip
"""Measures that start processes of their own, or hold a load for a set time: `make bench` runs them."""

MEASURES: Final = {measure.name: measure for measure in available()}


def test_what_is_left_to_the_bench_is_there() -> None:
    assert MEASURES.keys() >= SERVED


@pytest.mark.parametrize("name", sorted(MEASURES.keys() - SERVED))
def test_a_measure_runs_once_small(name: str) -> None:
    with Bench(SMALL) as bench:
        figures = list(MEASURES[name].take(bench))
    assert figures
    assert all(figure.name and math.isfinite(figure.value) for figure in figures)
