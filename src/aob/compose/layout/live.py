"""Moves partitions between the shards of a running home, one at a time, and starts the owners that more shards need.
Commands for the runs of the partition that moves wait; no other notices it. What is cut off is finished as soon as the
owners that it needs are up."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

import msgspec

from aob.compose.home import Hint, remember
from aob.compose.layout.layout import Layout
from aob.compose.layout.moving import Move, planned
from aob.compose.layout.setting import check_made, shards_told
from aob.compose.loop import end_tasks
from aob.core.answers import JsonObject
from aob.core.errors import AobError, Conflict, Refused
from aob.core.policy import LOCAL, Caller
from aob.core.verb import NoArgs, performs
from aob.core.verbs import key_verbs
from aob.ports.logger import Logger
from aob.ports.store import Extent, Holding

STEP_S: Final = 3.0  # how long one call moves partitions before it answers
AGAIN_S: Final = 0.5
READY_S: Final = 10.0  # how long a move waits for an owner that is being started again

log: Final = Logger("aob.compose")


class Shard(Protocol):
    """A shard of the home, in this or another process."""

    number: int
    owned: bool
    """Whether it has an owner process."""

    async def ready(self) -> None: ...

    async def call(self, verb: str, who: Caller | None, *args: Any) -> Any: ...


class Becoming(Protocol):
    """Makes a shard one with an owner process, or one that the main process reads."""

    async def __call__(self, number: int, layout: Layout, *, owned: bool) -> None: ...


class RemotePlace:
    """The steps of moves at a shard, in this or another process: `aob.compose.layout.place.Place`."""

    def __init__(self, shard: Shard) -> None:
        self.number, self._shard = shard.number, shard

    async def _ask(self, step: str, *args: Any) -> Any:
        with suppress(TimeoutError):
            async with asyncio.timeout(READY_S):
                await self._shard.ready()
        return await self._shard.call(f"move_{step}", None, *args)

    async def holding(self) -> Holding:
        return msgspec.convert(await self._ask("holding"), Holding)

    async def hold(self, partition: int) -> None:
        await self._ask("hold", partition)

    async def stay(self, partition: int) -> None:
        await self._ask("stay", partition)

    async def copy(self, partition: int, source: int) -> None:
        await self._ask("copy", partition, source)

    async def leave(self, partition: int, target: int) -> None:
        await self._ask("leave", partition, target)

    async def take(self, partition: int, source: int) -> int:
        return int(await self._ask("take", partition, source))

    async def release(self, partition: int, extent: Extent | None = None, keep: bool = False) -> None:
        await self._ask("release", partition, extent, keep)


class LiveMoves:
    """The shards of a running home. `shards` are its shards by number, `become` gives one an owner process or ends it,
    `told` is called with each new layout."""

    def __init__(
        self, home: Any, layout: Layout, shards: Sequence[Shard], become: Becoming,
        told: Callable[[Layout], None],
    ) -> None:  # fmt: skip
        self._home, self.layout, self._shards, self._become, self._told = home, layout, shards, become, told
        self._move = Move(self._place)
        self._lock = asyncio.Lock()
        self._stayed: dict[int, float] = {}
        """Partitions that stayed, and when they were last tried: the others go first."""
        self._finishing: asyncio.Task[None] | None = None
        self._turns = 0
        self.refusal: AobError | None = None
        """Why no partition moves here."""
        self.listed: Callable[[], Awaitable[JsonObject]] | None = None
        """What lists the shards of a home in a database."""

    def turns(self) -> int:
        """How often partitions began or ceased to move: odd while they do."""
        return self._turns

    async def _place(self, number: int) -> RemotePlace:
        return RemotePlace(self._shards[number])

    @performs(key_verbs.LIST_SHARDS)
    async def list_shards(self, who: Caller, args: NoArgs) -> JsonObject:
        """The shards of the home, from their files. They count the runs of all tenants."""
        if who.tenant != LOCAL.tenant:
            raise Refused(f"{who.name} of {who.tenant} does not see the home", hint="use a key of the tenant `default`")
        return await self._files()

    @performs(key_verbs.SET_SHARDS)
    async def set_shards(self, who: Caller, args: key_verbs.SetShards) -> JsonObject:
        """Move some partitions towards so many shards. May be called again at any time; a caller that goes away does
        not interrupt a move."""
        if not who.owns_home:
            raise Refused(f"{who.name} does not own the home", hint="use the home's own key: HOME/key")
        if self.refusal is not None:
            raise self.refusal
        return await asyncio.shield(asyncio.ensure_future(self._stepped(args.shards)))

    async def _files(self) -> JsonObject:
        told = await (self.listed() if self.listed is not None else asyncio.to_thread(shards_told, self._home))
        return {name: value for name, value in told.items() if name != "home"}  # where it lies is the machine's

    async def _stepped(self, shards: int) -> JsonObject:
        check_made(self._home)  # one in memory has no files, and nothing to move
        moved, stayed = list[JsonObject](), list[JsonObject]()
        async with self._lock:
            self._turns += 1
            try:
                await self._finished()
                until_s = time.monotonic() + STEP_S
                while (lacking := self._lacking(shards)) and time.monotonic() < until_s:
                    layout = msgspec.structs.replace(self.layout, files=max(self.layout.files, lacking[0] + 1))
                    await self._become(lacking[0], layout, owned=True)
                    await self._read()
                if not lacking:
                    await self._some(shards, until_s, moved, stayed)
                for number in self.layout.retired if not planned(self.layout, shards) else ():
                    if self._shards[number].owned:
                        await self._become(number, self.layout, owned=False)
            finally:
                self._turns += 1
                if self.layout.moving and (self._finishing is None or self._finishing.done()):
                    self._finishing = asyncio.create_task(self._finish_later(), name="aob-moves")
            remember(self._home, Hint(len(self.layout.active), self.layout.partitions))
        told = await self._files()
        return {**told, "moved": moved, "stayed": stayed, "left": len(planned(self.layout, shards))}

    def _lacking(self, shards: int) -> list[int]:
        """The shards that need an owner process."""
        read = (shard.number for shard in self._shards[1:shards] if not shard.owned)
        return [*read, *range(len(self._shards), shards)]

    async def _some(self, shards: int, until_s: float, moved: list[JsonObject], stayed: list[JsonObject]) -> None:
        plan = sorted(planned(self.layout, shards), key=lambda each: self._stayed.get(each[0], 0.0))
        for partition, to in plan:
            if time.monotonic() > until_s:
                return
            source = self.layout.owners[partition]
            try:
                runs = await self._move.move(self.layout, partition, to)
            except AobError as error:
                await self._read()
                if self.layout.owners[partition] != source:
                    raise
                self._stayed[partition] = time.monotonic()
                stayed.append({"partition": partition, "code": error.code, "why": error.detail})
            else:
                await self._read()
                self._stayed.pop(partition, None)
                moved.append({"partition": partition, "source": source, "target": to, "runs": runs})

    async def _read(self) -> None:
        """Read the extents of all shards again."""
        held: Mapping[int, Holding] = {
            number: await (await self._place(number)).holding() for number in range(len(self._shards))
        }  # fmt: skip
        self.layout = Layout.read(held, self.layout.made, self.layout.partitions)
        self._told(self.layout)

    async def _finished(self) -> None:
        await self._read()
        if self.layout.moving:
            await self._move.finish(self.layout)
            await self._read()
        if self.layout.moving:
            raise Conflict("a partition is still being moved", code="still_moving", hint="say it again in a moment")

    async def _finish_later(self) -> None:
        """A step failed between the first commit and the last: finish it, without being asked."""
        while True:
            await asyncio.sleep(AGAIN_S)
            async with self._lock:
                try:
                    await self._finished()
                    return
                except AobError as error:
                    log.warning("move_waits", code=error.code, detail=error.detail)

    async def close(self) -> None:
        """Stop finishing; the next opening of the home does."""
        await end_tasks(self._finishing)
