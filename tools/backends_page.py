"""The page of backends: which ports have which, and the suites that they pass, as `tests/conformance` says."""

import ast
from pathlib import Path
from typing import Final

BEGINS: Final = (("Memory", "memory"), ("Sqlite", "SQLite"), ("Postgres", "Postgres"))
"""How the name of a suite's class begins, and the column of its backend; all others are in the last one."""
PORTS: Final = {
    "blobs": "Blobs", "cache": "Cache", "dead_letters": "DeadLetters", "event_log": "EventLog", "leases": "Leases",
    "log": "Log (topics)", "pages": "Pages", "records": "Records", "serving": "Serving", "store": "Store",
    "transport": "Transport", "visit_logs": "VisitLogs, LogChunks", "workers": "Workers",
    "workers_remote": "Workers (of other processes)",
}  # fmt: skip


def page(tests: Path) -> str:
    """A row a port, a column a backend, in each the classes of its suite."""
    out = ["# Backends\n\n", "One suite a port: each of these classes runs all of it on a real backend "
           "(`tests/conformance`, in `make test`).\n\n"]  # fmt: skip
    names = [column for _, column in BEGINS]
    out.append(f"| port | {' | '.join(names)} | others |\n|---|{'---|' * (len(names) + 1)}\n")
    for path in sorted(tests.glob("test_*.py")):
        found = _suites(path)
        if not found:
            continue
        cells: dict[str, list[str]] = {name: [] for name in (*names, "others")}
        for name in found:
            column = next((column for begin, column in BEGINS if name.startswith(f"Test{begin}")), "others")
            cells[column].append(f"`{name}`")
        port = PORTS.get(path.stem.removeprefix("test_"), path.stem.removeprefix("test_"))
        out.append(f"| {port} | {' | '.join(', '.join(cells[name]) or 'none' for name in cells)} |\n")
    out.append("\nEvent logs give the same answers to the same random script "
               "(`tests/conformance/test_event_logs_alike.py`); `tests/runs` and others run on files and on Postgres "
               "by the mark `every_store`.\n")  # fmt: skip
    return "".join(out)


def _suites(path: Path) -> list[str]:
    """Its classes that run a suite."""
    tree = ast.parse(path.read_text())
    return [
        node.name for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test") and any("Suite" in ast.unparse(base) or
        ast.unparse(base).startswith("Test") for base in node.bases)
    ]  # fmt: skip
