"""Texts of contracts in; event types, metrics, alerts and objectives, checked and compared, out.

Rooms inside: `reading` reads files, `check` judges whether contracts fit together, `show` draws what moves what.
"""

from aob.core.contract.check import check_set
from aob.core.contract.compare import compare
from aob.core.contract.document import contract_hash, to_document
from aob.core.contract.model import AlertContract, Contract, ContractSet, EventContract, MetricContract, Slo
from aob.core.contract.reading import contract_sources, read_contracts

__all__ = [
    "AlertContract",
    "Contract",
    "ContractSet",
    "EventContract",
    "MetricContract",
    "Slo",
    "check_set",
    "compare",
    "contract_hash",
    "contract_sources",
    "read_contracts",
    "to_document",
]
