"""Which libraries of the optional extras are installed, and the error when one is missing."""

import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec

from aob.core.errors import Unavailable


@cache
def installed(module: str) -> bool:
    """Whether a module can be imported."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # of a module in a package, when the package is missing
        return False


def required(module: str, extra: str, what: str) -> None:
    """Raises Unavailable `not_installed`, with the command that installs it, when a module is missing."""
    if not installed(module):
        why = f"{what} needs {module}, which is not installed"
        raise Unavailable(why, code="not_installed", hint=f"pip install 'agentic-orchestration-builder[{extra}]'")


def load(module: str, *, without: str) -> None:
    """Import a module as if another were not installed, which it would import and nothing here needs."""
    if module in sys.modules or without in sys.modules:
        return
    sys.modules[without] = None  # type: ignore[assignment]
    try:
        import_module(module)
    finally:
        del sys.modules[without]
