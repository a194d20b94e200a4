"""Names of secrets flow in, values flow out: only to where they are bound, and never into a record."""

from aob.work.secrets.mask import NO_MASK, Mask
from aob.work.secrets.vault import NOWHERE, Secret, Vault

__all__ = ["NOWHERE", "NO_MASK", "Mask", "Secret", "Vault"]
