"""The calls of the client, one file per noun; one client combines all of them."""

from aob.client.async_nouns.alerts import Alerts
from aob.client.async_nouns.contracts import Contracts
from aob.client.async_nouns.deadletters import DeadLetters
from aob.client.async_nouns.events import Events
from aob.client.async_nouns.metrics import Metrics
from aob.client.async_nouns.people import People
from aob.client.async_nouns.runs import Runs
from aob.client.async_nouns.webhooks import Webhooks
from aob.client.async_nouns.workflows import Workflows

__all__ = [
    "Alerts", "Contracts", "DeadLetters", "Events", "Metrics", "People", "Runs", "Webhooks",
    "Workflows",
]  # fmt: skip
