"""Checks whether the contracts of a set fit together."""

from aob.core.contract.check.check import check_set, joined

__all__ = ["check_set", "joined"]
