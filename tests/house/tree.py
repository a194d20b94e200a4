"""The checkout as the house tests see it: its files, its modules, and the exceptions that may only shrink."""

import ast
import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
SRC: Final = ROOT / "src"
RATCHET: Final = ROOT / "tests" / "house" / "ratchet.json"


@cache
def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((SRC / "aob").rglob("*.py")):
        parts = list(path.relative_to(SRC).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of one file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def doors() -> dict[str, Path]:
    """Every package: a package is a room, and its `__init__.py` is the door."""
    return {name: path for name, path in modules().items() if path.name == "__init__.py"}


@cache
def tracked() -> tuple[Path, ...]:
    """The text files that belong to the checkout: those git tracks, or all there are where git is not."""
    try:
        out = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        names = [name for name in out.decode().split("\0") if name]
    except (OSError, subprocess.CalledProcessError):
        names = [str(p.relative_to(ROOT)) for p in ROOT.rglob("*") if p.is_file() and ".venv" not in p.parts]
    return tuple(ROOT / name for name in names if (ROOT / name).is_file())


def text_of(path: Path) -> str:
    """The text of a file; empty for one that is not text."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def short(path: Path) -> str:
    """The path as people write it, from the root of the checkout."""
    return path.relative_to(ROOT).as_posix()


def ratchet(name: str) -> dict[str, Any]:
    """The exceptions of one rule: what is excepted, and how far it may go."""
    rules: dict[str, dict[str, Any]] = json.loads(RATCHET.read_text())
    return rules[name]


def over(name: str, found: Mapping[str, float], limit: float, slack: float = 0) -> Iterator[str]:
    """What breaks a rule: values over the limit that are not excepted, and exceptions wider than needed by `slack`."""
    excepted = ratchet(name)
    for what, value in found.items():
        allowed = excepted.get(what, limit)
        if value > allowed:
            yield f"{what}: {value:g} is over {allowed:g}"
    for what, allowed in excepted.items():
        value = found.get(what, 0)
        if value < allowed - slack:
            held = f"{value:g}" if value > limit else f"within {limit:g}"
            yield f"{what}: now {held}, so lower or remove its exception ({allowed:g}) in tests/house/ratchet.json"


def extra(name: str, found: set[str]) -> Iterator[str]:
    """The same for rules that are kept or broken: what breaks it unexcepted, and exceptions no longer needed."""
    excepted = set(ratchet(name))
    yield from (f"{what}" for what in sorted(found - excepted))
    yield from (f"{what}: kept now, so remove its exception" for what in sorted(excepted - found))
