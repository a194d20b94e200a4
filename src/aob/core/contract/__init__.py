"""Texts of contracts in; event types, metrics, alerts and objectives, checked, compared and shown, out.

`sources` reads files, by way of `event` and `reading`; `check` judges whether contracts fit together; `difference`
compares versions; `lineage` shows what moves what.
"""

from aob.core.contract.check import check_set
from aob.core.contract.difference import compare
from aob.core.contract.document import schema_of, to_document
from aob.core.contract.lineage import graph_of
from aob.core.contract.sources import Sources, contract_sources, read_contracts
from aob.core.contract.types import types_of

__all__ = [
    "Sources", "check_set", "compare", "contract_sources", "graph_of", "read_contracts", "schema_of", "to_document",
    "types_of",
]  # fmt: skip
