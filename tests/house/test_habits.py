"""Nothing is left half-done in the package, and tests wait for signals instead of sleeping."""

import ast
import re
from pathlib import Path
from typing import Final

from tests.house.tree import ROOT, extra, modules, parsed, short, text_of

UNFINISHED: Final = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def test_nothing_is_left_to_be_done_later() -> None:
    assert not [short(path) for path in modules().values() if UNFINISHED.search(text_of(path))]


def sleeps(path: Path) -> bool:
    """Whether a test file sleeps for some time (a sleep of 0 only lets others run)."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep":
            owner = node.func.value
            zero = bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
            if isinstance(owner, ast.Name) and owner.id in {"time", "asyncio"} and not zero:
                return True
    return False


def test_tests_wait_for_signals_and_never_sleep() -> None:
    found = {short(path) for path in sorted((ROOT / "tests").rglob("test_*.py")) if sleeps(path)}
    assert not list(extra("tests_that_sleep", found))
