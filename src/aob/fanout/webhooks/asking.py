"""Sends commands to the law of webhooks and settles those whose outcome is unknown."""

import asyncio
from collections.abc import Awaitable, Callable

from aob.core.errors import Unavailable
from aob.fanout.webhooks.law import PREFIX, Hook, MakeHook, PauseHook, RemoveHook, RotateSecret
from aob.journal import Journal

Command = MakeHook | PauseHook | RemoveHook | RotateSecret


class Asking:
    """`settle` is called with the hook of a tenant (None: it does not exist) once the journal has been read back."""

    def __init__(self, journal: Journal, settle: Callable[[str, str, Hook | None], Awaitable[None]]) -> None:
        self._journal, self._settle = journal, settle
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, tenant: str, command: Command) -> None:
        """Raises what the law refuses, and Unavailable when it is unknown whether the command was written."""
        try:
            await self._journal.ask(PREFIX + tenant, command)
        except Unavailable:
            task = asyncio.create_task(self._read_back(tenant, command.id))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            raise

    async def close(self) -> None:
        """The next start settles what has not been read back."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read_back(self, tenant: str, id: str) -> None:
        if await self._journal.mended():
            stream = await self._journal.load(PREFIX + tenant)
            await self._settle(tenant, id, stream.state.get(id) if stream is not None else None)
