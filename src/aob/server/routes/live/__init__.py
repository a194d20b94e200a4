"""Requests about events, metrics, contracts, alerts and webhooks flow in, one verb each; answers flow out."""

from collections.abc import Callable, Iterator

from aob.server.http.route import AnyRoute
from aob.server.routes.live import alerts, catalog, contracts, deadletters, ingest, metrics, webhooks
from aob.server.routes.live.prometheus import Prometheus
from aob.server.routes.live.streams import LiveStream

__all__ = ["live_routes"]


def live_routes(metrics_text: Callable[[bool], bytes] | None) -> Iterator[AnyRoute]:
    """All routes of the metrics layer; `metrics_text` writes what Prometheus asks for."""
    for noun in (ingest, deadletters, metrics, contracts, catalog, alerts, webhooks):
        yield from noun.ROUTES
    yield from LiveStream().routes()
    yield from Prometheus(metrics_text).routes()
