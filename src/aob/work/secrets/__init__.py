"""Resolves names of secrets to values, only for the hosts they are bound to, and never into a record."""

from aob.work.secrets.mask import NO_MASK, Mask
from aob.work.secrets.named import NamingContext, Secrets, unnamed
from aob.work.secrets.vault import NOWHERE, VARIABLE, Kept, Secret, Vault, secret_data

__all__ = [
    "NOWHERE", "NO_MASK", "VARIABLE", "Kept", "Mask", "NamingContext", "Secret", "Secrets", "Vault", "secret_data",
    "unnamed",
]  # fmt: skip
