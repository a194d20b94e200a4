"""The calls of the client, a file for a few nouns; one client combines all of them."""

from aob.client.async_nouns.events import Events
from aob.client.async_nouns.metrics import Metrics
from aob.client.async_nouns.people import People
from aob.client.async_nouns.runs import Runs
from aob.client.async_nouns.workflows import Workflows

__all__ = ["Events", "Metrics", "People", "Runs", "Workflows"]
