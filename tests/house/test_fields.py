"""No field is only checked: each of a document and of the settings is read by the code that acts, and by a test.

The first two tests read the source: who never looks at a field cannot do what it says. The third asks that a test of
that behaviour gives the field.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec
import pytest

from aob.compose.settings import Egress, Models, Notify, Patching, Settings
from aob.core.graph import definition
from aob.core.node import KINDS
from aob.work.tools import Smtp, StoreSettings
from tests.house.tree import ROOT, parsed

WORK, LAW, GRAPH = "src/aob/work/kinds/{0}.py", "src/aob/core/run/**/*.py", "src/aob/core/graph/**/*.py"

READERS: dict[str, tuple[str, ...]] = {
    **{kind: (WORK.format(kind),) for kind in ("function", "http", "notify", "object", "emit", "metric")},
    "function": ("src/aob/work/kinds/function.py", "src/aob/runs/dispatch.py"),
    "agent": ("src/aob/work/kinds/agent.py", "src/aob/work/agent/*.py"),
    **dict.fromkeys(("branch", "join", "timer", "wait", "approval", "map", "loop"), (LAW,)),
    "node": (LAW, GRAPH, "src/aob/work/**/*.py", "src/aob/runs/*.py", "src/aob/views/*.py"),
    "retry": (LAW, GRAPH), "timeout": (LAW, "src/aob/work/pool/*.py"), "edge": (GRAPH,), "body": (GRAPH,),
    "workflow": (LAW, GRAPH, "src/aob/runs/*.py"), "run_timeout": (LAW, "src/aob/core/graph/compile.py"),
    "limits": (GRAPH, LAW),
}  # fmt: skip
"""Where the code stands that acts on the fields of a part."""
TESTS: dict[str, tuple[str, ...]] = {
    **{kind: (f"tests/work/test_{kind}*.py",) for kind in ("function", "http", "notify", "object", "emit", "metric")},
    "agent": ("tests/work/test_agent*.py", "tests/work/agent_run.py"),
    **dict.fromkeys(("branch", "join", "timer", "wait", "map", "loop"), ("tests/core/test_run_*.py",)),
}
"""Where the tests stand of what they do; for others all tests."""
OTHER_NAMES = {
    ("timeout", "queue"): "queue_ms", ("timeout", "start"): "start_ms", ("timeout", "run"): "run_ms",
    ("timeout", "heartbeat"): "heartbeat_ms", ("timeout", "deadline"): "deadline_ms",
    ("timeout", "remind"): "remind_ms", ("retry", "first"): "first_ms", ("retry", "max"): "max_ms",
    ("workflow", "timeout"): "run_ms", ("workflow", "limits"): "limits", ("limits", "agents"): "agents",
    ("run_timeout", "start"): "start_ms", ("run_timeout", "run"): "run_ms",
    ("timer", "for"): "for_", ("edge", "from"): "source", ("edge", "to"): "target", ("edge", "else"): "default",
    ("approval", "not"): "barred_of",
}  # fmt: skip
"""Under which name a field is read."""
SHOWN_ONLY = {("node", "description"), ("edge", "description"), ("workflow", "description")}
"""For people who read the document."""


def fields() -> Iterator[tuple[str, str]]:
    parts = {kind.name: kind.config for kind in KINDS.values()} | {
        "node": definition.NodeDefinition, "retry": definition.RetryDefinition, "edge": definition.EdgeDefinition,
        "timeout": definition.TimeoutDefinition, "body": definition.BodyDefinition,
        "workflow": definition.WorkflowDefinition, "run_timeout": definition.RunTimeoutDefinition,
        "limits": definition.LimitsDefinition,
    }  # fmt: skip
    for name, struct in parts.items():
        yield from ((name, field.encode_name) for field in msgspec.structs.fields(struct))


@cache
def read_in(pattern: str) -> frozenset[str]:
    """Attributes that are looked at, and keys that are looked up, in these files."""
    found: set[str] = set()
    for path in ROOT.glob(pattern):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.add(node.attr)
            elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
                found.add(str(node.slice.value))
            elif isinstance(node, ast.Call):
                found.update(str(arg.value) for arg in node.args[:1] if isinstance(arg, ast.Constant))
                found.add(node.func.id if isinstance(node.func, ast.Name) else "")
    return frozenset(found)


@cache
def text_of(pattern: str) -> str:
    return "\n".join(path.read_text() for path in sorted(ROOT.glob(pattern)) if path != Path(__file__))


@pytest.mark.parametrize(("part", "field"), sorted(set(fields()) - SHOWN_ONLY))
def test_every_field_of_a_document_is_read_by_what_acts(part: str, field: str) -> None:
    name = OTHER_NAMES.get((part, field), field)
    assert any(name in read_in(pattern) for pattern in READERS[part]), f"nobody reads `{field}` of a {part}"


@pytest.mark.parametrize(("part", "field"), sorted(fields()))
def test_every_field_of_a_document_is_given_by_a_test(part: str, field: str) -> None:
    given = re.compile(rf"""["']{field}["']\s*[:\]]|\b{field}_?\s*=|\b{field}:""")
    patterns = TESTS.get(part, ("tests/**/*.py",))
    assert any(given.search(text_of(pattern)) for pattern in patterns), f"no test gives `{field}` of a {part}"


OWN = frozenset({"settings", "_settings", "own", "smtp", "store", "at", "given"})
"""Names under which settings are handed on."""


@cache
def looked_at() -> tuple[frozenset[str], frozenset[str]]:
    """Attributes that anybody looks at, and those that are looked at of settings."""
    read, own = set[str](), set[str]()
    for path in (ROOT / "src" / "aob").rglob("*.py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                read.add(node.attr)
                name = getattr(node.value, "id", "") or getattr(node.value, "attr", "")
                if name in OWN or (name == "self" and path.name == "settings.py"):
                    own.add(node.attr)
    return frozenset(read), frozenset(own)


@pytest.mark.parametrize("struct", [Settings, Egress, Patching, Models, Notify, Smtp, StoreSettings])
def test_every_setting_is_read(struct: type[msgspec.Struct]) -> None:
    read, own = looked_at()
    missing = {field.name for field in msgspec.structs.fields(struct)} - (own if struct is Settings else read)
    assert not missing, f"nobody reads {', '.join(sorted(missing))} of {struct.__name__}"
