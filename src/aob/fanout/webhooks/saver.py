"""Saves progress and history of hooks in groups: many deliveries are one write. What a crash loses is sent again under
the same ids."""

import asyncio
from collections import ChainMap
from collections.abc import Callable, Iterable
from typing import Final, Self

from aob.core.errors import AobError
from aob.fanout.webhooks.message import Message, encode, message_of
from aob.ports.logger import Logger
from aob.ports.pages import PAGES_TAKEN, Key, OwnedPages

GROUP_S: Final = 0.05  # how long a save waits to be grouped with others
AGAIN_S: Final = 1.0
UNSAVED_MAX: Final = 2_000  # records that may wait for a save; a caller with more of them waits


def progress_page(hook_id: str) -> str:
    """The page of a hook's progress."""
    return f"hook/{hook_id}"


def record_page(hook_id: str, message_id: str) -> str:
    """The page of a message; read one by one."""
    return f"~hook/{hook_id}/{message_id}"


log: Final = Logger("aob.webhooks")


class Saver:
    """Enter it to begin. `progress` makes the page of a hook at the moment of the save, so that it is whole."""

    def __init__(self, pages: OwnedPages, progress: Callable[[str, str], bytes | None]) -> None:
        self._pages, self._progress = pages, progress
        self._hooks: set[Key] = set()
        self._records: dict[Key, bytes | None] = {}
        self._dropped: list[Key] = []
        self._saving: dict[Key, bytes | None] = {}
        self._wake, self._room = asyncio.Event(), asyncio.Event()
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._room.set()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="aob-webhooks-saver")
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._task is None:
            return
        task, self._task = self._task, None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        try:
            await self.flush()
        except AobError as failed:
            log.warning("webhooks_unsaved", code=failed.code, detail=failed.detail)

    def touch(self, tenant: str, hook_id: str) -> None:
        """Notes that a hook has progressed."""
        self._hooks.add((tenant, hook_id))
        self._wake.set()

    def keep(self, tenant: str, hook_id: str, message: Message, forget: Iterable[str] = ()) -> None:
        """Writes a message with the next save, and forgets these."""
        self._records[tenant, record_page(hook_id, message.id)] = encode(message)
        for old in forget:
            self._records[tenant, record_page(hook_id, old)] = None
        if len(self._records) >= UNSAVED_MAX:
            self._room.clear()
        self.touch(tenant, hook_id)

    def drop(self, tenant: str, hook_id: str) -> None:
        """Forgets a hook with its history."""
        ours = (record_page(hook_id, ""), progress_page(hook_id))
        for key in [key for key in self._records if key[0] == tenant and key[1].startswith(ours)]:
            del self._records[key]
        self._hooks.discard((tenant, hook_id))
        self._dropped += [(tenant, name) for name in ours]
        self._wake.set()

    async def room(self) -> None:
        """Waits while too much is unsaved."""
        await self._room.wait()

    async def message(self, tenant: str, hook_id: str, message_id: str) -> Message | None:
        """A message of the history, saved or not."""
        key = (tenant, record_page(hook_id, message_id))
        unsaved = ChainMap(self._records, self._saving)
        data = unsaved[key] if key in unsaved else await self._pages.page(*key)
        return None if data is None else message_of(data)

    async def flush(self) -> None:
        """Writes all that waits in one transaction. Raises Unavailable and then keeps it for the next save."""
        async with self._lock:
            hooks, self._hooks = self._hooks, set()
            dropped, self._dropped = self._dropped, []
            records, self._records = self._records, {}
            self._saving = records
            pages = dict(records)
            for tenant, hook_id in hooks:
                page = self._progress(tenant, hook_id)
                if page is not None:
                    pages[tenant, progress_page(hook_id)] = page
            try:
                if pages or dropped:
                    await self._pages.save({}, pages, dropped)
            except BaseException:
                self._hooks |= hooks
                self._dropped = dropped + self._dropped
                self._records = {**records, **self._records}
                raise
            finally:
                self._saving = {}
            self._room.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(GROUP_S)
            self._wake.clear()
            try:
                await self.flush()
            except AobError as error:
                log.error("webhooks_unsaved", code=error.code, detail=error.detail)
                if error.code == PAGES_TAKEN:
                    return
                self._wake.set()
                await asyncio.sleep(AGAIN_S)
