"""Requests flow in over HTTP, one verb of the engine each; answers and problems flow out. Nothing is decided here."""

from collections.abc import Callable
from importlib.metadata import version
from secrets import token_bytes
from time import time_ns

from aob.core.answers import JsonObject
from aob.fanout import Limits
from aob.server.http import App, openapi
from aob.server.place import announced, loopback_key
from aob.server.routes import make_table
from aob.server.serve import listen, serving
from aob.server.verbs import Verbs

__all__ = ["App", "Limits", "Verbs", "announced", "create_app", "listen", "loopback_key", "openapi_document", "serving"]


def create_app(
    verbs: Verbs,
    *,
    link_secret: bytes | None = None,
    limits: Limits = Limits(),  # noqa: B008  # frozen
    now_ms: Callable[[], int] = lambda: time_ns() // 1_000_000,
) -> App:
    """The ASGI application over an engine. Without `link_secret` signed links hold until the process ends."""
    return App(verbs, make_table(_version(), link_secret or token_bytes(32), now_ms), limits)


def openapi_document() -> JsonObject:
    """The OpenAPI document of every server of this version."""
    return openapi(make_table(_version(), b"", lambda: 0), _version())


def _version() -> str:
    return version("agentic-orchestration-builder")
