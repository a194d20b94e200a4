"""Resolves names of secrets to values, only for the hosts they are bound to, and never into a record."""

from aob.work.secrets.mask import NO_MASK, Mask
from aob.work.secrets.vault import NOWHERE, Vault

__all__ = ["NOWHERE", "NO_MASK", "Mask", "Vault"]
