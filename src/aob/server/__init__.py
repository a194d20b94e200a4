"""Serves verbs of the engine over HTTP: one verb a request, an answer or a problem back. Decides nothing itself."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from secrets import token_bytes
from typing import Any

from aob.core.answers import JsonObject
from aob.core.verb import AnyVerb
from aob.core.verbs import TABLE
from aob.fanout import Limits
from aob.ports.telemetry import Telemetry
from aob.server.api_keys import API_KEYS, NO_KEYS, ApiKeys, read_api_keys
from aob.server.http import App, openapi
from aob.server.http.call import clock_ms
from aob.server.limits import ReadLimit
from aob.server.place import KEY_FILE, announced, loopback_key
from aob.server.routes import make_table
from aob.server.serve import listen, serving
from aob.server.starting import Starting

__all__ = [
    "API_KEYS", "KEY_FILE", "App", "Limits", "Starting", "announced", "create_app", "listen", "loopback_key",
    "openapi_document", "read_api_keys", "serving",
]  # fmt: skip


def create_app(
    verbs: Any,
    metrics: Any = None,
    shards: Any = None,
    *,
    link_secrets: Sequence[bytes] = (),
    limits: Limits = Limits(),  # noqa: B008  # frozen
    reads_per_minute: int = 0,
    tenant_reads_per_minute: int = 0,
    api_keys: ApiKeys | None = None,
    metrics_text: Callable[[bool], bytes] | None = None,
    now_ms: Callable[[], int] = clock_ms,
    telemetry: Telemetry | None = None,
    public_url: str = "",
    hosts: frozenset[str] | None = None,
    table: Sequence[AnyVerb] = TABLE,
) -> App:
    """The ASGI application over an engine, a metrics layer and the shards of a home. The first of `link_secrets` signs
    links, each opens them; without one they hold until the process ends; `reads_per_minute` bounds the reads of a key,
    `tenant_reads_per_minute` those of all keys of a tenant together, counted by cost (0: no bound), except for the
    home's own key; `api_keys` open in addition to those that the engine knows; `metrics_text` makes the text of `GET
    /metrics` (Prometheus); `telemetry` takes times and spans; links begin with `public_url`; a request for another host
    than one of `hosts` is refused (None: any is served)."""
    routes = make_table(
        _version(), link_secrets or (token_bytes(32),), now_ms, metrics_text, api_keys or NO_KEYS, public_url, table
    )
    bounded = reads_per_minute > 0 or tenant_reads_per_minute > 0
    read_limit = ReadLimit(reads_per_minute, tenant_reads_per_minute) if bounded else None
    return App(
        verbs,
        routes,
        limits,
        metrics=metrics,
        shards=shards,
        read_limit=read_limit,
        api_keys=api_keys,
        now_ms=now_ms,
        telemetry=telemetry,
        hosts=hosts,
    )


def openapi_document() -> JsonObject:
    """The OpenAPI document of every server of this version."""
    return openapi(make_table(_version(), (b"",), lambda: 0), _version())


def _version() -> str:
    return version("agentic-orchestration-builder")
