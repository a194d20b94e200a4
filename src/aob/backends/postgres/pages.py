"""Port `Pages` on Postgres: the consumers of a database share its tables under their names. Every write is one call of
a function that checks the owner's epoch first, so that a former owner changes nothing."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from zlib import crc32

from aob.backends.postgres.database import Database
from aob.core.errors import Unavailable
from aob.ports.pages import PAGE_CORRUPT, Key, Owner
from aob.ports.store import StaleEpoch

APART: Final = b"~"  # the first byte of names of pages that are read one by one
SAVED_BYTES: Final = 16 * 1024 * 1024  # what one call of a save carries; a larger save is several in one transaction


class PostgresPages:
    """The pages of one consumer. Closing does not close the database, which others use."""

    def __init__(self, database: Database, consumer: str) -> None:
        self._database, self._consumer = database, consumer
        self._sql = database.statements("pages.sql")

    async def take(self, shard: int) -> Owner:
        epoch = await self._one("take", shard)
        return Owner(shard, int(epoch))

    async def save(
        self, owner: Owner, marks: Mapping[str, int], pages: Mapping[Key, bytes | None], dropped: Sequence[Key] = ()
    ) -> StaleEpoch | None:
        feeds, ats = list(marks), list(marks.values())
        tenants, starts = [tenant for tenant, _ in dropped], [_bytes(start) for _, start in dropped]
        async with self._database.transaction() as connection:
            for part in _parts(pages):
                held = await (await connection.execute(self._sql["save"], (
                    self._consumer, owner.shard, owner.epoch, feeds, ats, tenants, starts,
                    [tenant for tenant, _ in part], [_bytes(name) for _, name in part], list(part.values()),
                    [0 if data is None else crc32(data) for data in part.values()],
                ))).fetchone()  # fmt: skip
                if (stale := _stale(held)) is not None:
                    return stale
                feeds, ats, tenants, starts = [], [], [], []  # the first call has set and removed them
        return None

    async def marks(self) -> dict[str, int]:
        return {str(feed): int(at) for feed, at in await self._rows("marks")}

    async def load(self, tenant: str) -> dict[str, bytes]:
        return self._sound(await self._rows("load", tenant, APART))

    async def page(self, tenant: str, name: str) -> bytes | None:
        return self._sound(await self._rows("page", tenant, _bytes(name))).get(name)

    async def tenants(self) -> list[str]:
        return [str(tenant) for (tenant,) in await self._rows("tenants")]

    async def keep(self, owner: Owner, label: int, starts: Sequence[str], most: int) -> StaleEpoch | None:
        begins = [_bytes(start) for start in starts]
        return _stale((await self._one("keep", owner.shard, owner.epoch, label, begins, most),))

    async def kept(self) -> dict[int, dict[str, int]]:
        return {int(label): dict(marks) for label, marks in await self._rows("kept")}

    async def load_kept(self, label: int, tenant: str) -> dict[str, bytes]:
        return self._sound(await self._rows("load_kept", label, tenant))

    async def clear(self, owner: Owner) -> StaleEpoch | None:
        return _stale((await self._one("clear", owner.shard, owner.epoch),))

    async def close(self) -> None:
        """Does nothing: the database belongs to the process."""

    async def _rows(self, name: str, *args: object) -> list[tuple[Any, ...]]:
        return await self._database.rows(self._sql[name], (self._consumer, *args))

    async def _one(self, name: str, *args: object) -> Any:
        ((value,),) = await self._rows(name, *args)
        return value

    def _sound(self, rows: Sequence[tuple[Any, ...]]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for told, data, crc in rows:
            name = bytes(told).decode("utf-8", "surrogatepass")
            if crc32(data) != crc:
                raise Unavailable(f"the page {name} of {self._consumer} is not what was written", code=PAGE_CORRUPT,
                                  hint="restore the database from a backup")  # fmt: skip
            found[name] = bytes(data)
        return found


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _parts(pages: Mapping[Key, bytes | None]) -> list[dict[Key, bytes | None]]:
    """The pages in parts that are not too large for one call: at least one part."""
    parts, size = [dict[Key, bytes | None]()], 0
    for key, data in pages.items():
        size += len(data or b"")
        if size > SAVED_BYTES and parts[-1]:
            parts.append({})
            size = len(data or b"")
        parts[-1][key] = data
    return parts


def _stale(told: tuple[Any, ...] | None) -> StaleEpoch | None:
    return None if told is None or told[0] is None else StaleEpoch(int(told[0]))
