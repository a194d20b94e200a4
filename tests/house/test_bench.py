"""The bench says what it promises: its own frame works, and its page names every figure that it prints."""

import re
from pathlib import Path

from bench.against import best, rows, take, tree_of
from bench.frame import GROUPS, Bench, Figure, available, percentile
from bench.report import markdown
from tests.house.tree import ROOT, text_of


def test_every_figure_of_the_bench_stands_on_its_page() -> None:
    page = (ROOT / "docs" / "performance.md").read_text()
    printed = {
        name
        for group in GROUPS
        for path in sorted((ROOT / "bench" / group).glob("*.py"))
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


def test_the_best_of_both_sides_are_held_against_each_other() -> None:
    before = best([{"a.ms": (2.0, "ms"), "a.per_s": (50.0, "/s")}, {"a.ms": (4.0, "ms"), "a.per_s": (100.0, "/s")}])
    now = best([{"a.ms": (3.0, "ms"), "a.per_s": (80.0, "/s"), "new": (1.0, "ms")}])
    told = {row.name: round(row.cost) for row in rows(before, now)}
    assert told == {"a.ms": 50, "a.per_s": 25}, "above nothing is what this tree costs more, in seconds and in rates"


def test_a_tree_of_a_commit_is_measured_by_its_own_bench_and_then_gone(tmp_path: Path) -> None:
    with tree_of("HEAD", tmp_path / "tree") as tree:
        assert (tree / "bench" / "frame.py").is_file()
        assert take(tree, ["calibration"], ["--quick"])["calibration.decodes_per_cpu_s"][0] > 0
    assert not tree.exists()
