"""A file per noun: each parses a request, calls one verb of the engine, and formats its answer."""

from collections.abc import Callable
from typing import Final

from aob.core.verbs import patch_verbs, ticket_verbs
from aob.server.api_keys import NO_KEYS, ApiKeys
from aob.server.http.openapi import openapi
from aob.server.http.route import AnyRoute, Table
from aob.server.http.verb_routes import Odd, verb_routes
from aob.server.routes import blobs, health, keys, patches, runs, starts, streams, tickets, workflows
from aob.server.routes.docs import Docs
from aob.server.routes.links import Links
from aob.server.routes.live import live_routes

_ODD: Final[dict[str, Odd]] = {**patches.ODD, **tickets.ODD}
_STATED: Final[tuple[AnyRoute, ...]] = (
    *starts.ROUTES,
    *runs.ROUTES,
    *verb_routes(patch_verbs.VERBS, _ODD),
    *streams.ROUTES,
    *workflows.ROUTES,
    *verb_routes(ticket_verbs.VERBS, _ODD),
    *blobs.ROUTES,
    *health.ROUTES,
)
__all__ = ["make_table"]


def make_table(
    version: str,
    link_secret: bytes,
    now_ms: Callable[[], int],
    metrics_text: Callable[[bool], bytes] | None = None,
    api_keys: ApiKeys = NO_KEYS,
    public_url: str = "",
) -> Table:
    """All routes of a server. Its own description is made of the very table that it is a part of."""
    docs = Docs(lambda: openapi(table, version))
    links = Links(link_secret, now_ms, api_keys.holder, public_url.rstrip("/"))
    table = Table((*_STATED, *keys.key_routes(api_keys), *live_routes(metrics_text), *links.routes(), *docs.routes()))
    return table
