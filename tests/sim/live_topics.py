"""Records and groups of a world in which partitions move between shards that are killed: what was acknowledged is where
it was said to be, offsets are dense, a key is there once, and a group never goes back."""

from collections import defaultdict
from collections.abc import Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any, Final, Protocol

from msgspec import Raw

from aob.compose.layout.layout import Layout
from aob.compose.topics import HomeTopics, TopicsOfShard
from aob.core.errors import AobError, Conflict
from aob.ports.log import Record
from aob.ports.topics import GroupMark

TENANT, TOPIC, GROUP = "default", "orders", "billing"
IDS: Final = 24
TROUBLE: Final = frozenset(("shard_lost", "shard_down", "store_failed", "closing", "partition_moved"))


class World(Protocol):
    """Shards that come and go."""

    @property
    def layout(self) -> Layout: ...

    def say(self, *rules: str) -> None: ...

    async def at(self, shard: int, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any: ...


class ShardOfWorld:
    """A shard of the world, whatever life it has now."""

    def __init__(self, world: World, number: int) -> None:
        self._world, self.number = world, number

    async def call(self, verb: str, who: None, *args: Any) -> Any:
        return await self._world.at(
            self.number, lambda owner: getattr(TopicsOfShard(owner.core.journal), verb)(who, *args)
        )


class Traffic:
    """Callers that append, and one group that reads."""

    def __init__(self, world: World, seed: int, shards: int, partitions: int) -> None:
        self._world, self._dice, self._partitions = world, Random(f"{seed} topics"), partitions
        self.topics = HomeTopics()
        self.topics.serve([ShardOfWorld(world, number) for number in range(shards)], lambda: world.layout)
        self._told: dict[int, dict[str, int]] = defaultdict(dict)
        self._low: dict[int, int] = defaultdict(int)
        self._count = 0

    @property
    def records(self) -> int:
        """How many were acknowledged."""
        return sum(map(len, self._told.values()))

    async def asked(self) -> None:
        """One caller."""
        dice, partition = self._dice, self._dice.randrange(self._partitions)
        keyed = dice.random() < 0.6
        self._count += 1
        ids = [f"k{dice.randrange(IDS)}" if keyed else f"n{self._count}.{n}" for n in range(dice.randint(1, 3))]
        try:
            if dice.random() < 0.3:
                await self._commit(partition)
                return
            records = [Record(id, "/world", "seen", TENANT, data=Raw(b"1")) for id in ids]
            told = await self.topics.append(TENANT, TOPIC, partition, records, keyed=keyed)
        except AobError as error:
            if error.code not in TROUBLE:
                self._world.say(f"topics: {error.code}: {error.detail}")
            return
        for id, each in zip(ids, told, strict=True):
            before = self._told[partition].setdefault(id, each.offset)
            if before != each.offset:
                self._world.say(f"{id} was acknowledged at {before}, and then at {each.offset}")

    async def _commit(self, partition: int) -> None:
        mark = await self._mark(partition)
        low = mark.low if mark is not None else 0
        found = await self.topics.read(TENANT, TOPIC, partition, low, 5)
        after = found[-1].offset + 1 if found else low
        with suppress(Conflict):  # another of its consumers went on
            await self.topics.move_mark(TENANT, GROUP, TOPIC, partition, after, low)
            self._low[partition] = max(after, self._low[partition])

    async def _mark(self, partition: int) -> GroupMark | None:
        marks = await self.topics.marks(TENANT, GROUP)
        return next((mark for mark in marks if mark.partition == partition), None)

    async def done(self) -> None:
        """What must hold in the end."""
        say = self._world.say
        for partition in range(self._partitions):
            found, start = list[tuple[int, str]](), 0
            while some := await self.topics.read(TENANT, TOPIC, partition, start, 7):
                found += [(each.offset, each.record.id) for each in some]
                start = some[-1].offset + 1
            ids = [id for _, id in found]
            if [offset for offset, _ in found] != list(range(len(found))) or len(set(ids)) != len(ids):
                say(f"partition {partition} holds {found}")
            for id, offset in self._told[partition].items():
                if (offset, id) not in found:
                    say(f"{id} was acknowledged at {offset} of partition {partition}: {found}")
            mark = await self._mark(partition)
            if (mark.low if mark is not None else 0) < self._low[partition]:
                say(f"the group was at {self._low[partition]} of partition {partition}, and is at {mark}")
