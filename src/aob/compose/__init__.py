"""Turns settings into a running home; the only place that names a backend. `up` is imported only on access."""

from typing import TYPE_CHECKING, Any

from aob.compose.app import App, RunHandle
from aob.compose.parts import handler_facts, secrets_of
from aob.compose.settings import Settings, read_settings
from aob.compose.shards import open

if TYPE_CHECKING:
    from aob.compose.deep import check_deep
    from aob.compose.up import up

__all__ = ["App", "RunHandle", "Settings", "check_deep", "handler_facts", "open", "read_settings", "secrets_of", "up"]

_LATER = {"up": "aob.compose.up", "check_deep": "aob.compose.deep"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'aob.compose' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LATER[name]), name)
