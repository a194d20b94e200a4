"""Routes of events, metrics, contracts, alerts and webhooks where HTTP differs from the verb."""

from typing import Final

from aob.server.routes.live import alerts, catalog, contracts, deadletters, ingest, metrics, streams, webhooks

NOUNS: Final = (ingest, deadletters, metrics, contracts, catalog, alerts, webhooks, streams)

__all__ = ["NOUNS"]
