"""Folds events into the states of entities (an order, a customer, a run), now and at an instant; in pages. The later
write by (time, offset) wins, in any order of arrival. Changes beyond the newest `CHANGES_MAX` are merged."""

from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Final, NamedTuple
from zlib import crc32

import msgspec

from aob.core.accepted_event import Event
from aob.core.contract_model import ContractSet, EntityMove, EventContract
from aob.core.errors import NotFound
from aob.core.ingest.shape import INT_MAX, INT_MIN
from aob.core.value import canonical

Read = Callable[[Event], tuple[object, ...]]
Reader = Callable[[Sequence[str], EventContract], Read]
"""Compiles expressions into one reader of a contract's events: UNSET for what cannot be evaluated."""
Stamp = tuple[int, int, int]
"""The time of a write: event time in ms, offset in the log, index of the move. The later one wins."""
_PLAIN: Final = frozenset((str, float, bool, type(None)))
CHANGES_MAX: Final = 32  # changes of one entity kept individually; older history has to be read from the log
ENTITY_BYTES: Final = 500
CHANGE_BYTES: Final = 400  # approximate bytes of memory of an entity and of a change
_NEVER: Final[Stamp] = (-(2**62), -1, 0)
PAGES: Final = 4_096  # pages into which entities are partitioned


class Change(msgspec.Struct, array_like=True, gc=False):
    """Attributes that an event sets, or the removal of the entity. `type` is the event's."""

    stamp: Stamp
    type: str
    set: dict[str, object]
    removes: bool = False


class Move(NamedTuple):
    """`read` returns the key, the attributes `names` and, if conditional, whether it counts and whether it removes.
    `place` is its index among the moves of its contract."""

    entity: str
    place: int
    names: tuple[str, ...]
    conditional: bool
    read: Read

    def change(self, event: Event) -> tuple[str, Change] | None:
        """The id of the entity of an event, and the change. What cannot be evaluated is omitted: an attribute or, if it
        is the key or a condition, the whole change."""
        names = self.names
        id, *values = self.read(event)
        if id.__class__ is not str:
            id = _id(id)
        if not id:
            return None
        stamp = event.at_ms, event.offset, self.place
        if self.conditional:
            removes, counts = values.pop(), values.pop()
            if counts is not True:
                return None
            if removes is True:
                return id, Change(stamp, event.type, {}, True)
        sets = dict(zip(names, values, strict=True))
        for name, value in zip(names, values, strict=True):
            if value.__class__ is int:
                if not INT_MIN <= value <= INT_MAX:
                    sets[name] = float(value)
            elif value.__class__ not in _PLAIN:
                if value is msgspec.UNSET:
                    del sets[name]
                else:
                    sets[name] = _held(msgspec.to_builtins(value))
        return id, Change(stamp, event.type, sets)


class Changes:
    """Readers of entity changes: `moves` by the type and version of their contract."""

    def __init__(self, contracts: ContractSet, reader: Reader) -> None:
        self.moves = {
            (type, version): tuple(_compiled(index, move, contract, reader) for index, move in enumerate(told))
            for type, versions in contracts.events.items()
            for version, contract in versions.items()
            if (told := contract.entities)
        }

    @property
    def entities(self) -> frozenset[str]:
        """The types of entities that events change."""
        return frozenset(move.entity for moves in self.moves.values() for move in moves)


def _compiled(index: int, move: EntityMove, contract: EventContract, reader: Reader) -> Move:
    conditional = bool(move.when or move.removes)
    texts = [move.key, *move.set.values()]
    if conditional:
        texts += [move.when or "true", move.removes or "false"]
    return Move(move.entity, index, tuple(move.set), conditional, reader(texts, contract))


def _held(value: object) -> object:
    """A value that pages can store: integers beyond 64 bits become doubles, and keys become texts."""
    if isinstance(value, dict):
        return {str(key): _held(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_held(item) for item in value]
    return float(value) if value.__class__ is int and not INT_MIN <= value <= INT_MAX else value


def _id(value: object) -> str:
    if isinstance(value, float):
        if not isfinite(value):
            return ""
        value = int(value) if value.is_integer() else value
    return canonical(value).decode() if isinstance(value, int | float) else ""


class EntityState(msgspec.Struct, frozen=True):
    """The state of an entity at an instant. `changed_at_ms` is when it last changed; None when it is unknown."""

    type: str
    id: str
    exists: bool
    state: dict[str, object]
    changed_at_ms: int | None


class Entity(msgspec.Struct, array_like=True, gc=False):
    """`merged` are attributes with the stamp of their last write; `written` and `removed` are the last write and the
    last removal, among the changes up to `merged_to`. `changes` are the later ones."""

    merged: dict[str, tuple[Stamp, object]] = {}
    written: Stamp = _NEVER
    removed: Stamp = _NEVER
    merged_to: Stamp = _NEVER
    changes: list[Change] = []

    def put(self, change: Change) -> None:
        """Insert a change by its stamp."""
        if change.stamp <= self.merged_to:
            self._merge(change)
            return
        if not self.changes or self.changes[-1].stamp < change.stamp:
            self.changes.append(change)
        else:
            insort(self.changes, change, key=lambda each: each.stamp)
        if len(self.changes) > CHANGES_MAX:
            oldest = self.changes.pop(0)
            self.merged_to = oldest.stamp
            self._merge(oldest)

    def state(self, type: str, id: str, at_ms: int | None = None) -> EntityState | None:
        """The state now or at an instant; None when that is older than what is kept."""
        if at_ms is not None and at_ms < self.merged_to[0]:
            return None
        removed, written = self.removed, self.written
        values = {name: value for name, (_, value) in self.merged.items()}
        for change in self.changes:
            if at_ms is not None and change.stamp[0] > at_ms:
                break
            if change.removes:
                removed, values = change.stamp, {}
            else:
                written = change.stamp
                values.update(change.set)
        newest = max(removed, written)
        return EntityState(type, id, written > removed, values, None if newest == _NEVER else newest[0])

    @property
    def complete(self) -> bool:
        """Whether `changes` is the complete history."""
        return self.merged_to == _NEVER

    def _merge(self, change: Change) -> None:
        stamp = change.stamp
        if change.removes:
            if stamp > self.removed:
                self.removed = stamp
                self.merged = {name: held for name, held in self.merged.items() if held[0] > stamp}
            return
        self.written = max(self.written, stamp)
        if stamp < self.removed:
            return
        for name, value in change.set.items():
            held = self.merged.get(name)
            if held is None or held[0] < stamp:
                self.merged[name] = (stamp, value)


_page = msgspec.msgpack.Decoder(dict[str, Entity])


class Entities:
    """The entities of a contract set. `reader` compiles expressions that read events."""

    def __init__(self, contracts: ContractSet, reader: Reader) -> None:
        self._changes = Changes(contracts, reader)
        self.types = self._changes.entities
        self._pages: dict[int, dict[str, Entity]] = {}
        self._changed: set[int] = set()
        self._held = 0
        self.unmoved = 0  # changes that could not be read from events

    def add(self, events: Iterable[Event]) -> set[tuple[str, str]]:
        """Fold events and return the (type, id) of every entity they touch."""
        touched: set[tuple[str, str]] = set()
        moves = self._changes.moves
        for event in events:
            for move in moves.get((event.type, event.version), ()):
                try:
                    found = move.change(event)
                except Exception:  # a value that cannot be stored changes nothing and is counted
                    self.unmoved += 1
                    continue
                if found is not None:
                    self._put(move.entity, *found)
                    touched.add((move.entity, found[0]))
        return touched

    def _put(self, type: str, id: str, change: Change) -> None:
        number, key = _place(type, id)
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = {}
        entity = page.get(key)
        if entity is None:
            entity = page[key] = Entity(merged={}, changes=[])
            self._held += 1
        entity.put(change)
        self._changed.add(number)

    def state(self, type: str, id: str) -> EntityState:
        """The current state of an entity. Raises NotFound for a type without a contract; an id without events gives a
        state that does not exist."""
        found = self._find(type, id).state(type, id)
        assert found is not None, "the newest state is always kept"
        return found

    def as_of(self, type: str, id: str, at_ms: int) -> EntityState | None:
        """The state at an instant of event time; None when that is older than the kept changes, so that the log has to
        be read: `Entities` of the events up to then gives its `state`."""
        return self._find(type, id).state(type, id, at_ms)

    def history(self, type: str, id: str) -> tuple[list[Change], bool]:
        """The newest changes, newest first, and whether they are the complete history."""
        entity = self._find(type, id)
        return entity.changes[::-1], entity.complete

    def __len__(self) -> int:
        return self._held

    def size(self) -> int:
        entities = [entity for page in self._pages.values() for entity in page.values()]
        return ENTITY_BYTES * len(entities) + CHANGE_BYTES * sum(len(entity.changes) for entity in entities)

    def pages(self, full: bool = False) -> Iterator[tuple[str, bytes]]:
        """The pages that changed since the last dump, or all in memory; later changes are in the next dump."""
        for number in sorted(self._pages if full else self._changed):
            self._changed.discard(number)
            if number in self._pages:
                yield str(number), msgspec.msgpack.encode(self._pages[number])

    def load(self, pages: Mapping[str, bytes]) -> None:
        """Restore from dumped pages: the newest version of each."""
        for name, data in pages.items():
            number = int(name)
            self._held -= len(self._pages.get(number, ()))
            self._pages[number] = _page.decode(data) if data else {}
            self._held += len(self._pages[number])

    def _find(self, type: str, id: str) -> Entity:
        if type not in self.types:
            why = f"no contract speaks of entities of type {type!r}"
            raise NotFound(why, hint=f"entities: {', '.join(sorted(self.types)) or 'none yet'}")
        number, key = _place(type, id)
        return self._pages.get(number, {}).get(key) or Entity(merged={}, changes=[])


def _place(type: str, id: str) -> tuple[int, str]:
    key = f"{type}\0{id}"
    return crc32(key.encode()) % PAGES, key
