"""Functions, modules and `Any` stay small; what is over stands in ratchet.json, which only shrinks."""

import ast
import re
from typing import Final

from tests.house.tree import modules, over, parsed, short, text_of, tracked

FUNCTION_LINES_MAX: Final = 60
MODULE_LINES_MAX: Final = 400
ANY_PER_1000_MAX: Final = {"core": 3, "elsewhere": 10}
SLACK: Final = 2
ROOM_FILES_MAX: Final = 15
ROOM_LINES_MAX: Final = 4_000
BARE_IGNORE: Final = re.compile(r"#\s*type:\s*ignore(?!\[)")


def test_no_function_is_over_60_lines() -> None:
    found = {}
    for name, path in modules().items():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES_MAX:
                    found[f"{name}.{node.name}"] = lines
    assert not list(over("function_lines", found, FUNCTION_LINES_MAX))


def test_no_module_is_over_400_lines() -> None:
    lines = {name: len(text_of(path).splitlines()) for name, path in modules().items()}
    found = {name: count for name, count in lines.items() if count > MODULE_LINES_MAX}
    assert not list(over("module_lines", found, MODULE_LINES_MAX))


def any_density(core: bool) -> float:
    """How often `Any` is written in 1,000 lines, imports not counted."""
    count = lines = 0
    for name, path in modules().items():
        if name.startswith("aob.core") is core:
            lines += len(text_of(path).splitlines())
            count += sum(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(parsed(path)))
    return round(1000 * count / max(lines, 1), 1)


def test_any_is_rare_in_core() -> None:
    assert not list(over("any_per_1000_core", {"core": any_density(core=True)}, ANY_PER_1000_MAX["core"], SLACK))


def test_any_is_uncommon_elsewhere() -> None:
    found = {"elsewhere": any_density(core=False)}
    assert not list(over("any_per_1000_elsewhere", found, ANY_PER_1000_MAX["elsewhere"], SLACK))


def test_no_type_ignore_without_its_reason() -> None:
    python = [path for path in tracked() if path.suffix == ".py"]
    assert not [short(path) for path in python if BARE_IGNORE.search(text_of(path)) and path.name != "test_sizes.py"]


def rooms() -> dict[str, list[int]]:
    """The lines of each file of each room, its door not counted; a room inside counts for itself."""
    found: dict[str, list[int]] = {}
    for path in modules().values():
        if path.name != "__init__.py":
            found.setdefault(short(path.parent), []).append(len(text_of(path).splitlines()))
    return found


def test_no_room_has_more_than_15_files() -> None:
    found = {room: len(sizes) for room, sizes in rooms().items() if len(sizes) > ROOM_FILES_MAX}
    assert not list(over("room_files", found, ROOM_FILES_MAX))


def test_no_room_has_more_than_4000_lines() -> None:
    found = {room: sum(sizes) for room, sizes in rooms().items() if sum(sizes) > ROOM_LINES_MAX}
    assert not list(over("room_lines", found, ROOM_LINES_MAX))
