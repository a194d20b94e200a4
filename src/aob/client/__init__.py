"""Calls go in, requests go out, answers come back typed; a problem of the server is raised as the error that it was."""

from aob.client.async_client import AsyncClient
from aob.client.frames import Event
from aob.client.place import Place, find_key, find_place
from aob.client.request import name_in
from aob.client.sync_client import Client

__all__ = ["AsyncClient", "Client", "Event", "Place", "find_key", "find_place", "name_in"]
