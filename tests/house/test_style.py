"""The rules of STYLE.md that can be measured hold; what is excepted stands in ratchet.json, which only shrinks."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.house.measures import RULES, Rule, imported, room_of
from tests.house.tree import ROOT, modules, parsed, ratchet, short, text_of, tracked

NAMES_REFUSED: Final = {"utils", "util", "common", "helpers", "helper", "base", "misc"}
BARE_IGNORE: Final = re.compile(r"#\s*type:\s*ignore(?!\[)")
UNFINISHED: Final = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def broken(name: str, rule: Rule) -> Iterator[str]:
    """What is over the limit and not excepted so far, and exceptions that are wider than needed."""
    excepted, found = ratchet(name), rule.measure()
    for what, value in found.items():
        if value > excepted.get(what, rule.limit):
            yield f"{what}: {value:g} is over {excepted.get(what, rule.limit):g}"
    for what, allowed in excepted.items():
        if max(found.get(what, 0), rule.limit) < allowed - rule.slack:
            yield f"{what}: its exception of {allowed:g} is wider than needed: python -m tests.house.tighten"


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_measured_rule_holds_and_its_exceptions_only_shrink(name: str) -> None:
    assert not list(broken(name, RULES[name]))


def test_every_module_opens_with_a_promise() -> None:
    assert not [short(path) for path in modules().values() if not ast.get_docstring(parsed(path))]


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [name for name in modules() if name.rsplit(".", 1)[-1] in NAMES_REFUSED]


def test_no_type_ignore_without_its_reason() -> None:
    python = [path for path in tracked() if path.suffix == ".py" and path.name != "test_style.py"]
    assert not [short(path) for path in python if BARE_IGNORE.search(text_of(path))]


def test_nothing_is_left_to_be_done_later() -> None:
    assert not [short(path) for path in modules().values() if UNFINISHED.search(text_of(path))]


def test_only_compose_names_a_backend() -> None:
    found: set[str] = set()
    for name, path in modules().items():
        if room_of(name) not in {"aob.compose", "aob.testing", "aob.backends"}:
            found.update(f"{name} -> {t}" for t in imported(parsed(path)) if t.startswith("aob.backends"))
    assert not found


def test_no_name_that_a_room_gives_on_access_is_that_of_a_module_of_it() -> None:
    """Whoever imports the module first would be given it in place of the name."""
    doors = [path for path in (ROOT / "src").rglob("__init__.py") if "def __getattr__" in path.read_text()]
    hidden = [
        f"{path.parent.name}.{name}"
        for path in doors for name in ast.literal_eval(_said(path, "__all__"))
        if (path.parent / f"{name}.py").exists() or (path.parent / name).is_dir()
    ]  # fmt: skip
    assert (len(doors) > 3, hidden) == (True, [])


def _said(path: Path, name: str) -> ast.expr:
    """What a module says a name is."""
    return next(
        each.value for each in parsed(path).body
        if isinstance(each, ast.Assign) and isinstance(each.targets[0], ast.Name) and each.targets[0].id == name
    )  # fmt: skip


def test_the_client_knows_events_and_errors_only() -> None:
    found: set[str] = set()
    for name, path in modules().items():
        if room_of(name) == "aob.client":
            found.update(t for t in imported(parsed(path)) if room_of(t) not in {"aob.client", "aob.core"})
    assert not found
