"""The doors to the threads of graphs: of one shard in this process, or of the shards of a home."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aob.core.policy import LOCAL
from aob.journal.entries import THREAD
from aob.threads import ThreadCommand, Threads, answer_in, encoded, stream_of


class OneShard:
    """The door to the threads of one shard in this process."""

    def __init__(self, threads: Threads, tenant: str = LOCAL.tenant) -> None:
        self._threads, self._tenant = threads, tenant

    async def ask(self, thread: str, command: ThreadCommand) -> Any:
        """Perform a command."""
        return await self._threads.ask(self._tenant, thread, command)

    async def names(self, kind: str = THREAD) -> list[str]:
        """The names of all threads, or memories."""
        return await all_names(lambda after: self._threads.names(self._tenant, after, kind))


class Routing(Protocol):
    """The verbs of several shards."""

    async def thread(self, stream: str, tenant: str, thread: str, command: bytes) -> bytes: ...

    async def thread_names(self, tenant: str, kind: str) -> list[str]: ...


class ManyShards:
    """The door to the threads of several shards, in any processes."""

    def __init__(self, verbs: Routing, tenant: str = LOCAL.tenant) -> None:
        self._verbs, self._tenant = verbs, tenant

    async def ask(self, thread: str, command: ThreadCommand) -> Any:
        """Perform a command at the owner of the thread."""
        stream = stream_of(self._tenant, thread, command)
        return answer_in(command, await self._verbs.thread(stream, self._tenant, thread, encoded(command)))

    async def names(self, kind: str = THREAD) -> list[str]:
        """The names of all threads, or memories."""
        return await self._verbs.thread_names(self._tenant, kind)


async def all_names(page: Callable[[str], Awaitable[list[str]]]) -> list[str]:
    """All names of a shard, a page at a time."""
    found: list[str] = []
    while names := await page(found[-1] if found else ""):
        found += names
    return found
