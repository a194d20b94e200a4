"""Turns settings into a running home; the only place that names a backend. What a name needs is imported on access: a
worker process needs little of it."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aob.compose.app import App, RunHandle
    from aob.compose.deep import check_deep
    from aob.compose.front import front_up
    from aob.compose.parts import handler_facts
    from aob.compose.roles import Beside, roles_up
    from aob.compose.serving import up
    from aob.compose.settings import Settings, read_settings
    from aob.compose.shards import open

__all__ = [
    "App", "Beside", "RunHandle", "Settings", "check_deep", "front_up", "handler_facts", "open", "read_settings",
    "roles_up", "up",
]  # fmt: skip

_LATER = {
    "App": "app", "RunHandle": "app", "check_deep": "deep", "handler_facts": "parts",
    "Settings": "settings", "read_settings": "settings", "open": "shards", "front_up": "front", "up": "serving",
    "roles_up": "roles", "Beside": "roles",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'aob.compose' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"aob.compose.{_LATER[name]}"), name)
