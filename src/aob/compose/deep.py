"""`aob doctor --deep` of a home that is not running: replays its shards by their laws, without performing anything."""

import os
from collections.abc import Iterable
from pathlib import Path

from aob.compose.files import Opens, Seen, compared, shard_stores
from aob.compose.home import kept_in_database
from aob.compose.layout import resting
from aob.compose.lock import owning
from aob.compose.settings import Settings, read_settings
from aob.compose.storage import InDatabase, open_blobs, unclaimed
from aob.journal import Recovered
from aob.ports.blobs import Blobs
from aob.ports.store import Store


async def check_deep(home: Path) -> list[Seen]:
    """Compare heads and timers with the events. Raises Conflict for a home that runs."""
    with owning(home):
        if not kept_in_database(home):
            return await _compared(home, shard_stores(home), open_blobs(Settings(), home))
        async with InDatabase.opened(home, read_settings(home, os.environ)) as storage:
            await unclaimed(storage.leases(), storage.member.where)
            return await _compared(home, storage.shards(), storage.blobs())


async def _compared(home: Path, stores: Iterable[tuple[str, Opens]], blobs: Blobs) -> list[Seen]:
    with resting(home, blobs) as core_of:

        async def read_back(store: Store) -> Recovered:
            return await core_of(store).journal.read_back(store)

        return await compared(stores, read_back, blobs)
