"""What the rules of STYLE.md measure: the package in; for each rule what breaks it, by how much, out.

A rule that is kept or broken counts 1. Exceptions stand in ratchet.json; `tighten.py` lowers them, never raises them.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from tests.house.duplicates import near_duplicates
from tests.house.tree import ROOT, doors, modules, parsed, short, text_of

Found = dict[str, float]


def function_lines() -> Found:
    """The lines of every function."""
    return {
        f"{name}.{node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for name, path in modules().items()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def module_lines() -> Found:
    """The lines of every module that a person writes."""
    return {name: len(text_of(path).splitlines()) for name, path in modules().items() if not name.endswith("_pb2")}


def any_density(core: bool) -> float:
    """How often `Any` is written in 1,000 lines, imports not counted."""
    count = lines = 0
    for name, path in modules().items():
        if name.startswith("aob.core") is core:
            lines += len(text_of(path).splitlines())
            count += sum(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(parsed(path)))
    return round(1000 * count / max(lines, 1), 1)


def rooms() -> dict[str, list[int]]:
    """The lines of each file of each room, its door not counted; a room inside counts for itself."""
    found: dict[str, list[int]] = {}
    for path in modules().values():
        if path.name != "__init__.py":
            found.setdefault(short(path.parent), []).append(len(text_of(path).splitlines()))
    return found


def exported(tree: ast.Module) -> list[str]:
    """The names of `__all__`."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return []


def brought(tree: ast.Module) -> set[str]:
    """The names that a module imports."""
    return {
        (alias.asname or alias.name).split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }


def defined(tree: ast.Module) -> set[str]:
    """The names that a module defines itself."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    return names


def untrue_doors() -> Found:
    """Doors whose `__all__` is not what they let out: what they define, and what they import and do not use."""
    found: Found = {}
    for name, path in doors().items():
        tree = parsed(path)
        shown, used = set(exported(tree)), {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        lets_out = {each for each in defined(tree) | (brought(tree) - used) if not each.startswith("_")}
        lazy = "__getattr__" in defined(tree)
        if lets_out - shown or not (lazy or shown <= defined(tree) | brought(tree)):
            found[name] = 1
    return found


def imported(tree: ast.Module) -> Iterator[str]:
    """The modules of the package that a module imports from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("aob."):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in modules() else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("aob."))


def room_of(module: str) -> str:
    """The room a module is a part of: `aob.work` for `aob.work.kinds.http`."""
    return ".".join(module.split(".")[:2])


def is_door(target: str) -> bool:
    """Packages are doors; files right under `core` and `ports` are one noun each, and open to all."""
    return target in doors() or (room_of(target) in {"aob.core", "aob.ports"} and target.count(".") == 2)


def side_doors() -> Found:
    """Files that others import past the door. Compose takes backends one by one, the package itself loads what it shows
    from where it stands, the test room wires its worlds from the insides of rooms, and messages of gRPC are taken from
    the module that protoc makes."""
    return {
        target: 1
        for name, path in modules().items()
        for target in imported(parsed(path))
        if room_of(target) != room_of(name) and not is_door(target)
        if room_of(name) not in {"aob", "aob.testing"}
        and not (room_of(name) == "aob.compose" and room_of(target) == "aob.backends")
        and not target.endswith("_pb2")
    }


def sleeps(path: Path) -> bool:
    """Whether a test file sleeps for some time (a sleep of 0 only lets others run)."""
    if "sleep" not in text_of(path):
        return False
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "sleep":
            owner = node.func.value
            zero = bool(node.args) and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
            if isinstance(owner, ast.Name) and owner.id in {"time", "asyncio"} and not zero:
                return True
    return False


class Rule(NamedTuple):
    """A measure, its limit, and how far below its exception a value may lie before the exception must follow."""

    measure: Callable[[], Found]
    limit: float
    slack: float = 0


RULES: Final = {
    "function_lines": Rule(function_lines, 60),
    "module_lines": Rule(module_lines, 400),
    "any_per_1000_core": Rule(lambda: {"core": any_density(core=True)}, 3, 2),
    "any_per_1000_elsewhere": Rule(lambda: {"elsewhere": any_density(core=False)}, 10, 2),
    "room_files": Rule(lambda: {room: len(sizes) for room, sizes in rooms().items()}, 15),
    "room_lines": Rule(lambda: {room: sum(sizes) for room, sizes in rooms().items()}, 4_000),
    "door_names": Rule(lambda: {name: len(exported(parsed(path))) for name, path in doors().items()}, 12),
    "untrue_doors": Rule(untrue_doors, 0),
    "side_doors": Rule(side_doors, 0),
    "near_duplicates": Rule(
        lambda: {"pairs of functions (python -m tests.house.duplicates)": sum(1 for _ in near_duplicates())}, 0
    ),
    "tests_that_sleep": Rule(
        lambda: {short(path): 1 for path in sorted((ROOT / "tests").rglob("test_*.py")) if sleeps(path)}, 0
    ),
}
"""Every rule that may have exceptions."""
