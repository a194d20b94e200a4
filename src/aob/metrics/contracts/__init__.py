"""Commits revisions of contracts from their texts; serves the current ones from memory."""

from aob.metrics.contracts.contracts import Contracts
from aob.metrics.contracts.defaults import unversioned
from aob.metrics.contracts.law import Configured, ContractsLaw, Declared, Defaulted, Registered, Removed
from aob.metrics.contracts.listing import joined, metric_unknown
from aob.metrics.contracts.subjects import incompatible, refuse_breaking

__all__ = [
    "Configured", "Contracts", "ContractsLaw", "Declared", "Defaulted", "Registered", "Removed", "incompatible",
    "joined", "metric_unknown", "refuse_breaking", "unversioned",
]  # fmt: skip
