"""Routes of events, metrics, contracts, alerts and webhooks where HTTP differs from the verb."""

from aob.server.http.verb_routes import Odd
from aob.server.routes.live import alerts, catalog, contracts, deadletters, ingest, metrics, webhooks
from aob.server.routes.live.prometheus import Prometheus
from aob.server.routes.live.streams import LiveStream

__all__ = ["Prometheus", "odd_live"]


def odd_live() -> dict[str, Odd]:
    """The differing routes of the metrics layer."""
    nouns = (ingest, deadletters, metrics, contracts, catalog, alerts, webhooks)
    return {name: odd for noun in nouns for name, odd in noun.ODD.items()} | LiveStream().odd()
