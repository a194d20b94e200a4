"""Recognizes repeated events by (source, id) and by (producer, sequence). Pure. The newest ids are in memory, older
ones in sorted runs that the owner stores (`Runs`). The horizon says how far back ids are known."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, Protocol
from zlib import crc32

import msgspec
from msgspec import UNSET

from aob.core.accepted_event import Event
from aob.core.expression.library import Value
from aob.core.ingest.producers import Producers

GENERATION_MAX: Final = 1_000_000  # ids in memory before they are sealed as a run
PAGE_KEYS: Final = 20_000
KEYS_MAX: Final = 20_000_000  # ids that are kept
HORIZON_MS: Final = 24 * 3_600_000  # how long an id is kept
FILTER_BITS: Final = 27
EPOCH_KEYS: Final = 10_000_000
"""Ids covered by one filter of 2^27 bits (16 MiB): about 1 in 100 new ids is looked up in vain."""
SOURCES_MAX: Final = 100_000
PREFIX: Final = "dedup/"
_MASK: Final = (1 << FILTER_BITS) - 1
_SHIFT: Final = 32 - FILTER_BITS


class Runs(Protocol):
    """Sorted ids on disk. `add` and `drop` may be slow and run off the event loop; `holds` is quick."""

    def add(self, number: int, keys: Sequence[bytes], filters: Mapping[int, bytes]) -> None:
        """Store a run and the current filters atomically."""

    def holds(self, number: int, key: bytes) -> bool:
        """Whether a run contains a key."""

    def numbers(self) -> Sequence[int]:
        """The stored runs."""

    def keep(self, numbers: Iterable[int], filters: Iterable[int]) -> None:
        """Drop all other runs and filters."""

    def filter(self, epoch: int) -> bytes | None:
        """A stored filter."""


class Run(msgspec.Struct, array_like=True):
    """A run: its number, the epoch of its filter, its time range, the number of its ids."""

    number: int
    epoch: int
    began_ms: int
    ended_ms: int
    count: int


class _State(msgspec.Struct, array_like=True):
    generation: int
    dropped_ms: int
    runs: list[Run]


class _Generation:
    """Ids in memory, each with the number of its source, or of several."""

    def __init__(self, number: int, began_ms: int) -> None:
        self.number, self.began_ms = number, began_ms
        self.seen: dict[str, int | tuple[int, ...]] = {}
        self.sources: dict[str, int] = {}
        self.dumped = 0

    def has(self, source: str, id: str) -> bool:
        held = self.seen.get(id)
        if held is None:
            return False
        number = self.sources.get(source)
        return number == held if type(held) is int else number in held  # type: ignore[operator]  # then a tuple

    def add(self, source: str, id: str) -> None:
        number = self.sources.setdefault(source, len(self.sources))
        held = self.seen.get(id)
        self.seen[id] = number if held is None else (*(held if type(held) is tuple else (held,)), number)
        if held is not None:
            self.dumped = 0

    def remove(self, source: str, id: str) -> None:
        held, number = self.seen.get(id), self.sources.get(source)
        if type(held) is tuple:
            left = tuple(each for each in held if each != number)
            self.seen[id] = left if len(left) > 1 else left[0]
        elif held is not None and held == number:
            del self.seen[id]
        self.dumped = 0

    def pages(self) -> list[str]:
        """The names of all its pages."""
        return [f"{PREFIX}{self.number}/{page}" for page in (*range(-(-len(self.seen) // PAGE_KEYS)), "s")]

    def keys(self) -> list[bytes]:
        """All ids as bytes, sorted."""
        names = {number: source.encode() + b"\n" for source, number in self.sources.items()}
        found: list[bytes] = []
        for id, held in self.seen.items():
            for number in held if type(held) is tuple else (held,):
                found.append(names[number] + id.encode())  # type: ignore[index]  # an int of either
        found.sort()
        return found


class Dedup:
    """The known ids of one tenant. `runs` stores ids evicted from memory; without it older ids are forgotten."""

    def __init__(self, runs: Runs | None = None, *, generation_max: int = GENERATION_MAX) -> None:
        self._disk, self._generation_max = runs, generation_max
        self._now = _Generation(1, 0)
        self._sealing: _Generation | None = None
        self._sealed: Run | None = None
        self._fresh: bytearray | None = None
        self.runs: list[Run] = []
        self._filters: dict[int, bytearray] = {}
        self.horizon_ms = 0
        """The time from which every id is known; 0 for all. An older event cannot be known to be new."""
        self.producers = Producers()
        self._gone: list[str] = []

    def __len__(self) -> int:
        sealing = len(self._sealing.seen) if self._sealing is not None else 0
        return len(self._now.seen) + sealing + sum(run.count for run in self.runs)

    # -- claims -----------------------------------------------------------------------------------------------------

    def claim(self, events: Sequence[Event], now_ms: int) -> list[int]:
        """Claim ids and return the indexes of repeats. Events too old to be decided are accepted, `known` false."""
        now = self._now
        if not now.seen:
            now.began_ms = now_ms
        seen, numbers, repeats = now.seen, now.sources, list[int]()
        careful = bool(self.runs or self._sealing or self.horizon_ms)
        place = -1
        items: Sequence[Value] = events
        for event in items:
            place += 1
            id = event.id
            if careful or id in seen or event.producer is not UNSET:
                if self._repeats(event):
                    repeats.append(place)
                continue
            number = numbers.get(event.source)
            if number is None:
                numbers[event.source] = number = len(numbers)
            seen[id] = number
        return repeats

    def _repeats(self, event: Value) -> bool:
        """Whether an event is a repeat; if not, claim its id."""
        source, id = event.source, event.id
        if event.producer is not UNSET and event.sequence is not UNSET:
            if not self.producers.claim(event.producer, event.sequence):
                return True
            event.known = True
        elif event.at_ms < self.horizon_ms:
            event.known = False
        if self._now.has(source, id) or (self._sealing is not None and self._sealing.has(source, id)):
            event.known = True
            return True
        if self.runs and self._on_disk(source, id):
            event.known = True
            return True
        self._now.add(source, id)
        return False

    def _on_disk(self, source: str, id: str) -> bool:
        raw = id.encode()
        hashed = crc32(raw)
        one, two, three = _bits(hashed)
        key: bytes | None = None
        for epoch, bits in self._filters.items():
            if not (bits[one >> 3] >> (one & 7) & bits[two >> 3] >> (two & 7) & bits[three >> 3] >> (three & 7) & 1):
                continue
            key = key or source.encode() + b"\n" + raw
            for run in self.runs:
                if run.epoch == epoch and self._disk is not None and self._disk.holds(run.number, key):
                    return True
        return False

    def forget(self, events: Iterable[Event]) -> None:
        """Release the claims of events that could not be written."""
        items: Iterable[Value] = events
        for event in items:
            self._now.remove(event.source, event.id)
            if self._sealing is not None:
                self._sealing.remove(event.source, event.id)
            if event.producer is not UNSET and event.sequence is not UNSET:
                self.producers.forget(event.producer, event.sequence)

    def remember(self, events: Sequence[Event]) -> None:
        """Claim events that are in the log, in its order: at recovery."""
        known = [event.known for event in events]
        self.claim(events, max((event.at_ms for event in events), default=0))
        for event, was in zip(events, known, strict=True):
            event.known = was

    # -- runs -------------------------------------------------------------------------------------------------------

    @property
    def full(self) -> bool:
        """Whether a generation should be sealed now."""
        now = self._now
        return self._sealing is None and (len(now.seen) >= self._generation_max or len(now.sources) > SOURCES_MAX)

    def seal(self, now_ms: int) -> None:
        """Begin a new generation; the old one must be written with `write`, off the loop, then `sealed`."""
        old = self._now
        epoch = self.runs[-1].epoch if self.runs else 1
        if sum(run.count for run in self.runs if run.epoch == epoch) + len(old.seen) > EPOCH_KEYS:
            epoch += 1
        self._sealing, self._now = old, _Generation(old.number + 1, now_ms)
        self._sealed = Run(old.number, epoch, old.began_ms, now_ms, len(old.seen))

    def write(self) -> None:
        """Write the generation that is being sealed. Changes nothing that claims use; raises what `Runs` raises."""
        run = self._sealed
        assert self._sealing is not None
        assert run is not None
        if self._disk is None:
            return
        bits = bytearray(self._filters.get(run.epoch) or bytes(1 << (FILTER_BITS - 3)))
        for id in self._sealing.seen:
            for bit in _bits(crc32(id.encode())):
                bits[bit >> 3] |= 1 << (bit & 7)
        self._disk.add(run.number, self._sealing.keys(), {run.epoch: bytes(bits)})
        self._fresh = bits

    def sealed(self) -> None:
        """After the write: drop the generation from memory, and the oldest runs when there are too many."""
        old, self._sealing, run = self._sealing, None, self._sealed
        assert old is not None
        assert run is not None
        self._gone += old.pages()
        if self._disk is None or self._fresh is None:
            self.horizon_ms = run.ended_ms
            return
        self._filters[run.epoch], self._fresh = self._fresh, None
        self.runs.append(run)
        self._expire(run.ended_ms)

    def unsealed(self) -> None:
        """After a failed write: keep its ids in memory, to be tried again."""
        old, self._sealing = self._sealing, None
        if old is None:
            return
        newer, self._now = self._now, old
        names = {number: source for source, number in newer.sources.items()}
        for id, held in newer.seen.items():
            for number in held if type(held) is tuple else (held,):
                old.add(names[number], id)  # type: ignore[index]  # an int of either
        self._gone += newer.pages()

    def _expire(self, now_ms: int) -> None:
        total = len(self)
        while self.runs and (total > KEYS_MAX or self.runs[0].ended_ms < now_ms - HORIZON_MS):
            run = self.runs.pop(0)
            total -= run.count
            self.horizon_ms = max(self.horizon_ms, run.ended_ms)
        live = {run.epoch for run in self.runs}
        self._filters = {epoch: bits for epoch, bits in self._filters.items() if epoch in live}

    def tidy(self) -> None:
        """Drop unreferenced runs from disk; after a snapshot."""
        if self._disk is not None:
            self._disk.keep([run.number for run in self.runs], self._filters)

    # -- snapshots --------------------------------------------------------------------------------------------------

    def pages(self, *, full: bool = False) -> Iterator[tuple[str, bytes | None]]:
        """Pages that changed since the last dump (None: removed), or all; later changes are in the next dump."""
        gone, self._gone = self._gone, []
        yield from dict[str, bytes | None].fromkeys(gone).items()
        for each in (self._sealing, self._now):
            if each is None or (not full and each.dumped == len(each.seen)):
                continue
            start = 0 if full else each.dumped - each.dumped % PAGE_KEYS
            each.dumped = len(each.seen)
            for at in range(start, each.dumped, PAGE_KEYS):
                part = list(islice(each.seen.items(), at, at + PAGE_KEYS))
                yield f"{PREFIX}{each.number}/{at // PAGE_KEYS}", msgspec.msgpack.encode(part)
            yield f"{PREFIX}{each.number}/s", msgspec.msgpack.encode((each.began_ms, list(each.sources)))
        if full or self.producers.changed:
            yield f"{PREFIX}producers", self.producers.dump()
        state = _State(self._now.number, self.horizon_ms, self.runs)
        yield f"{PREFIX}state", msgspec.msgpack.encode(state)

    def load(self, pages: Mapping[str, bytes]) -> None:
        """Restore from a dump; other pages are ignored. Raises MsgspecError for invalid pages."""
        found = {name[len(PREFIX) :]: data for name, data in pages.items() if name.startswith(PREFIX)}
        if "state" not in found:
            return
        state = msgspec.msgpack.decode(found["state"], type=_State)
        if "producers" in found:
            self.producers.load(found["producers"])
        self.horizon_ms, self.runs = state.dropped_ms, state.runs
        self._load_filters()
        now = self._now = _Generation(state.generation, 0)
        numbers = {int(name.partition("/")[0]) for name in found if name.endswith("/s")}
        for number in sorted(numbers):
            began_ms, sources = msgspec.msgpack.decode(found[f"{number}/s"], type=tuple[int, list[str]])
            now.began_ms = now.began_ms or began_ms
            page, same = 0, not now.seen
            if same:
                now.sources = {source: at for at, source in enumerate(sources)}
            while (data := found.get(f"{number}/{page}")) is not None:
                items = msgspec.msgpack.decode(data, type=list[tuple[str, int | tuple[int, ...]]])
                if same:
                    now.seen.update(items)
                else:
                    for id, held in items:
                        for at in held if type(held) is tuple else (held,):
                            now.add(sources[at], id)  # type: ignore[index]  # an int of either
                page += 1
            if number != state.generation:
                self._gone += [f"{PREFIX}{number}/{each}" for each in [*range(page), "s"]]
        now.dumped = len(now.seen) if numbers == {now.number} else 0  # merged generations: rewrite all pages

    def _load_filters(self) -> None:
        """Load the filters of the runs; drop a run without its filter and move the horizon."""
        for epoch in {run.epoch for run in self.runs}:
            bits = self._disk.filter(epoch) if self._disk is not None else None
            if bits is not None:
                self._filters[epoch] = bytearray(bits)
        there = set(self._disk.numbers()) if self._disk is not None else set[int]()
        for run in [run for run in self.runs if run.epoch not in self._filters or run.number not in there]:
            self.runs.remove(run)
            self.horizon_ms = max(self.horizon_ms, run.ended_ms)


def _bits(hashed: int) -> tuple[int, int, int]:
    """Three bit positions in a filter for a 32-bit hash."""
    return (hashed & _MASK, (hashed * 0x9E3779B1 & 0xFFFFFFFF) >> _SHIFT, (hashed * 0x85EBCA6B & 0xFFFFFFFF) >> _SHIFT)
