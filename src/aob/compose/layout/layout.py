"""Which shard owns each partition of a home, and which owned it before: read from the files of the shards. A
partition's history is a chain of extents, each in one file; the one with the greatest epoch is the owner's."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from aob.backends.sqlite.extents import look_held
from aob.compose.home import HOME_FILE, Hint, hint_of, in_files, remember, shard_files
from aob.core.errors import AobError, Conflict, Invalid, Problem
from aob.core.event import HOME, PARTITIONS, WHOLE, Position, partition_of, seed_of
from aob.core.verbs import key_verbs
from aob.journal import Journal
from aob.journal.partition import place_of
from aob.ports.store import Extent, Holding
from aob.runs import Ambient, RunIds, base32

PARTITION_COUNTS: Final = (64, 128, 256)
"""Allowed numbers of partitions. A home keeps its number for life, on any number of shards."""


class Held(NamedTuple):
    """An extent, and the shard whose file holds it."""

    epoch: int
    shard: int
    extent: Extent


class Layout(msgspec.Struct, frozen=True):
    """The shards of a home. `files` is their number, including those that own nothing any more; `chains` are the
    extents of each partition, oldest first, and `owners` the shard of each."""

    partitions: int
    made: int
    files: int
    chains: list[list[Held]]
    owners: list[int]

    @classmethod
    def of(cls, shards: int, partitions: int = PARTITIONS) -> "Layout":
        """The layout of a new home with this many shards."""
        return cls.read({}, shards, partitions)

    @classmethod
    def read(cls, held: Mapping[int, Holding], made: int, partitions: int) -> "Layout":
        """Combine the extents of all shards. A partition without an extent has not moved since the home was made."""
        chains: list[list[Held]] = [[] for _ in range(partitions)]
        for shard, holding in held.items():
            for extent in holding.extents:
                chains[extent.partition].append(Held(extent.epoch, shard, extent))
        owners: list[int] = []
        for number, chain in enumerate(chains):
            if not any(each.epoch == 0 for each in chain):
                chain.append(Held(0, number % made, Extent(number, 0, 1)))
            chain.sort(key=lambda each: (each.epoch, each.shard))
            last = chain[-1]
            owners.append(last.extent.target if last.extent.last_row else last.shard)
        files = 1 + max(*held, *owners, made - 1)
        return cls(partitions, made, files, chains, owners)

    @property
    def added(self) -> range:
        """The shards added after the home was made."""
        return range(self.made, self.files)

    @property
    def moving(self) -> bool:
        """Whether a partition is being moved, or the files disagree about one after an accepted loss."""
        return any(
            chain[-1].extent.last_row or any(not held.extent.released for held in chain[:-1]) for chain in self.chains
        )

    @property
    def moved(self) -> bool:
        """Whether a partition ever moved."""
        return any(len(chain) > 1 for chain in self.chains)

    @property
    def active(self) -> list[int]:
        """The shards that own partitions."""
        return sorted(set(self.owners))

    @property
    def retired(self) -> list[int]:
        """The shards that own nothing any more, except the first, which has the home's own streams."""
        return sorted(set(range(1, self.files)) - set(self.owners))

    def shard_of(self, run_id: str) -> int:
        """The shard that owns the partition of a run."""
        return self.owners[partition_of(run_id, self.partitions)]

    def owner(self, partition: int) -> int:
        """The shard of a partition. The first has the home's own streams."""
        return 0 if partition == HOME else self.owners[partition]

    def shards_of(self, run_id: str) -> list[int]:
        """The shards that may hold a run: the owner of its partition, then its earlier owners, the latest first."""
        chain = self.chains[partition_of(run_id, self.partitions)]
        return list(dict.fromkeys((self.shard_of(run_id), *(held.shard for held in reversed(chain)))))

    def widened(self, token: str, shard: int, run_id: str) -> str:
        """Convert a shard's own position in a run to one of the home, past everything in earlier extents of the
        partition."""
        row, index = Position.row_of(token)
        shard, row = place_of(row, shard)
        passed: dict[int, tuple[int, int]] = {}
        for held in self.chains[partition_of(run_id, self.partitions)]:
            last = held.extent.last_row
            if held.shard == shard and (not last or row <= last):
                break
            passed[held.shard] = (last, WHOLE)
        return Position.widened(Position.joined([(row, index)], token), shard, self.files, passed)

    def first(self, shard: int) -> Holding:
        """What a shard owns if its file says nothing yet: its share when the home was made."""
        mine = range(shard, self.partitions, self.made) if shard < self.made else range(0)
        return Holding(self.partitions, self.made, tuple(Extent(number, 0, 1) for number in mine))


def layout_of(home: Path, shards: int = 0, partitions: int = 0) -> Layout:
    """The layout of a home; of a new one with as many shards (0: one) and partitions (0: 64) as are wanted.

    Raises Conflict `other_shards` or `other_partitions` when the home has other numbers, Invalid `bad_shards` or
    `bad_partitions` for impossible numbers.
    """
    _possible(shards, partitions)
    in_files(home)
    hint, files = hint_of(home), shard_files(home)
    held = dict(_held(files))
    said = next(iter(held.values()), None)
    made = said.made if said else hint.shards if hint else max(files, default=(shards or 1) - 1) + 1
    count = said.partitions if said else hint.partitions if hint else PARTITIONS if files else partitions or PARTITIONS
    if not made:
        raise Invalid(f"{home / HOME_FILE} says that there are no shards", [Problem(HOME_FILE, "shards", "bad_home")])
    found = Layout.read(held, made, count)
    active = len(found.active)
    if hint is None:
        remember(home, Hint(active, count))
    refused_shards(home, active, shards)
    refused_partitions(home, count, partitions)
    return found


def refused_shards(home: Path | str, active: int, wanted: int) -> None:
    """Raises Conflict `other_shards` when another number of shards is wanted."""
    if wanted not in (0, active):
        raise Conflict(
            f"{home} has {active} shard{'s'[: active != 1]}, not {wanted}", code="other_shards", shards=active,
            hint=f"leave --shards out, or say --shards {active}; another number: aob shards set {wanted}",
        )  # fmt: skip


def refused_partitions(home: Path | str, count: int, wanted: int) -> None:
    """Raises Conflict `other_partitions` when another number of partitions is wanted."""
    if wanted not in (0, count):
        raise Conflict(
            f"{home} was made with {count} partitions, not with {wanted}", code="other_partitions",
            hint=f"leave --partitions out: a home keeps the {count} that it was made with", partitions=count,
        )  # fmt: skip


def single(home: Path, shards: int, partitions: int) -> Layout:
    """The layout of a home that can run in one process. Raises Conflict `many_shards`, with an alternative."""
    known = hint_of(home) is not None or shard_files(home)
    count = len(layout_of(home).active) if known else shards
    if count > 1:
        raise Conflict(
            f"{home} has {count} shards, each with a process of its own",
            code="many_shards",
            hint=f'run it: aob up --home {home}, and talk to it with aob.Client.of_home; or say processes="one"',
        )
    return layout_of(home, shards, partitions)


def _held(files: Mapping[int, Path]) -> Iterable[tuple[int, Holding]]:
    for number, path in files.items():
        try:
            found = look_held(path)
        except AobError:
            continue  # damaged: opening it reports that
        if found is not None:
            yield number, found


def _possible(shards: int, partitions: int) -> None:
    if not 0 <= shards <= key_verbs.SHARDS_MAX:
        limit = Problem("shards", f"{shards} is not between 1 and {key_verbs.SHARDS_MAX}", "bad_shards")
        raise Invalid(f"a home has 1 to {key_verbs.SHARDS_MAX} shards", [limit])
    if partitions and partitions not in PARTITION_COUNTS:
        counts = ", ".join(map(str, PARTITION_COUNTS))
        raise Invalid(f"a home has {counts} partitions", [
            Problem("partitions", f"{partitions} is none of {counts}", "bad_partitions")
        ])  # fmt: skip


_TAILS: Final = [base32(number, 2) for number in range(1024)]


class ShardIds(RunIds):
    """Run ids of one shard: its owner makes them, and every process finds the shard by them."""

    def __init__(self, ambient: Ambient, journal: Journal) -> None:
        super().__init__(ambient)
        self._journal = journal

    def next(self) -> str:
        """A new id of this shard, greater than all before it. One that owns nothing starts no run: any id will do.

        The last two characters are tried in their order, so that a search costs no clock and no dice."""
        foreign, partitions, made = self._journal.foreign, self._journal.partitions, super().next()
        if not foreign or len(foreign) >= partitions:
            return made
        while True:
            begin, tail = made[:-2], self._last & 1023
            seed = seed_of(begin)
            for number in range(tail, 1024):
                if seed_of(_TAILS[number], seed) % partitions not in foreign:
                    self._last += number - tail
                    return begin + _TAILS[number]
            self._last |= 1023
            made = super().next()
