"""The handlers of an application as a worker tells them to its server, and the build that they are."""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Final

from aob.work import HandlerTable, load_app, scan
from aob.work.topic_agents import scan_agents
from aob.work.topic_tasks import scan_work

BUILD_CHARS: Final = 12
_FOREIGN: Final = frozenset({"site-packages", "dist-packages"})


def load(app: Sequence[str]) -> tuple[HandlerTable, str]:
    """The handlers and agents of modules or files, and their build: a hash of its own files. Raises Invalid."""
    modules = [load_app(each) for each in app]
    return offered(*modules), build_of(modules)


def offered(*sources: object) -> HandlerTable:
    """The handlers and agents of modules or functions; those that perform tasks and plan, too. Raises Invalid."""
    handlers = scan(*sources)
    handlers.agents = {**scan_agents(*sources), **scan_work(*sources).agents}
    return handlers


def build_of(modules: Sequence[ModuleType]) -> str:
    """A hash of the Python files that were loaded from the folders of these modules, by their places in them."""
    roots = sorted({root for module in modules if (root := root_of(module)) is not None})
    hashed = hashlib.sha256()
    for name, file in sorted(set(_files(roots))):
        data = file.read_bytes()
        hashed.update(f"{name}\0{len(data)}\0".encode() + data)
    return hashed.hexdigest()[:BUILD_CHARS]


def root_of(module: ModuleType) -> Path | None:
    """The folder in which a module's application lies: that of its file, or of its outermost package."""
    if not getattr(module, "__file__", None):
        return None
    folder = Path(str(module.__file__)).resolve().parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _files(roots: Sequence[Path]) -> Iterator[tuple[str, Path]]:
    for module in list(sys.modules.values()):
        text = getattr(module, "__file__", None)
        if not isinstance(text, str) or not text.endswith(".py"):
            continue
        file = Path(text)
        for root in roots:
            if file.is_relative_to(root) and not _FOREIGN & set(file.parts) and file.is_file():
                yield file.relative_to(root).as_posix(), file
