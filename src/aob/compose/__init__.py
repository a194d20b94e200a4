"""Wires all: settings go in, a running home comes out. The only place that names a backend or reads the environment.

`up` brings the server, which an application in process does not need: it is imported when it is asked for.
"""

from typing import TYPE_CHECKING, Any

from aob.compose.app import App, RunHandle, open
from aob.compose.parts import handler_facts, secrets_of
from aob.compose.settings import Settings, read_settings

if TYPE_CHECKING:
    from aob.compose.up import up

__all__ = ["App", "RunHandle", "Settings", "handler_facts", "open", "read_settings", "secrets_of", "up"]


def __getattr__(name: str) -> Any:
    if name != "up":
        raise AttributeError(f"module 'aob.compose' has no attribute {name!r}")
    import importlib

    return importlib.import_module("aob.compose.up").up
