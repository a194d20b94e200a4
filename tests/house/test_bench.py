"""The bench says what it promises: its own frame works, and its page names every figure that it prints."""

import re

from bench.frame import Bench, Figure, available, percentile
from bench.report import markdown
from tests.house.tree import ROOT, text_of


def test_every_figure_of_the_bench_stands_on_its_page() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    printed = {
        name
        for path in sorted((ROOT / "bench" / "measures").glob("*.py"))
        for name in re.findall(r'Figure\(\s*"([\w.]+)"', text_of(path))
    }
    assert printed
    assert not {name for name in printed if f"`{name}`" not in page}


def test_every_measure_promises_in_a_sentence() -> None:
    assert not [measure.name for measure in available() if not measure.promise.endswith(".")]


def test_a_figure_is_held_against_its_target() -> None:
    assert Figure("a", 1, "ms").met is None
    assert Figure("a", 1, "ms", 2).met is True
    assert Figure("a", 1, "/s", 2, at_most=False).met is False
    assert "| `a` | 1 | ms | <= 2 |" in markdown([Figure("a", 1, "ms", 2)])


def test_a_clock_counts_wall_and_cpu_apart() -> None:
    with Bench() as bench, bench.clock() as span:
        sum(range(10_000))
    assert span.wall_s > 0
    assert span.cpu_s >= 0
    assert percentile([3, 1, 2], 0.5) == 2
