"""Writes what tenants have changed a moment later, and again while it cannot be written."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aob.core.errors import AobError
from aob.ports.logger import Logger

AGAIN_S: Final = 1.0
log: Final = Logger("aob.compose")


class WrittenLater:
    """`write` writes what a tenant has changed; `said` is the log's word for what could not be written."""

    def __init__(self, write: Callable[[str], Awaitable[None]], said: str) -> None:
        self._write, self._said = write, said
        self._changed: dict[str, None] = {}
        self._woken = asyncio.Event()

    def ask(self, tenant: str) -> None:
        """A tenant has changed something."""
        self._changed[tenant] = None
        self._woken.set()

    async def run(self) -> None:
        """Write what was changed, until it is cancelled."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            asked, self._changed = self._changed, {}
            for tenant in asked:
                try:
                    await self._write(tenant)
                except AobError as error:
                    log.info(self._said, tenant=tenant, code=error.code, detail=error.detail)
                    self.ask(tenant)
                    await asyncio.sleep(AGAIN_S)
