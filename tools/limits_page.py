"""The limits of the platform, read from the constants of its code: one table for docs/reference/limits.md."""

import ast
import operator
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

_LIMIT: Final = re.compile(r"[A-Z][A-Z0-9_]*MAX(?:_[A-Z]+)?")
_LEFT_OUT: Final = ("testing", "cli")
_SUMS: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Mult: operator.mul, ast.Add: operator.add, ast.Sub: operator.sub, ast.Div: operator.truediv,
    ast.LShift: lambda a, b: int(a) << int(b), ast.Pow: operator.pow,
}  # fmt: skip
HEAD: Final = """# Limits

Everything has a limit, and what goes over one is refused with its value and what to do instead; nothing is dropped
without a word. This is all of them, by the room that holds them. [Settings](settings.md) has those that can be set.

| limit | value | what it bounds | where |
|---|---|---|---|
"""


def page(source: Path) -> str:
    """The table, from the modules below `source`."""
    rows = sorted(row for path in source.rglob("*.py") for row in _rows(path, source))
    return HEAD + "".join(f"| `{name}` | {value} | {text} | {where} |\n" for where, name, value, text in rows)


def _rows(path: Path, source: Path) -> Iterator[tuple[str, str, str, str]]:
    parts = path.relative_to(source).with_suffix("").parts
    if parts[0] in _LEFT_OUT:
        return
    source_text = path.read_text(encoding="utf-8")
    body, lines = ast.parse(source_text).body, source_text.splitlines()
    for at, statement in enumerate(body):
        if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value):
            continue
        name = statement.target.id
        value = _number(statement.value)
        if value is None or not _LIMIT.fullmatch(name):
            continue
        following = body[at + 1] if at + 1 < len(body) else None
        text = _text(following) or _comment(lines[statement.lineno - 1]) or " ".join(name.lower().split("_")[:-1])
        yield ".".join(part for part in parts if part != "__init__"), name, _shown(name, value), text


def _comment(line: str) -> str:
    """The comment at the end of a line as a sentence."""
    comment = line.partition("  # ")[2]
    return f"{comment[0].upper()}{comment[1:].rstrip('.')}." if comment else ""


def _number(node: ast.expr) -> float | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, int | float) and not isinstance(node.value, bool) else None
    if isinstance(node, ast.BinOp) and type(node.op) in _SUMS:
        left, right = _number(node.left), _number(node.right)
        return None if left is None or right is None else _SUMS[type(node.op)](left, right)
    return None


def _text(following: ast.stmt | None) -> str:
    said: object = None
    if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
        said = following.value.value
    if isinstance(said, str):
        return " ".join(said.split()).replace("|", "\\|")
    return ""


def _shown(name: str, value: float) -> str:
    words = name.split("_")
    if "MS" in words:
        return f"{value:,} ms" if value < 1_000 else f"{value / 1_000:,.10g} s"
    if words[-1] == "S":
        return f"{value:,.10g} s"
    if "BYTES" in words and value >= 1_024:
        for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
            if value >= size and not value % size:
                return f"{value / size:,.10g} {unit}"
    return f"{value:,.10g}" if value % 1 else f"{int(value):,}"
