"""Resolves names of secrets to values, only for the hosts they are bound to, and never into a record."""

from aob.work.secrets.mask import NO_MASK, Mask
from aob.work.secrets.named import NamingContext, Secrets, unnamed
from aob.work.secrets.vault import NOWHERE, VARIABLE, Vault

__all__ = ["NOWHERE", "NO_MASK", "VARIABLE", "Mask", "NamingContext", "Secrets", "Vault", "unnamed"]
