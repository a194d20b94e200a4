"""Calls flow in, requests flow out, a file per noun; one client is made of all of them.

Made from async_nouns/__init__.py by `python -m tools.make_sync`: edit that one.
"""

from aob.client.sync_nouns.alerts import Alerts
from aob.client.sync_nouns.contracts import Contracts
from aob.client.sync_nouns.deadletters import DeadLetters
from aob.client.sync_nouns.events import Events
from aob.client.sync_nouns.metrics import Metrics
from aob.client.sync_nouns.people import People
from aob.client.sync_nouns.runs import Runs
from aob.client.sync_nouns.webhooks import Webhooks
from aob.client.sync_nouns.workflows import Workflows

__all__ = [
    "Alerts", "Contracts", "DeadLetters", "Events", "Metrics", "People", "Runs", "Webhooks",
    "Workflows",
]  # fmt: skip
