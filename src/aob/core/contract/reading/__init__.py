"""Texts of contract files in; contracts, and where each of them stands, out."""

from aob.core.contract.reading.sources import Sources, contract_sources, read_contracts, set_of

__all__ = ["Sources", "contract_sources", "read_contracts", "set_of"]
