"""The secrets of a home: those that documents name, those that sign messages of webhooks, the secret of links. A
cluster keeps them in its store, encrypted by a master key that its processes are given."""

from aob.compose.secrets.home_secrets import (
    HomeSecrets,
    SecretKeeping,
    check_keys,
    home_secrets,
    secret_keeping,
    vault_of,
)
from aob.compose.secrets.master_key import new_master_key

__all__ = [
    "HomeSecrets", "SecretKeeping", "check_keys", "home_secrets", "new_master_key", "secret_keeping", "vault_of",
]  # fmt: skip
