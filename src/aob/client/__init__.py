"""Typed clients of the HTTP API; a problem of the server is raised as the original error."""

from aob.client.async_client import AsyncClient
from aob.client.frames import Event
from aob.client.place import Place, find_key, find_place
from aob.client.request import name_in
from aob.client.sync_client import Client

__all__ = ["AsyncClient", "Client", "Event", "Place", "find_key", "find_place", "name_in"]
