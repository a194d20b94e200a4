"""Commits revisions of contracts from their texts; serves the current ones from memory."""

from aob.metrics.contracts.contracts import Contracts, joined, metric_unknown
from aob.metrics.contracts.defaults import unversioned
from aob.metrics.contracts.law import ContractsLaw, Declared

__all__ = ["Contracts", "ContractsLaw", "Declared", "joined", "metric_unknown", "unversioned"]
