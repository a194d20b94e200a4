"""All that is secret of a home for one process: in files of its folder, or of a cluster in its store and by its master
key."""

import getpass
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

from aob.compose.files.link_secret import link_secret
from aob.compose.secrets.master_key import MasterKeys, master_keys
from aob.compose.secrets.stored import StoredHookSecrets, StoredSecrets, check_readable, settled
from aob.compose.settings import Settings
from aob.compose.storage import InDatabase, Storage
from aob.core.errors import CallerError
from aob.fanout.webhooks import SecretFolder, Secrets
from aob.ports.installed import required
from aob.work.secrets import Vault

FOLDER: Final = "secrets"  # the folder of a home with its secrets
LINKS: Final = "links"


class HomeSecrets(NamedTuple):
    """`vault` has the secrets that documents name, `webhooks` those that sign messages. The first of `links` signs
    links, and each of them opens one. `stored` are those of a cluster, to be read again when they change."""

    vault: Vault
    webhooks: Secrets
    links: tuple[bytes, ...]
    stored: StoredSecrets | None = None


def vault_of(home: Path, env: Mapping[str, str] | None = None) -> Vault:
    """The secrets in the files of a home, and those of the environment."""
    return Vault(home / FOLDER, env)


async def home_secrets(
    home: Path, settings: Settings, storage: Storage, env: Mapping[str, str] | None = None
) -> HomeSecrets:  # fmt: skip
    """The secrets of a home for a process that works. Raises what `cluster_keys` does."""
    if not isinstance(storage, InDatabase):
        vault = vault_of(home, env)
        return HomeSecrets(vault, Secrets(SecretFolder(home / FOLDER), vault), (link_secret(home),))
    keys, records, by = cluster_keys(settings, storage), storage.records(), storage.member.member or _person()
    present = await settled(records, keys, by)
    await check_readable(records, keys)
    stored = StoredSecrets(records, keys)
    await stored.refresh()
    vault = Vault(home / FOLDER, env, kept=stored)
    links = (present, *(key for key in keys.every if key is not present))
    hooks = Secrets(StoredHookSecrets(records, keys, by), vault)
    return HomeSecrets(vault, hooks, tuple(key.derived(LINKS) for key in links), stored)


def check_keys(settings: Settings) -> None:
    """Before anything is opened. Raises Invalid `master_key_missing`, `bad_master_key` for a home in a database."""
    if settings.in_database:
        required("cryptography", "postgres", "a master key")
        master_keys(settings.master_key, settings.master_key_old, b"")


def cluster_keys(settings: Settings, storage: InDatabase) -> MasterKeys:
    """The master keys of this process. Raises Invalid `master_key_missing`, `bad_master_key`, and Unavailable without
    the library."""
    required("cryptography", "postgres", "a master key")
    return master_keys(settings.master_key, settings.master_key_old, storage.cluster.id)


class SecretKeeping:
    """What `aob secret` does with the secrets of a home, of which no process need run."""

    def __init__(self, vault: Vault, stored: StoredSecrets | None) -> None:
        self._vault, self._stored = vault, stored

    async def set(self, name: str, value: str, hosts: tuple[str, ...]) -> None:
        """Keep a secret. Raises Invalid."""
        if self._stored is None:
            self._vault.set(name, value, hosts)
        else:
            await self._stored.set(name, value, hosts, _person())

    def names(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Every secret by name: its origin, and the hosts that it is bound to."""
        return list(self._vault.names())

    async def remove(self, name: str) -> None:
        """Remove a secret. Raises NotFound."""
        if self._stored is None or name not in self._stored.names():
            self._vault.remove(name)
        else:
            await self._stored.remove(name, _person())

    async def rekey(self) -> int:
        """Encrypt all with the key of now; how many were encrypted with another. Raises CallerError for a home in
        files."""
        if self._stored is None:
            raise CallerError("a home in files has no master key", code="no_cluster", hint="AOB_STORE names a cluster")
        return await self._stored.rekey(_person())


@asynccontextmanager
async def secret_keeping(home: Path, settings: Settings, env: Mapping[str, str]) -> AsyncIterator[SecretKeeping]:
    """Work on the secrets of a home: in its files, or in its store."""
    if not settings.in_database:
        yield SecretKeeping(vault_of(home, env), None)
        return
    async with InDatabase.opened(home, settings) as storage:
        keys = cluster_keys(settings, storage)
        await settled(storage.records(), keys, _person())
        stored = StoredSecrets(storage.records(), keys)
        await stored.refresh()
        yield SecretKeeping(Vault(home / FOLDER, env, stored), stored)


def _person() -> str:
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = f"user {os.getuid()}" if hasattr(os, "getuid") else "somebody"
    return f"{name} on {socket.gethostname()}"[:200]
