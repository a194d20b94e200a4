"""What pruned runs leave behind is looked at now and then, beside everything else, for as long as a home is open."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from aob.core.errors import AobError
from aob.runs.removal import GRACE_MS, Sweeping, swept
from aob.work.log import Structlog

FIRST_S: Final = 60.0
EVERY_S: Final = 600.0

log: Final = Structlog("aob.compose")


async def sweep_often(shards: Sequence[Sweeping], now_ms: Callable[[], int]) -> None:
    """For ever: removes what has waited long enough and nothing refers to."""
    await asyncio.sleep(FIRST_S)
    while True:
        try:
            count = await swept(shards, now_ms() - GRACE_MS)
        except AobError as error:  # the store is away, or a shard: the next time will do
            log.info("sweep_waits", code=error.code, detail=error.detail)
        except Exception as error:  # what is not removed does no harm
            log.error("sweep_broke", exc_info=error)
        else:
            if count:
                log.info("values_removed", count=count)
        await asyncio.sleep(EVERY_S)
