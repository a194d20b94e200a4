"""Requests about events, metrics, contracts, alerts and webhooks flow in where HTTP says something otherwise than
their verbs; answers flow out."""

from aob.server.http.verb_routes import Odd
from aob.server.routes.live import alerts, catalog, contracts, deadletters, ingest, metrics, webhooks
from aob.server.routes.live.prometheus import Prometheus
from aob.server.routes.live.streams import LiveStream

__all__ = ["Prometheus", "odd_live"]


def odd_live() -> dict[str, Odd]:
    """What is odd of the routes of the metrics layer."""
    nouns = (ingest, deadletters, metrics, contracts, catalog, alerts, webhooks)
    return {name: odd for noun in nouns for name, odd in noun.ODD.items()} | LiveStream().odd()
