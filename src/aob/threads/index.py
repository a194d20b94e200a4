"""What is known in memory of one thread: its checkpoints, and how often each value and item is named. Changes give the
rows to write and to remove. Pure but for its own state; who uses it commits the rows in the order of the changes."""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from aob.ports.store import Entry
from aob.threads.command import Encoded, Put, PutWrites, Written
from aob.threads.manifest import end_of, items_of, manifest_of, mark_of, piece_of
from aob.threads.rows import (
    PIECE,
    Manifest,
    OneWrite,
    Point,
    WriteRow,
    beyond,
    channel_key,
    channel_named,
    named,
    point_key,
    point_row,
    row_of,
    sealed,
    write_key,
    write_named,
    writes_key,
)

DELTAS_AT_ONCE: Final = 16  # checkpoints over the limit before a thread with delta channels is pruned

ChannelKey = tuple[str, str, bytes]


class Known(msgspec.Struct):
    """A stored value of a channel: how many checkpoints and values name it, and what it names."""

    refs: int
    base: ChannelKey | None
    pieces: list[bytes]


class Base(msgspec.Struct):
    """A value of a channel that others are stored against."""

    end: bytes
    kind: int
    items: list[bytes]
    below: bool = False
    """Whether it has a base itself."""


class Writing(msgspec.Struct):
    """A stored row of writes: their places, and the items that they name."""

    places: list[int]
    pieces: list[bytes]


class ThreadIndex:
    """One thread."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.points: dict[str, dict[str, Point]] = {}
        self._channels: dict[ChannelKey, Known] = {}
        self._pieces: dict[bytes, int] = {}
        self._bases: dict[tuple[str, str], list[Base]] = {}
        """Of each channel the last value with all its items, and the last one that is stored against that."""
        self._writes: dict[tuple[str, str], dict[tuple[str, int], Writing]] = {}
        """Of each checkpoint, by task and first place."""
        self._deltas = False

    @property
    def weight(self) -> int:
        """About how much it holds, in items."""
        points = sum(map(len, self.points.values()))
        return len(self._pieces) + len(self._channels) + points + sum(map(len, self._writes.values()))

    # -- reading what is stored ---------------------------------------------------------------------------------------

    def read(
        self, points: Iterable[tuple[bytes, Point]], values: Iterable[tuple[bytes, Manifest]],
        writes: Iterable[tuple[bytes, WriteRow]],
    ) -> None:  # fmt: skip
        """Fill it with what is stored."""
        for key, manifest in values:
            self._know(channel_named(key), manifest)
        for known in self._channels.values():
            if known.base in self._channels:
                self._channels[known.base].refs += 1
        for key, point in points:
            self._add(*named(key), point)
        for key, row in writes:
            self._note(key, row)

    def _know(self, at: ChannelKey, manifest: Manifest) -> set[bytes]:
        """Note a value; returns the items that are new to the thread."""
        ns, channel, _ = at
        pieces, new = self._named(manifest.items)
        base = (ns, channel, manifest.base) if manifest.base else None
        self._channels[at] = Known(0, base, pieces)
        if base is None:
            self._bases[ns, channel] = [Base(at[2], manifest.kind, manifest.items)]
        return new

    def _named(self, items: Iterable[bytes]) -> tuple[list[bytes], set[bytes]]:
        """Count the items that are rows; returns them, and those that are new to the thread."""
        pieces = [piece for item in items if (piece := piece_of(item))]
        new = set[bytes]()
        for piece in pieces:
            count = self._pieces.get(piece, 0)
            self._pieces[piece] = count + 1
            if not count:
                new.add(piece)
        return pieces, new

    def _note(self, key: bytes, row: WriteRow) -> set[bytes]:
        """Note a row of writes; returns the items that are new to the thread."""
        ns, id, task, place = write_named(key)
        pieces, new = self._named(item for write in row.writes for item in write.items)
        self._writes.setdefault((ns, id), {})[task, place] = Writing([write.place for write in row.writes], pieces)
        return new

    def _add(self, ns: str, id: str, point: Point) -> None:
        for channel, end in point.channels.items():
            if (known := self._channels.get((ns, channel, end))) is not None:
                known.refs += 1
        self._deltas |= bool(point.deltas)
        point.body = point.metadata = b""
        self.points.setdefault(ns, {})[id] = point

    # -- changes ------------------------------------------------------------------------------------------------------

    def put(self, given: Put) -> tuple[list[str], list[Entry]]:
        """Add a checkpoint, and drop the oldest beyond the limit. Returns the channels that are to be given again, or
        the rows."""
        parent = self.points.get(given.ns, {}).get(given.parent)
        channels, missing = dict[str, bytes](), list[str]()
        for channel, version in given.kept.items():
            end = parent.channels.get(channel) if parent is not None else None
            if end is None or end[:2] != mark_of(version):
                missing.append(channel)
            else:
                channels[channel] = end
        if missing:
            return missing, []
        entries: list[Entry] = []
        for channel, (version, value) in given.values.items():
            channels[channel] = self._store(given.ns, channel, version, value, entries)
        point = Point(given.parent, given.run, given.root, given.body, given.metadata, channels, given.deltas)
        key = point_key(given.ns, given.id)
        entries.append(Entry(self.stream, key, point_row(key, point)))
        before = self.points.get(given.ns, {}).get(given.id)
        self._add(given.ns, given.id, point)
        if before is not None:
            self._release(given.ns, before, entries)
        over = len(self.points.get("", ())) - given.keep if given.keep else 0
        if over > (DELTAS_AT_ONCE if self._deltas else 0):
            self._drop_oldest(over, entries)
        return [], entries

    def _store(self, ns: str, channel: str, version: str, value: Encoded, entries: list[Entry]) -> bytes:
        """Add a value, if it is not there; returns the end of its key."""
        items = items_of(value)
        end = end_of(version, value.kind, items)
        at = (ns, channel, end)
        if at in self._channels:
            return end
        bases = [base for base in self._bases.get((ns, channel), ()) if base.kind == value.kind]
        manifest = manifest_of(value.kind, items, [(base.end, base.items) for base in bases])
        new = self._know(at, manifest)
        if (known := self._channels[at]).base is not None:
            self._channels[known.base].refs += 1
            if manifest.base == bases[0].end:
                self._bases[ns, channel] = [bases[0], Base(end, value.kind, items, below=True)]
        self._add_pieces(value, new, entries)
        key = channel_key(*at)
        entries.append(Entry(self.stream, key, row_of(key, manifest)))
        return end

    def _add_pieces(self, value: Encoded, new: set[bytes], entries: list[Entry]) -> None:
        """The rows of the items of a value that are new; none is new afterwards."""
        for digest, data in value.items:
            if digest in new:
                new.discard(digest)
                entries.append(Entry(self.stream, PIECE + digest, sealed(PIECE + digest, data)))

    def write(self, given: PutWrites) -> list[Entry]:
        """Add what tasks have written after a checkpoint. What a task wrote first stands, but for what is written over.
        Returns the rows."""
        entries: list[Entry] = []
        for task, path in dict.fromkeys((write.task, write.path) for write in given.writes):
            rows = self._writes.get((given.ns, given.id), {})
            there = {place for (name, _), row in rows.items() if name == task for place in row.places}
            mine = [write for write in given.writes if (write.task, write.path) == (task, path)]
            plain = [write for write in mine if write.place >= 0 and write.place not in there]
            for some in (plain, *([write] for write in mine if write.place < 0)):
                if some:
                    self._add_writes(given, path, some, entries)
        return entries

    def _add_writes(self, given: PutWrites, path: str, some: list[Written], entries: list[Entry]) -> None:
        key = write_key(given.ns, given.id, some[0].task, some[0].place)
        before = self._writes.get((given.ns, given.id), {}).get((some[0].task, some[0].place))
        each = [OneWrite(write.place, write.channel, write.value.kind, items_of(write.value)) for write in some]
        row = WriteRow(path, each)
        new = self._note(key, row)
        for write in some:
            self._add_pieces(write.value, new, entries)
        entries.append(Entry(self.stream, key, row_of(key, row)))
        self._unname(before.pieces if before is not None else (), entries)

    def _drop_oldest(self, over: int, entries: list[Entry]) -> None:
        points = self.points[""]
        gone = set(sorted(points)[:over])
        gone -= self._needed("", points.keys() - gone)
        for ns, id in self._below(gone):
            self._drop(ns, id, entries)
        for id in sorted(gone):
            self._drop("", id, entries)

    def _below(self, roots: Collection[str]) -> list[tuple[str, str]]:
        """Checkpoints of inner graphs that go with some of the outermost: all but the newest of a graph that keeps its
        state from run to run, whose namespace names no task."""
        found = []
        for ns, points in self.points.items():
            if not ns:
                continue
            going = {id for id, point in points.items() if point.root in roots}
            if going and ":" not in ns.rpartition("|")[2]:
                going.discard(max(points))
            going -= self._needed(ns, points.keys() - going)
            found += [(ns, id) for id in sorted(going)]
        return found

    def _needed(self, ns: str, kept: Collection[str]) -> set[str]:
        """Ancestors of checkpoints whose writes make the values of their delta channels."""
        if not self._deltas:
            return set()
        points, needed, seen = self.points[ns], set[str](), set[tuple[str, str]]()
        for id in kept:
            for channel in points[id].deltas:
                at = points[id].parent
                while at in points and (at, channel) not in seen:
                    seen.add((at, channel))
                    needed.add(at)
                    if channel in points[at].channels:
                        break
                    at = points[at].parent
        return needed

    def latest_only(self) -> list[Entry]:
        """Drop all but the newest checkpoint of each namespace, and what it needs."""
        entries: list[Entry] = []
        for ns, points in [*self.points.items()]:
            newest = max(points)
            for id in sorted(points.keys() - {newest} - self._needed(ns, [newest])):
                self._drop(ns, id, entries)
        return entries

    def drop_runs(self, runs: Collection[str]) -> list[Entry]:
        """Drop what runs wrote."""
        entries: list[Entry] = []
        for ns, points in [*self.points.items()]:
            for id in [id for id, point in points.items() if point.run in runs]:
                self._drop(ns, id, entries)
        return entries

    def _drop(self, ns: str, id: str, entries: list[Entry]) -> None:
        points = self.points[ns]
        point = points.pop(id)
        if not points:
            del self.points[ns]
        key, writes = point_key(ns, id), writes_key(ns, id)
        entries.append(Entry(self.stream, key, None, key + b"\0"))
        entries.append(Entry(self.stream, writes, None, beyond(writes)))
        for row in self._writes.pop((ns, id), {}).values():
            self._unname(row.pieces, entries)
        self._release(ns, point, entries)

    def _release(self, ns: str, point: Point, entries: list[Entry]) -> None:
        for channel, end in point.channels.items():
            self._forget((ns, channel, end), entries)

    def _forget(self, at: ChannelKey, entries: list[Entry]) -> None:
        """One that named a value is gone; the last takes it along."""
        known = self._channels.get(at)
        if known is None:
            return
        known.refs -= 1
        if known.refs:
            return
        del self._channels[at]
        if at[:2] in self._bases:
            left = [base for base in self._bases[at[:2]] if base.end != at[2]]
            self._bases[at[:2]] = left if left and not left[0].below else []
        key = channel_key(*at)
        entries.append(Entry(self.stream, key, None, key + b"\0"))
        self._unname(known.pieces, entries)
        if known.base is not None:
            self._forget(known.base, entries)

    def _unname(self, pieces: Iterable[bytes], entries: list[Entry]) -> None:
        """One that named items is gone; those that nobody names go with it."""
        for piece in pieces:
            self._pieces[piece] -= 1
            if not self._pieces[piece]:
                del self._pieces[piece]
                entries.append(Entry(self.stream, PIECE + piece, None, PIECE + piece + b"\0"))
