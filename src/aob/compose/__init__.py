"""Wires all: settings go in, a running home comes out. The only place that names a backend or reads the environment."""

from aob.compose.app import App, RunHandle, open
from aob.compose.settings import Settings, read_settings
from aob.compose.up import up

__all__ = ["App", "RunHandle", "Settings", "open", "read_settings", "up"]
