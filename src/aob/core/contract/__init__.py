"""Reads contract files (`sources`), checks sets (`check`), compares versions and shows their `lineage`."""

from aob.core.contract.check import check_set
from aob.core.contract.difference import compare
from aob.core.contract.document import kind_of, schema_of, to_document
from aob.core.contract.lineage import graph_of
from aob.core.contract.sources import Sources, read_contracts
from aob.core.contract.types import types_of

__all__ = [
    "Sources", "check_set", "compare", "graph_of", "kind_of", "read_contracts", "schema_of", "to_document", "types_of",
]  # fmt: skip
