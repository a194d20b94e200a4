"""Follows the records that the processes of a home share: whoever keeps something of them reads again when one was
written, here or elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aob.core.errors import AobError
from aob.ports.cluster import Records
from aob.ports.logger import Logger

LOOK_S: Final = 1.0  # how soon a process reads what another has written

log: Final = Logger("aob.compose")


class Following:
    """`hears` are called one after the other after each change. While the store is away what was read last counts."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.hears: list[Callable[[], Awaitable[None]]] = []
        self._seen = -1
        self._said = ""
        self._lock = asyncio.Lock()

    async def look(self) -> None:
        """Read again, if something has changed. Raises what reading does."""
        async with self._lock:
            changed = await self.records.changed()
            if changed != self._seen:
                for hear in self.hears:
                    await hear()
                self._seen = changed

    async def run(self) -> None:
        """Look again and again, until it is cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
                self._said = ""
            except AobError as error:
                if error.detail != self._said:
                    log.warning("records_not_read", code=error.code, detail=error.detail, hint=error.hint)
                self._said = error.detail
