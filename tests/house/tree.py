"""The checkout as the house tests see it: its files, its modules, and the exceptions that may only shrink."""

import ast
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

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


def ratchet(name: str) -> dict[str, float]:
    """The exceptions of one rule: what is excepted, and how far it may go."""
    rules: dict[str, dict[str, float]] = json.loads(RATCHET.read_text())
    return rules.get(name, {})
