"""Moves partitions between the shards of a home: each in three commits, safe to stop after any. The source commits that
a partition moved, and refuses its runs; the target commits that it took it, with the state of its live runs; the source
deletes its copy. Whoever owns the shards finishes an interrupted move: the next opening of the home, or the next time
that it is told how many shards it shall have."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import msgspec

from aob.backends.marks_page import MarksPage
from aob.backends.sqlite.store import SqliteStore
from aob.compose.layout.layout import Held, Layout, layout_of
from aob.compose.layout.place import Opens, Place
from aob.compose.layout.resting import Resting, resting
from aob.core.errors import AobError
from aob.ports.store import Extent, Holding, Store
from aob.work.pool import Running

Step = Callable[[int, int, int, int], None]
"""Called after each partition: its number, source shard, target shard, and how many live runs moved."""


class Moving(Protocol):
    """A `Place`, in this or another process."""

    number: int

    async def holding(self) -> Holding: ...

    async def hold(self, partition: int) -> None: ...

    async def stay(self, partition: int) -> None: ...

    async def copy(self, partition: int, source: int) -> None: ...

    async def leave(self, partition: int, target: int) -> None: ...

    async def take(self, partition: int, source: int) -> int: ...

    async def release(self, partition: int, extent: Extent | None = None, keep: bool = False) -> None: ...


class Move:
    """Moves partitions of one home. `place` finds the owner of a shard."""

    def __init__(self, place: Callable[[int], Awaitable[Moving]]) -> None:
        self._place = place

    async def move(self, layout: Layout, partition: int, to: int) -> int:
        """Move a partition; returns how many live runs moved. Raises Unavailable `partition_busy` when it stays because
        work of its runs does not end. What cannot be read is told before the first commit."""
        source, target = await self._place(layout.owners[partition]), await self._place(to)
        await source.hold(partition)
        try:
            await target.copy(partition, source.number)
            await source.leave(partition, to)
        except BaseException:
            with suppress(AobError):
                await source.stay(partition)
            raise
        runs = await target.take(partition, source.number)
        await source.release(partition)
        return runs

    async def finish(self, layout: Layout) -> None:
        """Finish interrupted moves, and repair what an accepted loss took back: an owner whose file does not record a
        partition takes it again with what is left, and a file older than a move releases its copy."""
        for partition, chain in enumerate(layout.chains):
            for held in chain:
                if held.extent.last_row and (not held.extent.released or held is chain[-1]):
                    await (await self._place(held.extent.target)).take(partition, held.shard)
                    await (await self._place(held.shard)).release(partition, held.extent)
            for held, after in pairwise(chain):
                if not held.extent.last_row:
                    await self._superseded(partition, held, after.shard, layout.owners[partition])

    async def _superseded(self, partition: int, held: Held, target: int, owner: int) -> None:
        """Release a partition in an older copy of a file: its owner has newer records. One that moved away and back
        keeps its runs."""
        extent = msgspec.structs.replace(held.extent, last_row=-1, target=target)
        await (await self._place(held.shard)).release(partition, extent, held.shard == owner)


def planned(layout: Layout, shards: int) -> list[tuple[int, int]]:
    """Which partitions move where, so that so many shards own as many each, give or take one, with the fewest moves."""
    least, more = divmod(layout.partitions, shards)
    room = {number: least + (number < more) for number in range(shards)}
    moving: list[int] = []
    for partition, owner in enumerate(layout.owners):
        if room.get(owner, 0):
            room[owner] -= 1
        else:
            moving.append(partition)
    free = [number for number, count in room.items() for _ in range(count)]
    return list(zip(moving, free, strict=True))


class AtRest:
    """The shards of a home that is not running, each opened at first use: nothing is performed, rings or is delivered.
    `stores` opens the file of a shard, `carry` hands a shard another's unfinished jobs."""

    def __init__(
        self, stores: Callable[[int], Awaitable[Store]], cores: Resting, carry: Callable[[int, int], None]
    ) -> None:
        self._stores, self._cores, self._carry = stores, cores, carry
        self._places: dict[int, Place] = {}
        self._open: dict[int, Store] = {}
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> "AtRest":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def place(self, number: int) -> Place:
        """The owner of a shard."""
        if number not in self._places:
            store = self._open[number] = await self._stores(number)
            self._stack.push_async_callback(store.close)
            core = self._cores(store)
            core.journal.shard, core.journal.holds, core.journal.timers.silent = number, lambda partition: False, True
            await self._stack.enter_async_context(core.opened())
            self._places[number] = Place(core, self._reading(number), number)
        return self._places[number]

    def _reading(self, target: int) -> Opens:
        @asynccontextmanager
        async def opens(source: int) -> AsyncIterator[Store]:
            await self.place(source)
            self._carry(source, target)
            yield self._open[source]

        return opens


@contextmanager
def at_rest(home: Path, layout: Layout, page: MarksPage) -> Iterator[AtRest]:
    """The files of a home, opened to move partitions. The caller holds the home's lock."""

    async def store(number: int) -> Store:
        name = f"shard-{number}.db"
        return await SqliteStore.open(home / name, mark=page.of(name), first=layout.first(number))

    def carry(source: int, target: int) -> None:
        Running.carry(home / f"running-{source}", home / f"running-{target}")

    for path in home.glob("runs-*.pages*"):
        path.unlink()  # what moves leaves no copy behind
    with resting(home) as core_of:
        yield AtRest(store, core_of, carry)


async def finished(home: Path, layout: Layout, page: Callable[[int], Any]) -> Layout:
    """The layout of a home after unfinished moves are finished. The caller holds the home's lock."""
    if not layout.moving:
        return layout
    with page(layout.files) as marks, at_rest(home, layout, marks) as shards:
        async with shards:
            await Move(shards.place).finish(layout)
    return layout_of(home)


async def rearranged(home: Path, layout: Layout, shards: int, page: Callable[[int], Any], step: Step) -> Layout:
    """The layout of a home after so many shards own its partitions. The caller holds the home's lock."""
    with page(max(layout.files, shards)) as marks, at_rest(home, layout, marks) as places:
        async with places:
            for partition, to in planned(layout, shards):
                step(partition, layout.owners[partition], to, await Move(places.place).move(layout, partition, to))
    return layout_of(home)
