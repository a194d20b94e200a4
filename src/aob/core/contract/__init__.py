"""Texts of contracts in; event types, metrics, alerts and objectives, checked and compared, out.

Rooms inside: `reading` reads files, `check` judges whether contracts fit together, `show` draws what moves what.
"""

from aob.core.contract.check import check_set
from aob.core.contract.difference import compare
from aob.core.contract.document import schema_of, to_document
from aob.core.contract.reading import read_contracts
from aob.core.contract.show import graph_of
from aob.core.contract_model import AlertContract, Contract, ContractSet, EventContract, MetricContract, Slo

__all__ = [
    "AlertContract",
    "Contract",
    "ContractSet",
    "EventContract",
    "MetricContract",
    "Slo",
    "check_set",
    "compare",
    "graph_of",
    "read_contracts",
    "schema_of",
    "to_document",
]
