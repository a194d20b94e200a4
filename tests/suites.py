"""What each suite and server of a run took, when `make test` asks for it; and what a fast run leaves out."""

import gc
import os
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.servers.postgres import started_in

TIMES = "AOB_TEST_TIMES"
FAST = "AOB_TEST_FAST"
SLOW = {
    "cluster", "compose", "crash", "demo", "deploy", "examples", "fuzz", "models", "network", "sim", "sweep", "worker",
    "workers",
    "backends/test_duckdb_serving.py", "cli/test_cli_bad_roles.py", "cli/test_cli_bad_setups.py",
    "core/metric/test_oracle.py", "core/metric/test_oracle_again.py", "core/test_balance.py",
    "core/test_expression_agreement.py", "house/test_bench.py", "house/test_first_steps.py", "house/test_measures.py",
    "house/test_wheel.py", "server/test_generated_clients.py",
}  # fmt: skip
"""Suites and files that a fast run leaves out: they start processes, kill them, live whole worlds, try every field."""
QUICK = {f"compose/test_{name}.py" for name in ("home", "memory", "open", "settings", "store_url")}
"""Files of those suites that it keeps."""
LONG = {
    "cluster/test_chaos.py", "cluster/test_demo.py", "demo/test_demo.py", "fuzz/test_openapi.py",
    "house/test_first_steps.py", "server/test_generated_clients.py",
}  # fmt: skip
"""Files with a test of half a minute: a run begins with them, for at its end one process would wait for the other."""
EXAMPLES = 25
"""How many examples a fast run tries of a property, at most; a whole run tries 100, or as many as the property says."""
LONG_S = 45 * 60
"""A run that takes longer says so: nobody waits for it before a change goes in."""
TESTS = Path(__file__).resolve().parent
SWEPT = 2_048
"""Tests between two collections that go through everything: one takes a second or two."""
CLEARED = 8
"""Tests between two that go through what these have left; what is kept then is left alone from then on."""
BEGUN = pytest.StashKey[float]()
DONE = pytest.StashKey[int]()


def begin(config: pytest.Config) -> None:
    """The run begins."""
    config.stash[BEGUN] = time.monotonic()
    gc.set_threshold(50_000, 20, 100)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """The hook of pytest before each test: the collector leaves alone what all tests share (modules, the tests
    themselves). Each home that opens collects, and went through these every time: a tenth of the CPU of a run."""
    done = item.config.stash[DONE] = item.config.stash.get(DONE, -1) + 1
    if done % SWEPT == 0:
        gc.unfreeze()
    if done % CLEARED == 0:
        gc.collect()
        gc.freeze()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The hook of pytest at the end of a run."""
    if not os.environ.get(TIMES):
        return
    took, count = defaultdict[str, float](float), Counter[str]()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                suite = suite_of(report.nodeid)
                took[suite] += report.duration
                count[suite] += report.when == "call"
    wall_s = time.monotonic() - config.stash[BEGUN]
    for line in told(took, count, wall_s, started_in(os.environ)):
        terminalreporter.write_line(line)
    if os.environ.get(FAST):
        terminalreporter.write_line(f"A fast run leaves out: {', '.join(sorted(SLOW))}.")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """The hook of pytest before it reads a file or a folder: a fast run does not even read the slow ones."""
    if not os.environ.get(FAST) or not collection_path.is_relative_to(TESTS):
        return None
    name = collection_path.relative_to(TESTS).as_posix()
    kept = any(quick.startswith(f"{name}/") for quick in QUICK)
    return True if is_slow(name) and not kept else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The hook of pytest after it has found the tests, in their random order: the long ones come first, and a fast run
    leaves the slow ones out also of files that it was given."""
    items.sort(key=lambda item: name_of(item.nodeid) not in LONG)
    slow = [item for item in items if is_slow(item.nodeid)] if os.environ.get(FAST) else []
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not is_slow(item.nodeid)]
    for item in items if os.environ.get(FAST) else ():
        try_fewer(getattr(item, "obj", None))


def try_fewer(test: Any) -> None:
    """A property that says how many examples it tries says a few now."""
    test, said = getattr(test, "__func__", test), "_hypothesis_internal_use_settings"
    given = getattr(test, said, None)
    if isinstance(given, settings) and given.max_examples > EXAMPLES:
        setattr(test, said, settings(given, max_examples=EXAMPLES))


def name_of(nodeid: str) -> str:
    """The file that a test is in, from the folder `tests`."""
    return nodeid.partition("::")[0].removeprefix("tests/")


def is_slow(nodeid: str) -> bool:
    """Whether a fast run leaves a test, a file or a folder out."""
    name = name_of(nodeid)
    return name not in QUICK and (name in SLOW or name.partition("/")[0] in SLOW)


def suite_of(nodeid: str) -> str:
    """The folder below `tests` that a test is in."""
    parts = Path(nodeid.partition("::")[0]).parts
    return parts[1] if len(parts) > 2 and parts[0] == "tests" else "other"


def told(took: Mapping[str, float], count: Mapping[str, int], wall_s: float, servers: Mapping[str, float]) -> list[str]:
    """The lines about a run: each suite by what it took in all processes together, each server, the whole."""
    lines = [
        f"{seconds:>8.1f} s  {suite} ({count.get(suite, 0)} tests)"
        for suite, seconds in sorted(took.items(), key=lambda each: -each[1])
    ]
    lines += [f"{seconds:>8.1f} s  to start {name}" for name, seconds in servers.items()]
    lines.append(f"{wall_s:>8.1f} s  from begin to end")
    if wall_s > LONG_S:
        lines.append(f"This took more than {LONG_S // 60} minutes: see above which suite grew.")
    return lines
