"""`make test` says what a run took, names a run that is too long, and leaves no suite out of both kinds of run."""

import os
import subprocess
import sys

from hypothesis import given, settings
from hypothesis.strategies import integers

from tests.house.tree import ROOT
from tests.suites import EXAMPLES, LONG, LONG_S, QUICK, SLOW, is_slow, suite_of, told, try_fewer


def test_each_suite_and_server_is_told_the_longest_first() -> None:
    lines = told({"core": 2.0, "crash": 30.5}, {"core": 900, "crash": 15}, 60.0, {"postgres": 1.4})
    assert [line.split(maxsplit=2)[2] for line in lines] == [
        "crash (15 tests)", "core (900 tests)", "to start postgres", "from begin to end",
    ]  # fmt: skip


def test_a_run_of_more_than_45_minutes_says_so() -> None:
    assert LONG_S == 2_700
    assert "more than 45 minutes" in told({}, {}, 2_701.0, {})[-1]
    assert "more than" not in told({}, {}, 2_699.0, {})[-1]


def test_what_a_fast_run_leaves_out_is_there() -> None:
    assert all((ROOT / "tests" / name).exists() for name in SLOW | QUICK | LONG)
    assert not is_slow("tests/compose/test_settings.py::test_x")
    assert is_slow("tests/compose/test_shards.py::test_x")
    assert is_slow("tests/crash/test_kill_fast.py::test_x")
    assert not is_slow("tests/core/test_x.py::test_crash")
    assert (suite_of("tests/core/run/test_x.py::test_a"), suite_of("test_x.py::test_a")) == ("core", "other")


def test_a_fast_run_tries_fewer_examples_also_of_a_property_that_says_how_many() -> None:
    tried: list[int] = []

    @settings(max_examples=300, database=None)
    @given(integers())
    def holds(number: int) -> None:
        tried.append(number)

    try_fewer(holds)
    holds()
    assert 0 < len(tried) <= EXAMPLES


def test_a_fast_run_starts_no_server_and_says_why() -> None:
    words = (sys.executable, "-m", "pytest", "-q", "-n", "0", "-k", "purpose or flipped",
             "tests/backends/postgres/test_database.py", "tests/crash/test_flipped_bits.py")  # fmt: skip
    env = {**os.environ, "AOB_TEST_SERVERS": "off", "AOB_TEST_FAST": "1", "AOB_TEST_TIMES": "1"}
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 skipped" in done.stdout
    assert "leaves out: backends/test_duckdb_serving.py" in done.stdout
    assert "no servers in this run" in done.stdout
    assert "from begin to end" in done.stdout
    assert "backends (" in done.stdout
