"""The simulated world replaces the clocks that a module holds by name: no other way to a clock is taken."""

import ast
import re
from collections.abc import Iterator

import pytest

from aob.testing.world.loop import REAL
from tests.house.tree import modules, parsed, text_of

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
TIMED = re.compile(r"^\s*(from|import) (date)?time\b", re.MULTILINE)
TODAY = ("datetime.now", "datetime.utcnow", "datetime.today", "date.today")
LAST = {"now", "utcnow", "today"}
CLOCKS = {f"time.{name}" for name in REAL} | (REAL.keys() - {"time"})
OUTSIDE = ("aob.cli", "aob.client", "aob.testing")
"""Rooms that no simulated world runs."""


def outside_bodies(node: ast.AST) -> Iterator[ast.AST]:
    """What is evaluated when a module is loaded: defaults and decorators of its functions too, not their bodies."""
    for child in ast.iter_child_nodes(node):
        if isinstance(node, Function) and child in (node.body if isinstance(node.body, list) else [node.body]):
            continue
        yield child
        yield from outside_bodies(child)


def ways_past(tree: ast.Module) -> list[int]:
    """Lines at which a clock is bound where nothing replaces it."""
    top = set(map(id, tree.body))
    lines = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in top:
            names = [node.module] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names]
            lines += [node.lineno] if "time" in names else []
        if isinstance(node, ast.Attribute) and node.attr in LAST and ast.unparse(node).endswith(TODAY):
            lines.append(node.lineno)
    for node in outside_bodies(tree):
        if isinstance(node, ast.Name) and node.id in CLOCKS:
            lines.append(node.lineno)
        if isinstance(node, ast.Attribute) and node.attr in REAL and ast.unparse(node) in CLOCKS:
            lines.append(node.lineno)
    return lines


KNOWN = {"aob.compose.metrics.process": 1, "aob.compose.network.certificates": 1, "aob.compose.parts": 1}
"""The age of a process, when a certificate ends, and the date in the name of a recording: no world has processes or
certificates, or records a model."""


def test_no_clock_is_bound_where_a_simulated_world_cannot_replace_it() -> None:
    asked = [name for name, path in modules().items() if not name.startswith(OUTSIDE) and TIMED.search(text_of(path))]
    found = {name: len(ways_past(parsed(modules()[name]))) for name in asked}
    assert {name: count for name, count in found.items() if count} == KNOWN


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import time\ndef f():\n    return time.time()", 0),
        ("def f():\n    import time", 1),
        ("def f():\n    from time import monotonic", 1),
        ("import time\ndef f(now=time.monotonic): ...", 1),
        ("from time import perf_counter\nclass A:\n    clock = perf_counter", 1),
        ("from datetime import datetime\ndef f():\n    return datetime.now()", 1),
    ],
)
def test_the_sweep_finds_such_places(text: str, found: int) -> None:
    assert len(ways_past(ast.parse(text))) == found
