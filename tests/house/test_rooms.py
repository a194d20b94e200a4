"""Every room has a short door, opens with a promise, and is entered by the door."""

import ast
from collections.abc import Iterator
from typing import Final

from tests.house.tree import doors, extra, modules, over, parsed, short

DOOR_MAX: Final = 12
NAMES_REFUSED: Final = {"utils", "util", "common", "helpers", "helper", "base", "misc"}


def exported(tree: ast.Module) -> list[str] | None:
    """The names of `__all__`, or None where a module has none."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return list(ast.literal_eval(node.value))
    return None


def bound(tree: ast.Module) -> set[str]:
    """The public names that a door binds and does not merely use itself: what it lets out."""
    defined: set[str] = set()
    brought: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            brought.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.add(node.target.id)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return {name for name in defined | (brought - used) if not name.startswith("_")}


def test_a_door_names_all_that_it_lets_out() -> None:
    found = set()
    for name, path in doors().items():
        tree = parsed(path)
        lazy = any(isinstance(node, ast.FunctionDef) and node.name == "__getattr__" for node in tree.body)
        shown, lets_out = set(exported(tree) or ()), bound(tree)
        if lets_out - shown or (shown - lets_out and not lazy and not shown <= names_of(tree)):
            found.add(name)
    assert not list(extra("doors", found))


def names_of(tree: ast.Module) -> set[str]:
    """All names that a door binds, used by itself or not."""
    imported_names = {
        (alias.asname or alias.name).split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return imported_names | bound(tree)


def test_a_door_lets_out_at_most_twelve_names() -> None:
    sizes = {name: len(exported(parsed(path)) or ()) for name, path in doors().items()}
    found = {name: size for name, size in sizes.items() if size > DOOR_MAX}
    assert not list(over("door_names", found, DOOR_MAX))


def test_every_module_opens_with_a_promise() -> None:
    assert not [short(path) for path in modules().values() if not ast.get_docstring(parsed(path))]


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [name for name in modules() if name.rsplit(".", 1)[-1] in NAMES_REFUSED]


def imported(name: str, tree: ast.Module) -> Iterator[str]:
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


def test_others_enter_a_room_by_its_door() -> None:
    """Compose takes backends one by one; the package itself loads what it shows lazily, from where it stands."""
    found = {
        target
        for name, path in modules().items()
        for target in imported(name, parsed(path))
        if room_of(target) != room_of(name) and not is_door(target)
        if name != "aob" and not (room_of(name) == "aob.compose" and room_of(target) == "aob.backends")
    }
    assert not list(extra("side_doors", found))


def test_only_compose_names_a_backend() -> None:
    found: set[str] = set()
    for name, path in modules().items():
        if room_of(name) in {"aob.compose", "aob.testing", "aob.backends"}:
            continue
        found.update(f"{name} -> {t}" for t in imported(name, parsed(path)) if t.startswith("aob.backends"))
    assert not found


def test_the_client_knows_events_and_errors_only() -> None:
    found: set[str] = set()
    for name, path in modules().items():
        if room_of(name) == "aob.client":
            targets = imported(name, parsed(path))
            found.update(t for t in targets if room_of(t) not in {"aob.client", "aob.core"})
    assert not found
