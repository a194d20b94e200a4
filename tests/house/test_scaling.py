"""What the page on scaling computes follows from what it says was measured."""

import json
from pathlib import Path

import pytest

from bench.scaling import FULL, PAGE, SHOWN, SOURCES, computed, cores, filled, main, measured, values_of
from tests.house.test_measures import FIGURES

BLANK = "a\n<!-- measured -->\n<!-- end of measured -->\nb\n<!-- computed -->\nold\n<!-- end of computed -->\nc\n"


def test_what_is_computed_on_the_page_follows_from_what_is_measured_there() -> None:
    page = PAGE.read_text()
    values = values_of(page)
    assert {name for each in SOURCES.values() for name in each.values()} <= values.keys()
    assert filled(page, "computed", computed(values)) == page


def test_every_figure_that_it_shows_is_one_of_the_bench() -> None:
    known = {name for names in FIGURES.values() for name in names.split()}
    assert set(SHOWN) <= known


def test_cores_are_units_a_second_by_the_cost_of_one() -> None:
    values = {"cluster_starts.home.cpu_us": 100.0, "cluster_workers.500.home.cpu_ms": 0.5}
    assert cores(values, "starts", 10_000) == {"coordinator": pytest.approx(1.0)}
    assert cores(values, "nodes", 100_000) == {"coordinator": pytest.approx(10.0)}, "a chain has five nodes"
    (row,) = [line for line in computed(values) if line.startswith("| coordinator")]
    assert row == f"| coordinator | 1.0 | 10.0 |  | {int(11 / FULL) + 1} |"


def test_a_run_fills_the_tables_and_leaves_the_rest_of_the_page(tmp_path: Path) -> None:
    figures, page = tmp_path / "figures.jsonl", tmp_path / "page.md"
    taken = [{"name": name, "value": 1234.5, "unit": "us", "load": 0.5, "build": "x"} for name in (*SHOWN, "other")]
    figures.write_text("".join(json.dumps(each) + "\n" for each in taken))
    page.write_text(BLANK)
    for _ in range(2):  # filling in twice changes nothing more
        assert main([str(figures), str(page)]) == 0
        text = page.read_text()
    assert text.startswith("a\n<!-- measured -->\n| figure |")
    assert text.endswith("<!-- end of computed -->\nc\n")
    assert "old" not in text
    assert set(values_of(text)) == set(SHOWN)
    with pytest.raises(ValueError, match="no place"):
        filled("nothing", "measured", measured({}))
