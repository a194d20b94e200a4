"""The layout of a home whose truth is in a database: its numbers stand there, and so does what each shard holds."""

import asyncio
from typing import Final

from aob.compose.layout.layout import Layout, refused_partitions, refused_shards
from aob.compose.storage import InDatabase
from aob.core.answers import JsonObject
from aob.core.errors import Unavailable
from aob.ports.store import Holding

AWAY: Final = "store_away"


async def layout_in(storage: InDatabase, shards: int = 0, partitions: int = 0) -> Layout:
    """The layout as the database says. Raises Conflict `other_shards` or `other_partitions` when other numbers are
    wanted."""
    cluster = storage.cluster
    refused_partitions(storage.member.where, cluster.partitions, partitions)
    told = Layout.of(cluster.shards, cluster.partitions)

    async def held(shard: int) -> Holding:
        try:
            store = await storage.store(told.first(shard), shard)
            return await store.holding()
        except Unavailable as error:
            if error.code != AWAY or not shard:
                raise
            return told.first(shard)  # its database is away: partitions of a cluster have not moved, or reading says so

    holdings = await asyncio.gather(*(held(shard) for shard in range(cluster.shards)))
    found = Layout.read(dict(enumerate(holdings)), cluster.shards, cluster.partitions)
    refused_shards(storage.member.where, len(found.active), shards)
    return found


async def shards_in(storage: InDatabase) -> JsonObject:
    """As `shards_told`, with who owns each shard: `owner` and `address` are empty where nobody does."""
    layout = await layout_in(storage)
    shards: list[JsonObject] = []
    for row in await storage.database.rows(storage.database.statements("home.sql")["shards"]):
        number, last_row, owner, address, store = row
        if store != 1:
            last_row = await _last_row(storage, number)
        epochs = {str(at): layout.chains[at][-1].epoch for at, its in enumerate(layout.owners) if its == number}
        shards.append({"shard": number, "file": "", "partitions": len(epochs), "epochs": epochs, "rows": last_row,
                       "owner": owner, "address": address, "store": store})  # fmt: skip
    return {"partitions": layout.partitions, "moving": layout.moving, "shards": shards}


async def _last_row(storage: InDatabase, shard: int) -> int:
    """The last row of a shard that another database has; -1 while that is away."""
    try:
        async with storage.reading(shard) as store:
            return (await store.last())[0]
    except Unavailable:
        return -1
