"""A set of contracts in; every way in which they do not fit together, out."""

from aob.core.contract.check.check import check_set, joined

__all__ = ["check_set", "joined"]
