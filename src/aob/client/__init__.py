"""Typed clients of the HTTP API; a problem of the server is raised as the original error. A client is imported on
access: who looks for the place of a home needs none."""

from typing import TYPE_CHECKING, Any

from aob.client.place import Place, find_key, find_place

if TYPE_CHECKING:
    from aob.client.async_client import AsyncClient
    from aob.client.frames import Event
    from aob.client.request import name_in
    from aob.client.sync_client import Client

__all__ = ["AsyncClient", "Client", "Event", "Place", "find_key", "find_place", "name_in"]

_LATER = {"AsyncClient": "async_client", "Client": "sync_client", "Event": "frames", "name_in": "request"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'aob.client' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"aob.client.{_LATER[name]}"), name)
