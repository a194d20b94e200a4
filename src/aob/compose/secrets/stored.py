"""The secrets that a cluster keeps in its store, encrypted: those of `aob secret` and the signing secrets of webhooks.
All processes of the cluster read them; nothing of them is in a folder."""

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import Final

import msgspec

from aob.compose.secrets.master_key import OLD_VARIABLE, PRINT_BYTES, VARIABLE, MasterKey, MasterKeys
from aob.core.errors import Conflict, NotFound, Unavailable
from aob.ports.cluster import Record, Records
from aob.work.secrets import Secret, secret_data

SECRET: Final = "secret/"  # noqa: S105  # the start of a name
HOOK: Final = "webhook/"
MASTER_KEY: Final = "master-key"
TRIES: Final = 5


async def settled(records: Records, keys: MasterKeys, by: str) -> MasterKey:
    """The key with which the cluster encrypts now: its fingerprint is kept; the first process writes it. Raises
    Conflict `other_master_key` for a process that has another."""
    present = await records.read(MASTER_KEY)
    if present is None:
        try:
            present = await records.write(MASTER_KEY, keys.now.fingerprint, 0, by)
        except Conflict:  # another process was first
            present = await records.read(MASTER_KEY)
    assert present is not None, "it is written once, and never removed"
    key = keys.of(present.data)
    if key is None:
        raise Conflict(
            f"{VARIABLE} is another key (fingerprint {keys.now.fingerprint.hex()}) than that of this cluster "
            f"({present.data.hex()})", code="other_master_key",
            hint="set it as the other processes have it; to go over to another see `aob secret rekey`",
        )  # fmt: skip
    return key


class StoredSecrets:
    """The named secrets of a cluster, in memory as they are stored; `refresh` reads them again. Entered by
    `refresh`."""

    def __init__(self, records: Records, keys: MasterKeys) -> None:
        self._records, self._keys = records, keys
        self._sealed: dict[str, Record] = {}

    async def refresh(self) -> None:
        """Read all."""
        self._sealed = {each.name.removeprefix(SECRET): each for each in await self._records.every(SECRET)}

    def find(self, name: str) -> Secret | None:
        """A secret. Raises Unavailable `bad_secret`, `other_master_key`."""
        record = self._sealed.get(name)
        if record is None:
            return None
        try:
            return msgspec.json.decode(self._keys.open(record.name, record.data), type=Secret)
        except msgspec.MsgspecError as error:
            raise Unavailable(f"the secret {name} cannot be read", code="bad_secret", hint="set it anew") from error

    def names(self) -> Collection[str]:
        """Their names."""
        return self._sealed.keys()

    async def set(self, name: str, value: str, hosts: tuple[str, ...], by: str) -> None:
        """Keep a secret for all processes of the cluster. Raises Invalid."""
        data = secret_data(name, value, hosts)
        key = await settled(self._records, self._keys, by)
        await written(self._records, SECRET + name, key.seal(SECRET + name, data), by)
        await self.refresh()

    async def remove(self, name: str, by: str) -> None:
        """Remove a secret. Raises NotFound."""
        await self.refresh()
        if name not in self._sealed:
            raise NotFound(f"the cluster keeps no secret {name[:64]}", code="secret_missing", hint="aob secret list")
        await written(self._records, SECRET + name, b"", by)
        await self.refresh()

    async def rekey(self, by: str) -> int:
        """Encrypt everything with the key of now: see `rekeyed`."""
        count = await rekeyed(self._records, self._keys, by)
        await self.refresh()
        return count


class StoredHookSecrets:
    """The signing secrets of webhooks in the store of a cluster: a `Place` of them."""

    def __init__(self, records: Records, keys: MasterKeys, by: str) -> None:
        self._records, self._keys, self._by = records, keys, by

    async def read(self, hook_id: str) -> bytes:
        record = await self._records.read(HOOK + hook_id)
        if record is None or not record.data:
            raise FileNotFoundError(hook_id)
        return self._keys.open(record.name, record.data)

    async def write(self, hook_id: str, data: bytes) -> None:
        key = await settled(self._records, self._keys, self._by)
        await written(self._records, HOOK + hook_id, key.seal(HOOK + hook_id, data), self._by)

    async def remove(self, hook_id: str) -> None:
        record = await self._records.read(HOOK + hook_id)
        if record is not None and record.data:
            await written(self._records, HOOK + hook_id, b"", self._by)

    async def ids(self) -> list[str]:
        return [record.name.removeprefix(HOOK) for record in await self._records.every(HOOK)]


async def written(records: Records, name: str, data: bytes, by: str) -> Record:
    """Write a record over whatever it is now; only the newest version stays, so that none of before can be read."""
    for turn in range(TRIES):
        present = await records.read(name)
        try:
            return await records.write(name, data, present.version if present is not None else 0, by, past=1)
        except Conflict:
            if turn == TRIES - 1:
                raise
            await asyncio.sleep(0)
    raise AssertionError("the last turn returns or raises")


async def rekeyed(records: Records, keys: MasterKeys, by: str) -> int:
    """Encrypt everything with the key of now, and make it that of the cluster; returns how many were encrypted with
    another. What is cut off is finished by the next call: whoever has both keys reads all meanwhile."""
    if await settled(records, keys, by) is not keys.now:
        await written(records, MASTER_KEY, keys.now.fingerprint, by)  # first: what is written from now on has it
    count = 0
    while others := await _of_others(records, keys.now):
        for record in others:
            with suppress(Conflict):  # it was written meanwhile
                sealed = keys.now.seal(record.name, keys.open(record.name, record.data))
                await records.write(record.name, sealed, record.version, by, past=1)
                count += 1
    return count


async def check_readable(records: Records, keys: MasterKeys) -> None:
    """Raises Conflict `other_master_key` when something is encrypted with a key that this process has not."""
    known = {key.fingerprint for key in keys.every}
    for record in await _of_others(records, keys.now):
        if _print_of(record) not in known:
            raise Conflict(f"{record.name} is still encrypted with the master key of before", code="other_master_key",
                           hint=f"{OLD_VARIABLE}=… aob secret rekey finishes the change")  # fmt: skip


async def _of_others(records: Records, key: MasterKey) -> list[Record]:
    every = [record for start in (SECRET, HOOK) for record in await records.every(start)]
    return [record for record in every if _print_of(record) != key.fingerprint]


def _print_of(record: Record) -> bytes:
    return record.data[1 : 1 + PRINT_BYTES]
