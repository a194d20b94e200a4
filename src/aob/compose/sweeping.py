"""Periodically checks the values that pruned runs left, concurrently with all else, while a home is open."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from aob.core.errors import AobError
from aob.ports.logger import Logger
from aob.runs.removal import GRACE_MS, Sweeping, swept

FIRST_S: Final = 60.0
EVERY_S: Final = 600.0

log: Final = Logger("aob.compose")


async def sweep_often(shards: Sequence[Sweeping], now_ms: Callable[[], int]) -> None:
    """Endlessly removes values that have waited long enough and that no run refers to."""
    await asyncio.sleep(FIRST_S)
    while True:
        try:
            count = await swept(shards, now_ms() - GRACE_MS)
        except AobError as error:  # the store or a shard is down: retry next time
            log.info("sweep_waits", code=error.code, detail=error.detail)
        except Exception as error:  # a value that is not removed does no harm
            log.error("sweep_broke", exc_info=error)
        else:
            if count:
                log.info("values_removed", count=count)
        await asyncio.sleep(EVERY_S)
