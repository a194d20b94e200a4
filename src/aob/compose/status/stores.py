"""Where a home keeps what lasts: its database with the members and leases in it, and its files."""

import asyncio
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from aob.compose.settings import Settings
from aob.compose.storage import InDatabase
from aob.compose.storage.database import driver
from aob.core.cluster import Lease
from aob.core.errors import AobError
from aob.core.status import DaysStatus, MemberStatus, StoreStatus

SIZES_S: Final = 10.0  # how long sizes are repeated: they are sums over many files or tables
DAY_S: Final = 86_400
FILES_MAX: Final = 20_000  # files of blobs whose sizes are added up


class Kept(msgspec.Struct):
    """What was read. `skew_ms` is how far the clock of the database is ahead of ours."""

    members: list[MemberStatus]
    leases: Sequence[Lease]
    stores: list[StoreStatus]
    days: list[DaysStatus]
    skew_ms: int = 0


class Stores:
    """Reads them. `storage` is the database of the home, if it has one."""

    def __init__(self, home: Path, settings: Settings, storage: InDatabase | None) -> None:
        self._home, self._settings, self._storage = home, settings, storage
        self._sizes: dict[str, int | None] = {}
        self._sized_s = -SIZES_S

    async def read(self) -> Kept:
        """What there is now. A database that does not answer is told as a store that is away."""
        await self._measure()
        if self._storage is None:
            return Kept([], [], list(self._files("store", "log", "blobs")), [])
        return await self._of_database(self._storage)

    async def _of_database(self, storage: InDatabase) -> Kept:
        figures = await storage.figures()
        store: StoreStatus = {
            "name": "store", "kind": "postgresql", "address": storage.member.where,
            "version": str(figures.get("version", "")), "bytes": self._sizes.get("store"),
            "status": str(figures["status"]),
        }  # fmt: skip
        if "latency_ms" in figures:
            store["latency_ms"] = figures["latency_ms"]
        if figures.get("detail"):
            store["detail"] = str(figures["detail"])
        kept = Kept([], [], [store, *self._beside()], [], int(figures.get("skew_ms", 0)))
        if store["status"] != "ok":
            return kept
        try:
            await self._read_cluster(storage, kept)
        except AobError as error:  # it went away between two questions
            store["status"], store["detail"] = error.code, error.detail
        return kept

    async def _read_cluster(self, storage: InDatabase, kept: Kept) -> None:
        database = storage.database
        for id, address, grpc, roles, release, rules, left_ms, leaving in await database.rows(
            database.statements("home.sql")["members"]
        ):
            kept.members.append({
                "id": id, "address": address, "grpc": grpc, "roles": [each for each in roles.split(",") if each],
                "release": release, "rules": rules, "lease_left_ms": left_ms, "leaving": leaving,
            })  # fmt: skip
        kept.leases = (await storage.leases().standing()).leases
        today = int(time.time()) // DAY_S
        for day in await driver().read_days(database):
            kept.days.append({"table": day.name, "ahead": day.last_day - today, "missed": day.missed})

    def _beside(self) -> Iterator[StoreStatus]:
        """What is kept out of the database: by the settings, and larger blobs of a process that is the only one."""
        if self._settings.log:
            yield from self._files("log")
        if self._settings.blobs or self._storage is None or not self._storage.shared:
            yield from self._files("blobs")

    def _files(self, *names: str) -> Iterator[StoreStatus]:
        settings = self._settings
        for name, setting in (("store", settings.store), ("log", settings.log), ("blobs", settings.blobs)):
            if name not in names:
                continue
            kind = setting.partition(":")[0] or ("file" if name == "blobs" else "sqlite")
            version = sqlite3.sqlite_version if kind == "sqlite" else ""
            size = self._sizes.get(name) if kind != "memory" else None
            address = "in memory" if kind == "memory" else "the folder of the home"  # where it lies is the machine's
            yield {"name": name, "kind": kind, "address": address, "version": version, "bytes": size, "status": "ok"}

    async def _measure(self) -> None:
        if time.monotonic() - self._sized_s < SIZES_S:
            return
        self._sized_s = time.monotonic()
        found = await asyncio.to_thread(_sizes, self._home)
        self._sizes = {name: size for name, size in found.items() if self._storage is None or name != "store"}
        if self._storage is not None:
            database = self._storage.database
            with suppress(AobError):
                row = await database.row(database.statements("home.sql")["size"])
                self._sizes["store"] = int(row[0]) if row is not None else None


def _sizes(home: Path) -> dict[str, int | None]:
    """Bytes of the files of a home, by what is in them."""
    sizes: dict[str, int | None] = {"store": 0, "log": 0, "blobs": _folder(home / "blobs")}
    with suppress(OSError):
        for path in home.iterdir():
            name = "log" if path.name.startswith(("gate.db", "events.db")) else "store"
            if ".db" in path.name:
                with suppress(OSError):
                    sizes[name] = (sizes[name] or 0) + path.stat().st_size
    return sizes


def _folder(folder: Path) -> int | None:
    """Bytes of a folder; None for one with so many files that counting them would be work."""
    total = count = 0
    for root, _, names in os.walk(folder):
        count += len(names)
        if count > FILES_MAX:
            return None
        for name in names:
            with suppress(OSError):
                total += os.stat(os.path.join(root, name)).st_size
    return total
